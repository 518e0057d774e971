//! `POST /bots`

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::database::{Database, ENTERPRISE, FREE, PRO};
use crate::support::world::{Answer, World, new_bot};

async fn bots(world: &World, user: &str) -> String {
    world.database.owner().await.text(&format!("select count(*) from public.bots where user_id = '{user}'")).await
}

/// A user of the Free plan, who may have one bot, and has none.
async fn one_below_the_limit(world: &World) -> String {
    world.database.owner().await.run(&format!("delete from public.bots where user_id = '{FREE}'")).await.unwrap();
    world.sign_in("free@nofomo.test").await
}

/// So many instances that have started and have nothing to do.
async fn warm(world: &World, token: &str, count: usize) {
    let fleet = world.stack.fleet("create-bot").unwrap();
    for _ in 0..20 {
        join_all((0..count).map(|_| world.post_with("/bots", token, &[], "{}"))).await;
        if fleet.instances().len() >= count {
            return;
        }
    }
    panic!("{} of {count} instances", fleet.instances().len());
}

/// In place of the command one that fails with this, and with what only the database may know.
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
    // Every column of the table is in the answer, but for what only we need.
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
async fn what_is_left_out_has_its_default() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let bot = world.post("/bots", &token, &new_bot("plain")).await.json();
    let defaults = ["max_open_trades", "stop_loss", "take_profit", "risk_percentage", "is_paper_trade", "metadata"]
        .map(|field| bot[field].clone());
    assert_eq!(json!(defaults), json!([1, null, null, "2.00", true, {}]));
}

#[tokio::test]
async fn of_fifty_requests_at_once_one_below_the_limit_one_makes_a_bot() {
    let world = World::new().await;
    let token = one_below_the_limit(&world).await;
    // They meet: none has to start first, and whoever gets past the limit takes his time before his bot is there for others.
    warm(&world, &token, 50).await;
    let owner = world.database.owner().await;
    owner
        .run(
            "create function private.linger() returns trigger language plpgsql as $$ begin perform pg_sleep(0.5); return null; end $$;
             create trigger bots_validated_and_lingering after insert on public.bots
                 for each row execute function private.linger()",
        )
        .await
        .unwrap();
    let names: Vec<_> = (0..50).map(|n| new_bot(&format!("bot {n}"))).collect();
    let answers = join_all(names.iter().map(|bot| world.post("/bots", &token, bot))).await;
    let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((with(201), with(403)), (1, 49), "{answers:?}");
    assert_eq!(bots(&world, FREE).await, "1");
    let refused = answers.iter().find(|answer| answer.status == 403).unwrap();
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    assert_eq!(refused.problem(), "plan-limit");
    assert_eq!((&refused.json()["limit"], &refused.json()["plan"]), (&json!(1), &json!("Free")));
    let audit = "select count(*) from public.logs where source = 'api' and message = 'Created bot' and user_id = ";
    let left = owner.text(&format!("{audit} '{FREE}' and bot_id is not null")).await;
    assert_eq!(left, "1", "a refused request leaves no audit row");
}

#[tokio::test]
async fn the_limit_holds_for_a_client_that_writes_to_the_table_itself() {
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
    // PostgREST answers SQLSTATE PT403 with 403.
    assert_eq!((refusal.code().code(), refusal.constraint()), ("PT403", Some("plan_limit")));
}

#[tokio::test]
async fn without_a_subscription_in_force_one_is_on_free() {
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
    assert_eq!((refused.status.as_u16(), refused.problem()), (403, "plan-limit".into()));
    assert_eq!(refused.json()["plan"], "Free");
}

#[tokio::test]
async fn minus_one_is_unlimited() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    for n in 0..30 {
        assert_eq!(world.post("/bots", &token, &new_bot(&format!("bot {n}"))).await.status, 201);
    }
    assert_eq!(bots(&world, ENTERPRISE).await, "31");
}

