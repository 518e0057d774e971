//! What each function is asked again and again while it is measured: cheap, and answered the same way each time.

use std::{collections::BTreeMap, fs, path::Path};

use axum::{body::Bytes, http::Request};
use chrono::Utc;
use serde_json::{Value, json};

use crate::{Error, Result, connect::connect, gateway, schedule::Schedule, stack::Stack, template::Template};

/// On the plan that limits nothing.
const USER: &str = "enterprise@nofomo.test";

/// His, of the sample data.
const BOT: &str = "0190f000-0000-7000-8000-000000000004";
const STRATEGY: &str = "0190e000-0000-7000-8000-000000000002";

const EXPORT: &str = "shared/freqtrade/fixtures/backtest-result-2026-11-22_10-29-03.zip";

/// One event by each function's name.
pub(super) async fn prepare(
    stack: &Stack,
    template: &Template,
    workspace: &Path,
    admin_url: &str,
) -> Result<BTreeMap<String, Bytes>> {
    let user = stack.auth().token_for(USER).await?;
    let caller = Caller { stack, template };
    let export = fs::read(workspace.join(EXPORT))
        .map_err(|error| Error::new(format!("cannot read {EXPORT}: {error}"), "run this in a whole copy"))?;
    let admin = connect(admin_url).await?;
    let source = format!("select content from public.strategies where id = '{STRATEGY}'");
    let source = admin.query_typed_one(&source, &[]).await;
    let source: String =
        source.map_err(|error| Error::new(error.to_string(), "the sample data is not what it was"))?.get(0);
    drop(admin);

    let bot = |name: &str, exchange: &str, is_paper_trade: bool| {
        json!({
            "name": name, "exchange": exchange, "trading_pair": "BTC/USDT", "timeframe": "1h", "strategy": "EMA cross",
            "initial_balance": "1000", "stake_amount": "100", "is_paper_trade": is_paper_trade,
        })
    };
    let keys = json!({ "api_key": "ABCDEFGHIJKLMNOPQR", "api_secret": "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ" });
    let trade = json!({
        "side": "buy", "order_type": "market", "amount": "0.1", "price": "150", "entry_time": "2026-01-01T00:00:00Z",
    });
    let analysis = json!({ "analysis_type": "risk" });

    // A live bot that runs, and what its runner holds.
    caller.ask(&user, "PUT /credentials/bybit", &keys).await?;
    let live = caller.ask(&user, "POST /bots", &bot("live", "bybit", false)).await?;
    let live = text(&live, "id");
    caller.ask(&user, &format!("POST /bots/{live}/start"), &json!({})).await?;
    let scopes = json!({ "scopes": ["report", "trade"] });
    let runner = caller.ask(&user, &format!("POST /bots/{live}/token"), &scopes).await?;
    let runner = text(&runner, "token");
    let judged = caller.ask(&user, "POST /analyses", &analysis).await?;
    let judged = text(&judged, "id");

    let mut events = BTreeMap::new();
    for (token, route, body) in [
        (&user, "POST /bots".to_owned(), bot("measured", "binance", true)),
        (&user, format!("POST /bots/{BOT}/start"), json!({})),
        (&user, format!("POST /bots/{BOT}/trades"), trade.clone()),
        (&user, format!("POST /bots/{BOT}/logs"), json!([{ "log_level": "info", "message": "measured" }])),
        (&user, format!("POST /bots/{BOT}/token"), json!({})),
        (&user, "PUT /credentials/bybit".to_owned(), keys.clone()),
        (&runner, format!("POST /bots/{live}/credentials"), json!({})),
        (&user, "GET /portfolio".to_owned(), Value::Null),
        (&user, "POST /strategies".to_owned(), json!({ "name": "measured", "content": source })),
        (
            &user,
            "POST /strategies/generate".to_owned(),
            json!({ "template": "ema_cross", "pair": "BTC/USDT", "timeframe": "1h", "risk_level": "low" }),
        ),
        (&user, format!("POST /strategies/{STRATEGY}/publish"), json!({})),
        (&user, "POST /analyses".to_owned(), analysis.clone()),
        (&user, format!("GET /analyses/{judged}/report"), Value::Null),
        (&user, "POST /invoices".to_owned(), json!({ "plan": "enterprise", "period": "monthly", "method": "QRIS" })),
        (&user, "POST /subscription/cancel".to_owned(), json!({})),
    ] {
        // Created once, and found from then on; a bot reports new trades and new rows without a key.
        let is_report = route.ends_with("/trades") || route.ends_with("/logs");
        let key = (!is_report).then_some(("idempotency-key", "measured"));
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let headers = [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
        let headers = headers.into_iter().chain(key.map(|(name, key)| (name, key.to_owned())));
        caller.add(&mut events, &route, headers, body)?;
    }
    let headers = [("authorization", format!("Bearer {user}")), ("content-type", "application/zip".to_owned())];
    caller.add(&mut events, &format!("POST /strategies/{STRATEGY}/backtests"), headers, export.into())?;

    // Of an invoice that nobody opened: kept once, and known from then on.
    let payment = json!({
        "reference": "DEV-T0000000000MEASURE", "merchant_ref": "measured", "payment_method": "QRIS", "payment_method_code": "QRIS",
        "total_amount": 99_000, "fee_merchant": 0, "fee_customer": 0, "total_fee": 0, "amount_received": 99_000,
        "is_closed_payment": 1, "status": "PAID", "paid_at": 1_767_225_600, "note": null,
    });
    let payment = Bytes::from(payment.to_string());
    let signature = stack.tripay().sign(&payment);
    let headers = [("x-callback-event", "payment_status".to_owned()), ("x-callback-signature", signature)];
    let headers = headers.into_iter().chain([("content-type", "application/json".to_owned())]);
    caller.add(&mut events, "POST /callbacks/tripay", headers, payment)?;

    let report = json!({ "bot_id": live, "bot_token_hash": sha256(&runner), "trades": trade });
    let message = json!({
        "messageId": "measured", "receiptHandle": "r", "body": report.to_string(), "attributes": {}, "messageAttributes": {},
        "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:1:trades", "awsRegion": "us-east-1",
    });
    events.insert("ingest-trades".to_owned(), json!({ "Records": [message] }).to_string().into());

    for function in &template.functions {
        let due = function.schedules.first().map(|schedule: &Schedule| schedule.event(Utc::now()));
        if let Some(event) = due {
            events.insert(function.name.clone(), event.into());
        }
        if !events.contains_key(&function.name) {
            let problem = format!("nobody knows what to ask {}", function.name);
            return Err(Error::new(problem, "give it a request in dev/src/bench/requests.rs"));
        }
    }
    Ok(events)
}

/// The hash by which the database knows a token.
fn sha256(token: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(token))
}

