//! `GET /portfolio`: returns everything an app's home screen shows.
//!
//! SQL: `migrations/016_get_portfolio.sql`.

use nofomo_lambda::{App, Problem, Request, Response};
use serde_json::json;

/// Period that the figures of `performance` cover, in days.
const PERFORMANCE_DAYS: u32 = 30;

pub async fn handle(app: &'static App, request: Request) -> Result<Response, Problem> {
    let user = app.user(&request).await?;
    let portfolio = app.db.command(user.claims(), "get_portfolio", &json!({ "days": PERFORMANCE_DAYS })).await?;
    Ok(Response::ok(portfolio))
}
