//! Outages of the database: killed, restarted, locked, read-only, without free connections, or silent.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use local_database::postgres::Postgres;
use reqwest::StatusCode;
use serde_json::Value;

use crate::support::database::{Database, PRO, Session, migrate_template, run_directory};
use crate::support::world::{HttpResponse, World, new_bot};

fn is_unavailable(answer: &HttpResponse) -> bool {
    answer.status == 503 && answer.problem() == "unavailable" && answer.headers.contains_key("retry-after")
}

async fn bot_names(owner: &Session) -> Vec<String> {
    let rows = owner.rows(&format!("select name::text from public.bots where user_id = '{PRO}'"), &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_database_killed_during_fifty_requests_loses_no_acknowledged_bot() {
    let mut postgres = Postgres::start(&run_directory("postgres-killed"), None).await.unwrap();
    migrate_template(&postgres).await;
    let world = World::on_database(Database::migrated_on(&postgres), BTreeMap::new()).await;
    world.database.owner().await.run("update public.plans set max_bots = -1").await.unwrap();
    let token = world.sign_in("pro@nofomo.test").await;

    let answered = AtomicUsize::new(0);
    // Starts fifty instances.
    let warm = |round: usize| {
        join_all((0..50).map(move |n| format!("{round}-{n}")).map(|name| {
            let (world, token, answered) = (&world, &token, &answered);
            async move {
                let answer = world.post("/bots", token, &new_bot(&name)).await;
                answered.fetch_add(1, Ordering::SeqCst);
                (name, answer)
            }
        }))
    };
    assert!(warm(0).await.iter().all(|(_, answer)| answer.status == 201));
    let mut instances = world.stack.fleet("create-bot").unwrap().process_ids();

    answered.store(0, Ordering::SeqCst);
    let requests = warm(1);
    let killing = async {
        // Killed when some requests are acknowledged and others are in flight.
        while answered.load(Ordering::SeqCst) < 10 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        postgres.kill().unwrap();
    };
    let (answers, ()) = tokio::join!(requests, killing);
    let acknowledged: Vec<&String> = answers.iter().filter(|(_, a)| a.status == 201).map(|(name, _)| name).collect();
    for (name, answer) in &answers {
        assert!(answer.status == 201 || is_unavailable(answer), "{name}: {answer:?}");
    }
    // While the database is down every request is answered with 503.
    assert!(is_unavailable(&world.post("/bots", &token, &new_bot("during the outage")).await));
    assert!(is_unavailable(&world.get("/portfolio", &token).await));

    postgres.restart().await.unwrap();
    let stored = bot_names(&world.database.owner().await).await;
    for name in acknowledged {
        assert_eq!(stored.iter().filter(|other| *other == name).count(), 1, "{name} was acknowledged");
    }
    let answers = join_all((0..50).map(|n| {
        let (world, token) = (&world, &token);
        async move { world.post("/bots", token, &new_bot(&format!("back-{n}"))).await }
    }))
    .await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    instances.retain(|id| !world.stack.fleet("create-bot").unwrap().process_ids().contains(id));
    assert_eq!(instances, Vec::<u32>::new(), "the same instances serve again");
}

#[tokio::test]
async fn a_connection_closed_between_requests_is_replaced_without_an_error() {
    let (world, proxy) = World::behind_proxy_without_pooler().await;
    let token = world.sign_in("pro@nofomo.test").await;
    assert_eq!(world.post("/bots", &token, &new_bot("before")).await.status, 201);
    world.wait_until_connections_close("create-bot", async { proxy.cut() }).await;
    assert_eq!(world.post("/bots", &token, &new_bot("after cut")).await.status, 201);

    let owner = world.database.owner().await;
    let terminate = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'nofomo_api' and datname = current_database()";
    world.wait_until_connections_close("create-bot", async { owner.run(terminate).await.unwrap() }).await;
    assert_eq!(world.post("/bots", &token, &new_bot("after termination")).await.status, 201);
    assert_eq!(bot_names(&owner).await.len(), 5);
}

#[tokio::test]
async fn a_connection_lost_while_the_instance_was_frozen_is_detected_and_replaced() {
    let (world, proxy) = World::behind_proxy_without_pooler().await;
    let token = world.sign_in("pro@nofomo.test").await;
    assert_eq!(world.post("/bots", &token, &new_bot("before")).await.status, 201);
    let instance = nix::unistd::Pid::from_raw(world.stack.fleet("create-bot").unwrap().process_ids()[0].cast_signed());
    nix::sys::signal::kill(instance, nix::sys::signal::Signal::SIGSTOP).unwrap();
    // The connection is lost without any packet that reports it.
    proxy.silence();
    tokio::time::sleep(Duration::from_secs(11)).await;
    nix::sys::signal::kill(instance, nix::sys::signal::Signal::SIGCONT).unwrap();
    let answer = world.post("/bots", &token, &new_bot("thawed")).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(proxy.take_connections(), 2, "the old connection was tried and abandoned");
    assert_eq!(bot_names(&world.database.owner().await).await.iter().filter(|name| *name == "thawed").count(), 1);
}

/// The statement reached the server, but its response was lost: only a repeated request with the same key shows whether
/// the statement took effect.
#[tokio::test]
async fn a_statement_whose_response_is_lost_is_not_repeated() {
    let (world, proxy) = World::behind_proxy_without_pooler().await;
    let token = world.sign_in("pro@nofomo.test").await;
    assert_eq!(world.get("/portfolio", &token).await.status, 200);
    assert_eq!(world.post("/bots", &token, &new_bot("warm")).await.status, 201);
    let owner = world.database.owner().await;
    // Blocks every insert of a bot until it is known to have arrived.
    owner.run("begin; lock table public.bots in share row exclusive mode").await.unwrap();
    let body = new_bot("ambiguous").to_string();
    let key = [("idempotency-key", "ambiguous")];
    let sending = world.post_with("/bots", &token, &key, &body);
    let cutting = async {
        owner.wait_until_blocking(1).await;
        // From here on the server's responses are dropped; then the connection is cut.
        proxy.silence();
        owner.run("commit").await.unwrap();
        owner.wait_until_idle().await;
        proxy.cut();
    };
    proxy.take_round_trips();
    let (answer, ()) = tokio::join!(sending, cutting);
    assert!(is_unavailable(&answer), "{answer:?}");
    assert_eq!(proxy.take_round_trips(), 1, "sent once");
    // The caller repeats the request with the same key: the bot exists, once.
    let again = world.post_with("/bots", &token, &key, &body).await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(bot_names(&owner).await.iter().filter(|name| *name == "ambiguous").count(), 1);
}

#[tokio::test]
async fn a_lock_held_too_long_causes_503_and_no_change() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    owner.run("begin; lock table public.bots in access exclusive mode").await.unwrap();
    let answer = world.post("/bots", &token, &new_bot("blocked")).await;
    assert!(is_unavailable(&answer), "{answer:?}");
    assert!(world.log().contains("canceling statement due to lock timeout"), "{}", world.log());
    owner.rollback().await;
    assert_eq!(bot_names(&owner).await.len(), 2);
    assert_eq!(world.post("/bots", &token, &new_bot("free again")).await.status, 201);
}

#[tokio::test]
async fn a_read_only_database_is_unavailable_for_writes_only() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let admin = world.database.session("supabase_admin").await;
    let setting = |value| format!("alter database {} set default_transaction_read_only = {value}", world.database.name);
    admin.run(&setting("on")).await.unwrap();
    assert!(is_unavailable(&world.post("/bots", &token, &new_bot("x")).await));
    assert_eq!(world.get("/portfolio", &token).await.status, 200);
    admin.run("set default_transaction_read_only = off").await.unwrap();
    admin.run(&setting("off")).await.unwrap();
    let body: Value = new_bot("writable");
    let mut status = StatusCode::SERVICE_UNAVAILABLE;
    for _ in 0..10 {
        // The setting is read when a connection starts.
        admin.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'nofomo_api' and datname = current_database()").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        status = world.post("/bots", &token, &body).await.status;
        if status == 201 {
            break;
        }
    }
    assert_eq!(status, 201);
}

