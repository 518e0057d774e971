//! Creation of a transaction: the order, the request that is sent for it, and the outcomes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Account, Transaction};

/// Order for which a transaction is created.
#[derive(Deserialize)]
pub struct Order {
    /// Code of the payment channel, such as `QRIS`.
    pub method: String,
    /// Our reference. Not an idempotency key: Tripay accepts it twice and creates two transactions.
    pub merchant_ref: String,
    /// Amount in whole rupiah.
    pub amount: i64,
    /// Description of the purchase.
    pub item: String,
    pub customer_name: String,
    pub customer_email: String,
    pub customer_phone: Option<String>,
    pub expires_at: DateTime<Utc>,
}

/// Outcome of a create request.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "only one exists at a time, and it is destructured immediately")]
pub enum CreateOutcome {
    Created(Transaction),
    /// Nothing was created. The message is one line of plain text. If `is_account_error`, it is about our merchant
    /// account or IP address, and must not be shown to callers.
    Refused {
        message: String,
        is_account_error: bool,
    },
    /// The transaction may or may not exist. The cause is for the log only.
    Unknown(String),
}

/// Body of a create request.
#[derive(Serialize)]
pub(crate) struct CreateRequest<'a> {
    method: &'a str,
    merchant_ref: &'a str,
    amount: i64,
    customer_name: &'a str,
    customer_email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_phone: Option<&'a str>,
    order_items: [OrderItem<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_url: Option<&'a str>,
    expired_time: i64,
    signature: String,
}

/// Item of an order. There is exactly one, so that the items add up to the amount.
#[derive(Serialize)]
struct OrderItem<'a> {
    sku: &'a str,
    name: &'a str,
    price: i64,
    quantity: u8,
}

impl<'a> CreateRequest<'a> {
    pub(crate) fn new(order: &'a Order, account: &'a Account) -> Self {
        let Order { merchant_ref, amount, .. } = order;
        Self {
            method: &order.method,
            merchant_ref,
            amount: *amount,
            customer_name: &order.customer_name,
            customer_email: &order.customer_email,
            customer_phone: order.customer_phone.as_deref(),
            order_items: [OrderItem { sku: merchant_ref, name: &order.item, price: *amount, quantity: 1 }],
            callback_url: account.callback_url.as_deref(),
            return_url: account.return_url.as_deref(),
            expired_time: order.expires_at.timestamp(),
            signature: account.private_key.sign(&[&account.merchant_code, merchant_ref, &amount.to_string()]),
        }
    }
}

impl Order {
    /// Parses the created transaction from the response and checks that it matches the order.
    ///
    /// # Errors
    ///
    /// Cause of an unknown outcome.
    pub(crate) fn created_transaction(&self, response: &Map<String, Value>) -> Result<Transaction, String> {
        let data = response.get("data").and_then(Value::as_object).ok_or("`success` without `data`")?;
        let transaction = Transaction::parse(data).map_err(|error| error.to_string())?;
        if transaction.merchant_ref.as_ref().is_some_and(|merchant_ref| *merchant_ref != self.merchant_ref) {
            return Err(format!("transaction {} has another merchant_ref", transaction.reference));
        }
        if let (Some(total), Some(fee)) = (transaction.amount, transaction.fee_customer)
            && total.checked_sub(fee) != Some(self.amount)
        {
            return Err(format!("transaction {} has amount {total} with customer fee {fee}", transaction.reference));
        }
        Ok(transaction)
    }
}
