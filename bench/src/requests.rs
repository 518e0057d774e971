//! What functions are asked while they are measured: what works, and costs the same each time.

use std::{collections::BTreeMap, fs};

use axum::{body::Bytes, http::Request};
use chrono::Utc;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::environment::Environment;
use dev::{gateway, schedule::Schedule, stack::Stack};
use local_database::{Error, Result, connect};

/// On the plan that limits nothing.
pub(crate) const USER: &str = "enterprise@nofomo.test";

/// Nobody adds anything of his, so that what he reads costs the same each time.
pub(crate) const READER: &str = "pro@nofomo.test";

/// Of [`USER`], as is what follows, in the sample data.
pub(crate) const BOT: &str = "0190f000-0000-7000-8000-000000000004";
const STRATEGY: &str = "0190e000-0000-7000-8000-000000000002";

const EXPORT: &str = "shared/freqtrade/fixtures/backtest-result-2026-11-22_10-29-03.zip";

/// Whose trades are recorded by several at once: those of one bot wait for each other.
pub(crate) const BOTS: usize = 16;

/// From here on are the numbers of what is asked before anything is measured.
pub(crate) const BEFORE: usize = 1 << 40;

/// Stands in a request for what is another one each time: twelve hexadecimal digits, and so the end of an id.
pub(crate) const NTH: &str = "nth-of-these";

/// A request as its caller sends it.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    numbers: Numbers,
}

