//! `PUT` and `DELETE /credentials/{exchange}`: stores an exchange's API keys, sealed before they reach the database, or
//! deletes them.
//!
//! SQL: `migrations/014_save_credentials.sql`.

use nofomo_contract::bots::NewCredentials;
use nofomo_contract::values::Exchange;
use nofomo_lambda::{App, Problem, Request, Response};
use nofomo_vault::{KeyRing, Zeroizing};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Length of the hint, in characters. The hint is the end of the API key, by which its owner recognizes it.
const HINT_LENGTH: usize = 4;

/// Input of `private.save_credentials`.
#[derive(Serialize)]
struct SaveCredentialsInput {
    exchange: Exchange,
    /// The sealed keys; `None` deletes them.
    sealed: Option<String>,
    key_hint: Option<String>,
}

/// Outcome of `private.save_credentials`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Saved(Box<RawValue>),
    Deleted(Box<RawValue>),
}

pub async fn handle(app: &'static App, keys: &KeyRing, request: Request) -> Result<Response, Problem> {
    let user = app.user(&request).await?;
    let exchange = request.path_parameter("exchange").and_then(|name| Exchange::from_word(&name));
    let exchange = exchange.ok_or(Problem::NotFound)?;
    let input = if request.route().starts_with("DELETE ") {
        SaveCredentialsInput { exchange, sealed: None, key_hint: None }
    } else {
        let credentials: NewCredentials = request
            .body_as_with(|credentials: &NewCredentials, reader| credentials.check_exchange(exchange, reader))?;
        // `open-credentials` returns the keys from this JSON.
        let seal_error = |error: String| Problem::Internal(format!("credentials not sealed: {error}"));
        let text = Zeroizing::new(serde_json::to_vec(&credentials).map_err(|error| seal_error(error.to_string()))?);
        let sealed = keys.seal(user.id(), exchange.as_str(), &text).map_err(|error| seal_error(error.to_string()))?;
        let key = credentials.api_key.as_str();
        let key_hint = key.get(key.len().saturating_sub(HINT_LENGTH)..).map(str::to_owned);
        SaveCredentialsInput { exchange, sealed: Some(sealed), key_hint }
    };
    match app.db.command(user.claims(), "save_credentials", &input).await? {
        Outcome::Saved(saved) => Ok(Response::ok(saved)),
        Outcome::Deleted(deleted) => Ok(Response::ok(deleted)),
    }
}
