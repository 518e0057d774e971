//! What a bot reports of its trades: read, checked, and recorded by one statement, whichever way the report came.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use nofomo_db::{Claims, Db};
use nofomo_lambda::{Batch, FieldError, Fields, Problem, collect, decimal, object, one_of, text, time, uuid};
use rust_decimal::{Decimal, dec};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// In one report.
pub const MAX_TRADES: usize = 1000;

/// What `decimal(20, 8)` and `decimal(10, 4)` hold.
const POSITIVE: RangeInclusive<Decimal> = dec!(0.00000001)..=dec!(999999999999.99999999);
const NOT_NEGATIVE: RangeInclusive<Decimal> = dec!(0)..=dec!(999999999999.99999999);
const SIGNED: RangeInclusive<Decimal> = dec!(-999999999999.99999999)..=dec!(999999999999.99999999);
const PERCENTAGE: RangeInclusive<Decimal> = dec!(-999999.9999)..=dec!(999999.9999);

/// One trade of a bot, or several.
#[derive(Serialize)]
pub struct Report {
    bot_id: Uuid,
    trades: Vec<NewTrade>,
    #[serde(skip)]
    is_single: bool,
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

/// What was recorded.
pub enum Recorded {
    /// A report of one trade.
    One { trade: Box<RawValue>, is_new: bool },
    /// What came of each, as JSON.
    Many(Box<RawValue>),
}

/// What `private.record_trade` found.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Recorded { results: Box<RawValue>, trade: Option<Box<RawValue>> },
    OutOfRange(Vec<OutOfRange>),
    IdConflict(Vec<usize>),
    NotFound,
}

/// A figure that the caller left to us, and that no column holds.
#[derive(Deserialize)]
struct OutOfRange {
    index: usize,
    field: String,
}

#[derive(Deserialize)]
struct TradeResult {
    outcome: String,
}

impl Report {
    /// `key` tells two reports of the same trades apart from two trades, where the trades themselves do not.
    ///
    /// # Errors
    ///
    /// 422 with all that is wrong.
    pub fn read(bot_id: Uuid, key: Option<&str>, batch: Batch<'_>) -> Result<Self, Problem> {
        let (trades, is_single) = match batch {
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
        Ok(Self { bot_id, trades, is_single })
    }

    /// How many.
    pub fn trades(&self) -> usize {
        self.trades.len()
    }

    /// Records all of it or nothing, in one statement.
    ///
    /// # Errors
    ///
    /// 404 for a bot that is not there or not the reporter's, 422 for what no column holds or is another's, and the database's own.
    pub async fn record(&self, db: &Db, claims: &Claims) -> Result<Recorded, Problem> {
        let pointer = |index: usize| if self.is_single { String::new() } else { format!("/{index}") };
        match db.command(claims, "record_trade", self).await? {
            Outcome::Recorded { results, trade: Some(trade) } if self.is_single => {
                let results: [TradeResult; 1] =
                    serde_json::from_str(results.get()).map_err(|error| Problem::Internal(error.to_string()))?;
                let [TradeResult { outcome }] = results;
                Ok(Recorded::One { trade, is_new: outcome == "created" })
            }
            Outcome::Recorded { results, .. } => Ok(Recorded::Many(results)),
            Outcome::OutOfRange(fields) => {
                let detail = "is larger than can be recorded";
                let error =
                    |field: OutOfRange| FieldError::at(format!("{}/{}", pointer(field.index), field.field), detail);
                Err(Problem::Invalid(fields.into_iter().map(error).collect()))
            }
            Outcome::IdConflict(indexes) => {
                let error = |index| FieldError::at(format!("{}/id", pointer(index)), "is the id of another trade");
                Err(Problem::Invalid(indexes.into_iter().map(error).collect()))
            }
            Outcome::NotFound => Err(Problem::NotFound),
        }
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
