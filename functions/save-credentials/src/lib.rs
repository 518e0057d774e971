//! `PUT` and `DELETE /credentials/{exchange}`: stores or deletes an exchange's API keys, sealed before they reach the database.
//!
//! SQL: `migrations/014_save_credentials.sql`.

use nofomo_lambda::{Answer, App, Fields, Problem, Request, text};
use nofomo_vault::{KeyRing, Zeroizing};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Length of the hint: the last characters of a key, by which its owner recognizes it.
const HINT_LENGTH: usize = 4;

#[derive(Serialize)]
struct SaveCredentialsInput<'a> {
    exchange: &'a str,
    /// The sealed keys; `None` deletes them.
    sealed: Option<String>,
    key_hint: Option<String>,
}

/// The keys to seal, as `open-credentials` returns them.
#[derive(Serialize)]
struct Secret {
    api_key: String,
    api_secret: String,
}

/// Outcome of `private.save_credentials`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Saved(Box<RawValue>),
    Deleted(Box<RawValue>),
}

/// Key format of an exchange: letters and digits, with a minimum and a maximum length.
struct KeyFormat {
    exchange: &'static str,
    api_key: (usize, usize),
    api_secret: (usize, usize),
}

const KEY_FORMATS: [KeyFormat; 2] = [
    KeyFormat { exchange: "binance", api_key: (64, 64), api_secret: (64, 64) },
    // 18 and 36 today. Older keys, and those of Bybit's brokers, differ.
    KeyFormat { exchange: "bybit", api_key: (16, 64), api_secret: (32, 128) },
];

pub async fn handle(app: &'static App, keys: &KeyRing, request: Request) -> Result<Answer, Problem> {
    let user = app.user(&request).await?;
    let exchange = request.path_parameter("exchange").ok_or(Problem::NotFound)?;
    let format = KEY_FORMATS.iter().find(|format| format.exchange == exchange).ok_or(Problem::NotFound)?;
    let input = if request.route().starts_with("DELETE ") {
        SaveCredentialsInput { exchange: format.exchange, sealed: None, key_hint: None }
    } else {
        let secret = parse(format, request.fields()?)?;
        let seal_error = |error: String| Problem::Internal(format!("credentials not sealed: {error}"));
        let text = Zeroizing::new(serde_json::to_vec(&secret).map_err(|error| seal_error(error.to_string()))?);
        let sealed = keys.seal(user.id(), format.exchange, &text).map_err(|error| seal_error(error.to_string()))?;
        let key_hint = secret.api_key.get(secret.api_key.len().saturating_sub(HINT_LENGTH)..).map(str::to_owned);
        SaveCredentialsInput { exchange: format.exchange, sealed: Some(sealed), key_hint }
    };
    match app.db.command(user.claims(), "save_credentials", &input).await? {
        Outcome::Saved(saved) => Ok(Answer::ok(saved)),
        Outcome::Deleted(deleted) => Ok(Answer::ok(deleted)),
    }
}

fn parse(format: &KeyFormat, mut fields: Fields<'_>) -> Result<Secret, Problem> {
    let secret = Secret {
        api_key: fields.required("api_key", letters_and_digits(format.api_key)),
        api_secret: fields.required("api_secret", letters_and_digits(format.api_secret)),
    };
    let differ = secret.api_key != secret.api_secret;
    fields.rule(differ, "api_secret", &["api_key"], "must differ from api_key");
    fields.finish(secret)
}

/// Reads a key. The error does not quote it.
fn letters_and_digits((min, max): (usize, usize)) -> impl Fn(&RawValue) -> Result<String, String> {
    move |value| {
        let count = if min == max { min.to_string() } else { format!("{min} to {max}") };
        let wrong = || format!("must be {count} letters and digits, as the exchange issues it");
        let found = text(min..=max)(value).map_err(|_| wrong())?;
        if found.bytes().all(|byte| byte.is_ascii_alphanumeric()) { Ok(found) } else { Err(wrong()) }
    }
}
