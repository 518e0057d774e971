//! `POST /strategies/{strategy_id}/backtests`: takes a freqtrade backtest export. Its SQL is `migrations/020_import_backtest.sql`.

mod result;
mod trade;

use nofomo_freqtrade::{Backtest, Export, ExportError};
use nofomo_lambda::{Answer, App, FieldError, LimitedResource, Problem, Request};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::result::BacktestResult;
use crate::trade::BacktestTrade;

/// What `private.import_backtest` found.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Created(Box<RawValue>),
    Existing(Box<RawValue>),
    QuotaExceeded { limit: i64, plan: String },
    NotFound,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Answer, Problem> {
    let user = app.user(&request).await?;
    let strategy_id = request.path_parameter("strategy_id").and_then(|id| id.parse().ok()).ok_or(Problem::NotFound)?;
    let backtest = read(request.upload()?, request.query_parameter("strategy").as_deref())?;
    // The same run is the same row, in whichever file it came.
    let id = Uuid::new_v5(&strategy_id, &backtest.identity());
    let trades: Vec<BacktestTrade<'_>> = backtest.trades.iter().map(BacktestTrade::of).collect();
    let result = BacktestResult::of(id, strategy_id, &backtest, &trades)?;
    let location = format!("/backtests/{id}");
    match app.db.command(user.claims(), "import_backtest", &result).await? {
        Outcome::Created(row) => Ok(Answer::created(row).with_location(location)),
        Outcome::Existing(row) => Ok(Answer::ok(row).with_location(location)),
        Outcome::QuotaExceeded { limit, plan } => {
            Err(Problem::Quota { resource: LimitedResource::BACKTEST_MINUTES, limit, plan })
        }
        Outcome::NotFound => Err(Problem::NotFound),
    }
}

/// The backtest of the strategy that is named, or of the only one.
fn read(upload: &[u8], strategy: Option<&str>) -> Result<Backtest, Problem> {
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
