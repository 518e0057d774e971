//! One transaction, as Tripay's API tells of it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::Error as _;
use serde_json::{Error, Map, Value};

use crate::fields::Fields;

/// None is what was not told. Nothing about the customer is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transaction {
    /// Tripay's own id.
    pub reference: String,
    pub merchant_ref: Option<String>,
    /// The channel's code.
    pub payment_method: Option<String>,
    /// The channel's name.
    pub payment_name: Option<String>,
    /// What the payer has to pay: what was asked, and `fee_customer`.
    pub amount: Option<i64>,
    pub fee_merchant: Option<i64>,
    pub fee_customer: Option<i64>,
    pub total_fee: Option<i64>,
    pub amount_received: Option<i64>,
    /// A virtual account's number, or what to say at the cashier's.
    pub pay_code: Option<String>,
    /// Where the payer's browser has to go, for a wallet.
    pub pay_url: Option<String>,
    /// Tripay's page, which works for every channel.
    pub checkout_url: Option<String>,
    pub qr_url: Option<String>,
    /// In capitals; empty if it was not told.
    pub status: String,
    /// Often sooner than what was asked for: a channel has its own limit.
    pub expires_at: Option<DateTime<Utc>>,
    pub paid_at: Option<DateTime<Utc>>,
    pub note: Option<String>,
}

impl Transaction {
    pub(crate) fn read(data: &Map<String, Value>) -> Result<Self, Error> {
        let fields = Fields(data);
        Ok(Self {
            reference: fields.text("reference")?.ok_or_else(|| Error::custom("`reference` is missing"))?,
            merchant_ref: fields.text("merchant_ref")?,
            payment_method: fields.text("payment_method")?,
            payment_name: fields.text("payment_name")?,
            amount: fields.whole("amount")?,
            fee_merchant: fields.whole("fee_merchant")?,
            fee_customer: fields.whole("fee_customer")?,
            total_fee: fields.whole("total_fee")?,
            amount_received: fields.whole("amount_received")?,
            pay_code: fields.text("pay_code")?,
            pay_url: fields.text("pay_url")?,
            checkout_url: fields.text("checkout_url")?,
            qr_url: fields.text("qr_url")?,
            status: fields.text("status")?.unwrap_or_default().trim().to_uppercase(),
            // The list of transactions has another name for it than all else.
            expires_at: fields.time("expired_time").or_else(|| fields.time("expired_at")),
            paid_at: fields.time("paid_at"),
            note: fields.text("note")?,
        })
    }
}

#[cfg(test)]
pub(crate) mod answers {
    //! Answers of the API, in the shape that Tripay documents or was seen to use.

