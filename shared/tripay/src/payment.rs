//! Status of a payment, as a callback or a queried transaction reports it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::Error as _;
use serde_json::{Error, Value};

use crate::Transaction;
use crate::fields::Fields;

/// Reported payment. A missing field is `None`, which differs from zero: a missing amount pays no invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Payment {
    /// Tripay's reference. Both this and `merchant_ref` are `None` in the test callback of the dashboard.
    pub reference: Option<String>,
    pub merchant_ref: Option<String>,
    pub payment_method_code: Option<String>,
    /// Name of the payment channel.
    pub payment_method: Option<String>,
    /// Paid amount in rupiah. The amount of the invoice is this amount less `fee_customer`.
    pub total_amount: Option<i64>,
    pub fee_merchant: Option<i64>,
    pub fee_customer: Option<i64>,
    pub total_fee: Option<i64>,
    pub amount_received: Option<i64>,
    /// `false` if the payer chose the amount of a reusable payment code.
    pub is_closed_payment: bool,
    /// Status in upper case. May be one that Tripay does not document.
    pub status: String,
    pub paid_at: Option<DateTime<Utc>>,
    pub note: Option<String>,
}

impl Payment {
    /// Parses the body of a callback. Its signature is verified by
    /// [`PrivateKey::is_valid_signature`](crate::PrivateKey::is_valid_signature).
    ///
    /// # Errors
    ///
    /// The body is not a JSON object, has no `status`, or has a field of an unexpected type.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        // Parsing into a map directly would quote the body in its error.
        let body: Value = serde_json::from_slice(body)?;
        let fields = Fields(body.as_object().ok_or_else(|| Error::custom("not a JSON object"))?);
        let status = fields.text("status")?.ok_or_else(|| Error::custom("`status` is missing"))?;
        Ok(Self {
            reference: fields.text("reference")?,
            merchant_ref: fields.text("merchant_ref")?,
            payment_method_code: fields.text("payment_method_code")?,
            payment_method: fields.text("payment_method")?,
            total_amount: fields.integer("total_amount")?,
            fee_merchant: fields.integer("fee_merchant")?,
            fee_customer: fields.integer("fee_customer")?,
            total_fee: fields.integer("total_fee")?,
            amount_received: fields.integer("amount_received")?,
            is_closed_payment: fields.boolean("is_closed_payment")?.unwrap_or(true),
            status: status.trim().to_uppercase(),
            paid_at: fields.time("paid_at"),
            note: fields.text("note")?,
        })
    }
}

impl From<&Transaction> for Payment {
    fn from(transaction: &Transaction) -> Self {
        Self {
            reference: Some(transaction.reference.clone()),
            merchant_ref: transaction.merchant_ref.clone(),
            // In the API, `payment_method` is the code of the channel; in a callback, it is the name.
            payment_method_code: transaction.payment_method.clone(),
            payment_method: transaction.payment_name.clone(),
            total_amount: transaction.amount,
            fee_merchant: transaction.fee_merchant,
            fee_customer: transaction.fee_customer,
            total_fee: transaction.total_fee,
            amount_received: transaction.amount_received,
            is_closed_payment: true,
            status: transaction.status.clone(),
            paid_at: transaction.paid_at,
            note: transaction.note.clone(),
        }
    }
}

#[cfg(test)]
pub(crate) mod callbacks {
    //! Callbacks byte for byte, with their signatures by the key of Tripay's documentation.

    pub(crate) struct Callback {
        pub(crate) body: &'static str,
        pub(crate) bytes: usize,
        pub(crate) signature: &'static str,
    }

    pub(crate) const ALL: [Callback; 4] = [A, B, C, D];

