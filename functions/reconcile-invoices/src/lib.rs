//! Every 15 minutes: asks Tripay about invoices that may have been paid without our hearing of it. Its SQL is
//! `migrations/028_reconcile_invoices.sql`; what Tripay answers is settled as a callback is.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use nofomo_lambda::{Error, Job, Run};
use nofomo_tripay::{NoAnswer, Payment, Transaction, Tripay};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::{error, warn};
use uuid::Uuid;

/// One at a time: what a run has not asked about before it stops is first in line for the next.
const BATCH: u64 = 1;

/// What one more question may need, with what follows from its answer.
const RESERVE: Duration = Duration::from_secs(30);

/// After so many unanswered questions in a row Tripay is away, and asked again next time.
const PATIENCE: u32 = 3;

#[derive(Serialize)]
struct Batch {
    now: DateTime<Utc>,
    limit: u64,
}

#[derive(Serialize)]
struct Now {
    now: DateTime<Utc>,
}

/// One of those that `private.reconcile_invoices` tells to ask about.
#[derive(Deserialize)]
struct Invoice {
    id: Uuid,
    reference_id: String,
    /// None while it is not known whether Tripay opened it.
    tripay_invoice_id: Option<String>,
}

/// What Tripay opened, for `private.record_tripay_response`; none, if it certainly opened nothing.
#[derive(Serialize)]
struct Recorded<'a> {
    now: DateTime<Utc>,
    id: Uuid,
    merchant_code: &'a str,
    transaction: Option<&'a Transaction>,
}

/// What Tripay says of one transaction, as a callback would have told it.
#[derive(Serialize)]
struct Told {
    now: DateTime<Utc>,
    source: &'static str,
    body: String,
    signature_valid: bool,
    event: &'static str,
    payment: Payment,
}

/// What `private.settle_payment` made of it.
#[derive(Deserialize)]
struct Settled {
    outcome: String,
    needs_attention: bool,
}

/// What a run did.
#[derive(Default, Serialize)]
pub struct Counts {
    pub asked: u64,
    pub unanswered: u64,
    /// Invoices whose creation Tripay had not answered for, and which it had opened.
    pub found: u64,
    /// Those which it had not.
    pub failed: u64,
    pub paid: u64,
    pub expired: u64,
    pub refunded: u64,
    /// For how long the oldest has been pending, at the end.
    pub oldest_pending_seconds: u64,
    /// False if time ran out, or Tripay is away.
    pub is_complete: bool,
}

pub async fn run(job: &'static Job, tripay: &Tripay, run: Run) -> Result<Counts, Error> {
    let mut counts = reconcile(job, tripay, &run).await?;
    counts.oldest_pending_seconds = job.db.job("oldest_pending_invoice_age", &Now { now: run.time }).await?;
    Ok(counts)
}

async fn reconcile(job: &Job, tripay: &Tripay, run: &Run) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    let batch = Batch { now: run.time, limit: BATCH };
    let mut unanswered_in_a_row = 0;
    while run.has_time_left(RESERVE) && unanswered_in_a_row < PATIENCE {
        let invoices: Vec<Invoice> = job.db.job("reconcile_invoices", &batch).await?;
        let Some(invoice) = invoices.first() else {
            return Ok(Counts { is_complete: true, ..counts });
        };
        counts.asked += 1;
        match job.time_external_call("tripay", ask(tripay, invoice)).await {
            Ok(transactions) => {
                unanswered_in_a_row = 0;
                settle(job, tripay, run.time, invoice, &transactions, &mut counts).await?;
            }
            Err(cause) => {
                unanswered_in_a_row += 1;
                counts.unanswered += 1;
                warn!(invoice_id = %invoice.id, %cause, "Tripay did not answer");
            }
        }
    }
    Ok(counts)
}

async fn ask(tripay: &Tripay, invoice: &Invoice) -> Result<Vec<Transaction>, NoAnswer> {
    match &invoice.tripay_invoice_id {
        Some(reference) => Ok(tripay.detail(reference).await?.into_iter().collect()),
        None => tripay.transactions_of(&invoice.reference_id).await,
    }
}

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
        let recorded = Recorded { now, id: invoice.id, merchant_code: tripay.merchant_code(), transaction };
        let _: Box<RawValue> = job.db.job("record_tripay_response", &recorded).await?;
        let counted = if transaction.is_some() { &mut counts.found } else { &mut counts.failed };
        *counted += 1;
    } else if transactions.is_empty() {
        error!(invoice_id = %invoice.id, "Tripay does not know a transaction that it opened");
    }
    for transaction in transactions {
        let payment = Payment::from(transaction);
        let told = Told {
            now,
            source: "reconciliation",
            body: BASE64_STANDARD.encode(serde_json::to_vec(&payment)?),
            signature_valid: true,
            event: "payment_status",
            payment,
        };
        let Settled { outcome, needs_attention } = job.db.job("settle_payment", &told).await?;
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