#[tokio::test]
async fn the_same_key_makes_one_bot() {
    let world = World::new().await;
    let token = one_below_the_limit(&world).await;
    let key = [("idempotency-key", "retry-1")];
    let body = new_bot("once").to_string();
    let first = world.post_with("/bots", &token, &key, &body).await;
    assert_eq!(first.status, 201);
    // Also now that the limit is reached, and however the same is written.
    let rewritten = body.replace("\"1000\"", "1000.00").replace(':', " :  ");
    for again in [&body, &rewritten] {
        let second = world.post_with("/bots", &token, &key, again).await;
        assert_eq!(second.status, 200, "{second:?}");
        assert_eq!(second.json(), first.json());
        assert_eq!(second.headers["location"], first.headers["location"]);
    }
    let other = world.post_with("/bots", &token, &key, &new_bot("another").to_string()).await;
    assert_eq!((other.status.as_u16(), other.problem()), (409, "key-reused".into()));
    assert_eq!(bots(&world, FREE).await, "1");
    // Another user's key is another key.
    let neighbour = world.sign_in("pro@nofomo.test").await;
    let theirs = world.post_with("/bots", &neighbour, &key, &body).await;
    assert_eq!(theirs.status, 201);
    assert_ne!(theirs.json()["id"], first.json()["id"]);
}

#[tokio::test]
async fn the_same_key_many_times_at_once_makes_one_bot() {
    let world = World::new().await;
    let token = one_below_the_limit(&world).await;
    let body = new_bot("once").to_string();
    let answers: Vec<Answer> =
        join_all((0..20).map(|_| world.post_with("/bots", &token, &[("idempotency-key", "k")], &body))).await;
    let ids: Vec<_> = answers.iter().map(|answer| answer.json()["id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0] && id.is_string()), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 19);
    assert_eq!(bots(&world, FREE).await, "1");
}

#[tokio::test]
async fn a_key_is_one_to_255_printable_ascii_characters() {
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
    assert_eq!((refused.status.as_u16(), refused.problem()), (409, "credentials-missing".into()));
    let save = |exchange| {
        format!("update public.users set exchange_credentials = '{{\"{exchange}\": {{}}}}' where id = '{PRO}'")
    };
    let owner = world.database.owner().await;
    owner.run(&save("bybit")).await.unwrap();
    assert_eq!(world.post("/bots", &token, &live).await.status, 409);
    owner.run(&save("binance")).await.unwrap();
    let made = world.post("/bots", &token, &live).await;
    assert_eq!((made.status.as_u16(), &made.json()["is_paper_trade"]), (201, &json!(false)));
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
        assert_eq!((answer.status.as_u16(), answer.problem()), (403, "deactivated".into()));
    }
    assert_eq!(bots(&world, PRO).await, "2");
}

/// Field, value, and whether it is taken.
fn values() -> Vec<(&'static str, Value, bool)> {
    let digits = "1234567890123456789012345";
    let mut values = vec![
        ("name", json!("🤖 ボット"), true),
        ("name", json!("x".repeat(255)), true),
        ("name", json!("é".repeat(255)), true),
        ("name", json!("x".repeat(256)), false),
        ("name", json!(""), false),
        ("name", json!("   "), false),
        ("name", json!("a\u{0}b"), false),
        ("name", json!("a\nb"), false),
        ("name", json!("\u{7f}"), false),
        ("name", json!(7), false),
        ("name", json!(null), false),
        ("name", json!(["a"]), false),
        ("exchange", json!("bybit"), true),
        ("exchange", json!("Binance"), false),
        ("exchange", json!("kraken"), false),
        ("exchange", json!({}), false),
        ("trading_pair", json!("ETH/USDT:USDT"), true),
        ("trading_pair", json!("1000SHIB/USDT"), true),
        ("trading_pair", json!("BTCUSDT"), false),
        ("trading_pair", json!("btc/usdt"), false),
        ("trading_pair", json!("BTC/"), false),
        ("trading_pair", json!("BTC/USDT:"), false),
        ("trading_pair", json!("BTC/USDT/EUR"), false),
        ("trading_pair", json!(format!("{}/USDT", "X".repeat(50))), false),
        ("timeframe", json!("1d"), true),
        ("timeframe", json!("2h"), false),
        ("timeframe", json!(60), false),
        ("strategy", json!("s"), true),
        ("strategy", json!(""), false),
        ("strategy", json!("x".repeat(256)), false),
        ("max_open_trades", json!(1000), true),
        ("max_open_trades", json!(null), true),
        ("max_open_trades", json!(0), false),
        ("max_open_trades", json!(1001), false),
        ("max_open_trades", json!(1.5), false),
        ("max_open_trades", json!("3"), false),
        ("max_open_trades", json!(99_999_999_999_i64), false),
        ("is_paper_trade", json!(true), true),
        ("is_paper_trade", json!("true"), false),
        ("is_paper_trade", json!(0), false),
        ("metadata", json!({}), true),
        ("metadata", json!({"a": {"b": [1, 2.5, "ü", null]}}), true),
        ("metadata", json!([]), false),
        ("metadata", json!("x"), false),
        ("metadata", json!({"a": "\u{0}"}), false),
        ("metadata", json!({"\u{0}": 1}), false),
    ];
    for (field, most, too_much, too_fine) in [
        ("initial_balance", json!("999999999999.99999999"), json!("1000000000000"), json!("200.000000001")),
        ("stake_amount", json!("0.00000001"), json!("1000.00000001"), json!("0.000000001")),
        ("stop_loss", json!(100), json!("100.0001"), json!("1.00001")),
        ("take_profit", json!("1000.0000"), json!(1000.1), json!(0.00001)),
        ("risk_percentage", json!(0.01), json!(101), json!("0.001")),
    ] {
        values.extend([(field, most, true), (field, too_much, false), (field, too_fine, false)]);
        for wrong in [
            json!(0),
            json!("0"),
            json!(-1),
            json!("-0.0"),
            json!("NaN"),
            json!("Infinity"),
            json!(""),
            json!("1,5"),
            json!(digits),
            json!(true),
            json!([]),
            json!({}),
        ] {
            values.push((field, wrong, false));
        }
    }
    values
}

#[tokio::test]
async fn every_field_takes_what_is_right_and_names_what_is_wrong() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    for (field, value, is_right) in values() {
        let mut body = new_bot("probe");
        body[field] = value.clone();
        let answer = world.post("/bots", &token, &body).await;
        if is_right {
            assert_eq!(answer.status, 201, "{field}: {value}: {answer:?}");
        } else {
            assert_eq!(answer.status, 422, "{field}: {value}: {answer:?}");
            assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{field}"), "{value}: {answer:?}");
            assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 1, "{value}: {answer:?}");
        }
    }
}

