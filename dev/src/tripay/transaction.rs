//! One payment at Tripay, and what can happen to it.

use std::fmt::{self, Display, Formatter};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{FeeBearer, MERCHANT_CODE, channel::Way, order::Order};

/// As kept; Tripay's own answers are made from it. Amounts are rupiah.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Transaction {
    pub reference: String,
    /// The merchant's own; several transactions may have the same.
    pub merchant_ref: String,
    pub method: String,
    pub method_name: String,
    pub customer_name: String,
    pub customer_email: String,
    pub customer_phone: Option<String>,
    pub callback_url: Option<String>,
    pub return_url: Option<String>,
    /// What the customer pays, with his part of the fee.
    pub amount: i64,
    pub fee_merchant: i64,
    pub fee_customer: i64,
    pub pay_code: Option<String>,
    pub(super) way: Way,
    pub items: Vec<Item>,
    pub status: Status,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub paid_at: Option<DateTime<Utc>>,
    /// Each attempt to send a callback, in order.
    pub deliveries: Vec<Delivery>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Item {
    pub sku: Option<String>,
    pub name: String,
    pub price: i64,
    pub quantity: i64,
    pub product_url: Option<String>,
    pub image_url: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Unpaid,
    Paid,
    Failed,
    Expired,
    Refund,
}

/// What may be done to a transaction.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Pay,
    Fail,
    Expire,
    Refund,
}

/// One attempt to send a callback.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Delivery {
    pub at: DateTime<Utc>,
    /// The status that it told.
    pub event: Status,
    /// None if there was no answer.
    pub http_status: Option<u16>,
    /// What came instead of success; None if it was taken.
    pub problem: Option<String>,
}

impl Transaction {
    /// The transaction with this number, the first being 1.
    pub(super) fn open(order: Order, number: usize, bearer: FeeBearer) -> Self {
        let channel = order.channel;
        let fee = channel.fee(order.amount);
        let (fee_merchant, fee_customer) = match bearer {
            FeeBearer::Merchant => (fee, 0),
            FeeBearer::Customer => (0, fee),
        };
        Self {
            reference: format!("DEV-{MERCHANT_CODE}{number:09}{}", random_letters()),
            merchant_ref: order.merchant_ref,
            method: channel.code.to_owned(),
            method_name: channel.name.to_owned(),
            customer_name: order.customer_name,
            customer_email: order.customer_email,
            customer_phone: order.customer_phone,
            callback_url: order.callback_url,
            return_url: order.return_url,
            amount: order.amount + fee_customer,
            fee_merchant,
            fee_customer,
            pay_code: (channel.way == Way::Code).then(random_code),
            way: channel.way,
            items: order.items,
            status: Status::Unpaid,
            created_at: order.created_at,
            expires_at: order.expires_at,
            paid_at: None,
            deliveries: Vec::new(),
        }
    }

    pub fn total_fee(&self) -> i64 {
        self.fee_merchant + self.fee_customer
    }

    pub fn amount_received(&self) -> i64 {
        self.amount - self.total_fee()
    }

    pub(super) fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.status == Status::Unpaid && self.expires_at <= now
    }

    /// The status is the error if it does not allow that.
    pub(super) fn change(&mut self, action: Action, now: DateTime<Utc>) -> Result<(), Status> {
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

fn random_letters() -> String {
    let letters = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let random = Uuid::new_v4().into_bytes();
    random
        .iter()
        .take(5)
        .filter_map(|byte| letters.get(usize::from(*byte) % letters.len()))
        .map(|byte| char::from(*byte))
        .collect()
}

/// It may begin with zeros, as a bank's may.
fn random_code() -> String {
    format!("{:015}", Uuid::new_v4().as_u128() % 1_000_000_000_000_000)
}
