//! `POST /bots/{bot_id}/trades`: records one trade, or an array of up to 1,000.
//!
//! SQL: `migrations/010_record_trade.sql`.

use nofomo_lambda::{Answer, App, Problem, Request};
use nofomo_trades::{MAX_TRADES, Recorded, Report};

pub(crate) async fn handle(app: &'static App, request: Request) -> Result<Answer, Problem> {
    let claims = app.reporter(&request).await?;
    let report = Report::read(request.bot_id()?, request.idempotency_key()?, request.batch(1..=MAX_TRADES)?)?;
    match report.record(&app.db, &claims).await? {
        Recorded::One { trade, is_new: true } => Ok(Answer::created(trade)),
        Recorded::One { trade, is_new: false } => Ok(Answer::ok(trade)),
        Recorded::Many(results) => Ok(Answer::results(&results)),
    }
}
