//! Time an invocation spends waiting for the database and for external services.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Maximum number of calls in one invocation's trace.
const MAX_TRACED_CALLS: usize = 100;

/// Calls of one instance, which serves one invocation at a time.
#[derive(Debug, Default)]
pub(crate) struct Timings(Mutex<TimingTotals>);

/// Totals since the last [`Timings::take`].
#[derive(Debug, Default)]
pub(crate) struct TimingTotals {
    pub(crate) database: Duration,
    pub(crate) external: Duration,
    /// The first [`MAX_TRACED_CALLS`] calls.
    pub(crate) calls: Vec<Call>,
}

/// One call, with its duration until the response or the failure.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) callee: Callee,
    pub(crate) started: SystemTime,
    pub(crate) duration: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Callee {
    Database,
    /// Name of the service, such as Tripay or a language model.
    External(&'static str),
}

impl Timings {
    pub(crate) fn record(&self, callee: Callee, started: SystemTime, duration: Duration) {
        let mut totals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match callee {
            Callee::Database => totals.database += duration,
            Callee::External(_) => totals.external += duration,
        }
        if totals.calls.len() < MAX_TRACED_CALLS {
            totals.calls.push(Call { callee, started, duration });
        }
    }

    /// Awaits a call to an external service and records its duration.
    pub(crate) async fn time_external_call<T>(&self, service: &'static str, call: impl Future<Output = T>) -> T {
        let (started, clock) = (SystemTime::now(), tokio::time::Instant::now());
        let response = call.await;
        self.record(Callee::External(service), started, clock.elapsed());
        response
    }

    /// Returns the totals and resets them.
    pub(crate) fn take(&self) -> TimingTotals {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
