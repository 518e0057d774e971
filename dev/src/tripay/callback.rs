//! Callbacks: their JSON is formatted as by PHP, signed byte for byte, and sent.

use std::{io, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use local_database::Result;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::{Serializer, Value, ser::Formatter};
use sha2::Sha256;

use super::{merchant::PRIVATE_KEY, transaction::Transaction};

/// Time limit of one attempt.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum length of a quotation from an unexpected response, in characters.
const MAX_QUOTE_LENGTH: usize = 200;

/// Body of a callback, with its fields in Tripay's order.
#[derive(Serialize)]
struct Body<'a> {
    reference: &'a str,
    merchant_ref: &'a str,
    payment_method: &'a str,
    payment_method_code: &'a str,
    total_amount: i64,
    fee_merchant: i64,
    fee_customer: i64,
    total_fee: i64,
    amount_received: i64,
    is_closed_payment: u8,
    status: String,
    paid_at: Option<i64>,
    note: Option<&'a str>,
}

/// Body of the callback for a transaction's current status.
pub(super) fn body(transaction: &Transaction) -> Vec<u8> {
    to_json(&Body {
        reference: &transaction.reference,
        merchant_ref: &transaction.merchant_ref,
        payment_method: &transaction.method_name,
        payment_method_code: &transaction.method,
        total_amount: transaction.amount,
        fee_merchant: transaction.fee_merchant,
        fee_customer: transaction.fee_customer,
        total_fee: transaction.total_fee(),
        amount_received: transaction.amount_received(),
        is_closed_payment: 1,
        status: transaction.status.to_string(),
        paid_at: transaction.paid_at.map(|time| time.timestamp()),
        note: None,
    })
}

fn to_json(body: &Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing text and numbers to memory does not fail.
    body.serialize(&mut Serializer::with_formatter(&mut bytes, PhpFormatter)).unwrap_or_default();
    bytes
}

/// Formats strings as PHP does. A receiver that parses the JSON and formats it again gets other bytes and another
/// signature.
struct PhpFormatter;

impl Formatter for PhpFormatter {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for character in fragment.chars() {
            match character {
                '/' => writer.write_all(br"\/")?,
                ' '..='\u{7f}' => write!(writer, "{character}")?,
                _ => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        write!(writer, r"\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Signature of a message: HMAC-SHA256 in hexadecimal.
pub(super) fn sign(key: &str, message: &[u8]) -> String {
    // HMAC accepts keys of any length.
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes());
    mac.map(|mac| hex::encode(mac.chain_update(message).finalize().into_bytes())).unwrap_or_default()
}

/// HTTP client that sends the callbacks.
pub(super) fn client() -> Result<reqwest::Client> {
    crate::client::client("TriPay Payment/1.0 (+https://tripay.co.id/developer?tab=callback)", TIMEOUT)
}

/// Sends a callback. Returns the status of the response, if there is one, and a problem unless the response is
/// `{"success": true}`.
pub(super) async fn send(client: &reqwest::Client, url: &str, body: Vec<u8>) -> (Option<u16>, Option<String>) {
    let request = client
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header("X-Callback-Event", "payment_status")
        .header("X-Callback-Signature", sign(PRIVATE_KEY, &body))
        .body(body);
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return (None, Some(describe_error(&error))),
    };
    let status = response.status();
    let response_body = match response.bytes().await {
        Ok(response_body) => response_body,
        Err(error) => return (Some(status.as_u16()), Some(describe_error(&error))),
    };
    let json: Value = serde_json::from_slice(&response_body).unwrap_or_default();
    let is_accepted = status.is_success() && json.get("success") == Some(&Value::Bool(true));
    let problem = (!is_accepted).then(|| match String::from_utf8_lossy(&response_body).trim() {
        "" => "empty response".to_owned(),
        text => text.chars().take(MAX_QUOTE_LENGTH).collect(),
    });
    (Some(status.as_u16()), problem)
}

/// Innermost cause of a failed request, which is the informative one.
fn describe_error(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no response within {} seconds", TIMEOUT.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    format!("no response: {cause}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ytf6ooi2gmlNPfpchd94jDOk8hRWOu";

    #[test]
    fn a_body_is_formatted_and_signed_byte_for_byte_as_by_tripay() {
        let body = Body {
            reference: "DEV-T0001000000000BBBBB",
            merchant_ref: "INV/2025/000124",
            payment_method: "BRI Virtual Account",
            payment_method_code: "BRIVA",
            total_amount: 104_250,
            fee_merchant: 0,
            fee_customer: 4_250,
            total_fee: 4_250,
            amount_received: 100_000,
            is_closed_payment: 1,
            status: "PAID".into(),
            paid_at: Some(1_763_452_411),
            note: Some("Café"),
        };
        let expected = r#"{"reference":"DEV-T0001000000000BBBBB","merchant_ref":"INV\/2025\/000124","payment_method":"BRI Virtual Account","payment_method_code":"BRIVA","total_amount":104250,"fee_merchant":0,"fee_customer":4250,"total_fee":4250,"amount_received":100000,"is_closed_payment":1,"status":"PAID","paid_at":1763452411,"note":"Caf\u00e9"}"#;
        let bytes = to_json(&body);
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
        assert_eq!(sign(KEY, &bytes), "ec13ff183e9b0a3806377e7a0d0f88ad60f3d263e3f13c9c665ed813840190c9");
    }

    #[test]
    fn a_request_is_signed_as_tripay_documents() {
        let signature = sign(KEY, b"T0001INV555671500000");
        assert_eq!(signature, "9f167eba844d1fcb369404e2bda53702e2f78f7aa12e91da6715414e65b8c86a");
    }

    #[test]
    fn every_character_is_escaped_as_by_php() {
        let mut bytes = Vec::new();
        "a\"\\\n\u{1}\u{7f}é😀/".serialize(&mut Serializer::with_formatter(&mut bytes, PhpFormatter)).expect("text");
        assert_eq!(String::from_utf8_lossy(&bytes), "\"a\\\"\\\\\\n\\u0001\u{7f}\\u00e9\\ud83d\\ude00\\/\"");
    }
}
