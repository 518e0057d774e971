//! Runs hourly: ends subscriptions that have expired, stops bots over the limit of the remaining plan, and expires
//! unpaid invoices.
//!
//! Each batch is a transaction. A run that stops early or is killed leaves the rest to the next run.
//!
//! SQL: `migrations/026_expire_subscriptions.sql`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use nofomo_lambda::{Error, Job, Run};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::error;
use uuid::Uuid;

/// Subscriptions or invoices per batch.
const BATCH_SIZE: u64 = 500;

/// Time that must remain to start a batch: up to 6 s to open a connection, and the batch itself.
const TIME_RESERVE: Duration = Duration::from_secs(15);

/// Input of `private.expire_subscriptions` and `private.expire_invoices`.
#[derive(Serialize)]
struct ExpireInput {
    now: DateTime<Utc>,
    limit: u64,
    /// Cursor that the previous batch returned.
    after: Option<Box<RawValue>>,
}

/// Result of `private.expire_subscriptions` for one batch.
#[derive(Deserialize)]
struct ExpiredBatch {
    subscriptions: u64,
    bots: u64,
    failures: Vec<Failure>,
    after: Option<Box<RawValue>>,
}

/// User whose rows could not be changed.
#[derive(Deserialize)]
struct Failure {
    user_id: Uuid,
    cause: String,
}

/// Result of a run.
#[derive(Default, Serialize)]
pub struct Counts {
    pub subscriptions: u64,
    pub stopped_bots: u64,
    pub invoices: u64,
    /// Users whose rows could not be changed.
    pub failures: u64,
    /// `false` if time ran out.
    pub is_complete: bool,
}

pub async fn run(job: &'static Job, run: Run) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    let mut input = ExpireInput { now: run.time, limit: BATCH_SIZE, after: None };
    loop {
        if !run.has_time_left(TIME_RESERVE) {
            return Ok(counts);
        }
        let batch: ExpiredBatch = job.db.job("expire_subscriptions", &input).await?;
        counts.subscriptions += batch.subscriptions;
        counts.stopped_bots += batch.bots;
        for Failure { user_id, cause } in batch.failures {
            counts.failures += 1;
            error!(%user_id, cause, "Failed to end subscription");
        }
        input.after = batch.after;
        if input.after.is_none() {
            break;
        }
    }
    loop {
        if !run.has_time_left(TIME_RESERVE) {
            return Ok(counts);
        }
        let expired: u64 = job.db.job("expire_invoices", &input).await?;
        counts.invoices += expired;
        if expired < BATCH_SIZE {
            break;
        }
    }
    Ok(Counts { is_complete: true, ..counts })
}
