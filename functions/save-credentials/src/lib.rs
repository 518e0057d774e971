//! `PUT` and `DELETE /credentials/{exchange}`: exchange API keys, sealed before they reach the database.
//! Its SQL is `migrations/014_save_credentials.sql`.

use nofomo_lambda::{Answer, App, Fields, Problem, Request, text};
use nofomo_vault::{KeyRing, Zeroizing};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Of a key, for its owner to know it by.
const HINT: usize = 4;

#[derive(Serialize)]
struct Credentials<'a> {
    exchange: &'a str,
    /// None to delete.
    sealed: Option<String>,
    key_hint: Option<String>,
}

/// What is sealed, and what `open-credentials` hands out.
#[derive(Serialize)]
struct Secret {
    api_key: String,
    api_secret: String,
}

/// What `private.save_credentials` did.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Saved(Box<RawValue>),
    Deleted(Box<RawValue>),
}

/// How an exchange writes its keys: letters and digits, so many.
struct Form {
    exchange: &'static str,
    api_key: (usize, usize),
    api_secret: (usize, usize),
}

const FORMS: [Form; 2] = [
    Form { exchange: "binance", api_key: (64, 64), api_secret: (64, 64) },
    // 18 and 36 today; older ones, and those of its brokers, differ.
    Form { exchange: "bybit", api_key: (16, 64), api_secret: (32, 128) },
];

pub async fn handle(app: &'static App, keys: &KeyRing, request: Request) -> Result<Answer, Problem> {
    let user = app.user(&request).await?;
    let exchange = request.path_parameter("exchange").ok_or(Problem::NotFound)?;
    let form = FORMS.iter().find(|form| form.exchange == exchange).ok_or(Problem::NotFound)?;
    let credentials = if request.route().starts_with("DELETE ") {
        Credentials { exchange: form.exchange, sealed: None, key_hint: None }
    } else {
        let secret = parse(form, request.fields()?)?;
        let unsealed = |error: String| Problem::Internal(format!("credentials not sealed: {error}"));
        let text = Zeroizing::new(serde_json::to_vec(&secret).map_err(|error| unsealed(error.to_string()))?);
        let sealed = keys.seal(user.id(), form.exchange, &text).map_err(|error| unsealed(error.to_string()))?;
        let key_hint = secret.api_key.get(secret.api_key.len().saturating_sub(HINT)..).map(str::to_owned);
        Credentials { exchange: form.exchange, sealed: Some(sealed), key_hint }
    };
    match app.db.command(user.claims(), "save_credentials", &credentials).await? {
        Outcome::Saved(saved) => Ok(Answer::ok(saved)),
        Outcome::Deleted(deleted) => Ok(Answer::ok(deleted)),
    }
}

fn parse(form: &Form, mut fields: Fields<'_>) -> Result<Secret, Problem> {
    let secret = Secret {
        api_key: fields.required("api_key", letters_and_digits(form.api_key)),
        api_secret: fields.required("api_secret", letters_and_digits(form.api_secret)),
    };
    let differ = secret.api_key != secret.api_secret;
    fields.rule(differ, "api_secret", &["api_key"], "must not be the key itself");
    fields.finish(secret)
}

/// Never repeats what it refuses.
fn letters_and_digits((least, most): (usize, usize)) -> impl Fn(&RawValue) -> Result<String, String> {
    move |value| {
        let count = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let wrong = || format!("must be {count} letters and digits, as the exchange gives it");
        let found = text(least..=most)(value).map_err(|_| wrong())?;
        if found.bytes().all(|byte| byte.is_ascii_alphanumeric()) { Ok(found) } else { Err(wrong()) }
    }
}
