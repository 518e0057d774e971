//! `POST /bots/{bot_id}/{action}`: starts, stops or pauses a bot, or records a failure that its runner reports.
//!
//! SQL: `migrations/009_control_bot.sql`.

use nofomo_contract::bots::NewFailure;
use nofomo_contract::values::Message;
use nofomo_lambda::{App, LimitedResource, Problem, ProblemKind, Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// Input of `private.control_bot`.
#[derive(Serialize)]
struct ControlBotInput {
    bot_id: Uuid,
    action: String,
    /// Reason of the failure, for the action `fail`.
    message: Option<Message>,
}

/// Outcome of `private.control_bot`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Updated(Box<RawValue>),
    Unchanged(Box<RawValue>),
    WrongState { status: String },
    PlanLimit { limit: i64, plan: String },
    CredentialsMissing { exchange: String },
    UnsafeStrategy { strategy: String, findings: Option<u32> },
    NotFound,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Response, Problem> {
    let action = request.path_parameter("action").unwrap_or_default();
    let (claims, message) = match action.as_str() {
        "start" | "stop" | "pause" => (app.user(&request).await?.claims().clone(), None),
        "fail" => {
            let claims = app.reporter_claims(&request).await?;
            (claims, Some(request.body_as::<NewFailure>()?.message))
        }
        _ => return Err(Problem::NotFound),
    };
    let input = ControlBotInput { bot_id: request.bot_id()?, action, message };
    match app.db.command(&claims, "control_bot", &input).await? {
        Outcome::Updated(bot) | Outcome::Unchanged(bot) => Ok(Response::ok(bot)),
        Outcome::WrongState { status } => Err(Problem::conflict(
            ProblemKind::WrongState,
            format!("The bot has the status `{status}`, in which the action `{}` is not possible.", input.action),
        )),
        Outcome::PlanLimit { limit, plan } => Err(Problem::PlanLimit { resource: LimitedResource::BOTS, limit, plan }),
        Outcome::CredentialsMissing { exchange } => Err(Problem::conflict(
            ProblemKind::CredentialsMissing,
            format!("Live trading needs API keys. Save them for {exchange} first."),
        )),
        Outcome::UnsafeStrategy { strategy, findings } => Err(Problem::unsafe_strategy(&strategy, findings)),
        Outcome::NotFound => Err(Problem::NotFound),
    }
}
