//! A queue of trades: what comes faster than the database takes connections. It records as record-trade does, by the same
//! statement. Its SQL is `migrations/010_record_trade.sql`.
//!
//! A message is one report of one bot, in the name of the bot's own token:
//!
//! ```json
//! {"bot_id": "0190…", "bot_token_hash": "<SHA-256, hexadecimal>", "key": "report-1", "trades": [{"side": "buy", "…": "…"}]}
//! ```
//!
//! A queue delivers at least once and in any order; so do bots, and a report that comes twice is one report. It holds the hash of
//! the token and never the token, so whoever reads along cannot report anywhere else.

use nofomo_db::Claims;
use nofomo_lambda::{Batch, Job, Message, Problem, raw, text, uuid};
use nofomo_trades::{MAX_TRADES, Report};
use serde_json::value::RawValue;

/// How many trades it reported.
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
    let wrong = "must be 64 hexadecimal digits";
    let digits = text(64..=64)(value).map_err(|_| wrong)?;
    let mut hash = [0; 32];
    hex::decode_to_slice(digits, &mut hash).map_err(|_| wrong)?;
    Ok(hash)
}
