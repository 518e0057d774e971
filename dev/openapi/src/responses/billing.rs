//! Invoices and subscriptions.

use chrono::{DateTime, Utc};
use nofomo_contract::billing::Period;
use nofomo_contract::values::Decimal;
use utoipa::ToSchema;
use uuid::Uuid;

/// Invoice. The user pays it at `checkout_url`. `pay_code`, `pay_url` and `qr_url` depend on the payment method.
#[derive(ToSchema)]
pub struct Invoice {
    pub id: Uuid,
    pub plan_id: Option<Uuid>,
    pub plan: Option<String>,
    pub period: Option<Period>,
    pub description: Option<String>,
    /// Amount in rupiah.
    pub amount: Decimal,
    pub status: InvoiceStatus,
    pub payment_method: Option<String>,
    pub payment_channel: Option<String>,
    /// Reference that this service gave the invoice.
    pub reference_id: Option<String>,
    /// Reference that Tripay gave the invoice.
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

/// Status of an invoice.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum InvoiceStatus {
    Pending,
    Paid,
    Failed,
    Expired,
    Cancelled,
}

/// Subscription period of a plan.
#[derive(ToSchema)]
pub struct Subscription {
    pub id: Uuid,
    pub plan: String,
    pub status: SubscriptionStatus,
    pub started_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// End of the plan, including later periods of the same plan.
    pub plan_ends_at: Option<DateTime<Utc>>,
    pub cancelled_at: Option<DateTime<Utc>>,
    pub auto_renew: bool,
    pub trial_ends_at: Option<DateTime<Utc>>,
}

/// Status of a subscription period.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    Active,
    Cancelled,
    Expired,
    Trial,
}

/// Response to a callback. Tripay sends the callback again unless `success` is true.
#[derive(ToSchema)]
pub struct CallbackResponse {
    pub success: bool,
}
