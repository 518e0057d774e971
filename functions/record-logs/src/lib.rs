//! `POST /bots/{bot_id}/logs`: records up to 500 entries of a bot's log.
//!
//! SQL: `migrations/012_record_logs.sql`.

use nofomo_contract::OneOrMany;
use nofomo_contract::bots::{MAX_LOG_ENTRIES, NewLog};
use nofomo_lambda::{App, Problem, Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use uuid::Uuid;

/// Input of `private.record_logs`.
#[derive(Serialize)]
struct RecordLogsInput {
    bot_id: Uuid,
    logs: Vec<LogRow>,
}

#[derive(Serialize)]
struct LogRow {
    id: Uuid,
    #[serde(flatten)]
    log: NewLog,
}

/// Outcome of `private.record_logs`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// Number of new entries.
    Recorded(u32),
    KeyReused,
    NotFound,
}

/// Response body.
#[derive(Serialize)]
struct RecordedLogs {
    /// Number of new entries.
    recorded: u32,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Response, Problem> {
    let claims = app.reporter_claims(&request).await?;
    let bot_id = request.bot_id()?;
    let key = request.idempotency_key()?;
    let logs = match request.body_as_one_or_many::<NewLog>(1..=MAX_LOG_ENTRIES)? {
        OneOrMany::One(log) => vec![log],
        OneOrMany::Many(logs) => logs,
    };
    let rows = logs.into_iter().enumerate().map(|(index, log)| {
        let id = key.map(|key| Uuid::new_v5(&bot_id, format!("{key}:{index}").as_bytes()));
        LogRow { id: id.unwrap_or_else(Uuid::now_v7), log }
    });
    let input = RecordLogsInput { bot_id, logs: rows.collect() };
    match app.db.command(&claims, "record_logs", &input).await? {
        Outcome::Recorded(recorded) => {
            let body =
                to_raw_value(&RecordedLogs { recorded }).map_err(|error| Problem::Internal(error.to_string()))?;
            Ok(if recorded > 0 { Response::created(body) } else { Response::ok(body) })
        }
        Outcome::KeyReused => Err(Problem::key_reused("log entry")),
        Outcome::NotFound => Err(Problem::NotFound),
    }
}
