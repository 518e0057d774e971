//! What every function's process does: answers each request, and writes one line about it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use futures_util::FutureExt;
use lambda_http::http::{HeaderValue, Response, header};
use lambda_http::{Body, service_fn};
use tracing::{error, warn};

use crate::log_record::{Level, LogRecord, Subject};
use crate::settings::Settings;
use crate::timings::Timings;
use crate::trace::{TraceHeader, Tracer};
use crate::{Answer, Error, Problem, Request};

/// One instance of a function, as its log knows it.
pub(crate) struct Process {
    pub(crate) name: &'static str,
    /// `STAGE`: tells deployments apart that share an account.
    stage: String,
    timings: Arc<Timings>,
    tracer: Option<Tracer>,
    has_served: AtomicBool,
}

/// What a line tells of one request or run.
pub(crate) struct InvocationRecord<'a> {
    pub(crate) message: String,
    pub(crate) request_id: &'a str,
    pub(crate) trace: Option<&'a str>,
    pub(crate) subject: Subject<'a>,
    pub(crate) outcome: &'a str,
    pub(crate) cause: Option<&'a str>,
    pub(crate) duration: Duration,
}

impl Process {
    pub(crate) fn new(name: &'static str, settings: &Settings, timings: Arc<Timings>) -> Self {
        Self {
            name,
            stage: settings.get("STAGE").unwrap_or_else(|| "local".into()),
            timings,
            // Set by Lambda where tracing is on.
            tracer: settings.get("AWS_XRAY_DAEMON_ADDRESS").and_then(|address| Tracer::to(&address)),
            has_served: AtomicBool::new(false),
        }
    }

    /// What start-up waited for is no request's.
    pub(crate) fn forget_start(&self) {
        self.timings.take();
    }

    pub(crate) async fn time_external_call<T>(&self, whom: &'static str, answer: impl Future<Output = T>) -> T {
        self.timings.time_external_call(whom, answer).await
    }

    /// Answers HTTP requests until Lambda ends the process; `refuse` writes what a caller gets of a problem.
    pub(crate) async fn serve<H, F, R>(&self, handle: H, refuse: R) -> Result<(), Error>
    where
        H: Fn(Request) -> F + Send + Sync,
        F: Future<Output = Result<Answer, Problem>> + Send,
        R: Fn(Problem, &str) -> Response<Body> + Send + Sync,
    {
        let (handle, refuse) = (&handle, &refuse);
        lambda_http::run(service_fn(move |event: lambda_http::Request| async move {
            let started = Instant::now();
            let request = Request::new(event);
            let info = request.info.clone();
            // A panic is a mistake of ours like any other: it has an answer and a line in the log, and ends nothing.
            let outcome = AssertUnwindSafe(handle(request))
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(Problem::Internal("panicked".into())));
            let kind = outcome.as_ref().map_or_else(Problem::kind, |_| "ok");
            let cause = outcome.as_ref().err().and_then(Problem::cause).map(ToOwned::to_owned);
            let mut response = match outcome {
                Ok(answer) => answer.into_response(),
                Err(problem) => refuse(problem, &info.id),
            };
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            if let Ok(id) = HeaderValue::from_str(&info.id) {
                headers.insert("x-request-id", id);
            }
            let (route, status) = (info.route.as_str(), response.status().as_u16());
            self.emit(InvocationRecord {
                message: format!("{route} {status}"),
                request_id: &info.id,
                trace: info.trace.as_deref(),
                subject: Subject::Request { route, user_id: info.user_id.get().copied(), status },
                outcome: info.outcome.get().map_or(kind, String::as_str),
                cause: cause.as_deref(),
                duration: started.elapsed(),
            });
            Ok::<_, std::convert::Infallible>(response)
        }))
        .await
    }

    /// Writes the line, and the segments of its trace.
    pub(crate) fn emit(&self, record: InvocationRecord<'_>) {
        let spent = self.timings.take();
        let trace = record.trace.and_then(TraceHeader::parse);
        let line = LogRecord {
            timestamp: Utc::now(),
            level: if record.cause.is_some() { Level::Error } else { Level::Info },
            message: record.message,
            stage: &self.stage,
            function: self.name,
            request_id: record.request_id,
            trace_id: trace.map(|trace| trace.root),
            subject: record.subject,
            outcome: record.outcome,
            cause: record.cause,
            requests: 1,
            duration_ms: u64::try_from(record.duration.as_millis()).unwrap_or(u64::MAX),
            database_ms: milliseconds(spent.database),
            outside_ms: milliseconds(spent.outside),
            cold_starts: u8::from(!self.has_served.swap(true, Ordering::Relaxed)),
        };
        line.write();
        if let (Some(tracer), Some(trace)) = (&self.tracer, trace) {
            tracer.emit(trace, &spent.calls);
        }
    }
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// Keeps what was made at start for as long as the process lives, or logs why it was not made.
pub(crate) fn leak<T, E: Into<Error>>(function: &'static str, made: Result<T, E>) -> Result<&'static T, Error> {
    match made {
        Ok(made) => Ok(Box::leak(Box::new(made))),
        Err(cause) => {
            let cause = cause.into();
            error!(function, %cause, "Not started");
            Err(cause)
        }
    }
}

/// One JSON object a line, with a timestamp: without one Lambda takes every line for INFO.
pub(crate) fn log_as_json() {
    let already_set = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_ansi(false)
        .try_init()
        .is_err();
    if already_set {
        warn!("Logging was set up before");
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        // Not the message: it can quote the input.
        error!(place, "Panicked");
    }));
}
