//! `PUT` and `DELETE /credentials/{exchange}`, and the rotation of the encryption keys.

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures_util::future::join_all;
use local_database::postgres::Postgres;
use nofomo_vault::KeyRing;
use ops::rotate_keys::{KeyRotation, rotate_keys};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;

use crate::support::credentials::{delete_credentials, save_credentials, send};
use crate::support::database::{Database, ENTERPRISE, PRO, Session, migrate_template, run_directory};
use crate::support::world::{DEFAULT_CREDENTIALS_KEY, HttpResponse, World, new_bot};

const SECOND_KEY: &str = "2:Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

/// Credentials that no answer, log, row or statement may contain.
const API_KEY: &str = "PlantedKey7PlantedKey7PlantedKey7PlantedKey7PlantedKey7PlantedWXYZ";
const API_SECRET: &str = "PlantedSecret9PlantedSecret9PlantedSecret9PlantedSecret9Planted9";

/// Credentials of the length that Binance issues.
fn binance_credentials() -> Value {
    json!({ "api_key": &API_KEY[API_KEY.len() - 64..], "api_secret": &API_SECRET[..64] })
}

fn bybit_credentials() -> Value {
    json!({ "api_key": "PlantedKeyOfBybit1", "api_secret": "PlantedSecretOfBybit1PlantedSecretOf" })
}

async fn start_bot(world: &World, token: &str, bot: &str) -> HttpResponse {
    world.post(&format!("/bots/{bot}/start"), token, &json!({})).await
}

async fn sealed_credentials(owner: &Session, user: &str, exchange: &str) -> String {
    owner
        .text(&format!("select exchange_credentials #>> '{{{exchange},sealed}}' from public.users where id = '{user}'"))
        .await
}

fn key_and_secret(body: &Value) -> Value {
    json!({ "api_key": body["api_key"], "api_secret": body["api_secret"] })
}

fn decrypt(ring: &str, user: &str, exchange: &str, sealed: &str) -> Value {
    let opened = KeyRing::parse(ring).unwrap().open(user.parse().unwrap(), exchange, sealed).unwrap();
    serde_json::from_slice(&opened).unwrap()
}

#[tokio::test]
async fn credentials_are_encrypted_and_only_four_characters_of_the_key_are_shown() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    let answer = save_credentials(&world, &token, "binance", &binance_credentials()).await;
    let saved = answer.json();
    assert_eq!(
        (answer.status.as_u16(), &saved["exchange"], &saved["key_hint"]),
        (200, &json!("binance"), &json!("WXYZ"))
    );
    assert_eq!(saved.as_object().unwrap().len(), 3, "{saved}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let first = sealed_credentials(&owner, PRO, "binance").await;
    assert_eq!(decrypt(DEFAULT_CREDENTIALS_KEY, PRO, "binance", &first), key_and_secret(&binance_credentials()));
    assert_eq!(world.get("/portfolio", &token).await.json()["exchanges"], json!([saved]));

    // A second exchange is added; saving the first one again encrypts it again.
    save_credentials(&world, &token, "bybit", &bybit_credentials()).await;
    save_credentials(&world, &token, "binance", &binance_credentials()).await;
    assert_ne!(sealed_credentials(&owner, PRO, "binance").await, first);
    assert_eq!(
        decrypt(DEFAULT_CREDENTIALS_KEY, PRO, "bybit", &sealed_credentials(&owner, PRO, "bybit").await),
        key_and_secret(&bybit_credentials())
    );
    let audit =
        "select context ->> 'exchange' from public.logs where message = 'Saved credentials' order by created_at";
    assert_eq!(owner.list(audit).await, ["binance", "bybit", "binance"]);
}

