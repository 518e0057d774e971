//! Requests for measurements. Each request succeeds, and costs the same each time it is sent.

use std::{collections::BTreeMap, fs};

use axum::{body::Bytes, http::Request};
use chrono::Utc;
use dev::{gateway, schedule::Schedule, stack::Stack};
use local_database::{Error, Result, connect};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::environment::Environment;

/// User of most requests, whose plan has no limits.
pub(crate) const USER: &str = "enterprise@nofomo.test";

/// User whose data does not change, so that reading it costs the same every time.
pub(crate) const READER: &str = "pro@nofomo.test";

/// Bot of [`USER`] in the sample data.
pub(crate) const BOT: &str = "0190f000-0000-7000-8000-000000000004";
/// Strategy of [`USER`] in the sample data.
const STRATEGY: &str = "0190e000-0000-7000-8000-000000000002";

const EXPORT: &str = "shared/freqtrade/fixtures/backtest-result-2026-11-22_10-29-03.zip";

/// Number of bots for concurrent requests: trades of one bot wait for each other.
pub(crate) const BOTS: usize = 16;

/// First number of the requests that are sent before a measurement.
pub(crate) const WARM_UP_START: usize = 1 << 40;

/// Placeholder in a request for twelve hexadecimal digits, such as the end of an id, that differ in every request.
pub(crate) const UNIQUE_DIGITS: &str = "unique-digits";

/// A request to the API.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    digits: UniqueDigits,
}

