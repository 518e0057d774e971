//! Serving a schedule.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};

use crate::function::leak;
use crate::{Error, Job};

/// One run of a schedule.
pub struct Run {
    /// Time at which the run was due, which the run uses as the current time.
    pub time: DateTime<Utc>,
    deadline: SystemTime,
}

impl Run {
    /// `true` if more than `time` is left before Lambda's timeout. A run that stops early leaves the rest to the next
    /// run.
    pub fn has_time_left(&self, time: Duration) -> bool {
        has_time_left(self.deadline, time)
    }
}

pub(crate) fn has_time_left(deadline: SystemTime, time: Duration) -> bool {
    deadline.duration_since(SystemTime::now()).is_ok_and(|left| left > time)
}

/// Event that a schedule sends. A manual invocation may omit the time.
#[derive(Deserialize)]
struct ScheduleEvent {
    time: Option<DateTime<Utc>>,
}

impl Job {
    /// Serves a schedule until Lambda ends the process. The result of a run becomes its response, and is part of its
    /// log record.
    ///
    /// # Errors
    ///
    /// Errors of the Lambda runtime.
    pub async fn serve_schedule<H, F, T>(self, handle: H) -> Result<(), Error>
    where
        H: Fn(&'static Self, Run) -> F + Send + Sync,
        F: Future<Output = Result<T, Error>> + Send,
        T: Serialize,
    {
        let job = leak(self);
        let handle = &handle;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<ScheduleEvent>| async move {
            let LambdaEvent { payload, context } = event;
            let time = payload.time.unwrap_or_else(Utc::now);
            let run = Run { time, deadline: context.deadline() };
            let work = async {
                let counts = serde_json::to_value(handle(job, run).await?)?;
                Ok((counts.clone(), counts))
            };
            job.invoke_run(&context, time, work).await
        }))
        .await
    }
}