#[tokio::test]
async fn credentials_that_no_exchange_issues_are_refused_without_repeating_them() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let key = &API_KEY[API_KEY.len() - 64..];
    for (exchange, body) in [
        ("binance", json!({ "api_key": &key[1..], "api_secret": key })),
        ("binance", json!({ "api_key": format!("{} ", &key[1..]), "api_secret": &API_SECRET[..64] })),
        ("binance", json!({ "api_key": format!("{}é", &key[1..]), "api_secret": &API_SECRET[..64] })),
        ("binance", json!({ "api_key": [key], "api_secret": &API_SECRET[..64] })),
        ("binance", json!({ "api_key": key, "api_secret": key })),
        ("binance", json!({ "api_key": key })),
        ("binance", json!({ "api_key": key, "api_secret": &API_SECRET[..64], "label": "Planted" })),
        ("bybit", json!({ "api_key": "PlantedShort", "api_secret": &API_SECRET[..36] })),
        ("bybit", json!({ "api_key": "PlantedKeyOfBybit1", "api_secret": "Planted" })),
    ] {
        let answer = save_credentials(&world, &token, exchange, &body).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (422, "invalid"), "{body}");
        assert!(!answer.text.contains("Planted"), "{}", answer.text);
    }
    for exchange in ["kraken", "Binance", "binance%20"] {
        assert_eq!(save_credentials(&world, &token, exchange, &binance_credentials()).await.status, 404);
        assert_eq!(delete_credentials(&world, &token, exchange).await.status, 404);
    }
    assert_eq!(send(&world, Method::PUT, "none", "binance", &binance_credentials().to_string()).await.status, 401);
    let owner = world.database.owner().await;
    assert_eq!(
        owner.text(&format!("select exchange_credentials is null from public.users where id = '{PRO}'")).await,
        "true"
    );
}

#[tokio::test]
async fn credentials_are_nowhere_in_plaintext() {
    // Starts a server that logs every statement with its parameters.
    let mut postgres = Postgres::start(&run_directory("postgres-verbose"), None).await.unwrap();
    migrate_template(&postgres).await;
    let database = Database::migrated_on(&postgres);
    let admin = database.session("supabase_admin").await;
    for setting in [
        "shared_preload_libraries = 'pg_stat_statements'",
        "logging_collector = on",
        "log_statement = 'all'",
        "log_parameter_max_length = -1",
        "log_parameter_max_length_on_error = -1",
        "log_min_duration_statement = 0",
    ] {
        admin.run(&format!("alter system set {setting}")).await.unwrap();
    }
    postgres.kill().unwrap();
    postgres.restart().await.unwrap();
    let admin = database.session("supabase_admin").await;
    admin.run("create extension if not exists pg_stat_statements").await.unwrap();

    let world = World::on_database(database, BTreeMap::new()).await;
    let token = world.sign_in("pro@nofomo.test").await;
    assert_eq!(save_credentials(&world, &token, "binance", &binance_credentials()).await.status, 200);
    save_credentials(&world, &token, "binance", &json!({ "api_key": "Planted", "api_secret": "Planted" })).await;
    let portfolio = world.get("/portfolio", &token).await;
    let row = admin.text(&format!("select users::text from public.users where id = '{PRO}'")).await;
    let logs = admin.text("select string_agg(logs::text, ' ') from public.logs").await;
    let statements = admin.text("select string_agg(query, ' ') from extensions.pg_stat_statements").await;
    let server_log = admin.text("select string_agg(pg_read_file('log/' || name), ' ') from pg_ls_logdir()").await;
    assert!(statements.contains("private.save_credentials"), "{statements}");
    assert!(server_log.contains("private.save_credentials") && server_log.contains("v1.1."), "{server_log}");
    for text in [&world.log(), &portfolio.text, &row, &logs, &statements, &server_log] {
        assert!(!text.contains("Planted"), "{text}");
    }

    // Neither the owner nor anybody else can read the sealed credentials.
    let api = world.database.session("authenticator").await;
    for user in [PRO, ENTERPRISE] {
        api.become_user(user).await;
        let error = api.rows("select exchange_credentials from public.users", &[]).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{error}");
        api.rollback().await;
    }
}

