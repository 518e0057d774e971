//! Functions without users: they serve a schedule, a queue, or the callbacks of an external service.

use chrono::{DateTime, Utc};
use lambda_http::Context;
use serde_json::Value;

use crate::function::{Function, InvocationRecord, leak};
use crate::http::callback_failure;
use crate::log_record::Subject;
use crate::{Error, Problem, Request, Response};

/// A function that serves a schedule, a queue, or the callbacks of an external service.
pub type Job = Function<()>;

impl Job {
    /// Reads the settings and opens the database connection. An unavailable database is logged and does not prevent the
    /// start.
    ///
    /// # Errors
    ///
    /// Names the settings that are missing or malformed.
    pub async fn start(name: &'static str) -> Result<Self, Error> {
        let job = Self::init(name, |_, _| Ok(())).await?;
        job.warm_up(async {}).await;
        Ok(job)
    }

    /// Serves callbacks until Lambda ends the process. The body of every response is `{"success": true}` or
    /// `{"success": false}`, as the external service expects. It repeats a callback that failed.
    ///
    /// # Errors
    ///
    /// Errors of the Lambda runtime.
    pub async fn serve_callbacks<H, F>(self, handle: H) -> Result<(), Error>
    where
        H: Fn(&'static Self, Request) -> F + Send + Sync,
        F: Future<Output = Result<Response, Problem>> + Send,
    {
        let job = leak(self);
        job.serve_http(|request| handle(job, request), |problem, _| callback_failure(&problem)).await
    }

    /// Invokes one run of a schedule or one batch of a queue. `work` returns the response and the counts for the log
    /// record.
    pub(crate) async fn invoke_run<T>(
        &self,
        context: &Context,
        time: DateTime<Utc>,
        work: impl Future<Output = Result<(T, Value), Error>>,
    ) -> Result<T, Error> {
        let finish = |result: Result<(T, Value), Error>| {
            let counts = result.as_ref().ok().and_then(|(_, counts)| counts.as_object()).cloned().unwrap_or_default();
            let cause = result.as_ref().err().map(ToString::to_string);
            let (message, outcome) = if cause.is_none() { ("Run completed", "ok") } else { ("Run failed", "failed") };
            let record = InvocationRecord {
                message: message.into(),
                request_id: &context.request_id,
                trace: context.xray_trace_id.as_deref(),
                subject: Subject::Run { time, counts },
                outcome,
                cause,
            };
            (result.map(|(response, _)| response), record)
        };
        self.invoke(work, finish).await
    }
}
