//! One instance of a function: its set-up at the cold start, and the logging and tracing of each invocation.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use futures_util::FutureExt;
use nofomo_db::Db;
use tokio::time::timeout;
use tracing::{error, warn};

use crate::log_record::{Level, LogRecord, Subject};
use crate::logging::init_logging;
use crate::settings::Settings;
use crate::timings::Timings;
use crate::trace::{TraceHeader, Tracer};
use crate::{Error, Problem};

/// Time that start-up waits for the database and the signing keys. Lambda allows ten seconds for start-up. The first
/// invocation opens a connection that is not open by then.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(4);

/// One instance of a function, alive until Lambda ends the process.
///
/// Used as [`App`](crate::App), which verifies the users who call it, or as [`Job`](crate::Job), which has no users.
pub struct Function<V> {
    /// The instance's database connection.
    pub db: Db,
    pub(crate) verifier: V,
    name: &'static str,
    /// `STAGE`: the name of the deployment, in logs and metrics. Deployments can share an AWS account.
    stage: String,
    settings: Settings,
    timings: Arc<Timings>,
    tracer: Option<Tracer>,
    has_served: AtomicBool,
}

/// Outcome of one invocation, for the log.
pub(crate) struct InvocationRecord<'a> {
    pub(crate) message: String,
    pub(crate) request_id: &'a str,
    pub(crate) trace: Option<&'a str>,
    pub(crate) subject: Subject<'a>,
    pub(crate) outcome: &'a str,
    pub(crate) cause: Option<String>,
}

/// Error of a handler that panicked. The panic hook has logged the location.
#[derive(Debug, thiserror::Error)]
#[error("panicked")]
pub(crate) struct Panicked;

impl From<Panicked> for Problem {
    fn from(panicked: Panicked) -> Self {
        Self::Internal(panicked.to_string())
    }
}

impl<V> Function<V> {
    /// Sets up logging and reads the settings. Opens no connection yet.
    pub(crate) async fn init(
        name: &'static str,
        verifier: impl FnOnce(&Settings, Arc<Timings>) -> Result<V, Error>,
    ) -> Result<Self, Error> {
        init_logging();
        Self::from_settings(name, verifier).await.inspect_err(|cause| log_start_failure(name, cause))
    }

    async fn from_settings(
        name: &'static str,
        verifier: impl FnOnce(&Settings, Arc<Timings>) -> Result<V, Error>,
    ) -> Result<Self, Error> {
        let settings = Settings::load().await?;
        let timings = Arc::<Timings>::default();
        let verifier = verifier(&settings, timings.clone())?;
        Ok(Self {
            db: settings.database(timings.clone())?,
            verifier,
            name,
            stage: settings.get("STAGE").unwrap_or_else(|| "local".into()),
            // Set by Lambda where tracing is on.
            tracer: settings.get("AWS_XRAY_DAEMON_ADDRESS").and_then(|address| Tracer::connect(&address)),
            settings,
            timings,
            has_served: AtomicBool::new(false),
        })
    }

    /// Opens the database connection, and runs `other_work` at the same time. A failure is logged and does not prevent
    /// the start.
    pub(crate) async fn warm_up(&self, other_work: impl Future) {
        let function = self.name;
        match timeout(WARM_UP_TIMEOUT, async { tokio::join!(self.db.warm_up(), other_work) }).await {
            Ok((Ok(()), _)) => {}
            Ok((Err(cause), _)) => warn!(function, %cause, "Started without a database connection"),
            Err(_) => warn!(function, "Started before every connection was open"),
        }
        // Calls made at start-up belong to no invocation.
        self.timings.take();
    }

    /// Builds a value that lives as long as the process. `build` receives a function that returns a setting by its
    /// name.
    ///
    /// # Errors
    ///
    /// Errors of `build`, after logging them.
    pub fn init_static<T, E: Into<Error>>(
        &self,
        build: impl FnOnce(&dyn Fn(&str) -> Option<String>) -> Result<T, E>,
    ) -> Result<&'static T, Error> {
        let built = build(&|name| self.settings.get(name)).map_err(Into::into);
        built.map(leak).inspect_err(|cause| log_start_failure(self.name, cause))
    }

    /// Awaits a call to an external service, and adds its duration to the invocation's log record and trace.
    pub async fn time_external_call<T>(&self, service: &'static str, call: impl Future<Output = T>) -> T {
        self.timings.time_external_call(service, call).await
    }

    /// Runs a handler, and writes its log record and trace. A panic is handled like an error; the instance keeps
    /// running.
    ///
    /// `finish` turns the handler's result into the response to Lambda and the record for the log.
    pub(crate) async fn invoke<'a, T, E: From<Panicked>, R>(
        &self,
        handler: impl Future<Output = Result<T, E>>,
        finish: impl FnOnce(Result<T, E>) -> (R, InvocationRecord<'a>),
    ) -> R {
        let started = Instant::now();
        let (response, record) = finish(catch_panic(handler).await);
        self.emit(record, started.elapsed());
        response
    }

    fn emit(&self, record: InvocationRecord<'_>, duration: Duration) {
        let totals = self.timings.take();
        let trace = record.trace.and_then(TraceHeader::parse);
        let log_record = LogRecord {
            timestamp: Utc::now(),
            level: if record.cause.is_some() { Level::Error } else { Level::Info },
            message: record.message,
            stage: &self.stage,
            function: self.name,
            request_id: record.request_id,
            trace_id: trace.map(|trace| trace.root),
            subject: record.subject,
            outcome: record.outcome,
            cause: record.cause.as_deref(),
            requests: 1,
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            database_ms: milliseconds(totals.database),
            outside_ms: milliseconds(totals.external),
            cold_starts: u8::from(!self.has_served.swap(true, Ordering::Relaxed)),
        };
        log_record.write();
        if let (Some(tracer), Some(trace)) = (&self.tracer, trace) {
            tracer.emit(trace, &totals.calls);
        }
    }
}

/// Awaits a future, and turns a panic into an error.
pub(crate) async fn catch_panic<T, E: From<Panicked>>(future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    AssertUnwindSafe(future).catch_unwind().await.unwrap_or_else(|_| Err(Panicked.into()))
}

/// Makes a value live as long as the process. Only for start-up: the memory is never freed.
pub(crate) fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn log_start_failure(function: &'static str, cause: &Error) {
    error!(function, %cause, "Start failed");
}

/// Converts to milliseconds, rounded to the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