#[tokio::test]
async fn deleting_credentials_stops_only_the_live_bots_of_that_exchange() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let owner = world.database.owner().await;
    for (exchange, body) in [("binance", binance_credentials()), ("bybit", bybit_credentials())] {
        assert_eq!(save_credentials(&world, &token, exchange, &body).await.status, 200);
    }
    let mut bots = Vec::new();
    for (name, exchange, is_paper_trade) in
        [("live", "binance", false), ("other exchange", "bybit", false), ("paper", "binance", true)]
    {
        let mut bot = new_bot(name);
        bot["exchange"] = json!(exchange);
        bot["is_paper_trade"] = json!(is_paper_trade);
        let bot = world.post("/bots", &token, &bot).await.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(start_bot(&world, &token, &bot).await.status, 200);
        bots.push(bot);
    }
    let answer = delete_credentials(&world, &token, "binance").await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (200, json!({ "exchange": "binance", "stopped_bots": [bots[0]] }))
    );
    let status = "select status from public.bots where name in ('live', 'other exchange', 'paper') order by name";
    assert_eq!(owner.list(status).await, ["stopped", "running", "running"]);
    let answer = start_bot(&world, &token, &bots[0]).await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (409, "credentials-missing"));
    // Deleting again changes nothing.
    assert_eq!(
        delete_credentials(&world, &token, "binance").await.json(),
        json!({ "exchange": "binance", "stopped_bots": [] })
    );
    let audit = "select count(*) from public.logs where message = 'Deleted credentials'";
    assert_eq!(owner.text(audit).await, "1");
}

#[tokio::test]
async fn a_concurrent_start_and_deletion_leave_no_bot_running_without_credentials() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let owner = world.database.owner().await;
    save_credentials(&world, &token, "binance", &binance_credentials()).await;
    let mut bot = new_bot("live");
    bot["is_paper_trade"] = json!(false);
    let bot = world.post("/bots", &token, &bot).await.json()["id"].as_str().unwrap().to_owned();
    for round in 0..20 {
        assert_eq!(save_credentials(&world, &token, "binance", &binance_credentials()).await.status, 200);
        let (start, end) = tokio::join!(start_bot(&world, &token, &bot), delete_credentials(&world, &token, "binance"));
        assert_eq!(end.status, 200, "{end:?}");
        assert!([200, 409, 503].contains(&start.status.as_u16()), "{start:?}");
        assert_eq!(
            owner.text(&format!("select status from public.bots where id = '{bot}'")).await,
            "stopped",
            "{round}"
        );
    }

    // A start waits for a change of its own user's credentials, and sees the result.
    save_credentials(&world, &token, "binance", &binance_credentials()).await;
    let holder = world.database.owner().await;
    holder
        .run(&format!("begin; update public.users set exchange_credentials = null where id = '{ENTERPRISE}'"))
        .await
        .unwrap();
    let release = async {
        holder.wait_until_blocking(1).await;
        holder.run("commit").await.unwrap();
    };
    let (held, ()) = tokio::join!(start_bot(&world, &token, &bot), release);
    assert_eq!(held.status, 503, "{held:?}");
    assert_eq!(owner.text(&format!("select status from public.bots where id = '{bot}'")).await, "stopped");
    assert_eq!(start_bot(&world, &token, &bot).await.status, 409);
}

