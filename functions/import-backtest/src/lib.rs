//! `POST /strategies/{strategy_id}/backtests`: imports a backtest exported by freqtrade.
//!
//! SQL: `migrations/020_import_backtest.sql`.

mod result;
mod trade;

use nofomo_freqtrade::{Backtest, Export, ExportError};
use nofomo_lambda::{App, FieldError, LimitedResource, Problem, Request, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::result::BacktestResult;
use crate::trade::BacktestTrade;

/// Outcome of `private.import_backtest`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Created(Box<RawValue>),
    Existing(Box<RawValue>),
    QuotaExceeded { limit: i64, plan: String },
    NotFound,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Response, Problem> {
    let user = app.user(&request).await?;
    let strategy_id = request.path_parameter("strategy_id").and_then(|id| id.parse().ok()).ok_or(Problem::NotFound)?;
    let backtest = read_backtest(request.upload()?, request.query_parameter("strategy").as_deref())?;
    // The id is derived from the run, so a repeated import of the same run finds the existing row.
    let id = Uuid::new_v5(&strategy_id, &backtest.identity());
    let trades: Vec<BacktestTrade<'_>> = backtest.trades.iter().map(BacktestTrade::from_export).collect();
    let result = BacktestResult::compute(id, strategy_id, &backtest, &trades)?;
    let location = format!("/backtests/{id}");
    match app.db.command(user.claims(), "import_backtest", &result).await? {
        Outcome::Created(row) => Ok(Response::created(row).with_location(location)),
        Outcome::Existing(row) => Ok(Response::ok(row).with_location(location)),
        Outcome::QuotaExceeded { limit, plan } => {
            Err(Problem::Quota { resource: LimitedResource::BACKTEST_MINUTES, limit, plan })
        }
        Outcome::NotFound => Err(Problem::NotFound),
    }
}

/// Reads the backtest of the named strategy, or of the only strategy in the export.
fn read_backtest(upload: &[u8], strategy: Option<&str>) -> Result<Backtest, Problem> {
    let backtest = Export::open(upload).and_then(|export| export.backtest(strategy));
    backtest.map_err(|error| {
        let error = match error {
            ExportError::SeveralStrategies(_) | ExportError::UnknownStrategy(_) => {
                FieldError::parameter("strategy", error.to_string())
            }
            _ => FieldError::at("", error.to_string()),
        };
        Problem::Invalid(vec![error])
    })
}
