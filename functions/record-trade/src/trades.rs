//! `POST /bots/{bot_id}/trades`: records one trade, or an array of up to 1,000.
//!
//! SQL: `migrations/010_record_trade.sql`, which `shared/trades` calls.

use nofomo_contract::trades::MAX_TRADES;
use nofomo_lambda::{App, Problem, Request, Response};
use nofomo_trades::{RecordOutcome, Report};

pub(crate) async fn handle(app: &'static App, request: Request) -> Result<Response, Problem> {
    let claims = app.reporter_claims(&request).await?;
    let (bot_id, key) = (request.bot_id()?, request.idempotency_key()?);
    let report = Report::new(bot_id, key, request.body_as_one_or_many(1..=MAX_TRADES)?);
    match report.record(&app.db, &claims).await? {
        RecordOutcome::One { trade, is_new: true } => Ok(Response::created(trade)),
        RecordOutcome::One { trade, is_new: false } => Ok(Response::ok(trade)),
        RecordOutcome::Many(results) => Ok(Response::results(&results)),
        RecordOutcome::Invalid(errors) => Err(Problem::Invalid(errors)),
        RecordOutcome::NotFound => Err(Problem::NotFound),
    }
}
