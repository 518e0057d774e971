//! `POST` and `DELETE /bots/{bot_id}/token`: issues or revokes the token of a bot's runner.
//!
//! A token can report for its bot, and with the scope `trade` also read the exchange's API keys. It is shown once.
//!
//! SQL: `migrations/013_issue_bot_token.sql`.

use nofomo_contract::bots::NewToken;
use nofomo_contract::values::{Scope, Scopes};
use nofomo_lambda::{App, BotToken, Problem, ProblemKind, Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use uuid::Uuid;

/// Input of `private.issue_bot_token`.
#[derive(Serialize)]
struct IssueBotTokenInput {
    bot_id: Uuid,
    /// SHA-256 in hexadecimal; `None` revokes the token.
    token_hash: Option<String>,
    /// Empty to revoke.
    scopes: Vec<Scope>,
}

/// Outcome of `private.issue_bot_token`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Issued { scopes: Vec<String>, created_at: String },
    Revoked,
    NotFound,
    PaperBot,
}

/// Response body. The token cannot be shown again.
#[derive(Serialize)]
struct IssuedToken<'a> {
    token: &'a str,
    scopes: Vec<String>,
    created_at: String,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Response, Problem> {
    let user = app.user(&request).await?;
    let bot_id = request.bot_id()?;
    let is_revocation = request.route().starts_with("DELETE ");
    let token = BotToken::generate().map_err(|error| Problem::Internal(error.to_string()))?;
    let input = if is_revocation {
        IssueBotTokenInput { bot_id, token_hash: None, scopes: Vec::new() }
    } else {
        let scopes = requested_scopes(&request)?.into();
        IssueBotTokenInput { bot_id, token_hash: Some(hex::encode(token.hash())), scopes }
    };
    match app.db.command(user.claims(), "issue_bot_token", &input).await? {
        Outcome::Issued { scopes, created_at } => {
            let issued = IssuedToken { token: token.reveal(), scopes, created_at };
            let body = to_raw_value(&issued).map_err(|error| Problem::Internal(error.to_string()))?;
            Ok(Response::created(body))
        }
        Outcome::Revoked => Ok(Response::no_content()),
        Outcome::NotFound => Err(Problem::NotFound),
        Outcome::PaperBot => Err(Problem::conflict(
            ProblemKind::PaperBot,
            "The scope `trade` is only for live bots. This bot uses paper trading.",
        )),
    }
}

/// The requested scopes. Without a body or without `scopes`, only `report`.
fn requested_scopes(request: &Request) -> Result<Scopes, Problem> {
    if request.body()?.is_empty() {
        return Ok(Scopes::report_only());
    }
    Ok(request.body_as::<NewToken>()?.scopes)
}
