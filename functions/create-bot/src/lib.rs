//! `POST /bots`: creates a bot, which is stopped at first.
//!
//! SQL: `migrations/008_create_bot.sql`.

use nofomo_contract::bots::NewBot;
use nofomo_lambda::{App, LimitedResource, Problem, ProblemKind, Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// Input of `private.create_bot`.
#[derive(Serialize)]
struct CreateBotInput {
    id: Uuid,
    #[serde(flatten)]
    bot: NewBot,
}

/// Outcome of `private.create_bot`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Created(Box<RawValue>),
    Existing(Box<RawValue>),
    PlanLimit { limit: i64, plan: String },
    CredentialsMissing { exchange: String },
    UnsafeStrategy { strategy: String, findings: Option<u32> },
    KeyReused,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Response, Problem> {
    let user = app.user(&request).await?;
    let id = request.row_id("create-bot", &user)?;
    let input = CreateBotInput { id, bot: request.body_as()? };
    let location = format!("/bots/{id}");
    match app.db.command(user.claims(), "create_bot", &input).await? {
        Outcome::Created(bot) => Ok(Response::created(bot).with_location(location)),
        Outcome::Existing(bot) => Ok(Response::ok(bot).with_location(location)),
        Outcome::PlanLimit { limit, plan } => Err(Problem::PlanLimit { resource: LimitedResource::BOTS, limit, plan }),
        Outcome::CredentialsMissing { exchange } => Err(Problem::conflict(
            ProblemKind::CredentialsMissing,
            format!("Live trading needs API keys. Save them for {exchange} first, or use paper trading."),
        )),
        Outcome::UnsafeStrategy { strategy, findings } => Err(Problem::unsafe_strategy(&strategy, findings)),
        Outcome::KeyReused => Err(Problem::key_reused("bot")),
    }
}
