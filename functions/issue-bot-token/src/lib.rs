//! `POST` and `DELETE /bots/{bot_id}/token`: a token that can only report for one bot, or get its exchange keys
//! too, shown once.
//! Its SQL is `migrations/013_issue_bot_token.sql`.

use nofomo_lambda::{Answer, App, BotToken, Problem, Request};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

const SCOPES: [&str; 2] = ["report", "trade"];

#[derive(Serialize)]
struct NewToken {
    bot_id: Uuid,
    /// Hexadecimal; none to revoke.
    token_hash: Option<String>,
    scopes: Vec<String>,
}

/// What `private.issue_bot_token` found.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Issued { scopes: Vec<String>, created_at: String },
    Revoked,
    NotFound,
    PaperBot,
}

/// What the caller sees, this once.
#[derive(Serialize)]
struct IssuedToken<'a> {
    token: &'a str,
    scopes: Vec<String>,
    created_at: String,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Answer, Problem> {
    let user = app.user(&request).await?;
    let bot_id = request.bot_id()?;
    let revokes = request.route().starts_with("DELETE ");
    let token = BotToken::generate().map_err(|error| Problem::Internal(error.to_string()))?;
    let new_token = if revokes {
        NewToken { bot_id, token_hash: None, scopes: Vec::new() }
    } else {
        NewToken { bot_id, token_hash: Some(hex::encode(token.hash())), scopes: scopes_of(&request)? }
    };
    match app.db.command(user.claims(), "issue_bot_token", &new_token).await? {
        Outcome::Issued { scopes, created_at } => {
            let issued = IssuedToken { token: token.reveal(), scopes, created_at };
            let body = to_raw_value(&issued).map_err(|error| Problem::Internal(error.to_string()))?;
            Ok(Answer::created(body))
        }
        Outcome::Revoked => Ok(Answer::no_content()),
        Outcome::NotFound => Err(Problem::NotFound),
        Outcome::PaperBot => Err(Problem::Conflict {
            kind: "paper-bot",
            detail: "The right to trade is for a live bot's token; this bot trades on paper.".into(),
        }),
    }
}

/// Reporting, unless the caller asks for more; a request without a body asks for nothing.
fn scopes_of(request: &Request) -> Result<Vec<String>, Problem> {
    let default = || vec!["report".to_owned()];
    if request.body()?.is_empty() {
        return Ok(default());
    }
    let mut fields = request.fields()?;
    let scopes = fields.optional("scopes", scopes).unwrap_or_else(default);
    fields.finish(scopes)
}

fn scopes(value: &RawValue) -> Result<Vec<String>, String> {
    let wrong = || format!("must be a list of {}, with report among them", SCOPES.join(", "));
    let mut scopes: Vec<String> = serde_json::from_str(value.get()).map_err(|_| wrong())?;
    scopes.sort_unstable();
    scopes.dedup();
    let are_known = scopes.iter().all(|scope| SCOPES.contains(&scope.as_str()));
    if are_known && scopes.iter().any(|scope| scope == "report") { Ok(scopes) } else { Err(wrong()) }
}
