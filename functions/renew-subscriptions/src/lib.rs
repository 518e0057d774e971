//! Daily: says that a plan will end, and opens the invoices that renew plans. Its SQL is
//! `migrations/027_renew_subscriptions.sql`.
//!
//! An invoice is committed before Tripay is asked to open it, once; one that Tripay did not answer for is found again, or
//! marked as failed, by reconcile-invoices.

use std::time::Duration;

use chrono::{DateTime, Utc};
use nofomo_lambda::{Error, Job, Run};
use nofomo_tripay::{Creation, Order, Transaction, Tripay};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::{error, warn};
use uuid::Uuid;

const BATCH: u64 = 10;

/// What one more batch may need, should Tripay let us wait for each of its invoices.
const RESERVE: Duration = Duration::from_secs(180);

#[derive(Serialize)]
struct Batch {
    now: DateTime<Utc>,
    limit: u64,
    after: Option<Box<RawValue>>,
}

/// What `private.renew_subscriptions` did with one batch.
#[derive(Deserialize)]
struct Renewed {
    notices: u64,
    opened: Vec<Opened>,
    failures: Vec<Failure>,
    after: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Opened {
    id: Uuid,
    order: Order,
}

#[derive(Deserialize)]
struct Failure {
    user_id: Uuid,
    cause: String,
}

/// What Tripay answered, for `private.record_tripay_response`.
#[derive(Serialize)]
struct Recorded<'a> {
    now: DateTime<Utc>,
    id: Uuid,
    merchant_code: &'a str,
    transaction: Option<&'a Transaction>,
}

/// What a run did.
#[derive(Default, Serialize)]
pub struct Counts {
    pub notices: u64,
    pub invoices: u64,
    /// Invoices that Tripay refused to open.
    pub refused: u64,
    /// Invoices that Tripay did not answer for.
    pub unanswered: u64,
    /// Users whose rows could not be changed.
    pub failures: u64,
    /// False if time ran out.
    pub is_complete: bool,
}

pub async fn run(job: &'static Job, tripay: &Tripay, run: Run) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    let mut batch = Batch { now: run.time, limit: BATCH, after: None };
    while run.has_time_left(RESERVE) {
        let renewed: Renewed = job.db.job("renew_subscriptions", &batch).await?;
        counts.notices += renewed.notices;
        for Failure { user_id, cause } in renewed.failures {
            counts.failures += 1;
            error!(%user_id, cause, "Subscription not renewed");
        }
        for Opened { id, order } in renewed.opened {
            let transaction = match job.time_external_call("tripay", tripay.create(&order)).await {
                Creation::Created(transaction) => Some(transaction),
                Creation::Refused { message, .. } => {
                    counts.refused += 1;
                    error!(invoice_id = %id, cause = message, "Tripay refused a renewal");
                    None
                }
                Creation::Unknown(cause) => {
                    counts.unanswered += 1;
                    warn!(invoice_id = %id, cause, "Tripay did not answer for a renewal");
                    continue;
                }
            };
            counts.invoices += u64::from(transaction.is_some());
            let recorded = Recorded {
                now: run.time,
                id,
                merchant_code: tripay.merchant_code(),
                transaction: transaction.as_ref(),
            };
            let _: Box<RawValue> = job.db.job("record_tripay_response", &recorded).await?;
        }
        batch.after = renewed.after;
        if batch.after.is_none() {
            return Ok(Counts { is_complete: true, ..counts });
        }
    }
    Ok(counts)
}
