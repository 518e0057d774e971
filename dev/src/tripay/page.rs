//! What a person sees and does: a page per payment, on which he decides how it ends.

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
use qrcode::{QrCode, render::svg};
use serde_json::json;
use tokio::time::timeout;
use url::Url;

use super::{Action, Delivery, Item, Shared, Status, Transaction, Unchanged, api::QR_TEXT, channel::Way, rupiah};

const MERCHANT_NAME: &str = "NusaNexus NoFOMO";

/// How long the page may wait to tell how its callback went.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// Nothing from elsewhere, no script, and forms only to here.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) fn path(reference: &str) -> String {
    format!("/_local/tripay/checkout/{reference}")
}

pub(super) fn qr_path(reference: &str) -> String {
    format!("/_local/tripay/qr/{reference}")
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route(&path("{reference}"), get(show))
        .route(&path("{reference}/{action}"), post(act_and_show))
        .route(&path("{reference}/callback"), post(send_again))
        .route(&qr_path("{reference}"), get(show_qr))
        .route("/_local/tripay/transactions/{reference}/{action}", post(act))
        .with_state(shared)
}

/// For programs: does that, and tells the status.
async fn act(State(shared): State<Arc<Shared>>, Path((reference, action)): Path<(String, Action)>) -> Response {
    match shared.change(&reference, action) {
        Ok((transaction, _)) => {
            Json(json!({ "reference": transaction.reference, "status": transaction.status })).into_response()
        }
        Err(Unchanged::Unknown) => unknown(&reference),
        Err(Unchanged::Impossible(status)) => {
            let message = format!("{reference} is {status}, from which this does not follow");
            (StatusCode::CONFLICT, Json(json!({ "message": message, "status": status }))).into_response()
        }
    }
}

/// For the page's own buttons. What is no longer possible changes nothing, and the page says how it is.
async fn act_and_show(
    State(shared): State<Arc<Shared>>,
    Path((reference, action)): Path<(String, Action)>,
) -> Response {
    match shared.change(&reference, action) {
        // An attempt that takes longer is on the page when somebody loads it again.
        Ok((_, first_attempt)) => drop(timeout(PATIENCE, first_attempt).await),
        Err(Unchanged::Unknown) => return unknown(&reference),
        Err(Unchanged::Impossible(_)) => {}
    }
    Redirect::to(&path(&reference)).into_response()
}

async fn send_again(State(shared): State<Arc<Shared>>, Path(reference): Path<String>) -> Response {
    let Some(transaction) = shared.find(&reference) else { return unknown(&reference) };
    // An unpaid one has nothing to tell.
    if transaction.status != Status::Unpaid {
        shared.resend(&transaction).await;
    }
    Redirect::to(&path(&reference)).into_response()
}

async fn show_qr(State(shared): State<Arc<Shared>>, Path(reference): Path<String>) -> Response {
    match shared.find(&reference).filter(|transaction| transaction.way == Way::Qr) {
        Some(_) => ([(header::CONTENT_TYPE, "image/svg+xml")], qr()).into_response(),
        None => unknown(&reference),
    }
}

async fn show(State(shared): State<Arc<Shared>>, Path(reference): Path<String>) -> Response {
    let Some(transaction) = shared.find(&reference) else { return unknown(&reference) };
    let page = Checkout {
        merchant: MERCHANT_NAME,
        callback_url: transaction.callback_url.clone().unwrap_or_else(|| shared.callback_url()),
        transaction: &transaction,
    };
    match page.render() {
        Ok(page) => {
            let headers = [(header::CONTENT_SECURITY_POLICY, CONTENT_POLICY), (header::CACHE_CONTROL, "no-store")];
            (headers, Html(page)).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn unknown(reference: &str) -> Response {
    let message = format!("there is no transaction {reference}");
    (StatusCode::NOT_FOUND, Json(json!({ "message": message }))).into_response()
}

/// As SVG, which any size suits.
fn qr() -> String {
    let render = |code: QrCode| code.render::<svg::Color>().min_dimensions(160, 160).build();
    QrCode::new(QR_TEXT).map(render).unwrap_or_default()
}

#[derive(Template)]
#[template(path = "checkout.html")]
struct Checkout<'a> {
    merchant: &'static str,
    callback_url: String,
    transaction: &'a Transaction,
}

/// What the template asks for.
impl Checkout<'_> {
    fn amount(&self) -> String {
        rupiah(self.transaction.amount)
    }

    fn price(&self, item: &Item) -> String {
        rupiah(item.subtotal())
    }

    /// None if the merchant pays it.
    fn fee(&self) -> Option<String> {
        (self.transaction.fee_customer > 0).then(|| rupiah(self.transaction.fee_customer))
    }

    fn qr(&self) -> Option<String> {
        // In a page there is no place for XML's declaration.
        (self.transaction.way == Way::Qr).then(|| qr().split_inclusive("?>").skip(1).collect())
    }

    fn qr_text(&self) -> &'static str {
        QR_TEXT
    }

    fn path(&self) -> String {
        path(&self.transaction.reference)
    }

    fn is_unpaid(&self) -> bool {
        self.transaction.status == Status::Unpaid
    }

    fn is_paid(&self) -> bool {
        self.transaction.status == Status::Paid
    }

    fn deadline(&self) -> String {
        day_and_time(self.transaction.expires_at)
    }

    fn paid_at(&self) -> Option<String> {
        self.transaction.paid_at.map(day_and_time)
    }

    fn sent_at(&self, delivery: &Delivery) -> String {
        delivery.at.with_timezone(&Local).format("%H:%M:%S").to_string()
    }

    /// Where the customer's browser goes when he has paid.
    fn return_url(&self) -> Option<String> {
        let mut url = Url::parse(self.transaction.return_url.as_deref()?).ok()?;
        url.query_pairs_mut()
            .append_pair("tripay_reference", &self.transaction.reference)
            .append_pair("tripay_merchant_ref", &self.transaction.merchant_ref);
        Some(url.into())
    }
}

/// As the clock on this machine's wall shows it.
fn day_and_time(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local).format("%-d %b %Y, %H:%M %:z").to_string()
}
