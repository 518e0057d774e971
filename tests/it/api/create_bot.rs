//! `POST /bots`.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::bots::count_bots;
use crate::support::database::{Database, ENTERPRISE, FREE, PRO};
use crate::support::world::{HttpResponse, World, new_bot};

/// Deletes the bot of the user `free`, whose plan allows one bot, and signs in as that user.
async fn sign_in_one_below_the_limit(world: &World) -> String {
    world.database.owner().await.run(&format!("delete from public.bots where user_id = '{FREE}'")).await.unwrap();
    world.sign_in("free@nofomo.test").await
}

/// Starts instances of the function until there are this many.
async fn start_instances(world: &World, token: &str, count: usize) {
    let fleet = world.stack.fleet("create-bot").unwrap();
    for _ in 0..20 {
        join_all((0..count).map(|_| world.post_with("/bots", token, &[], "{}"))).await;
        if fleet.process_ids().len() >= count {
            return;
        }
    }
    panic!("{} of {count} instances", fleet.process_ids().len());
}

/// Statement that replaces the command with one that fails with this code, and with text that must not leave the
/// database.
fn failing_command(code: &str) -> String {
    format!(
        "create or replace function private.create_bot(claims jsonb, input jsonb) returns json language plpgsql as
         $$ begin raise exception 'planted-message'
            using errcode = '{code}', detail = 'planted-detail', hint = 'planted-hint', table = 'planted-table'; end $$"
    )
}

#[tokio::test]
async fn a_bot_is_created_stopped_with_every_column_and_an_audit_row() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let sent = json!({
        "name": "Ayam 🐔",
        "exchange": "bybit",
        "trading_pair": "ETH/USDT:USDT",
        "timeframe": "15m",
        "strategy": "Bollinger squeeze",
        "initial_balance": "2500.5",
        "stake_amount": 250.25,
        "max_open_trades": 3,
        "stop_loss": "5",
        "take_profit": 12.5,
        "risk_percentage": "1.5",
        "is_paper_trade": true,
        "metadata": {"note": "ü", "deep": [1, {"x": null}]},
    });
    let answer = world.post("/bots", &token, &sent).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let bot = answer.json();
    let id = bot["id"].as_str().unwrap();
    assert_eq!(answer.headers["location"], format!("/bots/{id}"));
    assert_eq!(answer.headers["content-type"], "application/json");
    let expected = json!({
        "id": id, "user_id": PRO, "name": "Ayam 🐔", "exchange": "bybit", "trading_pair": "ETH/USDT:USDT",
        "timeframe": "15m", "strategy": "Bollinger squeeze", "status": "stopped", "is_paper_trade": true,
        "initial_balance": "2500.50000000", "current_balance": "2500.50000000", "profit": "0.00000000",
        "profit_percentage": "0.0000", "total_trades": 0, "winning_trades": 0, "losing_trades": 0,
        "win_rate_percentage": "0.00", "stake_amount": "250.25000000", "max_open_trades": 3, "stop_loss": "5.0000",
        "take_profit": "12.5000", "risk_percentage": "1.50", "last_trade_at": null, "error_message": null,
        "metadata": {"note": "ü", "deep": [1, {"x": null}]},
        "created_at": bot["created_at"], "updated_at": bot["updated_at"],
    });
    assert_eq!(bot, expected);

    let owner = world.database.owner().await;
    // Every column of the table is in the response, except the internal one.
    let columns = owner
        .text("select string_agg(attname, ' ') from pg_attribute where attrelid = 'public.bots'::regclass and attnum > 0 and not attisdropped")
        .await;
    let missing: Vec<_> = columns.split(' ').filter(|column| bot.get(column).is_none()).collect();
    assert_eq!(missing, ["request_hash"]);
    let row = format!(
        "select (user_id, name, status, initial_balance, stake_amount, metadata) from public.bots where id = '{id}'"
    );
    let stored = owner.text(&row).await;
    assert!(stored.contains("stopped,2500.50000000,250.25000000"), "{stored}");
    let audit = format!(
        "select (user_id, log_level, message, source, context ->> 'action') from public.logs where bot_id = '{id}'"
    );
    assert_eq!(owner.text(&audit).await, format!("({PRO},info,\"Created bot\",api,create-bot)"));
}

#[tokio::test]
async fn omitted_fields_have_their_defaults() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let bot = world.post("/bots", &token, &new_bot("plain")).await.json();
    let defaults = ["max_open_trades", "stop_loss", "take_profit", "risk_percentage", "is_paper_trade", "metadata"]
        .map(|field| bot[field].clone());
    assert_eq!(json!(defaults), json!([1, null, null, "2.00", true, {}]));
}

