//! Queue consumer: records the trade reports that wait in a queue, when they arrive faster than the database accepts connections.
//!
//! It records them with the same statement as record-trade. A message is one report of one bot, authorized by the bot token's hash:
//!
//! ```json
//! {"bot_id": "0190…", "bot_token_hash": "<SHA-256, hexadecimal>", "key": "report-1", "trades": [{"side": "buy", "…": "…"}]}
//! ```
//!
//! The queue delivers at least once and in any order. Recording is idempotent: a repeated report changes nothing. Messages contain
//! the hash and never the token, so that reading the queue is not enough to report through the API.
//!
//! SQL: `migrations/010_record_trade.sql`.

use nofomo_db::Claims;
use nofomo_lambda::{Batch, Job, Message, Problem, raw, text, uuid};
use nofomo_trades::{MAX_TRADES, Report};
use serde_json::value::RawValue;

/// Records one report, and returns its number of trades.
pub async fn handle(job: &'static Job, message: Message) -> Result<usize, Problem> {
    let mut fields = message.fields()?;
    let bot_id = fields.required("bot_id", uuid);
    let hash = fields.required("bot_token_hash", sha256);
    let key = fields.optional("key", text(1..=255));
    let trades = fields.required("trades", raw);
    let trades = fields.finish(trades)?;
    let report = Report::read(bot_id, key.as_deref(), Batch::of(&trades, &(1..=MAX_TRADES))?)?;
    report.record(&job.db, &Claims::from_bot_token_hash(&hash)).await?;
    Ok(report.trades())
}

fn sha256(value: &RawValue) -> Result<[u8; 32], String> {
    let expected = "must be 64 hexadecimal digits";
    let digits = text(64..=64)(value).map_err(|_| expected)?;
    let mut hash = [0; 32];
    hex::decode_to_slice(digits, &mut hash).map_err(|_| expected)?;
    Ok(hash)
}
