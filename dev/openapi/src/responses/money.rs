//! Invoices and subscriptions.

use chrono::{DateTime, Utc};
use nofomo_contract::money::Period;
use nofomo_contract::values::Decimal;
use utoipa::ToSchema;
use uuid::Uuid;

/// An invoice. `checkout_url` is where it is paid; `pay_code`, `pay_url` and `qr_url` are there as the method has them.
#[derive(ToSchema)]
pub struct Invoice {
    pub id: Uuid,
    pub plan_id: Option<Uuid>,
    pub plan: Option<String>,
    pub period: Option<Period>,
    pub description: Option<String>,
    /// Rupiah.
    pub amount: Decimal,
    pub status: InvoiceStatus,
    pub payment_method: Option<String>,
    pub payment_channel: Option<String>,
    /// Ours.
    pub reference_id: Option<String>,
    /// Tripay's.
    pub tripay_invoice_id: Option<String>,
    pub checkout_url: Option<String>,
    pub pay_code: Option<String>,
    pub pay_url: Option<String>,
    pub qr_url: Option<String>,
    pub expired_at: Option<DateTime<Utc>>,
    pub paid_at: Option<DateTime<Utc>>,
    pub refunded_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// What has become of an invoice.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum InvoiceStatus {
    Pending,
    Paid,
    Failed,
    Expired,
    Cancelled,
}

/// A period of a plan.
#[derive(ToSchema)]
pub struct Subscription {
    pub id: Uuid,
    pub plan: String,
    pub status: SubscriptionStatus,
    pub started_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// With the periods of the same plan that follow.
    pub plan_ends_at: Option<DateTime<Utc>>,
    pub cancelled_at: Option<DateTime<Utc>>,
    pub auto_renew: bool,
    pub trial_ends_at: Option<DateTime<Utc>>,
}

/// What has become of a period.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    Active,
    Cancelled,
    Expired,
    Trial,
}

/// What Tripay reads of an answer: whether to send the same again.
#[derive(ToSchema)]
pub struct CallbackAnswer {
    pub success: bool,
}