/// Values that no JSON library would write, so the body is text.
#[tokio::test]
async fn numbers_are_taken_exactly_or_not_at_all() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let with = |number: &str| new_bot("exact").to_string().replace("\"1000\"", number);
    for (number, stored) in [
        ("123456789012.12345678", "123456789012.12345678"),
        ("100.10", "100.10000000"),
        ("1e3", "1000.00000000"),
        ("1.5E+2", "150.00000000"),
    ] {
        let answer = world.post_with("/bots", &token, &[], &with(number)).await;
        assert_eq!(answer.json()["initial_balance"], stored, "{answer:?}");
    }
    for number in
        ["1e400", "-1e400", "1e-400", "1234567890123456789012345", "-0.0", "-0", "0.1234567890123456789012345"]
    {
        let answer = world.post_with("/bots", &token, &[], &with(number)).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (422, "invalid".into()), "{number}");
        assert_eq!(answer.json()["errors"][0]["pointer"], "/initial_balance", "{number}");
    }
    for number in ["NaN", "Infinity", "01", "+1", "1.", ".5", "0x10", "1_000"] {
        let answer = world.post_with("/bots", &token, &[], &with(number)).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (400, "not-json".into()), "{number}");
    }
    // Digits that no column holds, where any number is allowed.
    for metadata in [format!("{{\"x\": 1.{}}}", "1".repeat(20_000)), "{\"x\": 1e400}".into()] {
        let body = new_bot("deep").to_string().replace("\"name\"", &format!("\"metadata\": {metadata}, \"name\""));
        let answer = world.post_with("/bots", &token, &[], &body).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (422, "invalid".into()), "{answer:?}");
    }
}

#[tokio::test]
async fn several_wrong_fields_are_told_at_once() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let body = r#"{"name": "", "exchange": "kraken", "timeframe": "1h", "strategy": "s", "initial_balance": "10",
        "stake_amount": "11", "nmae": "typo", "max_open_trades": 0, "max_open_trades": 1}"#;
    let answer = world.post_with("/bots", &token, &[], body).await;
    assert_eq!(answer.status, 422);
    let mut pointers: Vec<_> = answer.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap().to_owned())
        .collect();
    pointers.sort();
    pointers.dedup();
    assert_eq!(pointers, ["/exchange", "/max_open_trades", "/name", "/nmae", "/stake_amount", "/trading_pair"]);
    assert_eq!(bots(&world, PRO).await, "2");
}