/// Adds users with credentials of two exchanges each, encrypted with the first key.
async fn add_users_with_credentials(owner: &Session, count: u32) {
    let ring = KeyRing::parse(DEFAULT_CREDENTIALS_KEY).unwrap();
    owner
        .run(&format!(
            "insert into auth.users (id, email)
             select ('0190b00a-0000-7000-8000-' || lpad(number::text, 12, '0'))::uuid, 'many-' || number || '@nofomo.test'
             from generate_series(1, {count}) as number"
        ))
        .await
        .unwrap();
    for number in 1..=count {
        let user = format!("0190b00a-0000-7000-8000-{number:012}");
        let seal = |exchange: &str| ring.seal(user.parse().unwrap(), exchange, format!("{number}").as_bytes()).unwrap();
        let credentials = json!({ "binance": { "sealed": seal("binance") }, "bybit": { "sealed": seal("bybit") } });
        owner
            .run(&format!("update public.users set exchange_credentials = '{credentials}' where id = '{user}'"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn an_interrupted_key_rotation_resumes_and_overwrites_no_newer_credentials() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    add_users_with_credentials(&owner, 130).await;
    let both = KeyRing::parse(&format!("{SECOND_KEY},{DEFAULT_CREDENTIALS_KEY}")).unwrap();
    let url = world.database.url("postgres");
    let remaining = "select count(*) from public.users cross join lateral jsonb_each(exchange_credentials) as saved
         where saved.value ->> 'sealed' not like 'v1.2.%'";
    assert_eq!(owner.text(remaining).await, "260");

    // The rotation is aborted after the first batch of 100.
    let (killed, first) = tokio::sync::oneshot::channel::<()>();
    let killed = Mutex::new(Some(killed));
    let (running_url, ring) = (url.clone(), format!("{SECOND_KEY},{DEFAULT_CREDENTIALS_KEY}"));
    let running = tokio::spawn(async move {
        let ring = KeyRing::parse(&ring).unwrap();
        rotate_keys(&running_url, &ring, |_| drop(killed.lock().unwrap().take())).await
    });
    first.await.unwrap_err();
    running.abort();
    running.await.ok();
    let rest: u64 = owner.text(remaining).await.parse().unwrap();
    assert!((1..=160).contains(&rest), "{rest}");

    // One user saves credentials while the rotation runs; one stored value cannot be decrypted.
    let broken = "update public.users set exchange_credentials = jsonb_set(exchange_credentials, '{bybit,sealed}', '\"v1.7.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"')
         where email = 'many-130@nofomo.test'";
    owner.run(broken).await.unwrap();
    let saved_meanwhile =
        both.seal("0190b00a-0000-7000-8000-000000000130".parse().unwrap(), "binance", b"saved again").unwrap();
    owner
        .run(&format!(
            "create function public.save_meanwhile() returns trigger language plpgsql as $$
             begin
                 if old.email = 'many-129@nofomo.test' and new.exchange_credentials ->> 'binance' like '%v1.2.%' then
                     update public.users
                     set exchange_credentials = jsonb_set(exchange_credentials, '{{binance,sealed}}', '\"{saved_meanwhile}\"')
                     where email = 'many-130@nofomo.test';
                 end if;
                 return new;
             end $$;
             create trigger save_meanwhile before update on public.users for each row execute function public.save_meanwhile()"
        ))
        .await
        .unwrap();
    let rotation = rotate_keys(&url, &both, |_| ()).await.unwrap();
    assert_eq!(
        (rotation.re_encrypted, rotation.replaced_by_owner, rotation.failures.len()),
        (rest - 2, 1, 1),
        "{rotation:?}"
    );
    assert!(
        rotation.failures[0].contains("bybit: it was sealed with key 7, which is not in the key ring"),
        "{rotation:?}"
    );
    assert_eq!(sealed_credentials(&owner, "0190b00a-0000-7000-8000-000000000130", "binance").await, saved_meanwhile);
    // The old key is no longer needed.
    let new = KeyRing::parse(SECOND_KEY).unwrap();
    let opened = join_all((1..130).map(|number| {
        let owner = &owner;
        async move {
            let user = format!("0190b00a-0000-7000-8000-{number:012}");
            (number, sealed_credentials(owner, &user, "bybit").await)
        }
    }));
    for (number, sealed) in opened.await {
        let user = format!("0190b00a-0000-7000-8000-{number:012}").parse().unwrap();
        assert_eq!(new.open(user, "bybit", &sealed).unwrap().as_slice(), number.to_string().as_bytes());
    }
    let again = rotate_keys(&url, &both, |_| ()).await.unwrap();
    assert_eq!(again, KeyRotation { failures: rotation.failures, ..KeyRotation::default() });
}
