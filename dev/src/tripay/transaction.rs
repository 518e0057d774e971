//! A payment at Tripay and its statuses.

use std::fmt::{self, Display, Formatter};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::channel::PaymentMethod;

/// A payment as it is stored; Tripay's responses are built from it. Amounts are in rupiah.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Transaction {
    pub reference: String,
    /// The merchant's own reference; several transactions may have the same one.
    pub merchant_ref: String,
    /// Code of the channel, such as `BRIVA`.
    pub method: String,
    pub method_name: String,
    pub customer_name: String,
    pub customer_email: String,
    pub customer_phone: Option<String>,
    pub callback_url: Option<String>,
    pub return_url: Option<String>,
    /// Amount that the customer pays, including their part of the fee.
    pub amount: i64,
    pub fee_merchant: i64,
    pub fee_customer: i64,
    pub pay_code: Option<String>,
    #[serde(rename = "way")]
    pub(super) payment_method: PaymentMethod,
    pub items: Vec<Item>,
    pub status: Status,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub paid_at: Option<DateTime<Utc>>,
    /// Attempts to send a callback, oldest first.
    pub deliveries: Vec<Delivery>,
}

/// An item of the order.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Item {
    pub sku: Option<String>,
    pub name: String,
    pub price: i64,
    pub quantity: i64,
    pub product_url: Option<String>,
    pub image_url: Option<String>,
}

/// Payer of the fees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FeeBearer {
    Merchant,
    Customer,
}

/// Status of a transaction.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Unpaid,
    Paid,
    Failed,
    Expired,
    Refund,
}

/// A step that changes the status of a transaction.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Pay,
    Fail,
    Expire,
    Refund,
}

/// An attempt to send a callback.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Delivery {
    pub at: DateTime<Utc>,
    /// Status that the callback reported.
    pub event: Status,
    /// Status of the response; `None` if there was none.
    pub http_status: Option<u16>,
    /// Reason why the callback counts as rejected; `None` if it was accepted.
    pub problem: Option<String>,
}

impl Transaction {
    /// Fee of both parties.
    pub fn total_fee(&self) -> i64 {
        self.fee_merchant + self.fee_customer
    }

    /// Amount that the merchant receives.
    pub fn amount_received(&self) -> i64 {
        self.amount - self.total_fee()
    }

    /// `true` if the transaction is unpaid and past its deadline.
    pub(super) fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.status == Status::Unpaid && self.expires_at <= now
    }

    /// Applies an action.
    ///
    /// # Errors
    ///
    /// The current status, which does not allow the action.
    pub(super) fn apply(&mut self, action: Action, now: DateTime<Utc>) -> Result<(), Status> {
        let (from, to) = match action {
            Action::Pay => (Status::Unpaid, Status::Paid),
            Action::Fail => (Status::Unpaid, Status::Failed),
            Action::Expire => (Status::Unpaid, Status::Expired),
            Action::Refund => (Status::Paid, Status::Refund),
        };
        if self.status != from {
            return Err(self.status);
        }
        self.status = to;
        if action == Action::Pay {
            self.paid_at = Some(now);
        }
        Ok(())
    }
}

impl Item {
    pub(super) fn subtotal(&self) -> i64 {
        self.price.saturating_mul(self.quantity)
    }
}

impl Delivery {
    pub fn is_success(&self) -> bool {
        self.problem.is_none()
    }
}

impl Display for Delivery {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.event)?;
        if let Some(status) = self.http_status {
            write!(formatter, " HTTP {status}")?;
        }
        match &self.problem {
            None => write!(formatter, " success"),
            Some(problem) => write!(formatter, " failure: {problem}"),
        }
    }
}

impl Display for Status {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unpaid => "UNPAID",
            Self::Paid => "PAID",
            Self::Failed => "FAILED",
            Self::Expired => "EXPIRED",
            Self::Refund => "REFUND",
        })
    }
}
