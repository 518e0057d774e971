//! Tripay, as a test wants it: what it says, when it is silent, and what it was asked.

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
pub(crate) enum Mood {
    #[default]
    Answers,
    /// Takes its time for each answer.
    Slow,
    /// Takes more than anybody has.
    Hangs,
    Refuses(&'static str),
    /// A page instead of an answer, as Cloudflare sends it.
    Blocks,
    /// The connection ends within the answer, and nothing was done.
    BreaksOff,
    /// The same, after it was done.
    LosesItsAnswer,
    /// Does what it is asked, and tells of another payment, of another amount.
    Lies,
}

pub(crate) struct Tripay {
    url: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    mood: Mood,
    silent_about: BTreeSet<String>,
    /// Oldest first, in the form of the API's own answers.
    transactions: Vec<Value>,
    /// Such as `detail DEV-1` or `create INV-1`.
    asked: Vec<String>,
    orders: Vec<Value>,
}

impl Tripay {
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

    /// For the functions that are to take this for Tripay.
    pub(crate) fn settings(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("TRIPAY_URL".into(), self.url.clone())])
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.shared.lock().unwrap().mood = mood;
    }

    /// Whatever it is asked about this reference, it breaks off.
    pub(crate) fn silence(&self, reference: &str) {
        self.shared.lock().unwrap().silent_about.insert(reference.to_owned());
    }

    /// A transaction that somebody opened.
    pub(crate) fn open(&self, reference: &str, merchant_ref: &str, amount: i64, status: &str) {
        self.shared.lock().unwrap().transactions.push(transaction(reference, merchant_ref, "QRIS", amount, status));
    }

    /// What it says of the transaction from now on.
    pub(crate) fn change(&self, reference: &str, changes: &Value) {
        let mut shared = self.shared.lock().unwrap();
        let found = shared.transactions.iter_mut().find(|transaction| transaction["reference"] == reference);
        found.unwrap().as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    }

    /// Since the last call.
    pub(crate) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().asked)
    }

    /// The bodies of what it was asked to create, since the last call.
    pub(crate) fn take_orders(&self) -> Vec<Value> {
        std::mem::take(&mut self.shared.lock().unwrap().orders)
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

fn broken_off() -> Response {
    let parts = [Ok(Bytes::from_static(b"{\"success\":")), Err(io::Error::other("broken off"))];
    Body::from_stream(stream::iter(parts)).into_response()
}

/// What its mood is, if it keeps Tripay from answering as it should.
async fn mood(shared: &Mutex<Shared>, asked: String, about: &str) -> Option<Response> {
    let mood = {
        let mut shared = shared.lock().unwrap();
        shared.asked.push(asked);
        if shared.silent_about.contains(about) { Mood::BreaksOff } else { shared.mood }
    };
    match mood {
        Mood::Answers | Mood::LosesItsAnswer | Mood::Lies => None,
        Mood::Slow => {
            tokio::time::sleep(Duration::from_millis(350)).await;
            None
        }
        Mood::Hangs => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Some(broken_off())
        }
        Mood::Refuses(message) => {
            Some((StatusCode::BAD_REQUEST, Json(json!({ "success": false, "message": message }))).into_response())
        }
        Mood::Blocks => Some((StatusCode::FORBIDDEN, Html("<html>Attention Required!</html>")).into_response()),
        Mood::BreaksOff => Some(broken_off()),
    }
}

async fn create(State(shared): State<Arc<Mutex<Shared>>>, Json(order): Json<Value>) -> Response {
    let merchant_ref = order["merchant_ref"].as_str().unwrap().to_owned();
    if let Some(response) = mood(&shared, format!("create {merchant_ref}"), &merchant_ref).await {
        return response;
    }
    let mut shared = shared.lock().unwrap();
    let reference = format!("DEV-T{:09}", shared.transactions.len() + 1);
    let (method, amount) = (order["method"].as_str().unwrap(), order["amount"].as_i64().unwrap());
    let mut opened = transaction(&reference, &merchant_ref, method, amount, "UNPAID");
    opened["expired_time"] = order["expired_time"].clone();
    shared.transactions.push(opened.clone());
    shared.orders.push(order);
    match shared.mood {
        Mood::LosesItsAnswer => return broken_off(),
        Mood::Lies => opened = transaction(&reference, "INV-of-another", "QRIS", 1, "PAID"),
        _ => {}
    }
    Json(json!({ "success": true, "message": "", "data": opened })).into_response()
}

async fn detail(State(shared): State<Arc<Mutex<Shared>>>, uri: Uri) -> Response {
    let reference = parameter(&uri, "reference");
    if let Some(response) = mood(&shared, format!("detail {reference}"), &reference).await {
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

/// Takes a merchant_ref for the beginning of one: whether Tripay does, it does not say.
async fn list(State(shared): State<Arc<Mutex<Shared>>>, uri: Uri) -> Response {
    let merchant_ref = parameter(&uri, "merchant_ref");
    if let Some(response) = mood(&shared, format!("list {merchant_ref}"), &merchant_ref).await {
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
