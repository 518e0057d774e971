//! What a request spent its time on: the database's answers, and those of others.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// A trace of more would not be read.
const MAX_TRACED_CALLS: usize = 100;

/// Of one instance, which has one request at a time.
#[derive(Debug, Default)]
pub(crate) struct Timings(Mutex<TimingTotals>);

/// Since it was last taken.
#[derive(Debug, Default)]
pub(crate) struct TimingTotals {
    pub(crate) database: Duration,
    pub(crate) outside: Duration,
    /// The first of them.
    pub(crate) calls: Vec<Call>,
}

/// One answer that was waited for.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) of: Callee,
    pub(crate) started: SystemTime,
    pub(crate) took: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Callee {
    Database,
    /// Tripay, a language model, whoever has the signing keys.
    External(&'static str),
}

impl Timings {
    pub(crate) fn record(&self, of: Callee, started: SystemTime, took: Duration) {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match of {
            Callee::Database => spent.database += took,
            Callee::External(_) => spent.outside += took,
        }
        if spent.calls.len() < MAX_TRACED_CALLS {
            spent.calls.push(Call { of, started, took });
        }
    }

    /// Waits for somebody outside.
    pub(crate) async fn time_external_call<T>(&self, whom: &'static str, answer: impl Future<Output = T>) -> T {
        let (started, clock) = (SystemTime::now(), tokio::time::Instant::now());
        let answer = answer.await;
        self.record(Callee::External(whom), started, clock.elapsed());
        answer
    }

    pub(crate) fn take(&self) -> TimingTotals {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
