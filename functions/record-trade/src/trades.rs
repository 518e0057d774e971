//! `POST /bots/{bot_id}/trades`: one trade, or an array of up to 1,000. Its SQL is `migrations/008_record_trade.sql`.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use nofomo_http::{
    Answer, App, Batch, FieldError, Fields, Problem, Request, collect, decimal, object, one_of, text, time, uuid,
};
use rust_decimal::{Decimal, dec};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// What `decimal(20, 8)` and `decimal(10, 4)` hold.
const POSITIVE: RangeInclusive<Decimal> = dec!(0.00000001)..=dec!(999999999999.99999999);
const NOT_NEGATIVE: RangeInclusive<Decimal> = dec!(0)..=dec!(999999999999.99999999);
const SIGNED: RangeInclusive<Decimal> = dec!(-999999999999.99999999)..=dec!(999999999999.99999999);
const PERCENTAGE: RangeInclusive<Decimal> = dec!(-999999.9999)..=dec!(999999.9999);

#[derive(Serialize)]
struct NewTrades {
    bot_id: Uuid,
    trades: Vec<NewTrade>,
}

/// What the caller sends, checked.
#[derive(Serialize)]
struct NewTrade {
    id: Uuid,
    side: &'static str,
    order_type: &'static str,
    amount: Decimal,
    price: Decimal,
    status: &'static str,
    entry_time: DateTime<Utc>,
    exit_time: Option<DateTime<Utc>>,
    exit_price: Option<Decimal>,
    fee: Decimal,
    profit: Option<Decimal>,
    profit_percentage: Option<Decimal>,
    exchange_order_id: Option<String>,
    exchange_trade_id: Option<String>,
    signal_price: Option<Decimal>,
    stop_loss_price: Option<Decimal>,
    take_profit_price: Option<Decimal>,
    metadata: Option<Box<RawValue>>,
}

/// What `private.record_trade` found.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Recorded { results: Box<RawValue>, trade: Option<Box<RawValue>> },
    Unfit(Vec<Unfit>),
    Taken(Vec<usize>),
    NotFound,
}

/// A figure that the caller left to us, and that no column holds.
#[derive(Deserialize)]
struct Unfit {
    index: usize,
    field: String,
}

#[derive(Deserialize)]
struct TradeResult {
    outcome: String,
}

pub(crate) async fn handle(app: &'static App, request: Request) -> Result<Answer, Problem> {
    let claims = app.reporter(&request).await?;
    let bot_id = request.bot_id()?;
    let key = request.idempotency_key()?;
    let (trades, is_single) = match request.batch(1..=1000)? {
        Batch::One(fields) => (vec![parse(bot_id, key, fields)?], true),
        Batch::Many(elements) => {
            let elements = elements.into_iter().enumerate();
            let parsed = elements.map(|(index, fields)| {
                let key = key.map(|key| format!("{key}:{index}"));
                parse(bot_id, key.as_deref(), fields?)
            });
            (collect(parsed)?, false)
        }
    };
    let pointer = |index: usize| if is_single { String::new() } else { format!("/{index}") };
    match app.db.command(&claims, "record_trade", &NewTrades { bot_id, trades }).await? {
        Outcome::Recorded { results, trade: Some(trade) } if is_single => {
            let results: [TradeResult; 1] =
                serde_json::from_str(results.get()).map_err(|error| Problem::Internal(error.to_string()))?;
            let [TradeResult { outcome }] = results;
            Ok(if outcome == "created" { Answer::created(trade) } else { Answer::ok(trade) })
        }
        Outcome::Recorded { results, .. } => Ok(Answer::results(&results)),
        Outcome::Unfit(fields) => {
            let detail = "is larger than can be recorded";
            let error = |unfit: Unfit| FieldError::at(format!("{}/{}", pointer(unfit.index), unfit.field), detail);
            Err(Problem::Invalid(fields.into_iter().map(error).collect()))
        }
        Outcome::Taken(indexes) => {
            let error = |index| FieldError::at(format!("{}/id", pointer(index)), "is the id of another trade");
            Err(Problem::Invalid(indexes.into_iter().map(error).collect()))
        }
        Outcome::NotFound => Err(Problem::NotFound),
    }
}

fn parse(bot_id: Uuid, key: Option<&str>, mut fields: Fields<'_>) -> Result<NewTrade, Problem> {
    let id = fields.optional("id", uuid);
    let exchange_order_id = fields.optional("exchange_order_id", text(1..=255));
    // The same report gets the same id, by whatever the caller knows the trade.
    let known_as = exchange_order_id.clone().or_else(|| key.map(|key| format!("key:{key}")));
    let derived = known_as.map(|name| Uuid::new_v5(&bot_id, name.as_bytes()));
    let trade = NewTrade {
        id: id.or(derived).unwrap_or_else(Uuid::now_v7),
        side: fields.required("side", one_of(&["buy", "sell"])),
        order_type: fields.required("order_type", one_of(&["market", "limit"])),
        amount: fields.required("amount", decimal(POSITIVE, 8)),
        price: fields.required("price", decimal(POSITIVE, 8)),
        status: fields.optional("status", one_of(&["open", "closed", "cancelled"])).unwrap_or("open"),
        entry_time: fields.required("entry_time", time),
        exit_time: fields.optional("exit_time", time),
        exit_price: fields.optional("exit_price", decimal(POSITIVE, 8)),
        fee: fields.optional("fee", decimal(NOT_NEGATIVE, 8)).unwrap_or_default(),
        profit: fields.optional("profit", decimal(SIGNED, 8)),
        profit_percentage: fields.optional("profit_percentage", decimal(PERCENTAGE, 4)),
        exchange_order_id,
        exchange_trade_id: fields.optional("exchange_trade_id", text(1..=255)),
        signal_price: fields.optional("signal_price", decimal(POSITIVE, 8)),
        stop_loss_price: fields.optional("stop_loss_price", decimal(POSITIVE, 8)),
        take_profit_price: fields.optional("take_profit_price", decimal(POSITIVE, 8)),
        metadata: fields.optional("metadata", object(8 * 1024)),
    };
    if trade.status == "closed" {
        fields.rule(trade.exit_time.is_some(), "exit_time", &["status"], "is required of a closed trade");
        let in_order = trade.exit_time.is_none_or(|exit_time| exit_time >= trade.entry_time);
        fields.rule(in_order, "exit_time", &["entry_time"], "must not be before entry_time");
        let has_result = trade.exit_price.is_some() || trade.profit.is_some();
        fields.rule(has_result, "exit_price", &["status", "profit"], "or profit is required of a closed trade");
    } else {
        for (name, is_given) in [
            ("exit_time", trade.exit_time.is_some()),
            ("exit_price", trade.exit_price.is_some()),
            ("profit", trade.profit.is_some()),
            ("profit_percentage", trade.profit_percentage.is_some()),
        ] {
            fields.rule(!is_given, name, &["status"], "is for a closed trade");
        }
    }
    fields.finish(trade)
}
