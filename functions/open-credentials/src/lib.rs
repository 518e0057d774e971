//! `POST /bots/{bot_id}/credentials`: a live bot's runner gets the keys of its bot's exchange, and each time is in its log.
//! Its SQL is `migrations/015_open_credentials.sql`.

use nofomo_lambda::{Answer, App, Problem, Request};
use nofomo_vault::KeyRing;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

#[derive(Serialize)]
struct Wanted {
    bot_id: Uuid,
}

/// What `private.open_credentials` found.
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

/// What the runner gets: what was sealed, and for which exchange.
#[derive(Serialize)]
struct Opened<'a> {
    exchange: &'a str,
    #[serde(flatten)]
    secret: Secret,
}

#[derive(Deserialize, Serialize)]
struct Secret {
    api_key: String,
    api_secret: String,
}

pub async fn handle(app: &'static App, keys: &KeyRing, request: Request) -> Result<Answer, Problem> {
    let runner = app.runner(&request)?;
    let bot_id = request.bot_id()?;
    match app.db.command(&runner, "open_credentials", &Wanted { bot_id }).await? {
        Outcome::Found { owner, exchange, sealed } => opened(keys, owner, &exchange, &sealed).map(Answer::ok),
        Outcome::NotFound => Err(Problem::NotFound),
        Outcome::ScopeMissing => Err(Problem::Forbidden(
            "This token can only report; its owner can issue one with the scopes report and trade.",
        )),
        Outcome::PaperBot => Err(conflict("paper-bot", "This bot trades on paper and needs no keys.".into())),
        Outcome::NotRunning { status } => {
            Err(conflict("wrong-state", format!("The bot is {status}; its keys are there while it is running.")))
        }
        Outcome::CredentialsMissing { exchange } => Err(conflict(
            "credentials-missing",
            format!("No API keys are saved for {exchange}; its owner can save them with PUT /credentials/{exchange}."),
        )),
    }
}

fn opened(keys: &KeyRing, owner: Uuid, exchange: &str, sealed: &str) -> Result<Box<RawValue>, Problem> {
    let text = keys
        .open(owner, exchange, sealed)
        .map_err(|error| Problem::Internal(format!("credentials of {owner} for {exchange} not opened: {error}")))?;
    // Not the reason: it would quote what it could not read.
    let unreadable = |_| Problem::Internal(format!("credentials of {owner} for {exchange} are not what was sealed"));
    let secret: Secret = serde_json::from_slice(&text).map_err(unreadable)?;
    to_raw_value(&Opened { exchange, secret }).map_err(unreadable)
}

fn conflict(kind: &'static str, detail: String) -> Problem {
    Problem::Conflict { kind, detail }
}
