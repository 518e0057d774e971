//! A function that acts for nobody in particular: at its times, or when an outside service calls back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use lambda_http::Body;
use lambda_http::http::{HeaderValue, Response, StatusCode, header};
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use nofomo_db::Db;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::timeout;
use tracing::{error, warn};

use crate::log_record::Subject;
use crate::process::{InvocationRecord, Process, leak, log_as_json};
use crate::settings::Settings;
use crate::timings::Timings;
use crate::{Answer, Error, Fields, Problem, Request};

/// Lambda gives start-up ten seconds; what is not ready by then is tried again by the first call.
const WARM_UP_LIMIT: Duration = Duration::from_secs(4);

/// Everything that outlives a call.
pub struct Job {
    process: Process,
    pub db: Db,
    settings: Settings,
}

/// One run of a schedule.
pub struct Run {
    /// When it was due: the clock of everything it does.
    pub time: DateTime<Utc>,
    deadline: SystemTime,
}

impl Run {
    /// Whether so much time is left. What is not done by then is done by the next run.
    pub fn has_left(&self, time: Duration) -> bool {
        self.deadline.duration_since(SystemTime::now()).is_ok_and(|left| left > time)
    }
}

/// What a queue delivers.
pub struct Message {
    body: String,
}

impl Message {
    /// The body as the fields of one JSON object.
    ///
    /// # Errors
    ///
    /// 400 if it is not JSON, 422 if it is not an object.
    pub fn fields(&self) -> Result<Fields<'_>, Problem> {
        let body: &RawValue = serde_json::from_str(&self.body)
            .map_err(|error| Problem::NotJson(format!("The message is not JSON: {error}.")))?;
        Fields::of(body, String::new())
    }
}

/// What a schedule sends; an invocation by hand may say nothing.
#[derive(Deserialize)]
struct Event {
    time: Option<DateTime<Utc>>,
}

impl Job {
    /// Reads the settings and opens the database connection. A database that is away is logged and no reason not to start; a
    /// missing setting is.
    ///
    /// # Errors
    ///
    /// What is missing or malformed among the settings.
    pub async fn start(name: &'static str) -> Result<Self, Error> {
        log_as_json();
        let job = Self::configured(name).await.inspect_err(|cause| error!(function = name, %cause, "Not started"))?;
        match timeout(WARM_UP_LIMIT, job.db.warm_up()).await {
            Ok(Ok(())) => {}
            Ok(Err(cause)) => warn!(function = name, %cause, "Started without a database"),
            Err(_) => warn!(function = name, "Started before the database answered"),
        }
        job.process.forget_start();
        Ok(job)
    }

    async fn configured(name: &'static str) -> Result<Self, Error> {
        let settings = Settings::load().await?;
        let timings = Arc::<Timings>::default();
        Ok(Self { db: settings.database(timings.clone())?, process: Process::new(name, &settings, timings), settings })
    }

