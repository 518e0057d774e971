//! Input of the database function that records Tripay's response to a create request.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::Transaction;

/// Input of `private.record_tripay_response` (`migrations/004_billing.sql`), and of `private.record_invoice`
/// (`migrations/023_create_invoice.sql`), which calls it for a user.
#[derive(Serialize)]
pub struct RecordTripayResponseInput<'a> {
    /// Time of the run of a job, or `None` for the current time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<DateTime<Utc>>,
    /// Id of the invoice.
    pub id: Uuid,
    pub merchant_code: &'a str,
    /// `None` if Tripay created no transaction.
    pub transaction: Option<&'a Transaction>,
}
