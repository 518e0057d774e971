//! What a request spent its time on: the database's answers, and those of others.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// A trace of more would not be read.
const MOST_TRACED: usize = 100;

/// Of one instance, which has one request at a time.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Spent>);

/// Since it was last taken.
#[derive(Debug, Default)]
pub(crate) struct Spent {
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
    Outside(&'static str),
}

impl Meter {
    pub(crate) fn note(&self, of: Callee, started: SystemTime, took: Duration) {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match of {
            Callee::Database => spent.database += took,
            Callee::Outside(_) => spent.outside += took,
        }
        if spent.calls.len() < MOST_TRACED {
            spent.calls.push(Call { of, started, took });
        }
    }

    /// Waits for somebody outside.
    pub(crate) async fn outside<T>(&self, whom: &'static str, answer: impl Future<Output = T>) -> T {
        let (started, clock) = (SystemTime::now(), tokio::time::Instant::now());
        let answer = answer.await;
        self.note(Callee::Outside(whom), started, clock.elapsed());
        answer
    }

    pub(crate) fn take(&self) -> Spent {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
