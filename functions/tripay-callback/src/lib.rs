//! `POST /callbacks/tripay`: settles a payment that Tripay reports.
//!
//! Every callback of up to 64 KiB is stored as received, even with an invalid signature. If the response is not a
//! success, Tripay sends the callback again up to three times within six minutes, and then gives up. The response to a
//! stored callback is therefore a success, unless its signature is invalid or its body is unreadable.
//!
//! SQL: `migrations/024_tripay_callback.sql`. The function is `private.settle_payment`, which reconcile-invoices calls
//! too.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use nofomo_lambda::{Job, Problem, Request, Response};
use nofomo_tripay::{PAYMENT_STATUS_EVENT, Payment, PrivateKey, SettlePaymentInput, Settlement};
use tracing::error;

/// Maximum body size, in bytes. Actual callbacks have about 300.
const MAX_BODY_BYTES: usize = 64 * 1024;

pub async fn handle(job: &'static Job, key: &PrivateKey, request: Request) -> Result<Response, Problem> {
    let body = request.body()?;
    if body.len() > MAX_BODY_BYTES {
        return Err(Problem::TooLarge { limit: MAX_BODY_BYTES });
    }
    // The signature covers the raw bytes: parsing and serializing would lose the escapes that PHP writes.
    let signature_valid =
        request.header("x-callback-signature").is_some_and(|signature| key.is_valid_signature(body, signature));
    let input = SettlePaymentInput {
        now: None,
        source: "callback",
        body: BASE64_STANDARD.encode(body),
        signature_valid,
        event: request.header("x-callback-event").unwrap_or(PAYMENT_STATUS_EVENT),
        payment: signature_valid.then(|| Payment::parse(body).ok()).flatten(),
    };
    let settlement: Settlement = job.db.job("settle_payment", &input).await?;
    let Settlement { outcome, invoice_id, needs_attention } = &settlement;
    if *needs_attention {
        error!(outcome, ?invoice_id, "Payment needs attention");
    }
    request.record_outcome(outcome);
    match outcome.as_str() {
        "bad_signature" => Err(Problem::Unauthenticated("The signature is invalid.")),
        "unreadable" => Err(Problem::NotJson("The body is not a payment.".into())),
        _ => Ok(Response::success()),
    }
}
