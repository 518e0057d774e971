//! Runs daily: sends renewal notices and opens renewal invoices.
//!
//! An invoice is committed before Tripay is called, and the create request is not retried. If its outcome is unknown,
//! reconcile-invoices finds the transaction or marks the invoice as failed.
//!
//! SQL: `migrations/027_renew_subscriptions.sql`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use nofomo_lambda::{Error, Job, Run};
use nofomo_tripay::{CreateOutcome, Order, RecordTripayResponseInput, Tripay};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::{error, warn};
use uuid::Uuid;

/// Subscriptions per batch.
const BATCH_SIZE: u64 = 10;

/// Time that must remain to start a batch: Tripay may time out for each of its invoices.
const TIME_RESERVE: Duration = Duration::from_secs(180);

/// Input of `private.renew_subscriptions`.
#[derive(Serialize)]
struct RenewSubscriptionsInput {
    now: DateTime<Utc>,
    limit: u64,
    /// Cursor that the previous batch returned.
    after: Option<Box<RawValue>>,
}

/// Result of `private.renew_subscriptions` for one batch.
#[derive(Deserialize)]
struct RenewedBatch {
    notices: u64,
    opened: Vec<RenewalInvoice>,
    failures: Vec<Failure>,
    after: Option<Box<RawValue>>,
}

/// Committed invoice that needs a transaction.
#[derive(Deserialize)]
struct RenewalInvoice {
    id: Uuid,
    order: Order,
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
    pub notices: u64,
    /// Invoices with a new transaction.
    pub invoices: u64,
    /// Invoices that Tripay refused.
    pub refused: u64,
    /// Invoices for which it is unknown whether Tripay created a transaction.
    pub unanswered: u64,
    /// Users whose rows could not be changed.
    pub failures: u64,
    /// `false` if time ran out.
    pub is_complete: bool,
}

pub async fn run(job: &'static Job, tripay: &Tripay, run: Run) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    let mut input = RenewSubscriptionsInput { now: run.time, limit: BATCH_SIZE, after: None };
    while run.has_time_left(TIME_RESERVE) {
        let batch: RenewedBatch = job.db.job("renew_subscriptions", &input).await?;
        counts.notices += batch.notices;
        for Failure { user_id, cause } in batch.failures {
            counts.failures += 1;
            error!(%user_id, cause, "Failed to renew subscription");
        }
        for RenewalInvoice { id, order } in batch.opened {
            let transaction = match job.time_external_call("tripay", tripay.create_transaction(&order)).await {
                CreateOutcome::Created(transaction) => Some(transaction),
                CreateOutcome::Refused { message, .. } => {
                    counts.refused += 1;
                    error!(invoice_id = %id, cause = message, "Tripay refused a renewal");
                    None
                }
                CreateOutcome::Unknown(cause) => {
                    counts.unanswered += 1;
                    warn!(invoice_id = %id, cause, "Tripay did not confirm a renewal");
                    continue;
                }
            };
            counts.invoices += u64::from(transaction.is_some());
            let input = RecordTripayResponseInput {
                now: Some(run.time),
                id,
                merchant_code: tripay.merchant_code(),
                transaction: transaction.as_ref(),
            };
            let _: Box<RawValue> = job.db.job("record_tripay_response", &input).await?;
        }
        input.after = batch.after;
        if input.after.is_none() {
            return Ok(Counts { is_complete: true, ..counts });
        }
    }
    Ok(counts)
}