#[tokio::test]
async fn a_body_that_is_none_is_told_why() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let body = new_bot("x").to_string();
    let deep = "[".repeat(100_000);
    for (headers, text, status, problem) in [
        (vec![], "", 400, "not-json"),
        (vec![], "{", 400, "not-json"),
        (vec![], "{\"name\": }", 400, "not-json"),
        (vec![], &format!("{body} {body}"), 400, "not-json"),
        (vec![], &deep, 400, "not-json"),
        (vec![], "[]", 422, "invalid"),
        (vec![], "null", 422, "invalid"),
        (vec![], "\"x\"", 422, "invalid"),
        (vec![], "{}", 422, "invalid"),
        (vec![("content-type", "text/plain")], &body, 415, "unsupported-media-type"),
        (vec![("content-type", "application/x-www-form-urlencoded")], &body, 415, "unsupported-media-type"),
        (vec![("content-type", "")], &body, 415, "unsupported-media-type"),
        (vec![("content-type", "Application/JSON; charset=utf-8")], &body, 201, ""),
    ] {
        let answer = world.post_with("/bots", &token, &headers, text).await;
        assert_eq!(answer.status, status, "{headers:?} {}", &text[..text.len().min(80)]);
        if status != 201 {
            assert_eq!(answer.problem(), problem);
            assert_eq!(answer.json()["status"], status);
            assert_eq!(answer.headers["x-request-id"], answer.json()["request_id"].as_str().unwrap());
        }
    }
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let not_utf8 = [b"{\"name\": \"".to_vec(), vec![0xff, 0xfe], b"\"}".to_vec()].concat();
    assert_eq!(world.send_bytes(Method::POST, "/bots", &headers, not_utf8).await.status, 400);
}

#[tokio::test]
async fn two_mebibytes_are_too_large() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let mut body = new_bot("large");
    body["metadata"] = json!({ "x": "x".repeat(2 * 1024 * 1024) });
    let answer = world.post("/bots", &token, &body).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (413, "too-large".into()));
    // Within the body's limit metadata has one of its own: a portfolio shows all bots at once.
    body["metadata"] = json!({ "x": "x".repeat(4096) });
    let answer = world.post("/bots", &token, &body).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["errors"][0]["pointer"]), (422, &json!("/metadata")));
    body["metadata"] = json!({ "x": "x".repeat(4000) });
    assert_eq!(world.post("/bots", &token, &body).await.status, 201);
}

#[tokio::test]
async fn the_log_has_one_line_for_a_request_and_in_it_no_token_address_or_body() {
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
    let told = ["function", "route", "user_id", "status", "outcome", "level"].map(|field| line[field].clone());
    assert_eq!(json!(told), json!(["create-bot", "POST /bots", PRO, 201, "ok", "INFO"]));
    assert!(line["duration_ms"].is_u64() && line["timestamp"].is_string(), "{line}");
    for secret in [token.as_str(), "planted", "pro@nofomo.test", "Bearer"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

/// The same as with fifty at once, step by step.
#[tokio::test]
async fn at_the_limit_the_second_waits_for_what_becomes_of_the_first() {
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
            first.blocks(1).await;
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
async fn one_mebibyte_is_taken_and_one_byte_more_is_not() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let padded = |name: &str, bytes: usize| {
        let body = new_bot(name).to_string();
        let padding = " ".repeat(bytes - body.len());
        body + &padding
    };
    let answer = world.post_with("/bots", &token, &[], &padded("largest", 1024 * 1024)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["name"]), (201, &json!("largest")));
    let answer = world.post_with("/bots", &token, &[], &padded("larger", 1024 * 1024 + 1)).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (413, "too-large".into()));
    let names = format!("select string_agg(name, ', ' order by created_at) from public.bots where user_id = '{PRO}'");
    assert_eq!(world.database.owner().await.text(&names).await, "BTC swing, ETH perpetual, largest");
}

#[tokio::test]
async fn no_answer_is_kept_by_anybody_on_its_way() {
    let world = World::new().await;
    let token = one_below_the_limit(&world).await;
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

/// A database's DETAIL quotes rows.
#[tokio::test]
async fn of_an_error_in_the_database_the_caller_hears_nothing_and_the_log_only_what_names_it() {
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
        assert_eq!((answer.status.as_u16(), answer.problem()), (status, problem.into()), "{answer:?}");
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
            let told = answer.json();
            let mut members: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
            members.sort_unstable();
            assert_eq!(members, ["detail", "request_id", "status", "title", "type"]);
            assert_eq!(told["request_id"], *id);
        }
    }
    for secret in ["planted-detail", "planted-hint", "planted-table", "planted-name", "PL/pgSQL"] {
        assert!(!world.log().contains(secret), "{secret}: {}", world.log());
    }
    assert_eq!(bots(&world, PRO).await, "2");
}
