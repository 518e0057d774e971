//! `GET /analyses/{analysis_id}/report`: an analysis as a page with charts. Its SQL is `migrations/022_show_report.sql`.

mod analysis;
mod catalogue;
mod chart;
mod comparison;
mod figures;
mod format;
mod labels;
mod page;
mod periods;
mod plots;
mod sections;
mod table;
mod time;
mod verdict;

use nofomo_lambda::{Answer, App, Problem, Request};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use analysis::Analysis;

#[derive(Serialize)]
struct Wanted {
    analysis_id: Uuid,
}

/// What `private.show_report` found.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Found(Box<Analysis>),
    NotFound,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Answer, Problem> {
    let user = app.user(&request).await?;
    let analysis_id = request.path_parameter("analysis_id").and_then(|id| id.parse().ok()).ok_or(Problem::NotFound)?;
    match app.db.command(user.claims(), "show_report", &Wanted { analysis_id }).await? {
        Outcome::Found(analysis) => {
            analysis.page().map(Answer::html).map_err(|error| Problem::Internal(error.to_string()))
        }
        Outcome::NotFound => Err(Problem::NotFound),
    }
}
