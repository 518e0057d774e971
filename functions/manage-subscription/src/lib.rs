//! `POST /subscription/{action}`: starts the user's one trial, cancels the renewal, or resumes it.
//!
//! SQL: `migrations/025_manage_subscription.sql`.

use nofomo_lambda::{App, Problem, ProblemKind, Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Input of `private.manage_subscription`.
#[derive(Serialize)]
struct ManageSubscriptionInput {
    action: String,
}

/// Outcome of `private.manage_subscription`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Done(Box<RawValue>),
    AlreadySubscribed,
    TrialUsed,
    NotFound,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Response, Problem> {
    let user = app.user(&request).await?;
    let input = ManageSubscriptionInput { action: request.path_parameter("action").unwrap_or_default() };
    if !matches!(input.action.as_str(), "trial" | "cancel" | "resume") {
        return Err(Problem::NotFound);
    }
    match app.db.command(user.claims(), "manage_subscription", &input).await? {
        Outcome::Done(subscription) => Ok(Response::ok(subscription)),
        Outcome::AlreadySubscribed => Err(Problem::conflict(
            ProblemKind::AlreadySubscribed,
            "A trial requires that you have no active plan. Your plan has not ended yet.",
        )),
        Outcome::TrialUsed => Err(Problem::conflict(
            ProblemKind::TrialUsed,
            "You have already used your trial. Buy the plan to continue.",
        )),
        Outcome::NotFound => Err(Problem::NotFound),
    }
}