#[tokio::test]
async fn a_killed_instance_is_answered_with_502_and_replaced() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    assert_eq!(world.post("/bots", &token, &new_bot("one")).await.status, 201);
    let fleet = world.stack.fleet("create-bot").unwrap();
    let first = fleet.process_ids();
    let owner = world.database.owner().await;
    owner.run("begin; lock table public.bots in access exclusive mode").await.unwrap();
    let body = new_bot("two");
    let killing = async {
        owner.wait_until_blocking(1).await;
        let id = nix::unistd::Pid::from_raw(first[0].cast_signed());
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL).unwrap();
    };
    let (answer, ()) = tokio::join!(world.post("/bots", &token, &body), killing);
    assert_eq!(answer.status, 502, "{answer:?}");
    owner.rollback().await;
    assert_eq!(world.post("/bots", &token, &new_bot("three")).await.status, 201);
    assert_ne!(fleet.process_ids(), first);
}

/// The connection is not closed, so nothing reports that no response will arrive.
#[tokio::test]
async fn a_connection_that_falls_silent_during_a_request_is_abandoned() {
    let (world, proxy) = World::behind_proxy_without_pooler().await;
    let token = world.sign_in("pro@nofomo.test").await;
    assert_eq!(world.post("/bots", &token, &new_bot("warm")).await.status, 201);
    assert_eq!(proxy.take_connections(), 1);
    let first = proxy.take_round_trips();
    let instances = world.stack.fleet("create-bot").unwrap().process_ids();
    let owner = world.database.owner().await;
    owner.run("begin; lock table public.bots in share row exclusive mode").await.unwrap();
    let body = new_bot("unheard").to_string();
    let key = [("idempotency-key", "unheard")];
    let silencing = async {
        // The statement has arrived and waits; its response is dropped.
        owner.wait_until_blocking(1).await;
        proxy.silence();
        owner.run("commit").await.unwrap();
    };
    let (answer, ()) = tokio::join!(world.post_with("/bots", &token, &key, &body), silencing);
    assert!(is_unavailable(&answer), "{answer:?}");
    assert_eq!((proxy.take_connections(), proxy.take_round_trips()), (0, 1), "sent once");

    // The next request has a new connection and its own response.
    let next = world.post("/bots", &token, &new_bot("next")).await;
    assert_eq!((next.status.as_u16(), next.json()["name"].as_str()), (201, Some("next")), "{next:?}");
    assert_eq!((proxy.take_connections(), proxy.take_round_trips()), (1, first), "the silent connection is not used");
    let again = world.post_with("/bots", &token, &key, &body).await;
    assert_eq!(
        (again.status.as_u16(), again.json()["name"].as_str()),
        (200, Some("unheard")),
        "the first request had taken effect"
    );
    assert_eq!(world.stack.fleet("create-bot").unwrap().process_ids(), instances, "the same instance");
    let mut stored = bot_names(&owner).await;
    stored.sort();
    assert_eq!(stored, ["BTC swing", "ETH perpetual", "next", "unheard", "warm"]);
}

