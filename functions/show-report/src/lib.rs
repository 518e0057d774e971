//! `GET /analyses/{analysis_id}/report`: an analysis as an HTML page with charts.
//!
//! SQL: `migrations/022_show_report.sql`.

mod catalogue;
mod chart;
mod comparison;
mod format;
mod labels;
mod page;
mod periods;
mod plots;
mod report;
mod sections;
mod table;
mod time;
mod verdict;

use nofomo_lambda::{App, Problem, Request, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use report::Report;

#[derive(Serialize)]
struct ShowReportInput {
    analysis_id: Uuid,
}

/// Outcome of `private.show_report`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ShowReportOutcome {
    Found(Box<Report>),
    NotFound,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Response, Problem> {
    let user = app.user(&request).await?;
    let analysis_id = request.path_parameter("analysis_id").and_then(|id| id.parse().ok()).ok_or(Problem::NotFound)?;
    match app.db.command(user.claims(), "show_report", &ShowReportInput { analysis_id }).await? {
        ShowReportOutcome::Found(report) => {
            report.page().map(Response::html).map_err(|error| Problem::Internal(error.to_string()))
        }
        ShowReportOutcome::NotFound => Err(Problem::NotFound),
    }
}