    pub(crate) const CREATED: &str = r#"{"success": true, "message": "", "data": {
        "reference": "DEV-T0001000000000ABCDE", "merchant_ref": "INV-2025-000124",
        "payment_selection_type": "static", "payment_method": "BRIVA", "payment_name": "BRI Virtual Account",
        "customer_name": "Budi Santoso", "customer_email": "budi@example.id", "customer_phone": "081200000000",
        "callback_url": "https://pay.example.id/webhooks/tripay",
        "return_url": "https://pay.example.id/invoices/INV-2025-000124",
        "amount": 100000, "fee_merchant": 4250, "fee_customer": 0, "total_fee": 4250, "amount_received": 95750,
        "pay_code": "578912345678901", "pay_url": null,
        "checkout_url": "https://tripay.co.id/checkout/DEV-T0001000000000ABCDE",
        "status": "UNPAID", "expired_time": 1763538811,
        "order_items": [{"sku": "INV-2025-000124", "name": "Tagihan INV-2025-000124", "price": 100000, "quantity": 1,
            "subtotal": 100000, "product_url": null, "image_url": null}],
        "instructions": [{"title": "ATM BRI", "steps": ["Pilih menu BRIVA", "Masukkan <b>578912345678901</b>"]}],
        "qr_string": null, "qr_url": null}}"#;

    pub(crate) const DETAIL: &str = r#"{"success":true,"message":"Transaction found","data":{
        "reference":"DEV-T0001000000000ABCDE","merchant_ref":"INV-2025-000124","payment_selection_type":"static",
        "payment_method":"BRIVA","payment_name":"BRI Virtual Account","customer_name":"Budi Santoso",
        "customer_email":"budi@example.id","customer_phone":null,
        "callback_url":"https://pay.example.id/webhooks/tripay","return_url":null,
        "amount":100000,"fee_merchant":4250,"fee_customer":0,"total_fee":4250,"amount_received":95750,
        "pay_code":"578912345678901","pay_url":null,
        "checkout_url":"https://tripay.co.id/checkout/DEV-T0001000000000ABCDE",
        "status":"PAID","paid_at":"1763452411","expired_time":1763538811,
        "order_items":[{"sku":null,"name":"Tagihan","price":100000,"quantity":1,"subtotal":100000,"product_url":null,"image_url":null}],
        "instructions":[]}}"#;

    pub(crate) const LIST: &str = r#"{"success":true,"message":"Success","data":[{
        "reference":"DEV-T0001000000000ABCDE","merchant_ref":"INV-2025-000124","payment_selection_type":"static",
        "payment_method":"BRIVA","payment_name":"BRI Virtual Account","customer_name":"Budi Santoso",
        "customer_email":"budi@example.id","customer_phone":null,"callback_url":null,"return_url":null,
        "amount":100000,"fee_merchant":4250,"fee_customer":0,"total_fee":4250,"amount_received":95750,
        "pay_code":"578912345678901","pay_url":null,"checkout_url":"https://tripay.co.id/checkout/DEV-T0001000000000ABCDE",
        "order_items":[{"sku":null,"name":"Tagihan","price":100000,"quantity":1,"subtotal":100000}],
        "status":"UNPAID","note":null,"created_at":1763452411,"expired_at":1763538811,"paid_at":null}],
        "pagination":{"sort":"desc","offset":{"from":1,"to":1},"current_page":1,"previous_page":null,
        "next_page":null,"last_page":1,"per_page":50,"total_records":1}}"#;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::answers::{CREATED, DETAIL, LIST};
    use super::*;
    use crate::Payment;

    fn read(data: &Value) -> Result<Transaction, Error> {
        Transaction::read(data.as_object().unwrap())
    }

    fn data(answer: &str) -> Value {
        serde_json::from_str::<Value>(answer).unwrap()["data"].take()
    }

    /// What all three answers say.
    fn briva() -> Transaction {
        Transaction {
            reference: "DEV-T0001000000000ABCDE".into(),
            merchant_ref: Some("INV-2025-000124".into()),
            payment_method: Some("BRIVA".into()),
            payment_name: Some("BRI Virtual Account".into()),
            amount: Some(100_000),
            fee_merchant: Some(4250),
            fee_customer: Some(0),
            total_fee: Some(4250),
            amount_received: Some(95_750),
            pay_code: Some("578912345678901".into()),
            pay_url: None,
            checkout_url: Some("https://tripay.co.id/checkout/DEV-T0001000000000ABCDE".into()),
            qr_url: None,
            status: "UNPAID".into(),
            expires_at: DateTime::from_timestamp(1_763_538_811, 0),
            paid_at: None,
            note: None,
        }
    }

    #[test]
    fn each_answer_that_tells_of_a_transaction_is_read() {
        assert_eq!(read(&data(CREATED)).unwrap(), briva());
        let paid_at = DateTime::from_timestamp(1_763_452_411, 0);
        assert_eq!(read(&data(DETAIL)).unwrap(), Transaction { status: "PAID".into(), paid_at, ..briva() });
        assert_eq!(read(&data(LIST)[0]).unwrap(), briva());
    }

    #[test]
    fn all_but_the_reference_may_be_missing_or_of_another_type() {
        let qris = json!({"reference": "T1", "payment_method": "QRIS", "amount": "101450", "fee_customer": "1450",
            "pay_code": null, "qr_url": "https://tripay.co.id/qr/T1", "status": "unpaid", "paid_at": null});
        let transaction = read(&qris).unwrap();
        assert_eq!((transaction.amount, transaction.fee_customer), (Some(101_450), Some(1450)));
        assert_eq!((transaction.amount_received, transaction.pay_code), (None, None));
        assert_eq!(transaction.qr_url.as_deref(), Some("https://tripay.co.id/qr/T1"));
        assert_eq!((transaction.status.as_str(), transaction.expires_at), ("UNPAID", None));

        let number = read(&json!({"reference": "T1", "pay_code": 578_912_345_678_901_u64})).unwrap();
        assert_eq!((number.pay_code.as_deref(), number.status.as_str()), (Some("578912345678901"), ""));
        for nameless in [json!({}), json!({"reference": null}), json!({"reference": ""})] {
            assert_eq!(read(&nameless).unwrap_err().to_string(), "`reference` is missing");
        }
    }

    #[test]
    fn as_a_payment_it_says_what_its_callback_would() {
        let paid = Payment::from(&read(&data(DETAIL)).unwrap());
        let callback = json!({"reference": "DEV-T0001000000000ABCDE", "merchant_ref": "INV-2025-000124",
            "payment_method": "BRI Virtual Account", "payment_method_code": "BRIVA", "total_amount": 100_000,
            "fee_merchant": 4250, "fee_customer": 0, "total_fee": 4250, "amount_received": 95_750,
            "is_closed_payment": 1, "status": "PAID", "paid_at": 1_763_452_411, "note": null});
        assert_eq!(paid, Payment::parse(callback.to_string().as_bytes()).unwrap());
    }

    #[test]
    fn as_json_its_times_are_rfc_3339_and_nobody_is_named() {
        let written = serde_json::to_string(&read(&data(DETAIL)).unwrap()).unwrap();
        assert!(written.contains(r#""expires_at":"2025-11-19T07:53:31Z""#), "{written}");
        assert!(written.contains(r#""paid_at":"2025-11-18T07:53:31Z""#), "{written}");
        assert!(!written.contains("udi"), "{written}");
    }
}
