//! Tripay server whose every response is given by the test, and `POST /invoices` requests that reach it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::database::Session;
use super::waiting::WAIT_TIMEOUT;
use super::world::{HttpResponse, World};

pub(crate) const CREATE_REQUEST_LINE: &str = "POST /api-sandbox/transaction/create";

pub(crate) fn lookup_request_line(merchant_ref: &str) -> String {
    format!("GET /api-sandbox/merchant/transactions?page=1&per_page=50&sort=asc&merchant_ref={merchant_ref}")
}

/// Tripay server without responses of its own.
pub(crate) struct ManualTripay(TcpListener);

/// Received request that waits for its response.
pub(crate) struct PendingRequest {
    /// Method and target, such as `POST /api-sandbox/transaction/create`.
    pub(crate) request_line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
    pub(crate) connection: TcpStream,
}

impl ManualTripay {
    pub(crate) async fn start() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).await.unwrap())
    }

    pub(crate) fn settings(&self) -> BTreeMap<String, String> {
        let url = format!("http://{}/api-sandbox", self.0.local_addr().unwrap());
        BTreeMap::from([("TRIPAY_URL".into(), url)])
    }

    pub(crate) async fn next_request(&self) -> PendingRequest {
        let accepted = timeout(WAIT_TIMEOUT, self.0.accept()).await;
        let (mut connection, _) = accepted.expect("Tripay receives a request").unwrap();
        let mut request = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&request).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let mut lines = head.lines();
                let request_line = lines.next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
                let pairs = lines.map(|line| line.split_once(": ").unwrap());
                let headers: BTreeMap<_, _> =
                    pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
                let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
                if body.len() == length {
                    let body = serde_json::from_str(body).unwrap_or_default();
                    return PendingRequest { request_line, headers, body, connection };
                }
            }
            assert_ne!(connection.read_buf(&mut request).await.unwrap(), 0, "{text}");
        }
    }

    /// Accepts the next request, which must create a transaction.
    pub(crate) async fn next_create_request(&self) -> PendingRequest {
        let request = self.next_request().await;
        assert_eq!(request.request_line, CREATE_REQUEST_LINE);
        request
    }

    /// Accepts the next request, which must list the transactions of one `merchant_ref`.
    pub(crate) async fn next_lookup(&self, merchant_ref: &str) -> PendingRequest {
        let request = self.next_request().await;
        assert_eq!(request.request_line, lookup_request_line(merchant_ref));
        request
    }

    /// `true` if no request is waiting.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.accept().now_or_never().is_none()
    }
}

impl PendingRequest {
    pub(crate) fn merchant_ref(&self) -> String {
        self.body["merchant_ref"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn respond(self, status: u16, body: &Value) {
        self.respond_text(status, "application/json", &body.to_string()).await;
    }

    pub(crate) async fn respond_text(mut self, status: u16, content_type: &str, text: &str) {
        let length = text.len();
        let response = format!(
            "HTTP/1.1 {status} Status\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\nlocation: /elsewhere\r\n\r\n\
             {text}"
        );
        self.connection.write_all(response.as_bytes()).await.unwrap();
    }

    pub(crate) async fn respond_created(self, reference: &str) {
        let response = created_response(&self.body, reference);
        self.respond(200, &response).await;
    }

    pub(crate) async fn respond_list(self, transactions: &[Value]) {
        let pagination =
            json!({"current_page": 1, "next_page": null, "last_page": 1, "total_records": transactions.len()});
        let body = json!({"success": true, "message": "Success", "data": transactions, "pagination": pagination});
        self.respond(200, &body).await;
    }

    pub(crate) fn reset(self) {
        self.connection.set_zero_linger().unwrap();
    }
}

/// Response to a create request. The transaction expires an hour earlier than requested.
pub(crate) fn created_response(create_body: &Value, reference: &str) -> Value {
    let amount = create_body["amount"].as_i64().unwrap();
    let mut items = create_body["order_items"].clone();
    items[0]["subtotal"] = json!(amount);
    json!({"success": true, "message": "", "data": {
        "reference": reference, "merchant_ref": create_body["merchant_ref"], "payment_selection_type": "static",
        "payment_method": create_body["method"], "payment_name": "BRI Virtual Account", "customer_name": create_body["customer_name"],
        "customer_email": create_body["customer_email"], "customer_phone": null, "callback_url": create_body["callback_url"],
        "return_url": null, "amount": amount + 4250, "fee_merchant": 0, "fee_customer": 4250, "total_fee": 4250,
        "amount_received": amount, "pay_code": "0578912345678901", "pay_url": null,
        "checkout_url": format!("https://tripay.test/checkout/{reference}"), "status": "UNPAID",
        "expired_time": create_body["expired_time"].as_i64().unwrap() - 3600, "order_items": items,
        "instructions": [{"title": "ATM BRI", "steps": ["Masukkan <b>0578912345678901</b>"]}],
    }})
}

/// Transaction of [`created_response`] in the form of an item of Tripay's list of transactions.
pub(crate) fn list_item(create_body: &Value, reference: &str) -> Value {
    let mut item = created_response(create_body, reference)["data"].take();
    let fields = item.as_object_mut().unwrap();
    let deadline = fields.remove("expired_time");
    fields.remove("instructions");
    for (name, value) in [
        ("expired_at", deadline.unwrap()),
        ("pay_code", json!(578_912)),
        ("paid_at", json!(null)),
        ("note", json!(null)),
    ] {
        fields.insert(name.into(), value);
    }
    item
}

pub(crate) fn pro_monthly(method: &str) -> Value {
    json!({"plan": "Pro", "period": "monthly", "method": method})
}

/// Sends the purchase while `tripay` runs; returns both results.
pub(crate) async fn buy_while<T>(
    world: &World,
    token: &str,
    body: &Value,
    tripay: impl Future<Output = T>,
) -> (HttpResponse, T) {
    tokio::join!(world.post("/invoices", token, body), tripay)
}

/// Sends the purchase, for which Tripay creates a transaction with this reference.
pub(crate) async fn buy(
    world: &World,
    tripay: &ManualTripay,
    token: &str,
    body: &Value,
    reference: &str,
) -> HttpResponse {
    let creation = async { tripay.next_create_request().await.respond_created(reference).await };
    let (answer, ()) = buy_while(world, token, body, creation).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

/// Status and Tripay reference of each invoice that the user opened in the test, oldest first.
pub(crate) async fn invoices(owner: &Session, user: &str) -> String {
    let all = format!(
        "select coalesce(string_agg(concat_ws(' ', status, coalesce(tripay_invoice_id, '-')), ', ' order by created_at), '')
         from public.invoices where user_id = '{user}' and reference_id like 'INV-%'"
    );
    owner.text(&all).await
}

pub(crate) fn is_no_answer_problem(answer: &HttpResponse) -> bool {
    answer.status == 504 && answer.problem() == "no-answer"
}

pub(crate) fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}
