//! Transaction in a response of Tripay's API.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::Error as _;
use serde_json::{Error, Map, Value};

use crate::fields::Fields;

/// Transaction. A missing field is `None`. Fields about the customer are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transaction {
    /// Tripay's identifier.
    pub reference: String,
    pub merchant_ref: Option<String>,
    /// Code of the payment channel.
    pub payment_method: Option<String>,
    /// Name of the payment channel.
    pub payment_name: Option<String>,
    /// Amount to pay in rupiah: the ordered amount plus `fee_customer`.
    pub amount: Option<i64>,
    pub fee_merchant: Option<i64>,
    pub fee_customer: Option<i64>,
    pub total_fee: Option<i64>,
    pub amount_received: Option<i64>,
    /// Number of a virtual account, or code to give to a cashier.
    pub pay_code: Option<String>,
    /// Page of the e-wallet that the payer is sent to.
    pub pay_url: Option<String>,
    /// Tripay's checkout page, available for every channel.
    pub checkout_url: Option<String>,
    pub qr_url: Option<String>,
    /// Status in upper case, or an empty string if it is missing.
    pub status: String,
    /// Expiry. Often earlier than requested, as a channel has its own limit.
    pub expires_at: Option<DateTime<Utc>>,
    pub paid_at: Option<DateTime<Utc>>,
    pub note: Option<String>,
}

impl Transaction {
    pub(crate) fn parse(data: &Map<String, Value>) -> Result<Self, Error> {
        let fields = Fields(data);
        Ok(Self {
            reference: fields.text("reference")?.ok_or_else(|| Error::custom("`reference` is missing"))?,
            merchant_ref: fields.text("merchant_ref")?,
            payment_method: fields.text("payment_method")?,
            payment_name: fields.text("payment_name")?,
            amount: fields.integer("amount")?,
            fee_merchant: fields.integer("fee_merchant")?,
            fee_customer: fields.integer("fee_customer")?,
            total_fee: fields.integer("total_fee")?,
            amount_received: fields.integer("amount_received")?,
            pay_code: fields.text("pay_code")?,
            pay_url: fields.text("pay_url")?,
            checkout_url: fields.text("checkout_url")?,
            qr_url: fields.text("qr_url")?,
            status: fields.text("status")?.unwrap_or_default().trim().to_uppercase(),
            // The list of transactions uses another name than the other responses.
            expires_at: fields.time("expired_time").or_else(|| fields.time("expired_at")),
            paid_at: fields.time("paid_at"),
            note: fields.text("note")?,
        })
    }
}

#[cfg(test)]
pub(crate) mod responses {
    //! Responses of the API, in the form that Tripay documents or was observed to use.

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

    use super::responses::{CREATED, DETAIL, LIST};
    use super::*;
    use crate::Payment;

    fn parse(data: &Value) -> Result<Transaction, Error> {
        Transaction::parse(data.as_object().unwrap())
    }

    fn data(response: &str) -> Value {
        serde_json::from_str::<Value>(response).unwrap()["data"].take()
    }

    /// Transaction that all three responses describe.
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
    fn each_documented_response_is_parsed() {
        assert_eq!(parse(&data(CREATED)).unwrap(), briva());
        let paid_at = DateTime::from_timestamp(1_763_452_411, 0);
        assert_eq!(parse(&data(DETAIL)).unwrap(), Transaction { status: "PAID".into(), paid_at, ..briva() });
        assert_eq!(parse(&data(LIST)[0]).unwrap(), briva());
    }

    #[test]
    fn only_the_reference_is_required_and_numbers_may_be_text() {
        let qris = json!({"reference": "T1", "payment_method": "QRIS", "amount": "101450", "fee_customer": "1450",
            "pay_code": null, "qr_url": "https://tripay.co.id/qr/T1", "status": "unpaid", "paid_at": null});
        let transaction = parse(&qris).unwrap();
        assert_eq!((transaction.amount, transaction.fee_customer), (Some(101_450), Some(1450)));
        assert_eq!((transaction.amount_received, transaction.pay_code), (None, None));
        assert_eq!(transaction.qr_url.as_deref(), Some("https://tripay.co.id/qr/T1"));
        assert_eq!((transaction.status.as_str(), transaction.expires_at), ("UNPAID", None));

        let number = parse(&json!({"reference": "T1", "pay_code": 578_912_345_678_901_u64})).unwrap();
        assert_eq!((number.pay_code.as_deref(), number.status.as_str()), (Some("578912345678901"), ""));
        for without_reference in [json!({}), json!({"reference": null}), json!({"reference": ""})] {
            assert_eq!(parse(&without_reference).unwrap_err().to_string(), "`reference` is missing");
        }
    }

    #[test]
    fn a_transaction_converts_to_the_payment_of_its_callback() {
        let paid = Payment::from(&parse(&data(DETAIL)).unwrap());
        let callback = json!({"reference": "DEV-T0001000000000ABCDE", "merchant_ref": "INV-2025-000124",
            "payment_method": "BRI Virtual Account", "payment_method_code": "BRIVA", "total_amount": 100_000,
            "fee_merchant": 4250, "fee_customer": 0, "total_fee": 4250, "amount_received": 95_750,
            "is_closed_payment": 1, "status": "PAID", "paid_at": 1_763_452_411, "note": null});
        assert_eq!(paid, Payment::parse(callback.to_string().as_bytes()).unwrap());
    }

    #[test]
    fn serialized_times_are_rfc_3339_and_the_customer_is_omitted() {
        let written = serde_json::to_string(&parse(&data(DETAIL)).unwrap()).unwrap();
        assert!(written.contains(r#""expires_at":"2025-11-19T07:53:31Z""#), "{written}");
        assert!(written.contains(r#""paid_at":"2025-11-18T07:53:31Z""#), "{written}");
        assert!(!written.contains("udi"), "{written}");
    }
}
