//! Queue consumer: records trade reports. A queue helps when reports arrive faster than the database accepts
//! connections.
//!
//! Reports are recorded with the same statement as in record-trade. A message is one report of one bot, authorized by
//! the bot token's hash:
//!
//! ```json
//! {"bot_id": "0190…", "bot_token_hash": "<SHA-256, hexadecimal>", "key": "report-1", "trades": [{"side": "buy", "…": "…"}]}
//! ```
//!
//! The queue delivers at least once and in any order. Recording is idempotent: a repeated report changes nothing.
//! Messages contain the hash and never the token, so that reading the queue is not enough to report through the API.
//!
//! SQL: `migrations/010_record_trade.sql`, which `shared/trades` calls.

use nofomo_contract::trades::MAX_TRADES;
use nofomo_contract::values::Name;
use nofomo_contract::{FieldValue, OneOrMany};
use nofomo_db::Claims;
use nofomo_lambda::{Job, Message, Problem};
use nofomo_trades::{RecordOutcome, Report};
use serde_json::value::RawValue;

/// Records one report, and returns its number of trades.
pub async fn handle(job: &'static Job, message: Message) -> Result<usize, Problem> {
    let mut reader = message.object()?;
    let bot_id = reader.required("bot_id");
    let token_hash: TokenHash = reader.required("bot_token_hash");
    let key: Option<Name> = reader.optional("key");
    let trades: Trades = reader.required("trades");
    let Trades(trades) = reader.finish(trades).map_err(Problem::Invalid)?;
    let trades = OneOrMany::read(&trades, &(1..=MAX_TRADES)).map_err(Problem::Invalid)?;
    let report = Report::new(bot_id, key.as_ref().map(Name::as_str), trades);
    match report.record(&job.db, &Claims::from_bot_token_hash(&token_hash.0)).await? {
        RecordOutcome::One { .. } | RecordOutcome::Many(_) => Ok(report.count()),
        RecordOutcome::Invalid(errors) => Err(Problem::Invalid(errors)),
        RecordOutcome::NotFound => Err(Problem::NotFound),
    }
}

/// SHA-256 of a bot's token, in hexadecimal.
struct TokenHash([u8; 32]);

impl FieldValue for TokenHash {
    fn parse(json: &RawValue) -> Result<Self, String> {
        let mut hash = [0; 32];
        let digits: Option<String> = serde_json::from_str(json.get()).ok();
        match digits.map(|digits| hex::decode_to_slice(digits, &mut hash)) {
            Some(Ok(())) => Ok(Self(hash)),
            _ => Err("must be 64 hexadecimal digits".into()),
        }
    }

    fn placeholder() -> Self {
        Self([0; 32])
    }
}

/// Trades of a report, which are parsed after the other fields.
struct Trades(Box<RawValue>);

impl FieldValue for Trades {
    fn parse(json: &RawValue) -> Result<Self, String> {
        Ok(Self(json.to_owned()))
    }

    fn placeholder() -> Self {
        Self(RawValue::NULL.to_owned())
    }
}
