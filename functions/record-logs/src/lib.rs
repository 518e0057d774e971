//! `POST /bots/{bot_id}/logs`: stores up to 500 log messages of a bot.
//!
//! SQL: `migrations/012_record_logs.sql`.

use chrono::{DateTime, Utc};
use nofomo_lambda::{Answer, App, Batch, Fields, Problem, Request, collect, lines, object, one_of, time};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

const LEVELS: &[&str] = &["info", "warning", "error", "debug"];

#[derive(Serialize)]
struct RecordLogsInput {
    bot_id: Uuid,
    logs: Vec<NewLog>,
}

#[derive(Serialize)]
struct NewLog {
    id: Uuid,
    log_level: &'static str,
    message: String,
    context: Option<Box<RawValue>>,
    created_at: Option<DateTime<Utc>>,
}

/// Outcome of `private.record_logs`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// Number of new rows.
    Recorded(u32),
    KeyReused,
    NotFound,
}

/// Response body.
#[derive(Serialize)]
struct RecordedLogs {
    /// Number of new rows.
    recorded: u32,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Answer, Problem> {
    let claims = app.reporter(&request).await?;
    let bot_id = request.bot_id()?;
    let key = request.idempotency_key()?;
    let elements = match request.batch(1..=500)? {
        Batch::One(fields) => vec![Ok(fields)],
        Batch::Many(elements) => elements,
    };
    let logs = collect(elements.into_iter().enumerate().map(|(index, fields)| {
        let id = key.map(|key| Uuid::new_v5(&bot_id, format!("{key}:{index}").as_bytes()));
        parse(id.unwrap_or_else(Uuid::now_v7), fields?)
    }))?;
    match app.db.command(&claims, "record_logs", &RecordLogsInput { bot_id, logs }).await? {
        Outcome::Recorded(recorded) => {
            let body =
                to_raw_value(&RecordedLogs { recorded }).map_err(|error| Problem::Internal(error.to_string()))?;
            Ok(if recorded > 0 { Answer::created(body) } else { Answer::ok(body) })
        }
        Outcome::KeyReused => Err(Problem::Conflict {
            kind: "key-reused",
            detail: "This Idempotency-Key was used with another body. Use a new key for other logs.".into(),
        }),
        Outcome::NotFound => Err(Problem::NotFound),
    }
}

fn parse(id: Uuid, mut fields: Fields<'_>) -> Result<NewLog, Problem> {
    let log = NewLog {
        id,
        log_level: fields.required("log_level", one_of(LEVELS)),
        message: fields.required("message", lines(1..=10_000)),
        context: fields.optional("context", object(16 * 1024)),
        created_at: fields.optional("created_at", time),
    };
    fields.finish(log)
}
