//! `POST /bots/{bot_id}/credentials`: returns the exchange's API keys to the runner of a live bot, and records the
//! access in the bot's log.
//!
//! SQL: `migrations/015_open_credentials.sql`.

use nofomo_lambda::{App, Problem, ProblemKind, Request, Response};
use nofomo_vault::KeyRing;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

/// Input of `private.open_credentials`.
#[derive(Serialize)]
struct OpenCredentialsInput {
    bot_id: Uuid,
}

/// Outcome of `private.open_credentials`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Found { owner: Uuid, exchange: String, sealed: String },
    NotFound,
    ScopeMissing,
    PaperBot,
    NotRunning { status: String },
    CredentialsMissing { exchange: String },
}

/// Response body.
#[derive(Serialize)]
struct OpenedCredentials<'a> {
    exchange: &'a str,
    #[serde(flatten)]
    secret: Secret,
}

/// The keys that `save-credentials` sealed.
#[derive(Deserialize, Serialize)]
struct Secret {
    api_key: String,
    api_secret: String,
}

pub async fn handle(app: &'static App, keys: &KeyRing, request: Request) -> Result<Response, Problem> {
    let claims = app.runner_claims(&request)?;
    let bot_id = request.bot_id()?;
    match app.db.command(&claims, "open_credentials", &OpenCredentialsInput { bot_id }).await? {
        Outcome::Found { owner, exchange, sealed } => open(keys, owner, &exchange, &sealed).map(Response::ok),
        Outcome::NotFound => Err(Problem::NotFound),
        Outcome::ScopeMissing => Err(Problem::Forbidden(
            "This token can only report. The bot's owner can issue one with the scopes `report` and `trade`.",
        )),
        Outcome::PaperBot => {
            Err(Problem::conflict(ProblemKind::PaperBot, "This bot uses paper trading and needs no API keys."))
        }
        Outcome::NotRunning { status } => Err(Problem::conflict(
            ProblemKind::WrongState,
            format!("The bot has the status `{status}`. Its API keys are available only while it is running."),
        )),
        Outcome::CredentialsMissing { exchange } => Err(Problem::conflict(
            ProblemKind::CredentialsMissing,
            format!(
                "No API keys are saved for {exchange}. The bot's owner can save them with PUT /credentials/{exchange}."
            ),
        )),
    }
}

fn open(keys: &KeyRing, owner: Uuid, exchange: &str, sealed: &str) -> Result<Box<RawValue>, Problem> {
    let text = keys
        .open(owner, exchange, sealed)
        .map_err(|error| Problem::Internal(format!("credentials of {owner} for {exchange} not opened: {error}")))?;
    // Without the reason, which would quote the keys.
    let unreadable = |_| Problem::Internal(format!("credentials of {owner} for {exchange} cannot be read"));
    let secret: Secret = serde_json::from_slice(&text).map_err(unreadable)?;
    to_raw_value(&OpenedCredentials { exchange, secret }).map_err(unreadable)
}
