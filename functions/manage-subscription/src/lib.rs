//! `POST /subscription/{action}`: one trial for each user, cancelling the renewal, and resuming it.
//! Its SQL is `migrations/025_manage_subscription.sql`.

use nofomo_lambda::{Answer, App, Problem, Request};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Order {
    action: String,
}

/// What `private.manage_subscription` found.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Done(Box<RawValue>),
    AlreadySubscribed,
    TrialUsed,
    NotFound,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Answer, Problem> {
    let user = app.user(&request).await?;
    let order = Order { action: request.path_parameter("action").unwrap_or_default() };
    if !matches!(order.action.as_str(), "trial" | "cancel" | "resume") {
        return Err(Problem::NotFound);
    }
    match app.db.command(user.claims(), "manage_subscription", &order).await? {
        Outcome::Done(subscription) => Ok(Answer::ok(subscription)),
        Outcome::AlreadySubscribed => Err(Problem::Conflict {
            kind: "already-subscribed",
            detail: "A trial is for those who have no plan; yours is still running.".into(),
        }),
        Outcome::TrialUsed => Err(Problem::Conflict {
            kind: "trial-used",
            detail: "You have had your trial. Buy the plan to go on.".into(),
        }),
        Outcome::NotFound => Err(Problem::NotFound),
    }
}