    pub(crate) const A: Callback = Callback {
        body: r#"{"reference":"DEV-T0001000000000AAAAA","merchant_ref":"INV-2025-000123","payment_method":"QRIS by ShopeePay","payment_method_code":"QRIS","total_amount":100000,"fee_merchant":1450,"fee_customer":0,"total_fee":1450,"amount_received":98550,"is_closed_payment":1,"status":"PAID","paid_at":1763452411,"note":null}"#,
        bytes: 309,
        signature: "3e6d422cff9ad7cdc8ab8f24071b8dc7fa87c4b1bf2697d52a544197073617d0",
    };
    /// Contains escapes as PHP writes them. The customer pays the fee.
    pub(crate) const B: Callback = Callback {
        body: r#"{"reference":"DEV-T0001000000000BBBBB","merchant_ref":"INV\/2025\/000124","payment_method":"BRI Virtual Account","payment_method_code":"BRIVA","total_amount":104250,"fee_merchant":0,"fee_customer":4250,"total_fee":4250,"amount_received":100000,"is_closed_payment":1,"status":"PAID","paid_at":1763452411,"note":"Caf\u00e9"}"#,
        bytes: 322,
        signature: "ec13ff183e9b0a3806377e7a0d0f88ad60f3d263e3f13c9c665ed813840190c9",
    };
    /// Sent by the sandbox's simulator, without amounts.
    pub(crate) const C: Callback = Callback {
        body: r#"{"reference":"DEV-T0001000000000CCCCC","merchant_ref":"INV-2025-000125","payment_method":null,"payment_method_code":null,"amount_received":0,"fee_merchant":0,"fee_customer":0,"total_amount":0,"is_closed_payment":1,"status":"PAID","paid_at":null,"note":null,"total_fee":0}"#,
        bytes: 271,
        signature: "2b9d9d933925ed04bd91e75fc482fa62657d1d32eb8f016163bbcb9d241678d1",
    };
    /// Sent by the dashboard as a test.
    pub(crate) const D: Callback = Callback {
        body: r#"{"reference":null,"merchant_ref":null,"payment_method":"BCA Virtual Account","payment_method_code":"BCAVA","total_amount":10000,"fee_merchant":4250,"fee_customer":0,"total_fee":4250,"amount_received":5750,"is_closed_payment":1,"status":"PAID","paid_at":1763452411,"note":"Test Callback"}"#,
        bytes: 287,
        signature: "689c0ae783b2cf907ddcbd58158fb0a8c4e6dbf4bfbc904edc9d7607409c1f6d",
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::callbacks::{A, B, C, D};
    use super::*;

    fn parsed(body: &str) -> Value {
        serde_json::to_value(Payment::parse(body.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn a_documented_callback_is_parsed() {
        assert_eq!(
            parsed(A.body),
            json!({
                "reference": "DEV-T0001000000000AAAAA",
                "merchant_ref": "INV-2025-000123",
                "payment_method_code": "QRIS",
                "payment_method": "QRIS by ShopeePay",
                "total_amount": 100_000,
                "fee_merchant": 1450,
                "fee_customer": 0,
                "total_fee": 1450,
                "amount_received": 98_550,
                "is_closed_payment": true,
                "status": "PAID",
                "paid_at": "2025-11-18T07:53:31Z",
                "note": null,
            })
        );
        let with_escapes = Payment::parse(B.body.as_bytes()).unwrap();
        assert_eq!(with_escapes.merchant_ref.as_deref(), Some("INV/2025/000124"));
        assert_eq!(with_escapes.note.as_deref(), Some("Café"));
        assert_eq!((with_escapes.total_amount, with_escapes.fee_customer), (Some(104_250), Some(4250)));
    }

    #[test]
    fn a_test_callback_cannot_pay_an_invoice() {
        let simulated = Payment::parse(C.body.as_bytes()).unwrap();
        assert_eq!((simulated.total_amount, simulated.paid_at), (Some(0), None));
        let from_the_dashboard = Payment::parse(D.body.as_bytes()).unwrap();
        assert_eq!((from_the_dashboard.reference, from_the_dashboard.merchant_ref), (None, None));
        assert_eq!(from_the_dashboard.note.as_deref(), Some("Test Callback"));
    }

    #[test]
    fn only_the_status_is_required() {
        assert_eq!(
            Payment::parse(br#"{"status": "refund "}"#).unwrap(),
            Payment {
                reference: None,
                merchant_ref: None,
                payment_method_code: None,
                payment_method: None,
                total_amount: None,
                fee_merchant: None,
                fee_customer: None,
                total_fee: None,
                amount_received: None,
                is_closed_payment: true,
                status: "REFUND".into(),
                paid_at: None,
                note: None,
            }
        );
        for body in [&b"{}"[..], br#"{"status": null}"#, br#"{"status": ""}"#] {
            assert_eq!(Payment::parse(body).unwrap_err().to_string(), "`status` is missing");
        }
    }

    #[test]
    fn older_forms_of_a_callback_are_parsed() {
        let body = r#"{"reference": "T1", "merchant_ref": "", "total_amount": "104250", "fee_merchant": "0",
            "fee_customer": "4250", "total_fee": "4250.00", "amount_received": "100000", "is_closed_payment": false,
            "status": "Paid", "paid_at": "1763452411", "is_customer_fee": 1, "extra": {"status": "UNPAID"}}"#;
        let payment = Payment::parse(body.as_bytes()).unwrap();
        assert_eq!(payment.merchant_ref, None);
        assert_eq!((payment.total_amount, payment.fee_merchant), (Some(104_250), Some(0)));
        assert_eq!((payment.fee_customer, payment.total_fee), (Some(4250), Some(4250)));
        assert_eq!((payment.amount_received, payment.is_closed_payment), (Some(100_000), false));
        assert_eq!(payment.status, "PAID");
        assert_eq!(payment.paid_at, DateTime::from_timestamp(1_763_452_411, 0));
        for (written, is_closed) in [("1", true), ("true", true), ("0", false), ("\"0\"", false), ("null", true)] {
            let body = format!(r#"{{"status": "PAID", "is_closed_payment": {written}}}"#);
            assert_eq!(Payment::parse(body.as_bytes()).unwrap().is_closed_payment, is_closed, "{written}");
        }
        let body = br#"{"status": "A new one", "paid_at": 1763452411000}"#;
        let payment = Payment::parse(body).unwrap();
        assert_eq!((payment.status.as_str(), payment.paid_at), ("A NEW ONE", None));
    }

    #[test]
    fn a_parse_error_does_not_quote_the_body() {
        for body in [
            "",
            "[]",
            "hush",
            r#""hush""#,
            r#"{"status": "PAID""#,
            r#"{"status": ["hush"]}"#,
            r#"{"status": "PAID", "note": "hush\u0000"}"#,
            r#"{"status": "PAID", "total_amount": "hush"}"#,
            r#"{"status": "PAID", "fee_customer": 0.5}"#,
            r#"{"status": "PAID", "reference": {"hush": 1}}"#,
            r#"{"status": "PAID", "is_closed_payment": "hush"}"#,
        ] {
            let error = Payment::parse(body.as_bytes()).expect_err(body).to_string();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