    /// Something else that outlives a call, made of settings by their names.
    ///
    /// # Errors
    ///
    /// Those of `make`, which are logged.
    pub fn init_static<T, E: Into<Error>>(
        &self,
        make: impl FnOnce(&dyn Fn(&str) -> Option<String>) -> Result<T, E>,
    ) -> Result<&'static T, Error> {
        leak(self.process.name, make(&|name| self.settings.get(name)))
    }

    /// Waits for somebody outside, so that the log and the trace of a run tell how long.
    pub async fn time_external_call<T>(&self, whom: &'static str, answer: impl Future<Output = T>) -> T {
        self.process.time_external_call(whom, answer).await
    }

    /// Answers callbacks until Lambda ends the process, in the form `{"success": true}` whatever goes wrong: who calls reads
    /// nothing else, and sends the same again unless it is true.
    ///
    /// # Errors
    ///
    /// The runtime's own.
    pub async fn serve_callbacks<H, F>(self, handle: H) -> Result<(), Error>
    where
        H: Fn(&'static Self, Request) -> F + Send + Sync,
        F: Future<Output = Result<Answer, Problem>> + Send,
    {
        let job: &'static Self = Box::leak(Box::new(self));
        job.process.serve(|request| handle(job, request), |problem, _| failure(&problem)).await
    }

    /// Takes a queue's messages, batch by batch, until Lambda ends the process; `take` says how many things a message was. What is
    /// not taken is delivered again, and after some times put aside by the queue.
    ///
    /// # Errors
    ///
    /// The runtime's own.
    pub async fn serve_queue<H, F>(self, take: H) -> Result<(), Error>
    where
        H: Fn(&'static Self, Message) -> F + Send + Sync,
        F: Future<Output = Result<usize, Problem>> + Send,
    {
        let job: &'static Self = Box::leak(Box::new(self));
        let take = &take;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| async move {
            let (started, run) = (Instant::now(), Run { time: Utc::now(), deadline: event.context.deadline() });
            let mut answer = SqsBatchResponse::default();
            let (mut messages, mut taken, mut is_away) = (0, 0, false);
            for record in event.payload.records {
                messages += 1;
                let id = record.message_id.unwrap_or_default();
                // One by one they would wait for what is away.
                if is_away || !run.has_left(MESSAGE_RESERVE) {
                    answer.add_failure(id);
                    continue;
                }
                let message = Message { body: record.body.unwrap_or_default() };
                let outcome = AssertUnwindSafe(take(job, message)).catch_unwind().await;
                match outcome.unwrap_or_else(|_| Err(Problem::Internal("panicked".into()))) {
                    Ok(things) => taken += things,
                    Err(problem) => {
                        let (outcome, cause) = (problem.kind(), problem.cause());
                        warn!(message_id = id, outcome, cause, "Message not taken");
                        is_away = matches!(problem, Problem::Unavailable(_));
                        answer.add_failure(id);
                    }
                }
            }
            let counts = json!({ "messages": messages, "taken": taken, "not_taken": answer.batch_item_failures.len() });
            job.process.emit(InvocationRecord {
                message: "Ran".into(),
                request_id: &event.context.request_id,
                trace: event.context.xray_trace_id.as_deref(),
                subject: Subject::Run { time: run.time, counts: counts.as_object().cloned().unwrap_or_default() },
                outcome: "ok",
                cause: None,
                duration: started.elapsed(),
            });
            Ok::<_, Error>(answer)
        }))
        .await
    }

    /// Runs at its times until Lambda ends the process. What comes of a run is its answer and in the log.
    ///
    /// # Errors
    ///
    /// The runtime's own.
    pub async fn serve_schedule<H, F, T>(self, run: H) -> Result<(), Error>
    where
        H: Fn(&'static Self, Run) -> F + Send + Sync,
        F: Future<Output = Result<T, Error>> + Send,
        T: Serialize,
    {
        let job: &'static Self = Box::leak(Box::new(self));
        let run = &run;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| async move {
            let started = Instant::now();
            let time = event.payload.time.unwrap_or_else(Utc::now);
            let deadline = event.context.deadline();
            let outcome = AssertUnwindSafe(run(job, Run { time, deadline })).catch_unwind().await;
            let outcome = outcome
                .unwrap_or_else(|_| Err("panicked".into()))
                .and_then(|counts| serde_json::to_value(counts).map_err(Error::from));
            let counts = outcome.as_ref().ok().and_then(Value::as_object).cloned().unwrap_or_default();
            let cause = outcome.as_ref().err().map(ToString::to_string);
            let (message, told_outcome) = if cause.is_none() { ("Ran", "ok") } else { ("Failed", "failed") };
            job.process.emit(InvocationRecord {
                message: message.into(),
                request_id: &event.context.request_id,
                trace: event.context.xray_trace_id.as_deref(),
                subject: Subject::Run { time, counts },
                outcome: told_outcome,
                cause: cause.as_deref(),
                duration: started.elapsed(),
            });
            outcome
        }))
        .await
    }
}

/// What one more message may need: a connection and an answer.
const MESSAGE_RESERVE: Duration = Duration::from_secs(17);

/// A database that is away is a failure like any other to whoever calls back.
fn failure(problem: &Problem) -> Response<Body> {
    let status = match problem.status() {
        StatusCode::SERVICE_UNAVAILABLE => StatusCode::INTERNAL_SERVER_ERROR,
        status => status,
    };
    let mut response = Response::new(Body::Text(r#"{"success":false}"#.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
