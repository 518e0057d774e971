//! `GET /portfolio`: all that an app's home screen needs. Its SQL is `migrations/005_get_portfolio.sql`.

use nofomo_http::{Answer, App, Problem, Request};
use serde_json::json;

pub async fn handle(app: &'static App, request: Request) -> Result<Answer, Problem> {
    let user = app.user(&request).await?;
    let portfolio = app.db.command(user.claims(), "get_portfolio", &json!({})).await?;
    Ok(Answer::ok(portfolio))
}
