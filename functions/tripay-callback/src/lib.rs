//! `POST /callbacks/tripay`: Tripay reports a payment. Its SQL is `migrations/024_tripay_callback.sql`.
//!
//! Every delivery is kept as it came, also one that nobody can believe. Tripay sends again what is not answered with success,
//! four times in six minutes, and never after: so whatever was kept is a success, unless its signature is wrong.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use nofomo_lambda::{Answer, Job, Problem, Request};
use nofomo_tripay::{Payment, PrivateKey};
use serde::{Deserialize, Serialize};
use tracing::error;
use uuid::Uuid;

/// Real ones have some three hundred bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// The one event there is.
const PAYMENT_STATUS: &str = "payment_status";

#[derive(Serialize)]
struct Delivery<'a> {
    source: &'static str,
    body: String,
    signature_valid: bool,
    event: &'a str,
    /// None if the body cannot be read, or must not be.
    payment: Option<Payment>,
}

/// What `private.settle_payment` made of it.
#[derive(Deserialize)]
struct Settled {
    outcome: String,
    invoice_id: Option<Uuid>,
    needs_attention: bool,
}

pub async fn handle(job: &'static Job, key: &PrivateKey, request: Request) -> Result<Answer, Problem> {
    let body = request.body()?;
    if body.len() > BODY_LIMIT {
        return Err(Problem::TooLarge { limit: BODY_LIMIT });
    }
    // Over the bytes as they came: PHP escapes what others would not.
    let signature_valid =
        request.header("x-callback-signature").is_some_and(|signature| key.has_signed(body, signature));
    let delivery = Delivery {
        source: "callback",
        body: BASE64_STANDARD.encode(body),
        signature_valid,
        event: request.header("x-callback-event").unwrap_or(PAYMENT_STATUS),
        payment: signature_valid.then(|| Payment::parse(body).ok()).flatten(),
    };
    let settled: Settled = job.db.job("settle_payment", &delivery).await?;
    let Settled { outcome, invoice_id, needs_attention } = &settled;
    if *needs_attention {
        error!(outcome, ?invoice_id, "Payment needs attention");
    }
    request.record_outcome(outcome);
    match outcome.as_str() {
        "bad_signature" => Err(Problem::Unauthenticated("The signature is wrong.")),
        "unreadable" => Err(Problem::NotJson("The body is not a payment.".into())),
        _ => Ok(Answer::success()),
    }
}
