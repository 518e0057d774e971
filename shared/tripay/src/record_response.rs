//! Input of the database function that records Tripay's response to a create request.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::Transaction;

/// Input of `private.record_tripay_response` (`migrations/004_billing.sql`), for invoices that jobs open or look up.
#[derive(Serialize)]
pub struct RecordTripayResponseInput<'a> {
    pub now: DateTime<Utc>,
    /// Id of the invoice.
    pub id: Uuid,
    pub merchant_code: &'a str,
    /// `None` if Tripay created no transaction.
    pub transaction: Option<&'a Transaction>,
}