#[tokio::test]
async fn one_of_fifty_concurrent_requests_creates_the_last_allowed_bot() {
    let world = World::new().await;
    let token = sign_in_one_below_the_limit(&world).await;
    // The requests overlap: all instances are started, and a trigger delays each insert after the check of the limit.
    start_instances(&world, &token, 50).await;
    let owner = world.database.owner().await;
    owner
        .run(
            "create function private.linger() returns trigger language plpgsql as $$ begin perform pg_sleep(0.5); return null; end $$;
             create trigger bots_validated_and_lingering after insert on public.bots
                 for each row execute function private.linger()",
        )
        .await
        .unwrap();
    let bodies: Vec<_> = (0..50).map(|n| new_bot(&format!("bot {n}"))).collect();
    let answers = join_all(bodies.iter().map(|bot| world.post("/bots", &token, bot))).await;
    let count_of = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count_of(201), count_of(403)), (1, 49), "{answers:?}");
    assert_eq!(count_bots(&world, FREE).await, "1");
    let refused = answers.iter().find(|answer| answer.status == 403).unwrap();
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    assert_eq!(refused.problem(), "plan-limit");
    assert_eq!((&refused.json()["limit"], &refused.json()["plan"]), (&json!(1), &json!("Free")));
    let audit = "select count(*) from public.logs where source = 'api' and message = 'Created bot' and user_id = ";
    let left = owner.text(&format!("{audit} '{FREE}' and bot_id is not null")).await;
    assert_eq!(left, "1", "a refused request leaves no audit row");
}

#[tokio::test]
async fn the_limit_holds_for_a_client_that_writes_to_the_table_directly() {
    let world = World::new().await;
    let client = world.database.session("nofomo_api").await;
    client.become_user(FREE).await;
    let refused = client
        .run(&format!(
            "insert into public.bots (user_id, name, exchange, trading_pair, timeframe, strategy, initial_balance, stake_amount)
             values ('{FREE}', 'second', 'binance', 'BTC/USDT', '1h', 's', 100, 10)"
        ))
        .await
        .unwrap_err();
    let refusal = refused.as_db_error().unwrap();
    // PostgREST responds to SQLSTATE PT403 with 403.
    assert_eq!((refusal.code().code(), refusal.constraint()), ("PT403", Some("plan_limit")));
}

#[tokio::test]
async fn without_a_current_subscription_the_free_plan_applies() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let plan = async || world.get("/portfolio", &token).await.json()["user"]["plan"].clone();
    assert_eq!(plan().await, "Pro");
    for (change, expected) in [
        ("expires_at = now() - interval '1 second'", "Free"),
        ("expires_at = now() + interval '1 day', status = 'expired'", "Free"),
        ("status = 'active', started_at = now() + interval '1 hour'", "Free"),
        ("started_at = now() - interval '1 hour', status = 'cancelled'", "Pro"),
        ("status = 'trial'", "Pro"),
    ] {
        owner.run(&format!("update public.subscriptions set {change} where user_id = '{PRO}'")).await.unwrap();
        assert_eq!(plan().await, expected, "{change}");
    }
    owner.run(&format!("delete from public.subscriptions where user_id = '{PRO}'")).await.unwrap();
    let refused = world.post("/bots", &token, &new_bot("third")).await;
    assert_eq!(refused.status_and_problem(), (403, "plan-limit".into()));
    assert_eq!(refused.json()["plan"], "Free");
}

#[tokio::test]
async fn a_limit_of_minus_one_allows_any_number_of_bots() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    for n in 0..30 {
        assert_eq!(world.post("/bots", &token, &new_bot(&format!("bot {n}"))).await.status, 201);
    }
    assert_eq!(count_bots(&world, ENTERPRISE).await, "31");
}

