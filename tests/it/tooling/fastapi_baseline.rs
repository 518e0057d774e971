//! The FastAPI baseline that the functions are measured against gives the same responses to the same requests.

use std::collections::BTreeSet;

use bench::fastapi_baseline::FastapiServer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::database::{FREE, target, workspace};
use crate::support::world::{World, http_client, new_bot};

const CLOSED: &str = r#"{"side": "buy", "order_type": "market", "status": "closed", "amount": "0.1", "price": 150.5,
    "entry_time": "2026-01-01T00:00:00Z", "exit_time": "2026-01-01T02:00:00+01:00", "exit_price": "151", "fee": "0.03"}"#;

/// Comparable part of a response: without ids, times and the detail of a problem.
#[derive(Debug, PartialEq)]
struct Comparable {
    status: u16,
    content_type: String,
    body: Value,
    invalid_fields: BTreeSet<String>,
}

async fn comparable_response(
    url: &str,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Comparable {
    let mut request = http_client().request(method.clone(), format!("{url}{path}")).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.header("content-type", "application/json").send().await.unwrap();
    let status = answer.status().as_u16();
    let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let mut body: Value = answer.json().await.unwrap();
    let errors = body.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
    let place = |error: &Value| error["pointer"].as_str().or(error["header"].as_str()).unwrap().to_owned();
    let invalid_fields = errors.iter().map(place).collect();
    remove_variable_members(&mut body);
    Comparable { status, content_type, body, invalid_fields }
}

/// Removes the members that differ between two servers.
fn remove_variable_members(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for name in ["id", "created_at", "updated_at", "request_id", "detail", "errors", "last_trade_at"] {
                members.remove(name);
            }
            members.values_mut().for_each(remove_variable_members);
        }
        Value::Array(elements) => elements.iter_mut().for_each(remove_variable_members),
        _ => {}
    }
}

#[tokio::test]
async fn the_baseline_responds_as_the_functions_do() {
    let world = World::new().await;
    let issuer = world.stack.auth().issuer().to_owned();
    let peer =
        FastapiServer::start(workspace(), target(), &world.database.url("nofomo_api"), &issuer, 1).await.unwrap();
    let (ours, theirs) = (world.stack.url(), peer.url());
    let owner = world.database.owner().await;
    owner.run("update public.plans set max_bots = 6 where name = 'Pro'").await.unwrap();
    let pro = format!("Bearer {}", world.sign_in("pro@nofomo.test").await);
    let bot = world.oldest_bot_of("0190b000-0000-7000-8000-000000000002").await;
    let other = world.oldest_bot_of(FREE).await;
    let trades = format!("/bots/{bot}/trades");
    let without = |name: &str| {
        let mut bot = new_bot("less");
        bot.as_object_mut().unwrap().remove(name);
        bot.to_string()
    };
    let with = |name: &str, value: Value| {
        let mut bot = new_bot("more");
        bot[name] = value;
        bot.to_string()
    };
    let trade = |name: &str, value: Value| {
        let mut trade: Value = serde_json::from_str(CLOSED).unwrap();
        trade[name] = value;
        trade.to_string()
    };

    let mut requests = Vec::new();
    for body in [
        without("name"),
        without("exchange"),
        "{}".to_owned(),
        with("name", json!("  ")),
        with("name", json!("n".repeat(256))),
        with("name", json!("a\nb")),
        with("exchange", json!("kraken")),
        with("trading_pair", json!("btcusdt")),
        with("timeframe", json!("2h")),
        with("stake_amount", json!("2000000")),
        with("stake_amount", json!("0.000000001")),
        with("initial_balance", json!("0")),
        with("initial_balance", json!(true)),
        with("initial_balance", json!("NaN")),
        with("max_open_trades", json!(0)),
        with("max_open_trades", json!("3")),
        with("stop_loss", json!("101")),
        with("is_paper_trade", json!("yes")),
        with("metadata", json!([1])),
        with("metadata", json!({ "text": "x".repeat(5000) })),
        with("user_id", json!("mine")),
        with("is_paper_trade", json!(false)),
        "{".to_owned(),
    ] {
        requests.push((Method::POST, "/bots".to_owned(), Some(&pro), None, body));
    }
    for body in [
        CLOSED.to_owned(),
        format!("[{CLOSED}, {CLOSED}]"),
        "[]".to_owned(),
        format!("[{}]", vec![CLOSED; 1001].join(",")),
        trade("exit_time", Value::Null),
        trade("exit_time", json!("2025-12-31T00:00:00Z")),
        trade("status", json!("open")),
        trade("exit_price", Value::Null),
        trade("profit", json!("-1.5")),
        trade("side", json!("long")),
        trade("amount", json!("-1")),
        trade("entry_time", json!("yesterday")),
        trade("id", json!("x")),
        format!("[{CLOSED}, {}]", trade("price", json!("0"))),
    ] {
        requests.push((Method::POST, trades.clone(), Some(&pro), None, body));
    }
    let nobody = "Bearer e30.e30.e30".to_owned();
    for (path, token) in [
        (format!("/bots/{other}/trades"), Some(&pro)),
        ("/bots/7/trades".to_owned(), Some(&pro)),
        (trades.clone(), None),
        (trades.clone(), Some(&nobody)),
    ] {
        requests.push((Method::POST, path, token, None, CLOSED.to_owned()));
    }
    requests.push((Method::POST, "/bots".to_owned(), Some(&pro), Some(""), new_bot("key").to_string()));
    requests.push((Method::GET, "/portfolio".to_owned(), None, None, String::new()));

    for (method, path, token, key, body) in requests {
        let mut headers: Vec<(&str, &str)> = token.iter().map(|token| ("authorization", token.as_str())).collect();
        headers.extend(key.map(|key| ("idempotency-key", key)));
        let of_ours = comparable_response(&ours, &method, &path, &headers, &body).await;
        let of_theirs = comparable_response(&theirs, &method, &path, &headers, &body).await;
        assert_eq!(of_theirs, of_ours, "{method} {path} {body:.300}");
    }

    // A key finds the bot that the other server created, and both portfolios are equal.
    let (key, body) = ([("authorization", pro.as_str()), ("idempotency-key", "once")], new_bot("once").to_string());
    for (url, status) in [(&theirs, 201), (&ours, 200), (&theirs, 200)] {
        assert_eq!(comparable_response(url, &Method::POST, "/bots", &key, &body).await.status, status, "{url}");
        let trade = comparable_response(url, &Method::POST, &trades, &key, CLOSED).await;
        assert_eq!(trade.status, status, "{trade:?}");
    }
    let portfolio = comparable_response(&ours, &Method::GET, "/portfolio", &key[..1], "").await;
    assert_eq!(portfolio.status, 200);
    assert_eq!(comparable_response(&theirs, &Method::GET, "/portfolio", &key[..1], "").await, portfolio);
    // The plan's limit is the same too.
    for n in 3..7 {
        let body = new_bot(&format!("bot {n}")).to_string();
        let headers = &key[..1];
        let of_theirs = comparable_response(&theirs, &Method::POST, "/bots", headers, &body).await;
        if n < 6 {
            assert_eq!(of_theirs.status, 201, "{of_theirs:?}");
        } else {
            assert_eq!(of_theirs, comparable_response(&ours, &Method::POST, "/bots", headers, &body).await);
            assert_eq!((of_theirs.status, &of_theirs.body["limit"]), (403, &json!(6)));
        }
    }
}