#[tokio::test]
async fn a_database_without_free_connections_is_unavailable_until_it_has_some() {
    let (world, proxy) = World::behind_proxy_without_pooler().await;
    let token = world.sign_in("pro@nofomo.test").await;
    assert_eq!(world.post("/bots", &token, &new_bot("before")).await.status, 201);
    let owner = world.database.owner().await;
    let limit = |limit| format!("alter database {} connection limit {limit}", world.database.name);
    owner.run(&limit(0)).await.unwrap();
    assert_eq!(world.post("/bots", &token, &new_bot("on an open connection")).await.status, 201);
    world.wait_until_connections_close("create-bot", async { proxy.cut() }).await;
    for answer in [world.post("/bots", &token, &new_bot("refused")).await, world.get("/portfolio", &token).await] {
        assert!(is_unavailable(&answer), "{answer:?}");
    }
    assert!(world.log().contains("too many connections"), "{}", world.log());
    owner.run(&limit(-1)).await.unwrap();
    assert_eq!(world.post("/bots", &token, &new_bot("after")).await.status, 201);
    assert_eq!(world.get("/portfolio", &token).await.status, 200);
    let mut stored = bot_names(&owner).await;
    stored.sort();
    assert_eq!(stored, ["BTC swing", "ETH perpetual", "after", "before", "on an open connection"]);
}

#[tokio::test]
async fn temporary_database_errors_are_503_and_others_are_not() {
    let (world, proxy) = World::behind_proxy_without_pooler().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    assert_eq!(world.post("/bots", &token, &new_bot("before")).await.status, 201);
    let command = owner.text("select pg_get_functiondef('private.create_bot(jsonb, jsonb)'::regprocedure)").await;
    // Fails with the code in the bot's name.
    owner
        .run(
            "create or replace function private.create_bot(claims jsonb, input jsonb) returns json language plpgsql as
             $$ begin raise exception 'as requested' using errcode = input ->> 'name'; end $$",
        )
        .await
        .unwrap();
    proxy.take_round_trips();
    for (code, status) in [
        ("40P01", 503), // deadlock
        ("40001", 503), // serialization failure
        ("55P03", 503), // lock not available
        ("57014", 503), // canceled, as by statement_timeout
        ("57P01", 503), // shutdown
        ("25006", 503), // read-only
        ("53100", 503), // disk full
        ("53200", 503), // out of memory
        ("53300", 503), // too many connections
        ("58030", 503), // I/O error
        ("08006", 503), // connection failure, as a pooler reports it
        ("XX000", 503), // internal error, as a pooler reports its own
        ("22003", 422), // a number out of range
        ("23505", 500),
        ("42501", 500),
        ("42P01", 500),
        ("P0001", 500),
        ("40002", 500),
        ("55006", 500),
    ] {
        let answer = world.post("/bots", &token, &new_bot(code)).await;
        assert_eq!(answer.status, status, "{code}: {answer:?}");
        assert_eq!(is_unavailable(&answer), status == 503, "{code}: {answer:?}");
        assert_eq!((proxy.take_round_trips(), code), (1, code), "no statement is repeated");
    }
    owner.run(&command).await.unwrap();
    assert_eq!(world.post("/bots", &token, &new_bot("after")).await.status, 201);
    let mut stored = bot_names(&owner).await;
    stored.sort();
    assert_eq!(stored, ["BTC swing", "ETH perpetual", "after", "before"]);
}
