//! A sandbox to test, and a receiver of its callbacks.

use std::{
    collections::{BTreeSet, VecDeque},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};

use crate::{
    runtime::log::Log,
    tripay::{
        Options, Sandbox, callback,
        merchant::{API_KEY, MERCHANT_CODE, PRIVATE_KEY},
        paths::checkout_path,
        transaction::Delivery,
    },
};

/// Time limit of every wait; a working sandbox is much faster.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Retry delay with which no callback is sent twice during a test.
pub(super) const NEVER: Duration = Duration::from_secs(3_600);

/// Response that accepts a callback.
pub(super) const ACCEPTED: (u16, &str) = (200, r#"{"success": true}"#);

/// A sandbox served on its own port.
pub(super) struct TestSandbox {
    pub(super) sandbox: Sandbox,
    pub(super) origin: String,
    pub(super) client: reqwest::Client,
    /// Lines that it has logged.
    pub(super) lines: Arc<Mutex<Vec<String>>>,
}

impl TestSandbox {
    pub(super) async fn start() -> Self {
        Self::start_with(None, NEVER).await
    }

    pub(super) async fn start_with(file: Option<PathBuf>, callback_retry_delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let written = lines.clone();
        let log: Log = Arc::new(move |_, line| written.lock().expect("not poisoned").push(line.to_owned()));
        let sandbox = Sandbox::start(Options { file, callback_retry_delay }, origin.clone(), log).expect("starts");
        let service = sandbox.router();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { sandbox, origin, client: callback::client().expect("a client"), lines }
    }

    pub(super) async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/_local/tripay/{path}", self.origin);
        let request = self.client.request(method, url).bearer_auth(API_KEY).json(body);
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.send(Method::GET, &format!("api-sandbox/{path}"), &Value::Null).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{path}: {answer}");
        answer
    }

    pub(super) async fn order(&self, order: &Value) -> (u16, Value) {
        self.send(Method::POST, "api-sandbox/transaction/create", order).await
    }

    /// Sends an order and returns the transaction that it creates.
    pub(super) async fn create(&self, order: &Value) -> Value {
        let (status, answer) = self.order(order).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
        answer["data"].clone()
    }

    /// Creates a payment whose callbacks go to the receiver, and returns its reference.
    pub(super) async fn payment(&self, receiver: &Receiver) -> String {
        let created = self.create(&signed(json!({ "callback_url": receiver.url }))).await;
        created["reference"].as_str().expect("text").to_owned()
    }

    pub(super) async fn act(&self, reference: &str, action: &str) -> (u16, Value) {
        self.send(Method::POST, &format!("transactions/{reference}/{action}"), &Value::Null).await
    }

    pub(super) async fn page(&self, reference: &str) -> String {
        let url = format!("{}{}", self.origin, checkout_path(reference));
        self.client.get(url).send().await.expect("an answer").text().await.expect("text")
    }
}

/// A valid order with some fields changed, and a signature for the result.
pub(super) fn signed(changes: Value) -> Value {
    let mut order = order(changes);
    let text = |name: &str| order[name].as_str().map_or_else(|| order[name].to_string(), str::to_owned);
    let message = format!("{MERCHANT_CODE}{}{}", text("merchant_ref"), text("amount"));
    order["signature"] = callback::sign(PRIVATE_KEY, message.as_bytes()).into();
    order
}

/// A valid order without a valid signature, with some fields changed.
pub(super) fn order(changes: Value) -> Value {
    let mut order = json!({
        "method": "BRIVA",
        "merchant_ref": "INV-1",
        "amount": 149_000,
        "customer_name": "Budi Santoso",
        "customer_email": "budi@example.id",
        "customer_phone": "081200000000",
        "order_items": [{ "sku": "pro", "name": "Pro", "price": 149_000, "quantity": 1 }],
        "signature": "0",
    });
    let changes = changes.as_object().expect("an object").clone();
    order.as_object_mut().expect("an object").extend(changes);
    order
}

pub(super) fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

pub(super) struct ReceivedCallback {
    pub(super) at: Instant,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Receives callbacks and returns the given responses in turn, repeating the last one.
pub(super) struct Receiver {
    pub(super) url: String,
    inbox: Arc<Inbox>,
}

struct Inbox {
    answers: Mutex<VecDeque<(u16, &'static str)>>,
    received: Mutex<Vec<ReceivedCallback>>,
}

impl Inbox {
    fn take(&self, received: ReceivedCallback) -> (u16, &'static str) {
        self.received.lock().expect("not poisoned").push(received);
        let mut answers = self.answers.lock().expect("not poisoned");
        let last = answers.back().copied().expect("one");
        if answers.len() > 1 { answers.pop_front().expect("one") } else { last }
    }
}

impl Receiver {
    pub(super) async fn answering(answers: &[(u16, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/callbacks", listener.local_addr().expect("an address"));
        let inbox = Arc::new(Inbox { answers: Mutex::new(answers.to_vec().into()), received: Mutex::default() });
        let receive = async |State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes| {
            let (status, answer) = inbox.take(ReceivedCallback { at: Instant::now(), headers, body });
            (StatusCode::from_u16(status).expect("a status"), [("location", "/elsewhere")], answer).into_response()
        };
        let service = Router::new().fallback(receive).with_state(inbox.clone());
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { url, inbox }
    }

    pub(super) fn received(&self) -> MutexGuard<'_, Vec<ReceivedCallback>> {
        self.inbox.received.lock().expect("not poisoned")
    }

    pub(super) fn count(&self) -> usize {
        self.received().len()
    }

    /// Waits until exactly this many callbacks have been received.
    pub(super) async fn wait_for(&self, count: usize) {
        let enough = async {
            while self.count() < count {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(TIMEOUT, enough).await.expect("the callbacks arrive");
        assert_eq!(self.count(), count);
    }

    /// Statuses that the callbacks reported, in order.
    pub(super) fn statuses(&self) -> Vec<String> {
        let received = self.received();
        let status = |received: &ReceivedCallback| {
            serde_json::from_slice::<Value>(&received.body).expect("JSON")["status"].clone()
        };
        received.iter().map(|received| status(received).as_str().expect("text").to_owned()).collect()
    }
}

/// Waits until this many attempts to send a callback are recorded.
pub(super) async fn wait_for_deliveries(test: &TestSandbox, reference: &str, count: usize) -> Vec<Delivery> {
    let enough = async {
        loop {
            let transaction = test.sandbox.transaction(reference).expect("there");
            if transaction.deliveries.len() >= count {
                return transaction.deliveries;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(TIMEOUT, enough).await.expect("the callback is sent this often")
}

/// An item of an order, with some fields changed.
pub(super) fn order_item(change: Value) -> Value {
    let mut item = json!({ "name": "Pro", "price": 149_000, "quantity": 1 });
    item.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
    item
}
