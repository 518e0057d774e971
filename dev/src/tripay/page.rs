//! The checkout page, on which a person decides the outcome of a payment.

use std::{sync::Arc, time::Duration};

use askama::Template;
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use chrono::{DateTime, Local, Utc};
use serde_json::json;
use tokio::time::timeout;
use url::Url;

use super::{
    channel::PaymentMethod,
    paths::{checkout_path, qr_path},
    payments::{ActionError, Payments},
    qr::{QR_TEXT, render_qr},
    rupiah::format_rupiah,
    transaction::{Action, Delivery, Item, Status, Transaction},
};

const MERCHANT_NAME: &str = "NusaNexus NoFOMO";

/// Time that the page waits for the outcome of its callback.
pub(super) const CALLBACK_TIMEOUT: Duration = Duration::from_secs(3);

/// Content security policy: no external resources, no scripts, and forms only to this server.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) fn router(payments: Arc<Payments>) -> Router {
    Router::new()
        .route(&checkout_path("{reference}"), get(show))
        .route(&checkout_path("{reference}/{action}"), post(act_and_redirect))
        .route(&checkout_path("{reference}/callback"), post(send_again))
        .route(&qr_path("{reference}"), get(show_qr))
        .route("/_local/tripay/transactions/{reference}/{action}", post(act))
        .with_state(payments)
}

/// Applies an action and returns the new status, for programs.
async fn act(State(payments): State<Arc<Payments>>, Path((reference, action)): Path<(String, Action)>) -> Response {
    match payments.apply(&reference, action) {
        Ok((transaction, _)) => {
            Json(json!({ "reference": transaction.reference, "status": transaction.status })).into_response()
        }
        Err(ActionError::UnknownTransaction) => unknown(&reference),
        Err(ActionError::NotAllowed(status)) => {
            let message = format!("{reference} is {status}, which does not allow this action");
            (StatusCode::CONFLICT, Json(json!({ "message": message, "status": status }))).into_response()
        }
    }
}

/// Applies an action and redirects to the page, for the page's buttons. An action that the status does not allow
/// changes nothing.
async fn act_and_redirect(
    State(payments): State<Arc<Payments>>,
    Path((reference, action)): Path<(String, Action)>,
) -> Response {
    match payments.apply(&reference, action) {
        // The outcome of a slower attempt appears when the page is reloaded.
        Ok((_, first_attempt)) => drop(timeout(CALLBACK_TIMEOUT, first_attempt).await),
        Err(ActionError::UnknownTransaction) => return unknown(&reference),
        Err(ActionError::NotAllowed(_)) => {}
    }
    Redirect::to(&checkout_path(&reference)).into_response()
}

async fn send_again(State(payments): State<Arc<Payments>>, Path(reference): Path<String>) -> Response {
    let Some(transaction) = payments.find(&reference) else { return unknown(&reference) };
    // An unpaid transaction has no callback.
    if transaction.status != Status::Unpaid {
        payments.send_callback(&transaction).await;
    }
    Redirect::to(&checkout_path(&reference)).into_response()
}

async fn show_qr(State(payments): State<Arc<Payments>>, Path(reference): Path<String>) -> Response {
    match payments.find(&reference).filter(|transaction| transaction.payment_method == PaymentMethod::Qr) {
        Some(_) => ([(header::CONTENT_TYPE, "image/svg+xml")], render_qr()).into_response(),
        None => unknown(&reference),
    }
}

async fn show(State(payments): State<Arc<Payments>>, Path(reference): Path<String>) -> Response {
    let Some(transaction) = payments.find(&reference) else { return unknown(&reference) };
    let page = Checkout {
        merchant: MERCHANT_NAME,
        callback_url: transaction.callback_url.clone().unwrap_or_else(|| payments.callback_url()),
        transaction: &transaction,
    };
    match page.render() {
        Ok(page) => {
            let headers =
                [(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY), (header::CACHE_CONTROL, "no-store")];
            (headers, Html(page)).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn unknown(reference: &str) -> Response {
    let message = format!("there is no transaction {reference}");
    (StatusCode::NOT_FOUND, Json(json!({ "message": message }))).into_response()
}

#[derive(Template)]
#[template(path = "checkout.html")]
struct Checkout<'a> {
    merchant: &'static str,
    callback_url: String,
    transaction: &'a Transaction,
}

/// Values for the template.
impl Checkout<'_> {
    fn amount(&self) -> String {
        format_rupiah(self.transaction.amount)
    }

    fn price(&self, item: &Item) -> String {
        format_rupiah(item.subtotal())
    }

    /// Fee that the customer pays; `None` if the merchant pays it.
    fn fee(&self) -> Option<String> {
        (self.transaction.fee_customer > 0).then(|| format_rupiah(self.transaction.fee_customer))
    }

    fn qr(&self) -> Option<String> {
        // Without the XML declaration, which is not allowed inside HTML.
        (self.transaction.payment_method == PaymentMethod::Qr)
            .then(|| render_qr().split_inclusive("?>").skip(1).collect())
    }

    fn qr_text(&self) -> &'static str {
        QR_TEXT
    }

    fn path(&self) -> String {
        checkout_path(&self.transaction.reference)
    }

    fn is_unpaid(&self) -> bool {
        self.transaction.status == Status::Unpaid
    }

    fn is_paid(&self) -> bool {
        self.transaction.status == Status::Paid
    }

    fn deadline(&self) -> String {
        format_time(self.transaction.expires_at)
    }

    fn paid_at(&self) -> Option<String> {
        self.transaction.paid_at.map(format_time)
    }

    fn sent_at(&self, delivery: &Delivery) -> String {
        delivery.at.with_timezone(&Local).format("%H:%M:%S").to_string()
    }

    /// URL to which the customer returns after paying.
    fn return_url(&self) -> Option<String> {
        let mut url = Url::parse(self.transaction.return_url.as_deref()?).ok()?;
        url.query_pairs_mut()
            .append_pair("tripay_reference", &self.transaction.reference)
            .append_pair("tripay_merchant_ref", &self.transaction.merchant_ref);
        Some(url.into())
    }
}

/// Formats a time in this machine's time zone.
fn format_time(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local).format("%-d %b %Y, %H:%M %:z").to_string()
}
