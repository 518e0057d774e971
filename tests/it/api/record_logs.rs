//! `POST /bots/{bot_id}/logs`.

use serde_json::{Value, json};

use crate::support::database::{FREE, PRO};
use crate::support::world::World;

#[tokio::test]
async fn logs_are_stored_unchanged_for_the_bot_and_its_owner() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let bot = world.oldest_bot_of(PRO).await;
    let sent = json!([
        {"log_level": "error", "message": "Traceback:\n\tValueError 🐔", "context": {"pair": "BTC/USDT", "deep": [1]}, "created_at": "2026-02-03T04:05:06+07:00"},
        {"log_level": "debug", "message": "tick"},
    ]);
    let answer = world.post(&format!("/bots/{bot}/logs"), &token, &sent).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (201, json!({"recorded": 2})));
    let owner = world.database.owner().await;
    let stored = "select string_agg(concat_ws('|', user_id, log_level, message, context, source, created_at at time zone 'utc'), ';' order by log_level desc)
        from public.logs where source = 'bot_runner' and log_level in ('error', 'debug') and bot_id = ";
    let rows = owner.text(&format!("{stored} '{bot}'")).await;
    assert!(rows.starts_with(&format!("{PRO}|error|Traceback:\n\tValueError 🐔|{{\"deep\": [1], \"pair\": \"BTC/USDT\"}}|bot_runner|2026-02-02 21:05:06;{PRO}|debug|tick|{{}}|bot_runner|")), "{rows}");
}

#[tokio::test]
async fn a_repeated_idempotency_key_stores_logs_once() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let bot = world.oldest_bot_of(PRO).await;
    let sent =
        json!([{"log_level": "info", "message": "once"}, {"log_level": "info", "message": "once too"}]).to_string();
    for (status, recorded) in [(201, 2), (200, 0)] {
        let answer = world.post_with(&format!("/bots/{bot}/logs"), &token, &[("idempotency-key", "k")], &sent).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (status, json!({"recorded": recorded})));
    }
    let other =
        json!([{"log_level": "info", "message": "another"}, {"log_level": "info", "message": "third"}]).to_string();
    let refused = world.post_with(&format!("/bots/{bot}/logs"), &token, &[("idempotency-key", "k")], &other).await;
    assert_eq!(refused.status_and_problem(), (409, "key-reused".into()));
    let stored = "select string_agg(message, ' ' order by message) from public.logs where message in ('once', 'once too', 'another', 'third')";
    assert_eq!(world.database.owner().await.text(stored).await, "once once too");
}

#[tokio::test]
async fn invalid_fields_are_named_and_nothing_is_stored() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let (bot, theirs) = (world.oldest_bot_of(PRO).await, world.oldest_bot_of(FREE).await);
    let entry = json!({"log_level": "info", "message": "planted"});
    let path = format!("/bots/{bot}/logs");
    for (field, value) in [
        ("log_level", json!("fatal")),
        ("log_level", json!(null)),
        ("message", json!("")),
        ("message", json!("a\u{0}")),
        ("message", json!(1)),
        ("message", json!("x".repeat(10_001))),
        ("context", json!([])),
        ("context", json!({"a": "\u{0}"})),
        ("created_at", json!("now")),
        ("source", json!("api")),
    ] {
        let mut wrong = entry.clone();
        wrong[field] = value;
        let answer = world.post(&path, &token, &json!([entry, wrong])).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["errors"][0]["pointer"]),
            (422, &json!(format!("/1/{field}"))),
            "{answer:?}"
        );
    }
    let numbers = vec!["1e308"; 100].join(",");
    let large = format!("{{\"log_level\": \"info\", \"message\": \"planted\", \"context\": {{\"x\": [{numbers}]}}}}");
    assert_eq!(world.post_with(&path, &token, &[], &large).await.status, 422, "30 KB as PostgreSQL writes it");
    for size in [0, 501] {
        assert_eq!(world.post(&path, &token, &Value::Array(vec![entry.clone(); size])).await.status, 422);
    }
    assert_eq!(world.post(&format!("/bots/{theirs}/logs"), &token, &entry).await.status, 404);
    assert_eq!(
        world.database.owner().await.text("select count(*) from public.logs where message = 'planted'").await,
        "0"
    );
}

#[tokio::test]
async fn five_hundred_logs_cost_one_round_trip() {
    let (world, proxy) = World::behind_proxy().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let path = format!("/bots/{}/logs", world.oldest_bot_of(PRO).await);
    let entry = json!({"log_level": "info", "message": "tick"});
    assert_eq!(world.post(&path, &token, &entry).await.status, 201);
    proxy.take_round_trips();
    let answer = world.post(&path, &token, &Value::Array(vec![entry; 500])).await;
    assert_eq!(answer.json(), json!({"recorded": 500}));
    assert_eq!(proxy.take_round_trips(), 1);
}
