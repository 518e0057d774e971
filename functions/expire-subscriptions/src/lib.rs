//! Hourly: ends subscriptions that are due, stops bots that the plan left does not cover, and expires unpaid invoices.
//! Its SQL is `migrations/026_expire_subscriptions.sql`.
//!
//! Each batch is a transaction. A run that ends early, or is ended, leaves the rest to the next one.

use std::time::Duration;

use chrono::{DateTime, Utc};
use nofomo_lambda::{Error, Job, Run};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::error;
use uuid::Uuid;

const BATCH: u64 = 500;

/// What one more batch may need: the longest that a statement is waited for.
const RESERVE: Duration = Duration::from_secs(15);

#[derive(Serialize)]
struct Batch {
    now: DateTime<Utc>,
    limit: u64,
    after: Option<Box<RawValue>>,
}

/// What `private.expire_subscriptions` did with one batch.
#[derive(Deserialize)]
struct Ended {
    subscriptions: u64,
    bots: u64,
    failures: Vec<Failure>,
    after: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Failure {
    user_id: Uuid,
    cause: String,
}

/// What a run did.
#[derive(Default, Serialize)]
pub struct Counts {
    pub subscriptions: u64,
    pub stopped_bots: u64,
    pub invoices: u64,
    /// Users whose rows could not be changed.
    pub failures: u64,
    /// False if time ran out.
    pub is_complete: bool,
}

pub async fn run(job: &'static Job, run: Run) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    let mut batch = Batch { now: run.time, limit: BATCH, after: None };
    loop {
        if !run.has_time_left(RESERVE) {
            return Ok(counts);
        }
        let ended: Ended = job.db.job("expire_subscriptions", &batch).await?;
        counts.subscriptions += ended.subscriptions;
        counts.stopped_bots += ended.bots;
        for Failure { user_id, cause } in ended.failures {
            counts.failures += 1;
            error!(%user_id, cause, "Subscription not ended");
        }
        batch.after = ended.after;
        if batch.after.is_none() {
            break;
        }
    }
    loop {
        if !run.has_time_left(RESERVE) {
            return Ok(counts);
        }
        let expired: u64 = job.db.job("expire_invoices", &batch).await?;
        counts.invoices += expired;
        if expired < BATCH {
            break;
        }
    }
    Ok(Counts { is_complete: true, ..counts })
}