impl Call {
    pub(crate) fn new(token: &str, method: &'static str, path: impl Into<String>, body: &Value) -> Self {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let headers =
            vec![("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
        Self { method, path: path.into(), headers, body, numbers: Numbers::default() }
    }

    pub(crate) fn with_key(mut self, key: &str) -> Self {
        self.headers.push(("idempotency-key", key.to_owned()));
        self
    }

    /// About the same: both have the same number the nth time.
    pub(crate) fn about(mut self, other: &Self) -> Self {
        self.numbers = other.numbers.clone();
        self
    }

    /// As it is sent the nth time.
    pub(crate) fn nth(&self, n: usize) -> Self {
        let headers = self.headers.iter().map(|(name, value)| (*name, self.numbers.put(value, n))).collect();
        let body = std::str::from_utf8(&self.body).map(|body| self.numbers.put(body, n).into());
        Self { headers, body: body.unwrap_or_else(|_| self.body.clone()), ..self.clone() }
    }

    /// Whose it is, and as which events the gateway passes it on.
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

/// One event after the other, which differ in [`NTH`] alone.
pub(crate) struct Events {
    text: String,
    numbers: Numbers,
}

impl Events {
    fn new(event: impl Into<Vec<u8>>) -> Result<Self> {
        let text = String::from_utf8(event.into())
            .map_err(|error| Error::new(format!("an event is no text: {error}"), "see dev/src/gateway.rs"))?;
        Ok(Self { text, numbers: Numbers::default() })
    }

    pub(crate) fn nth(&self, n: usize) -> Bytes {
        self.numbers.put(&self.text, n).into()
    }
}

/// What stands for [`NTH`]: never the same again, also in another measurement on the same database.
#[derive(Clone)]
struct Numbers {
    first: u64,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { first: Uuid::new_v4().as_u64_pair().0 }
    }
}

impl Numbers {
    fn put(&self, text: &str, n: usize) -> String {
        // In no order, as the ids of trades come: multiplied by an odd number no two of them are alike.
        let scattered = self.first.wrapping_add(n as u64).wrapping_mul(0x9E37_79B9_7F4B);
        text.replace(NTH, &format!("{:012x}", scattered & 0xFFFF_FFFF_FFFF))
    }
}

/// What each function is asked, by its name.
pub(crate) async fn prepare(environment: &Environment<'_>, stack: &Stack) -> Result<BTreeMap<String, Events>> {
    let user = stack.auth().token_for(USER).await?;
    let export = fs::read(environment.workspace.join(EXPORT))
        .map_err(|error| Error::new(format!("cannot read {EXPORT}: {error}"), "run this in a whole copy"))?;
    let admin = connect(&environment.database.admin_url).await?;
    let source = format!("select content from public.strategies where id = '{STRATEGY}'");
    let source = admin.query_typed_one(&source, &[]).await;
    let source: String =
        source.map_err(|error| Error::new(error.to_string(), "the sample data is not what it was"))?.get(0);
    drop(admin);

    let keys = json!({ "api_key": "ABCDEFGHIJKLMNOPQR", "api_secret": "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ" });
    let analysis = json!({ "analysis_type": "risk" });

    // A live bot that runs, and what its runner holds.
    ask(environment, stack, &Call::new(&user, "PUT", "/credentials/bybit", &keys)).await?;
    let live = ask(environment, stack, &Call::new(&user, "POST", "/bots", &bot("live", "bybit", false))).await?;
    let live = text(&live, "id");
    ask(environment, stack, &Call::new(&user, "POST", format!("/bots/{live}/start"), &json!({}))).await?;
    let scopes = json!({ "scopes": ["report", "trade"] });
    let runner = ask(environment, stack, &Call::new(&user, "POST", format!("/bots/{live}/token"), &scopes)).await?;
    let runner = text(&runner, "token");
    let judged = ask(environment, stack, &Call::new(&user, "POST", "/analyses", &analysis)).await?;
    let judged = text(&judged, "id");

    let strategy = json!({ "name": format!("measured {NTH}"), "content": source });
    let wish = json!({ "template": "ema_cross", "pair": "BTC/USDT", "timeframe": "1h", "risk_level": "low" });
    let invoice = json!({ "plan": "enterprise", "period": "monthly", "method": "QRIS" });
    let calls = [
        Call::new(&user, "POST", "/bots", &bot("measured", "binance", true)).with_key(NTH),
        Call::new(&user, "POST", format!("/bots/{BOT}/start"), &json!({})),
        trades(&user, BOT, 1),
        logs(&user),
        Call::new(&user, "POST", format!("/bots/{BOT}/token"), &json!({})),
        Call::new(&user, "PUT", "/credentials/bybit", &keys),
        Call::new(&runner, "POST", format!("/bots/{live}/credentials"), &json!({})),
        portfolio(&stack.auth().token_for(READER).await?),
        Call::new(&user, "POST", "/strategies", &strategy).with_key(NTH),
        Call::new(&user, "POST", "/strategies/generate", &wish).with_key(NTH),
        Call::new(&user, "POST", format!("/strategies/{STRATEGY}/publish"), &json!({})),
        Call::new(&user, "POST", "/analyses", &analysis).with_key(NTH),
        Call::new(&user, "GET", format!("/analyses/{judged}/report"), &Value::Null),
        Call::new(&user, "POST", "/invoices", &invoice).with_key(NTH),
        Call::new(&user, "POST", "/subscription/cancel", &json!({})),
        Call {
            method: "POST",
            path: format!("/strategies/{STRATEGY}/backtests"),
            headers: vec![("authorization", format!("Bearer {user}")), ("content-type", "application/zip".to_owned())],
            body: export.into(),
            numbers: Numbers::default(),
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
            let problem = format!("nobody knows what to ask {}", function.name);
            return Err(Error::new(problem, "give it a request in bench/src/requests.rs"));
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

/// New ones each time; one alone is no array.
pub(crate) fn trades(token: &str, bot: &str, count: usize) -> Call {
    let body = if count == 1 { trade(0) } else { (0..count).map(trade).collect() };
    Call::new(token, "POST", format!("/bots/{bot}/trades"), &body)
}

/// Closed, so that it counts in its bot's statistics.
fn trade(index: usize) -> Value {
    json!({
        "id": format!("{index:08x}-0000-4000-8000-{NTH}"), "side": "buy", "order_type": "market", "status": "closed",
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

/// Of an invoice that nobody opened: kept once, and known from then on.
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
    Call { method: "POST", path: "/callbacks/tripay".to_owned(), headers, body, numbers: Numbers::default() }
}

/// The ids of so many new bots.
pub(crate) async fn new_bots(
    environment: &Environment<'_>,
    stack: &Stack,
    token: &str,
    count: usize,
) -> Result<Vec<String>> {
    let mut bots = Vec::new();
    for n in 0..count {
        let created =
            ask(environment, stack, &Call::new(token, "POST", "/bots", &bot(&format!("bot {n}"), "binance", true)))
                .await?;
        bots.push(text(&created, "id"));
    }
    Ok(bots)
}

/// What is answered once.
pub(crate) async fn ask(environment: &Environment<'_>, stack: &Stack, call: &Call) -> Result<Value> {
    let (function, events) = call.events(environment)?;
    let refused = |why: String| {
        Error::new(format!("{} {} answered {why}", call.method, call.path), "the sample data is not what it was")
    };
    let Some(fleet) = stack.fleet(&function) else { return Err(refused("nothing".to_owned())) };
    let answer = fleet.invoke(events.nth(0)).await.map_err(|error| refused(error.to_string()))?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|error| refused(error.to_string()))?;
    match answer.get("statusCode").and_then(Value::as_u64) {
        Some(200..300) => Ok(serde_json::from_str(&text(&answer, "body")).unwrap_or_default()),
        _ => Err(refused(answer.to_string())),
    }
}

/// What a function has answered; what broke has no cost that is worth knowing.
pub(crate) fn outcome(answer: &[u8]) -> Result<String> {
    let broke = |why: String| Error::new(why, "see its log with `cargo dev`");
    let answer: Value = serde_json::from_slice(answer).map_err(|error| broke(error.to_string()))?;
    let failures = answer.get("batchItemFailures").and_then(Value::as_array).map_or(0, Vec::len);
    match answer.get("statusCode").and_then(Value::as_u64) {
        None if failures == 0 => Ok("ok".to_owned()),
        Some(status @ 200..300) => Ok(status.to_string()),
        _ => Err(broke(format!("a request was answered {answer}"))),
    }
}

/// The hash by which the database knows a token.
fn sha256(token: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(token))
}

fn text(answer: &Value, name: &str) -> String {
    answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_event_is_another_one() {
        let events = Events::new(format!("a {NTH} b {NTH}")).expect("text");
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
    fn only_what_worked_is_measured() {
        assert_eq!(outcome(br#"{"statusCode":201,"body":""}"#).expect("worked"), "201");
        assert_eq!(outcome(br#"{"expired":0}"#).expect("worked"), "ok");
        assert_eq!(outcome(br#"{"batchItemFailures":[]}"#).expect("worked"), "ok");
        for broken in [r#"{"statusCode":401}"#, r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#, ""] {
            assert!(outcome(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