#[tokio::test]
async fn a_repeated_idempotency_key_creates_one_bot() {
    let world = World::new().await;
    let token = sign_in_one_below_the_limit(&world).await;
    let key = [("idempotency-key", "retry-1")];
    let body = new_bot("once").to_string();
    let first = world.post_with("/bots", &token, &key, &body).await;
    assert_eq!(first.status, 201);
    // The key is also found when the limit is reached, and with other white space and number notation.
    let rewritten = body.replace("\"1000\"", "1000.00").replace(':', " :  ");
    for again in [&body, &rewritten] {
        let second = world.post_with("/bots", &token, &key, again).await;
        assert_eq!(second.status, 200, "{second:?}");
        assert_eq!(second.json(), first.json());
        assert_eq!(second.headers["location"], first.headers["location"]);
    }
    let other = world.post_with("/bots", &token, &key, &new_bot("another").to_string()).await;
    assert_eq!(other.status_and_problem(), (409, "key-reused".into()));
    assert_eq!(count_bots(&world, FREE).await, "1");
    // Keys of different users are independent.
    let other_user = world.sign_in("pro@nofomo.test").await;
    let theirs = world.post_with("/bots", &other_user, &key, &body).await;
    assert_eq!(theirs.status, 201);
    assert_ne!(theirs.json()["id"], first.json()["id"]);
}

#[tokio::test]
async fn concurrent_requests_with_the_same_idempotency_key_create_one_bot() {
    let world = World::new().await;
    let token = sign_in_one_below_the_limit(&world).await;
    let body = new_bot("once").to_string();
    let answers: Vec<HttpResponse> =
        join_all((0..20).map(|_| world.post_with("/bots", &token, &[("idempotency-key", "k")], &body))).await;
    let ids: Vec<_> = answers.iter().map(|answer| answer.json()["id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0] && id.is_string()), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 19);
    assert_eq!(count_bots(&world, FREE).await, "1");
}

#[tokio::test]
async fn an_idempotency_key_has_1_to_255_printable_ascii_characters() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let body = new_bot("keyed").to_string();
    let long = "k".repeat(255);
    for key in ["a b~!", &long] {
        assert_eq!(world.post_with("/bots", &token, &[("idempotency-key", key)], &body).await.status, 201, "{key}");
    }
    let too_long = "k".repeat(256);
    for key in ["", "ü", &too_long] {
        let answer = world.post_with("/bots", &token, &[("idempotency-key", key)], &body).await;
        assert_eq!(answer.status, 422, "{key}");
        assert_eq!(answer.json()["errors"][0]["header"], "Idempotency-Key");
    }
}

#[tokio::test]
async fn live_trading_needs_saved_credentials_for_the_exchange() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let mut live = new_bot("live");
    live["is_paper_trade"] = json!(false);
    let refused = world.post("/bots", &token, &live).await;
    assert_eq!(refused.status_and_problem(), (409, "credentials-missing".into()));
    let save = |exchange| {
        format!("update public.users set exchange_credentials = '{{\"{exchange}\": {{}}}}' where id = '{PRO}'")
    };
    let owner = world.database.owner().await;
    owner.run(&save("bybit")).await.unwrap();
    assert_eq!(world.post("/bots", &token, &live).await.status, 409);
    owner.run(&save("binance")).await.unwrap();
    let created = world.post("/bots", &token, &live).await;
    assert_eq!((created.status.as_u16(), &created.json()["is_paper_trade"]), (201, &json!(false)));
}

#[tokio::test]
async fn a_deactivated_user_is_refused() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    world
        .database
        .owner()
        .await
        .run(&format!("update public.users set is_active = false where id = '{PRO}'"))
        .await
        .unwrap();
    for answer in [world.post("/bots", &token, &new_bot("x")).await, world.get("/portfolio", &token).await] {
        assert_eq!(answer.status_and_problem(), (403, "deactivated".into()));
    }
    assert_eq!(count_bots(&world, PRO).await, "2");
}