impl Call {
    pub(crate) fn new(token: &str, method: &'static str, path: impl Into<String>, body: &Value) -> Self {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let headers =
            vec![("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
        Self { method, path: path.into(), headers, body, digits: UniqueDigits::default() }
    }

    pub(crate) fn with_key(mut self, key: &str) -> Self {
        self.headers.push(("idempotency-key", key.to_owned()));
        self
    }

    /// Uses the same values of [`UNIQUE_DIGITS`] as another request.
    pub(crate) fn with_digits_of(mut self, other: &Self) -> Self {
        self.digits = other.digits.clone();
        self
    }

    /// Request number `n`.
    pub(crate) fn nth(&self, n: usize) -> Self {
        let headers = self.headers.iter().map(|(name, value)| (*name, self.digits.insert(value, n))).collect();
        let body = std::str::from_utf8(&self.body).map(|body| self.digits.insert(body, n).into());
        Self { headers, body: body.unwrap_or_else(|_| self.body.clone()), ..self.clone() }
    }

    /// Name of the function, and the events into which the gateway converts the requests.
    pub(crate) fn events(&self, environment: &Environment<'_>) -> Result<(String, Events)> {
        let Self { method, path, headers, body, .. } = self;
        let unknown = || Error::new(format!("no function has {method} {path}"), "see template.yaml");
        let mut request = Request::builder().method(*method).uri(path).header("host", "127.0.0.1");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(body.clone()).map_err(|_| unknown())?;
        let routes = environment.template.functions.iter();
        let routes = routes.flat_map(|function| function.routes.iter().map(|route| (route, &function.name)));
        let (function, event) = gateway::route_request(routes, request).ok_or_else(unknown)?;
        Ok((function.clone(), Events::new(event)?))
    }
}

/// Events that differ only in [`UNIQUE_DIGITS`].
pub(crate) struct Events {
    text: String,
    digits: UniqueDigits,
}

impl Events {
    fn new(event: impl Into<Vec<u8>>) -> Result<Self> {
        let text = String::from_utf8(event.into()).map_err(|error| {
            Error::new(format!("an event is not UTF-8: {error}"), "correct dev/src/gateway/event.rs")
        })?;
        Ok(Self { text, digits: UniqueDigits::default() })
    }

    pub(crate) fn nth(&self, n: usize) -> Bytes {
        self.digits.insert(&self.text, n).into()
    }
}

/// Values of [`UNIQUE_DIGITS`], which are unique even across measurements on the same database.
#[derive(Clone)]
struct UniqueDigits {
    first: u64,
}

impl Default for UniqueDigits {
    fn default() -> Self {
        Self { first: Uuid::new_v4().as_u64_pair().0 }
    }
}

impl UniqueDigits {
    fn insert(&self, text: &str, n: usize) -> String {
        // In random order, like the ids of trades. Multiplication by an odd number maps different numbers to different
        // values.
        let scattered = self.first.wrapping_add(n as u64).wrapping_mul(0x9E37_79B9_7F4B);
        text.replace(UNIQUE_DIGITS, &format!("{:012x}", scattered & 0xFFFF_FFFF_FFFF))
    }
}

/// Prepares the data for the requests, and returns the events of each function by its name.
pub(crate) async fn prepare(environment: &Environment<'_>, stack: &Stack) -> Result<BTreeMap<String, Events>> {
    let user = stack.auth().token_for(USER).await?;
    let export = fs::read(environment.workspace.join(EXPORT)).map_err(|error| {
        Error::new(format!("cannot read {EXPORT}: {error}"), "run this in a complete clone of the repository")
    })?;
    let admin = connect(&environment.database.admin_url).await?;
    let source = format!("select content from public.strategies where id = '{STRATEGY}'");
    let source = admin.query_typed_one(&source, &[]).await;
    let source: String = source
        .map_err(|error| Error::new(error.to_string(), "check the sample data in migrations/003_sample_data.sql"))?
        .get(0);
    drop(admin);

    let keys = json!({ "api_key": "ABCDEFGHIJKLMNOPQR", "api_secret": "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ" });
    let analysis = json!({ "analysis_type": "risk" });

    // A running live bot, and the token of its runner.
    send(environment, stack, &Call::new(&user, "PUT", "/credentials/bybit", &keys)).await?;
    let live = send(environment, stack, &Call::new(&user, "POST", "/bots", &bot("live", "bybit", false))).await?;
    let live = text(&live, "id");
    send(environment, stack, &Call::new(&user, "POST", format!("/bots/{live}/start"), &json!({}))).await?;
    let scopes = json!({ "scopes": ["report", "trade"] });
    let runner = send(environment, stack, &Call::new(&user, "POST", format!("/bots/{live}/token"), &scopes)).await?;
    let runner = text(&runner, "token");
    let analysis_id = send(environment, stack, &Call::new(&user, "POST", "/analyses", &analysis)).await?;
    let analysis_id = text(&analysis_id, "id");

    let strategy = json!({ "name": format!("measured {UNIQUE_DIGITS}"), "content": source });
    let generate = json!({ "template": "ema_cross", "pair": "BTC/USDT", "timeframe": "1h", "risk_level": "low" });
    let invoice = json!({ "plan": "enterprise", "period": "monthly", "method": "QRIS" });
    let calls = [
        Call::new(&user, "POST", "/bots", &bot("measured", "binance", true)).with_key(UNIQUE_DIGITS),
        Call::new(&user, "POST", format!("/bots/{BOT}/start"), &json!({})),
        trades(&user, BOT, 1),
        logs(&user),
        Call::new(&user, "POST", format!("/bots/{BOT}/token"), &json!({})),
        Call::new(&user, "PUT", "/credentials/bybit", &keys),
        Call::new(&runner, "POST", format!("/bots/{live}/credentials"), &json!({})),
        portfolio(&stack.auth().token_for(READER).await?),
        Call::new(&user, "POST", "/strategies", &strategy).with_key(UNIQUE_DIGITS),
        Call::new(&user, "POST", "/strategies/generate", &generate).with_key(UNIQUE_DIGITS),
        Call::new(&user, "POST", format!("/strategies/{STRATEGY}/publish"), &json!({})),
        Call::new(&user, "POST", "/analyses", &analysis).with_key(UNIQUE_DIGITS),
        Call::new(&user, "GET", format!("/analyses/{analysis_id}/report"), &Value::Null),
        Call::new(&user, "POST", "/invoices", &invoice).with_key(UNIQUE_DIGITS),
        Call::new(&user, "POST", "/subscription/cancel", &json!({})),
        Call {
            method: "POST",
            path: format!("/strategies/{STRATEGY}/backtests"),
            headers: vec![("authorization", format!("Bearer {user}")), ("content-type", "application/zip".to_owned())],
            body: export.into(),
            digits: UniqueDigits::default(),
        },
        payment(stack),
    ];
    let mut events = calls.iter().map(|call| call.events(environment)).collect::<Result<BTreeMap<_, _>>>()?;

    let report = json!({ "bot_id": live, "bot_token_hash": sha256(&runner), "trades": trade(0) });
    let message = json!({
        "messageId": "measured", "receiptHandle": "r", "body": report.to_string(), "attributes": {}, "messageAttributes": {},
        "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:1:trades", "awsRegion": "us-east-1",
    });
    events.insert("ingest-trades".to_owned(), Events::new(json!({ "Records": [message] }).to_string())?);
    for function in &environment.template.functions {
        let due = function.schedules.first().map(|schedule: &Schedule| schedule.event(Utc::now()));
        if let Some(event) = due {
            events.insert(function.name.clone(), Events::new(event)?);
        }
        if !events.contains_key(&function.name) {
            let problem = format!("there is no request for {}", function.name);
            return Err(Error::new(problem, "add one in bench/src/requests.rs"));
        }
    }
    Ok(events)
}

pub(crate) fn bot(name: &str, exchange: &str, is_paper_trade: bool) -> Value {
    json!({
        "name": name, "exchange": exchange, "trading_pair": "BTC/USDT", "timeframe": "1h", "strategy": "EMA cross",
        "initial_balance": "1000", "stake_amount": "100", "is_paper_trade": is_paper_trade,
    })
}

/// A report of `count` trades, which are new in every request. A single trade is an object, several are an array.
pub(crate) fn trades(token: &str, bot: &str, count: usize) -> Call {
    let body = if count == 1 { trade(0) } else { (0..count).map(trade).collect() };
    Call::new(token, "POST", format!("/bots/{bot}/trades"), &body)
}

/// A closed trade, so that it counts in the statistics of its bot.
fn trade(index: usize) -> Value {
    json!({
        "id": format!("{index:08x}-0000-4000-8000-{UNIQUE_DIGITS}"), "side": "buy", "order_type": "market", "status": "closed",
        "amount": "0.1", "price": "150", "fee": "0.03", "entry_time": "2026-01-01T00:00:00Z",
        "exit_time": "2026-01-01T06:00:00Z", "exit_price": "150.5",
    })
}

fn logs(token: &str) -> Call {
    let entries = json!([{ "log_level": "info", "message": "measured" }]);
    Call::new(token, "POST", format!("/bots/{BOT}/logs"), &entries)
}

pub(crate) fn portfolio(token: &str) -> Call {
    Call::new(token, "GET", "/portfolio", &Value::Null)
}

/// Callback for an unknown invoice. It is recorded once; every further request finds it recorded.
fn payment(stack: &Stack) -> Call {
    let payment = json!({
        "reference": "DEV-T0000000000MEASURE", "merchant_ref": "measured", "payment_method": "QRIS", "payment_method_code": "QRIS",
        "total_amount": 99_000, "fee_merchant": 0, "fee_customer": 0, "total_fee": 0, "amount_received": 99_000,
        "is_closed_payment": 1, "status": "PAID", "paid_at": 1_767_225_600, "note": null,
    });
    let body = Bytes::from(payment.to_string());
    let headers = vec![
        ("x-callback-event", "payment_status".to_owned()),
        ("x-callback-signature", stack.tripay().sign(&body)),
        ("content-type", "application/json".to_owned()),
    ];
    Call { method: "POST", path: "/callbacks/tripay".to_owned(), headers, body, digits: UniqueDigits::default() }
}

/// Creates bots and returns their ids.
pub(crate) async fn create_bots(
    environment: &Environment<'_>,
    stack: &Stack,
    token: &str,
    count: usize,
) -> Result<Vec<String>> {
    let mut bots = Vec::new();
    for n in 0..count {
        let created =
            send(environment, stack, &Call::new(token, "POST", "/bots", &bot(&format!("bot {n}"), "binance", true)))
                .await?;
        bots.push(text(&created, "id"));
    }
    Ok(bots)
}

/// Sends a request once and returns the body of the response.
pub(crate) async fn send(environment: &Environment<'_>, stack: &Stack, call: &Call) -> Result<Value> {
    let (function, events) = call.events(environment)?;
    let failed = |why: String| {
        Error::new(
            format!("{} {} returned {why}", call.method, call.path),
            "check the sample data in migrations/003_sample_data.sql",
        )
    };
    let Some(fleet) = stack.fleet(&function) else { return Err(failed("nothing".to_owned())) };
    let response = fleet.invoke(events.nth(0)).await.map_err(|error| failed(error.to_string()))?;
    let response: Value = serde_json::from_slice(&response).map_err(|error| failed(error.to_string()))?;
    match response.get("statusCode").and_then(Value::as_u64) {
        Some(200..300) => Ok(serde_json::from_str(&text(&response, "body")).unwrap_or_default()),
        _ => Err(failed(response.to_string())),
    }
}

/// Outcome of a response: its status, or `ok`.
///
/// # Errors
///
/// The request failed; a failed request must not be measured.
pub(crate) fn outcome(response: &[u8]) -> Result<String> {
    let failed = |why: String| Error::new(why, "invoke the function with `cargo dev` and see its log");
    let response: Value = serde_json::from_slice(response).map_err(|error| failed(error.to_string()))?;
    let failures = response.get("batchItemFailures").and_then(Value::as_array).map_or(0, Vec::len);
    match response.get("statusCode").and_then(Value::as_u64) {
        None if failures == 0 => Ok("ok".to_owned()),
        Some(status @ 200..300) => Ok(status.to_string()),
        _ => Err(failed(format!("a request returned {response}"))),
    }
}

/// Hash under which the database stores a token.
fn sha256(token: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(token))
}

fn text(response: &Value, name: &str) -> String {
    response.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_event_is_different() {
        let events = Events::new(format!("a {UNIQUE_DIGITS} b {UNIQUE_DIGITS}")).expect("text");
        let many: BTreeSet<Bytes> = (0..1_000).map(|n| events.nth(n)).collect();
        assert_eq!(many.len(), 1_000);
        for event in many {
            let (one, other) = event.split_at_checked(14).expect("long");
            assert_eq!((&one[..2], &other[..3]), (&b"a "[..], &b" b "[..]), "{event:?}");
            assert_eq!(one[2..], other[3..], "{event:?}");
        }
        let same = Events::new("as it is").expect("text");
        assert_eq!(same.nth(0), same.nth(1));
    }

    #[test]
    fn a_failed_request_is_not_measured() {
        assert_eq!(outcome(br#"{"statusCode":201,"body":""}"#).expect("worked"), "201");
        assert_eq!(outcome(br#"{"expired":0}"#).expect("worked"), "ok");
        assert_eq!(outcome(br#"{"batchItemFailures":[]}"#).expect("worked"), "ok");
        for broken in [r#"{"statusCode":401}"#, r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#, ""] {
            assert!(outcome(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
