//! `POST /bots`: validation of the request body.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::bots::count_bots;
use crate::support::database::PRO;
use crate::support::world::{World, new_bot};

/// Field, value, and `true` if the value is valid.
fn field_values() -> Vec<(&'static str, Value, bool)> {
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
    for (field, largest, too_large, too_precise) in [
        ("initial_balance", json!("999999999999.99999999"), json!("1000000000000"), json!("200.000000001")),
        ("stake_amount", json!("0.00000001"), json!("1000.00000001"), json!("0.000000001")),
        ("stop_loss", json!(100), json!("100.0001"), json!("1.00001")),
        ("take_profit", json!("1000.0000"), json!(1000.1), json!(0.00001)),
        ("risk_percentage", json!(0.01), json!(101), json!("0.001")),
    ] {
        values.extend([(field, largest, true), (field, too_large, false), (field, too_precise, false)]);
        for invalid in [
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
            values.push((field, invalid, false));
        }
    }
    values
}

#[tokio::test]
async fn every_field_accepts_valid_values_and_errors_name_the_invalid_field() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    for (field, value, is_valid) in field_values() {
        let mut body = new_bot("probe");
        body[field] = value.clone();
        let answer = world.post("/bots", &token, &body).await;
        if is_valid {
            assert_eq!(answer.status, 201, "{field}: {value}: {answer:?}");
        } else {
            assert_eq!(answer.status, 422, "{field}: {value}: {answer:?}");
            assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{field}"), "{value}: {answer:?}");
            assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 1, "{value}: {answer:?}");
        }
    }
}

/// The body is built as text, since no JSON library writes these numbers.
#[tokio::test]
async fn numbers_are_stored_exactly_or_refused() {
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
        assert_eq!(answer.status_and_problem(), (422, "invalid".into()), "{number}");
        assert_eq!(answer.json()["errors"][0]["pointer"], "/initial_balance", "{number}");
    }
    for number in ["NaN", "Infinity", "01", "+1", "1.", ".5", "0x10", "1_000"] {
        let answer = world.post_with("/bots", &token, &[], &with(number)).await;
        assert_eq!(answer.status_and_problem(), (400, "not-json".into()), "{number}");
    }
    // In metadata any number is allowed, as long as PostgreSQL can store it.
    for metadata in [format!("{{\"x\": 1.{}}}", "1".repeat(20_000)), "{\"x\": 1e400}".into()] {
        let body = new_bot("deep").to_string().replace("\"name\"", &format!("\"metadata\": {metadata}, \"name\""));
        let answer = world.post_with("/bots", &token, &[], &body).await;
        assert_eq!(answer.status_and_problem(), (422, "invalid".into()), "{answer:?}");
    }
}

#[tokio::test]
async fn all_invalid_fields_are_reported_at_once() {
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
    assert_eq!(count_bots(&world, PRO).await, "2");
}

#[tokio::test]
async fn an_unreadable_body_is_refused_with_the_reason() {
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
async fn a_body_of_two_mebibytes_is_too_large() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let mut body = new_bot("large");
    body["metadata"] = json!({ "x": "x".repeat(2 * 1024 * 1024) });
    let answer = world.post("/bots", &token, &body).await;
    assert_eq!(answer.status_and_problem(), (413, "too-large".into()));
    // Metadata has a smaller limit of its own, since a portfolio contains all bots.
    body["metadata"] = json!({ "x": "x".repeat(4096) });
    let answer = world.post("/bots", &token, &body).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["errors"][0]["pointer"]), (422, &json!("/metadata")));
    body["metadata"] = json!({ "x": "x".repeat(4000) });
    assert_eq!(world.post("/bots", &token, &body).await.status, 201);
}

#[tokio::test]
async fn a_body_of_one_mebibyte_is_accepted_and_one_byte_more_is_not() {
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
    assert_eq!(answer.status_and_problem(), (413, "too-large".into()));
    let names = format!("select string_agg(name, ', ' order by created_at) from public.bots where user_id = '{PRO}'");
    assert_eq!(world.database.owner().await.text(&names).await, "BTC swing, ETH perpetual, largest");
}
