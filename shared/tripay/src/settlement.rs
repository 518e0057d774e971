//! Input and result of `private.settle_payment` (`migrations/024_tripay_callback.sql`).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Payment;

/// Input of `private.settle_payment`: a callback, or a reported transaction in the form of a callback.
#[derive(Serialize)]
pub struct SettlePaymentInput<'a> {
    /// Time of the run of a job, or `None` for the current time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<DateTime<Utc>>,
    /// `callback` or `reconciliation`.
    pub source: &'static str,
    /// Raw body in base64.
    pub body: String,
    pub signature_valid: bool,
    pub event: &'a str,
    /// Parsed payment, or `None` if the signature is invalid or the body is not a payment.
    pub payment: Option<Payment>,
}

/// Result of `private.settle_payment`.
#[derive(Deserialize)]
pub struct Settlement {
    pub outcome: String,
    pub invoice_id: Option<Uuid>,
    pub needs_attention: bool,
}

/// Only event that Tripay documents.
pub const PAYMENT_STATUS_EVENT: &str = "payment_status";
