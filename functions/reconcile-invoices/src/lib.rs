//! Runs every 15 minutes: queries Tripay about invoices whose callback may be missing, and settles each
//! reported transaction like a callback, with `private.settle_payment` (`migrations/024_tripay_callback.sql`).
//!
//! SQL: `migrations/028_reconcile_invoices.sql`.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use nofomo_lambda::{Error, Job, Run};
use nofomo_tripay::{
    PAYMENT_STATUS_EVENT, Payment, QueryError, RecordTripayResponseInput, SettlePaymentInput, Settlement, Transaction,
    Tripay,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::{error, warn};
use uuid::Uuid;

/// Invoices per batch. Each returned invoice is marked as checked, so a larger batch could mark invoices that the run
/// then has no time to query.
const BATCH_SIZE: u64 = 1;

/// Time that must remain to start a batch: a query, and the settlement of its response.
const TIME_RESERVE: Duration = Duration::from_secs(30);

/// Consecutive failed queries after which Tripay counts as unavailable and the run stops.
const MAX_CONSECUTIVE_FAILURES: u32 = 3;

/// Input of `private.reconcile_invoices`.
#[derive(Serialize)]
struct ReconcileInvoicesInput {
    now: DateTime<Utc>,
    limit: u64,
}

/// Input of `private.oldest_pending_invoice_age`.
#[derive(Serialize)]
struct OldestPendingInvoiceAgeInput {
    now: DateTime<Utc>,
}

/// Invoice to query, from `private.reconcile_invoices`.
#[derive(Deserialize)]
struct Invoice {
    id: Uuid,
    reference_id: String,
    /// `None` while it is unknown whether Tripay created a transaction.
    tripay_invoice_id: Option<String>,
}

/// Result of a run.
#[derive(Default, Serialize)]
pub struct Counts {
    /// Queried invoices.
    pub asked: u64,
    /// Queries without a usable response.
    pub unanswered: u64,
    /// Unconfirmed invoices for which Tripay had created a transaction.
    pub found: u64,
    /// Unconfirmed invoices for which Tripay had created none.
    pub failed: u64,
    pub paid: u64,
    /// Invoices that expired or whose payment failed.
    pub expired: u64,
    pub refunded: u64,
    /// Age of the oldest pending invoice at the end of the run, in seconds.
    pub oldest_pending_seconds: u64,
    /// `false` if time ran out or Tripay is unavailable.
    pub is_complete: bool,
}

pub async fn run(job: &'static Job, tripay: &Tripay, run: Run) -> Result<Counts, Error> {
    let mut counts = reconcile(job, tripay, &run).await?;
    counts.oldest_pending_seconds =
        job.db.job("oldest_pending_invoice_age", &OldestPendingInvoiceAgeInput { now: run.time }).await?;
    Ok(counts)
}

async fn reconcile(job: &Job, tripay: &Tripay, run: &Run) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    let input = ReconcileInvoicesInput { now: run.time, limit: BATCH_SIZE };
    let mut consecutive_failures = 0;
    while run.has_time_left(TIME_RESERVE) && consecutive_failures < MAX_CONSECUTIVE_FAILURES {
        let invoices: Vec<Invoice> = job.db.job("reconcile_invoices", &input).await?;
        let Some(invoice) = invoices.first() else {
            return Ok(Counts { is_complete: true, ..counts });
        };
        counts.asked += 1;
        match job.time_external_call("tripay", query(tripay, invoice)).await {
            Ok(transactions) => {
                consecutive_failures = 0;
                settle(job, tripay, run.time, invoice, &transactions, &mut counts).await?;
            }
            Err(cause) => {
                consecutive_failures += 1;
                counts.unanswered += 1;
                warn!(invoice_id = %invoice.id, %cause, "Tripay query failed");
            }
        }
    }
    Ok(counts)
}

/// Queries the transactions of the invoice.
async fn query(tripay: &Tripay, invoice: &Invoice) -> Result<Vec<Transaction>, QueryError> {
    match &invoice.tripay_invoice_id {
        Some(reference) => Ok(tripay.find_transaction(reference).await?.into_iter().collect()),
        None => tripay.list_transactions(&invoice.reference_id).await,
    }
}

/// Records the transaction of an unconfirmed invoice, and settles each transaction like a callback.
async fn settle(
    job: &Job,
    tripay: &Tripay,
    now: DateTime<Utc>,
    invoice: &Invoice,
    transactions: &[Transaction],
    counts: &mut Counts,
) -> Result<(), Error> {
    if invoice.tripay_invoice_id.is_none() {
        let transaction = transactions.first();
        let merchant_code = tripay.merchant_code();
        let input = RecordTripayResponseInput { now: Some(now), id: invoice.id, merchant_code, transaction };
        let _: Box<RawValue> = job.db.job("record_tripay_response", &input).await?;
        let count = if transaction.is_some() { &mut counts.found } else { &mut counts.failed };
        *count += 1;
    } else if transactions.is_empty() {
        error!(invoice_id = %invoice.id, "Tripay does not find a transaction that it created");
    }
    for transaction in transactions {
        let payment = Payment::from(transaction);
        let input = SettlePaymentInput {
            now: Some(now),
            source: "reconciliation",
            body: BASE64_STANDARD.encode(serde_json::to_vec(&payment)?),
            signature_valid: true,
            event: PAYMENT_STATUS_EVENT,
            payment: Some(payment),
        };
        let Settlement { outcome, needs_attention, .. } = job.db.job("settle_payment", &input).await?;
        if needs_attention {
            error!(outcome, invoice_id = %invoice.id, "Payment needs attention");
        }
        match outcome.as_str() {
            "paid" => counts.paid += 1,
            "expired" | "failed" => counts.expired += 1,
            "refunded" | "refunded_unpaid" => counts.refunded += 1,
            _ => {}
        }
    }
    Ok(())
}