fn text(answer: &Value, name: &str) -> String {
    answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

struct Caller<'a> {
    stack: &'a Stack,
    template: &'a Template,
}

impl Caller<'_> {
    /// What a function answers once to this token.
    async fn ask(&self, token: &str, route: &str, body: &Value) -> Result<Value> {
        let headers = [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
        let (function, event) = self.event(route, headers, body.to_string().into())?;
        let refused = |why: String| Error::new(format!("{route} answered {why}"), "the sample data is not what it was");
        let Some(fleet) = self.stack.fleet(&function) else { return Err(refused("nothing".to_owned())) };
        let answer = fleet.invoke(event).await.map_err(|error| refused(error.to_string()))?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|error| refused(error.to_string()))?;
        match answer.get("statusCode").and_then(Value::as_u64) {
            Some(200..300) => Ok(serde_json::from_str(&text(&answer, "body")).unwrap_or_default()),
            _ => Err(refused(answer.to_string())),
        }
    }

    fn add(
        &self,
        events: &mut BTreeMap<String, Bytes>,
        route: &str,
        headers: impl IntoIterator<Item = (&'static str, String)>,
        body: Bytes,
    ) -> Result<()> {
        let (function, event) = self.event(route, headers, body)?;
        events.insert(function, event);
        Ok(())
    }

    /// Whose request it is, and as which event the gateway passes it on.
    fn event(
        &self,
        route: &str,
        headers: impl IntoIterator<Item = (&'static str, String)>,
        body: Bytes,
    ) -> Result<(String, Bytes)> {
        let unknown = || Error::new(format!("no function has {route}"), "see template.yaml");
        let (method, path) = route.split_once(' ').ok_or_else(unknown)?;
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(body).map_err(|_| unknown())?;
        let routes = self.template.functions.iter();
        let routes = routes.flat_map(|function| function.routes.iter().map(|route| (route, &function.name)));
        let (function, event) = gateway::event_of(routes, request).ok_or_else(unknown)?;
        Ok((function.clone(), event))
    }
}
