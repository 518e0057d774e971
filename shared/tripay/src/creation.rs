//! What is asked of Tripay to open a payment, and what can come of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Account, Transaction};

/// A payment to open.
#[derive(Deserialize)]
pub struct Order {
    /// The channel's code.
    pub method: String,
    /// Ours. Tripay takes the same one twice, and opens two.
    pub merchant_ref: String,
    /// Whole rupiah.
    pub amount: i64,
    /// What is paid for.
    pub item: String,
    pub customer_name: String,
    pub customer_email: String,
    pub customer_phone: Option<String>,
    pub expires_at: DateTime<Utc>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
pub enum Creation {
    Created(Transaction),
    /// Nothing was created. The message is plain text in one line; if it `is_ours`, it is about our own account or
    /// address, and no caller may read it.
    Refused {
        message: String,
        is_ours: bool,
    },
    /// It may have been created, or not; the cause is for the log.
    Unknown(String),
}

/// An order as it is sent.
#[derive(Serialize)]
pub(crate) struct NewTransaction<'a> {
    method: &'a str,
    merchant_ref: &'a str,
    amount: i64,
    customer_name: &'a str,
    customer_email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_phone: Option<&'a str>,
    order_items: [Item<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_url: Option<&'a str>,
    expired_time: i64,
    signature: String,
}

/// The only one, so that the items add up to the amount.
#[derive(Serialize)]
struct Item<'a> {
    sku: &'a str,
    name: &'a str,
    price: i64,
    quantity: u8,
}

impl<'a> NewTransaction<'a> {
    pub(crate) fn new(order: &'a Order, account: &'a Account) -> Self {
        let Order { merchant_ref, amount, .. } = order;
        Self {
            method: &order.method,
            merchant_ref,
            amount: *amount,
            customer_name: &order.customer_name,
            customer_email: &order.customer_email,
            customer_phone: order.customer_phone.as_deref(),
            order_items: [Item { sku: merchant_ref, name: &order.item, price: *amount, quantity: 1 }],
            callback_url: account.callback_url.as_deref(),
            return_url: account.return_url.as_deref(),
            expired_time: order.expires_at.timestamp(),
            signature: account.private_key.sign(&[&account.merchant_code, merchant_ref, &amount.to_string()]),
        }
    }
}

impl Order {
    /// The transaction that Tripay says it has created, if it is the one that was ordered.
    pub(crate) fn fulfilled(&self, answer: &Map<String, Value>) -> Result<Transaction, String> {
        let data = answer.get("data").and_then(Value::as_object).ok_or("success without data")?;
        let transaction = Transaction::read(data).map_err(|error| error.to_string())?;
        if transaction.merchant_ref.as_ref().is_some_and(|echo| *echo != self.merchant_ref) {
            return Err(format!("transaction {} is of another merchant_ref", transaction.reference));
        }
        if let (Some(total), Some(fee)) = (transaction.amount, transaction.fee_customer)
            && total.checked_sub(fee) != Some(self.amount)
        {
            return Err(format!("transaction {} is of {total} with a fee of {fee}", transaction.reference));
        }
        Ok(transaction)
    }
}