#[tokio::test]
async fn a_request_is_logged_in_one_line_without_token_address_or_body() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let answer = world.post("/bots", &token, &new_bot("planted-name")).await;
    world.post_with("/bots", &token, &[], "{\"planted-field\": 1}").await;
    let log = world.log();
    let id = &answer.headers["x-request-id"];
    let lines: Vec<Value> =
        log.lines().filter(|line| line.contains(id.as_str())).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1, "{log}");
    let line = &lines[0];
    let logged = ["function", "route", "user_id", "status", "outcome", "level"].map(|field| line[field].clone());
    assert_eq!(json!(logged), json!(["create-bot", "POST /bots", PRO, 201, "ok", "INFO"]));
    assert!(line["duration_ms"].is_u64() && line["timestamp"].is_string(), "{line}");
    for secret in [token.as_str(), "planted", "pro@nofomo.test", "Bearer"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

/// Covers the same conflict as the fifty concurrent requests, in fixed steps.
#[tokio::test]
async fn at_the_limit_a_second_insert_waits_for_the_outcome_of_the_first() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let (first, second) = (database.session("nofomo_api").await, database.session("nofomo_api").await);
    let insert = |name: &str| {
        format!(
            "insert into public.bots (user_id, name, exchange, trading_pair, timeframe, strategy, initial_balance, stake_amount)
             values ('{FREE}', '{name}', 'binance', 'BTC/USDT', '1h', 's', 100, 10)"
        )
    };
    let names = format!("select string_agg(name, ' ') from public.bots where user_id = '{FREE}'");
    for (end, expected) in [("commit", "first"), ("rollback", "second")] {
        owner.run(&format!("delete from public.bots where user_id = '{FREE}'")).await.unwrap();
        first.become_user(FREE).await;
        first.run(&insert("first")).await.unwrap();
        second.become_user(FREE).await;
        let insert = insert("second");
        let ending = async {
            first.wait_until_blocking(1).await;
            first.run(end).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(second.run(&insert), ending);
        if end == "commit" {
            let error = outcome.unwrap_err();
            let refusal = error.as_db_error().unwrap();
            assert_eq!((refusal.code().code(), refusal.constraint()), ("PT403", Some("plan_limit")));
        } else {
            outcome.unwrap();
        }
        second.run("commit").await.unwrap();
        assert_eq!(owner.text(&names).await, expected);
    }
}

#[tokio::test]
async fn no_response_may_be_cached() {
    let world = World::new().await;
    let token = sign_in_one_below_the_limit(&world).await;
    let owner = world.database.owner().await;
    let body = new_bot("one").to_string();
    let live = body.replace('}', ",\"is_paper_trade\": false}");
    let key = [("idempotency-key", "k")];
    let answers = [
        (401, world.post_with("/bots", "none", &[], &body).await),
        (400, world.post_with("/bots", &token, &[], "{").await),
        (413, world.post_with("/bots", &token, &[], &" ".repeat(1024 * 1024 + 1)).await),
        (415, world.post_with("/bots", &token, &[("content-type", "text/plain")], &body).await),
        (422, world.post_with("/bots", &token, &[], "{}").await),
        (409, world.post_with("/bots", &token, &[], &live).await),
        (201, world.post_with("/bots", &token, &key, &body).await),
        (200, world.post_with("/bots", &token, &key, &body).await),
        (403, world.post_with("/bots", &token, &[], &body).await),
        (200, world.get("/portfolio", &token).await),
        (500, {
            owner.run(&failing_command("P0001")).await.unwrap();
            world.post_with("/bots", &token, &[], &body).await
        }),
        (503, {
            owner.run(&failing_command("57014")).await.unwrap();
            world.post_with("/bots", &token, &[], &body).await
        }),
    ];
    for (status, answer) in answers {
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{answer:?}");
        assert!(!answer.headers["x-request-id"].is_empty(), "{answer:?}");
    }
}

/// The DETAIL of a database error can quote rows.
#[tokio::test]
async fn a_database_error_is_hidden_from_the_caller_and_logged_without_row_data() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    for (code, status, problem) in [
        ("P0001", 500, "internal"),
        ("23505", 500, "internal"),
        ("53200", 503, "unavailable"),
        ("22003", 422, "invalid"),
    ] {
        owner.run(&failing_command(code)).await.unwrap();
        let answer = world.post("/bots", &token, &new_bot("planted-name")).await;
        assert_eq!(answer.status_and_problem(), (status, problem.into()), "{answer:?}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert!(!answer.text.contains("planted") && !answer.text.contains(code), "{answer:?}");
        let log = world.log();
        let id = &answer.headers["x-request-id"];
        let lines: Vec<Value> = log
            .lines()
            .filter(|line| line.contains(id.as_str()))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 1, "{log}");
        if status >= 500 {
            assert_eq!(lines[0]["cause"], format!("{code} planted-message"));
            assert_eq!((&lines[0]["level"], &lines[0]["outcome"]), (&json!("ERROR"), &json!(problem)));
        }
        if status == 500 {
            let problem_body = answer.json();
            let mut members: Vec<_> = problem_body.as_object().unwrap().keys().map(String::as_str).collect();
            members.sort_unstable();
            assert_eq!(members, ["detail", "request_id", "status", "title", "type"]);
            assert_eq!(problem_body["request_id"], *id);
        }
    }
    for secret in ["planted-detail", "planted-hint", "planted-table", "planted-name", "PL/pgSQL"] {
        assert!(!world.log().contains(secret), "{secret}: {}", world.log());
    }
    assert_eq!(count_bots(&world, PRO).await, "2");
}
