//! Reports of a bot's trades, by HTTP or from a queue. Gives each trade an id and records the report with one
//! statement.

use nofomo_contract::trades::NewTrade;
use nofomo_contract::{FieldError, OneOrMany};
use nofomo_db::{Claims, Db, Error};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// Report of one or several trades of one bot. Every trade has an id.
#[derive(Serialize)]
pub struct Report {
    bot_id: Uuid,
    trades: Vec<NewTrade>,
    #[serde(skip)]
    is_single: bool,
}

/// Outcome of recording a report.
pub enum RecordOutcome {
    /// Outcome of a report of a single trade.
    One { trade: Box<RawValue>, is_new: bool },
    /// Outcome of an array: a JSON array with the id and outcome of each trade, in the order of the report.
    Many(Box<RawValue>),
    /// The database cannot store some of the values; nothing was recorded.
    Invalid(Vec<FieldError>),
    /// The bot does not exist, or belongs to another user.
    NotFound,
}

/// Outcome of `private.record_trade`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Recorded { results: Box<RawValue>, trade: Option<Box<RawValue>> },
    OutOfRange(Vec<OutOfRange>),
    IdConflict(Vec<usize>),
    NotFound,
}

/// Computed value that is out of the range of its column.
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
    /// Builds a report. A trade without an id gets one derived from its `exchange_order_id`, or else from `key`, so
    /// that the same report always has the same ids; without either, it gets a new id.
    pub fn new(bot_id: Uuid, key: Option<&str>, trades: OneOrMany<NewTrade>) -> Self {
        let (mut trades, is_single) = match trades {
            OneOrMany::One(trade) => (vec![trade], true),
            OneOrMany::Many(trades) => (trades, false),
        };
        for (index, trade) in trades.iter_mut().enumerate() {
            let key = key.map(|key| if is_single { format!("key:{key}") } else { format!("key:{key}:{index}") });
            let name = trade.exchange_order_id.as_ref().map(|id| id.as_str().to_owned()).or(key);
            let derived = name.map(|name| Uuid::new_v5(&bot_id, name.as_bytes()));
            trade.id = trade.id.or(derived).or_else(|| Some(Uuid::now_v7()));
        }
        Self { bot_id, trades, is_single }
    }

    /// Number of trades.
    pub fn count(&self) -> usize {
        self.trades.len()
    }

    /// Records all trades or none, in one statement.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub async fn record(&self, db: &Db, claims: &Claims) -> Result<RecordOutcome, Error> {
        let pointer = |index: usize| if self.is_single { String::new() } else { format!("/{index}") };
        Ok(match db.command(claims, "record_trade", self).await? {
            Outcome::Recorded { results, trade: Some(trade) } if self.is_single => {
                let results: [TradeResult; 1] =
                    serde_json::from_str(results.get()).map_err(|error| Error::Failed(error.to_string()))?;
                let [TradeResult { outcome }] = results;
                RecordOutcome::One { trade, is_new: outcome == "created" }
            }
            Outcome::Recorded { results, .. } => RecordOutcome::Many(results),
            Outcome::OutOfRange(fields) => {
                let detail = "is larger than can be recorded";
                let error =
                    |field: OutOfRange| FieldError::at(format!("{}/{}", pointer(field.index), field.field), detail);
                RecordOutcome::Invalid(fields.into_iter().map(error).collect())
            }
            Outcome::IdConflict(indexes) => {
                let error = |index| FieldError::at(format!("{}/id", pointer(index)), "is the id of another trade");
                RecordOutcome::Invalid(indexes.into_iter().map(error).collect())
            }
            Outcome::NotFound => RecordOutcome::NotFound,
        })
    }
}
