//! Tripay server with transactions, failures and a request log that tests control.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum FailureMode {
    #[default]
    None,
    /// Responds after 350 ms.
    Slow,
    /// Responds after a minute, which is longer than every timeout.
    Unresponsive,
    /// Refuses with this message.
    Refuses(&'static str),
    /// Responds with an HTML page, as Cloudflare does.
    ServesHtml,
    /// Ends the connection in the middle of the response, without any effect.
    Disconnects,
    /// Creates the transaction, then ends the connection in the middle of the response.
    LosesResponse,
    /// Creates the transaction, and responds with another one of another amount.
    ReturnsOtherTransaction,
}

pub(crate) struct FakeTripay {
    url: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    failure_mode: FailureMode,
    /// References and merchant references whose requests are disconnected.
    disconnects_for: BTreeSet<String>,
    /// Oldest first, in the form of the API's responses.
    transactions: Vec<Value>,
    /// Received requests, such as `detail DEV-1` or `create INV-1`.
    requests: Vec<String>,
    /// Bodies of successful create requests.
    create_bodies: Vec<Value>,
}

impl FakeTripay {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/api-sandbox", listener.local_addr().unwrap());
        let shared = Arc::<Mutex<Shared>>::default();
        let router = Router::new()
            .route("/api-sandbox/transaction/create", post(create))
            .route("/api-sandbox/transaction/detail", get(detail))
            .route("/api-sandbox/merchant/transactions", get(list))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// Settings that point the functions to this server.
    pub(crate) fn settings(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("TRIPAY_URL".into(), self.url.clone())])
    }

    pub(crate) fn set_failure_mode(&self, failure_mode: FailureMode) {
        self.shared.lock().unwrap().failure_mode = failure_mode;
    }

    /// Disconnects every request about this reference.
    pub(crate) fn disconnect_for(&self, reference: &str) {
        self.shared.lock().unwrap().disconnects_for.insert(reference.to_owned());
    }

    /// Adds a transaction that was opened earlier.
    pub(crate) fn add_transaction(&self, reference: &str, merchant_ref: &str, amount: i64, status: &str) {
        self.shared.lock().unwrap().transactions.push(transaction(reference, merchant_ref, "QRIS", amount, status));
    }

    /// Changes fields of a transaction.
    pub(crate) fn update_transaction(&self, reference: &str, changes: &Value) {
        let mut shared = self.shared.lock().unwrap();
        let found = shared.transactions.iter_mut().find(|transaction| transaction["reference"] == reference);
        found.unwrap().as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    }

    /// Returns and clears the request log.
    pub(crate) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().requests)
    }

    /// Returns and clears the bodies of the create requests.
    pub(crate) fn take_create_bodies(&self) -> Vec<Value> {
        std::mem::take(&mut self.shared.lock().unwrap().create_bodies)
    }
}

fn transaction(reference: &str, merchant_ref: &str, method: &str, amount: i64, status: &str) -> Value {
    json!({
        "reference": reference,
        "merchant_ref": merchant_ref,
        "payment_selection_type": "static",
        "payment_method": method,
        "payment_name": format!("{method} of Tripay"),
        "customer_name": "Payer",
        "amount": amount,
        "fee_merchant": 1450,
        "fee_customer": 0,
        "total_fee": 1450,
        "amount_received": amount - 1450,
        "pay_code": "578912345678901",
        "pay_url": null,
        "checkout_url": format!("https://tripay.test/checkout/{reference}"),
        "qr_url": null,
        "status": status,
        "paid_at": null,
        "note": null,
    })
}

fn parameter(uri: &Uri, name: &str) -> String {
    let url = reqwest::Url::parse(&format!("http://tripay.test{uri}")).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap()
}

fn interrupted() -> Response {
    let parts = [Ok(Bytes::from_static(b"{\"success\":")), Err(io::Error::other("interrupted"))];
    Body::from_stream(stream::iter(parts)).into_response()
}

/// Logs the request. Returns the response that the failure mode prescribes, or `None` if the request is to be handled.
async fn failure(shared: &Mutex<Shared>, request: String, subject: &str) -> Option<Response> {
    let failure_mode = {
        let mut shared = shared.lock().unwrap();
        shared.requests.push(request);
        if shared.disconnects_for.contains(subject) { FailureMode::Disconnects } else { shared.failure_mode }
    };
    match failure_mode {
        FailureMode::None | FailureMode::LosesResponse | FailureMode::ReturnsOtherTransaction => None,
        FailureMode::Slow => {
            tokio::time::sleep(Duration::from_millis(350)).await;
            None
        }
        FailureMode::Unresponsive => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Some(interrupted())
        }
        FailureMode::Refuses(message) => {
            Some((StatusCode::BAD_REQUEST, Json(json!({ "success": false, "message": message }))).into_response())
        }
        FailureMode::ServesHtml => {
            Some((StatusCode::FORBIDDEN, Html("<html>Attention Required!</html>")).into_response())
        }
        FailureMode::Disconnects => Some(interrupted()),
    }
}

async fn create(State(shared): State<Arc<Mutex<Shared>>>, Json(body): Json<Value>) -> Response {
    let merchant_ref = body["merchant_ref"].as_str().unwrap().to_owned();
    if let Some(response) = failure(&shared, format!("create {merchant_ref}"), &merchant_ref).await {
        return response;
    }
    let mut shared = shared.lock().unwrap();
    let reference = format!("DEV-T{:09}", shared.transactions.len() + 1);
    let (method, amount) = (body["method"].as_str().unwrap(), body["amount"].as_i64().unwrap());
    let mut created = transaction(&reference, &merchant_ref, method, amount, "UNPAID");
    created["expired_time"] = body["expired_time"].clone();
    shared.transactions.push(created.clone());
    shared.create_bodies.push(body);
    match shared.failure_mode {
        FailureMode::LosesResponse => return interrupted(),
        FailureMode::ReturnsOtherTransaction => created = transaction(&reference, "INV-of-another", "QRIS", 1, "PAID"),
        _ => {}
    }
    Json(json!({ "success": true, "message": "", "data": created })).into_response()
}

async fn detail(State(shared): State<Arc<Mutex<Shared>>>, uri: Uri) -> Response {
    let reference = parameter(&uri, "reference");
    if let Some(response) = failure(&shared, format!("detail {reference}"), &reference).await {
        return response;
    }
    let shared = shared.lock().unwrap();
    match shared.transactions.iter().find(|transaction| transaction["reference"] == reference) {
        Some(found) => Json(json!({ "success": true, "message": "Transaction found", "data": found })).into_response(),
        None => {
            let refusal = json!({ "success": false, "message": "Transaction not found" });
            (StatusCode::NOT_FOUND, Json(refusal)).into_response()
        }
    }
}

/// Treats `merchant_ref` as a prefix: Tripay does not document whether it matches exactly.
async fn list(State(shared): State<Arc<Mutex<Shared>>>, uri: Uri) -> Response {
    let merchant_ref = parameter(&uri, "merchant_ref");
    if let Some(response) = failure(&shared, format!("list {merchant_ref}"), &merchant_ref).await {
        return response;
    }
    let shared = shared.lock().unwrap();
    let found: Vec<&Value> = shared
        .transactions
        .iter()
        .filter(|transaction| transaction["merchant_ref"].as_str().unwrap().starts_with(&merchant_ref))
        .collect();
    Json(json!({ "success": true, "message": "Success", "data": found })).into_response()
}
