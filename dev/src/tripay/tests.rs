use std::{
    collections::{BTreeSet, VecDeque},
    fs,
    time::Instant,
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
use tokio::{net::TcpListener, time::timeout};

use super::*;

/// Longer than anything takes that is not broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// So long that no callback is sent twice in a test that does not wait for it.
const NEVER: Duration = Duration::from_secs(3_600);

const TAKEN: (u16, &str) = (200, r#"{"success": true}"#);

struct Shop {
    sandbox: Sandbox,
    origin: String,
    client: reqwest::Client,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Shop {
    async fn open() -> Self {
        Self::with(None, NEVER).await
    }

    async fn with(file: Option<PathBuf>, callback_retry_delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let written = lines.clone();
        let log: Log = Arc::new(move |_, line| written.lock().expect("whole").push(line.to_owned()));
        let sandbox = Sandbox::start(Options { file, callback_retry_delay }, origin.clone(), log).expect("starts");
        let service = sandbox.router();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { sandbox, origin, client: callback::client().expect("a client"), lines }
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/_local/tripay/{path}", self.origin);
        let request = self.client.request(method, url).bearer_auth(API_KEY).json(body);
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.send(Method::GET, &format!("api-sandbox/{path}"), &Value::Null).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{path}: {answer}");
        answer
    }

    async fn order(&self, order: &Value) -> (u16, Value) {
        self.send(Method::POST, "api-sandbox/transaction/create", order).await
    }

    /// Orders, and gives what was made of it.
    async fn ordered(&self, order: &Value) -> Value {
        let (status, answer) = self.order(order).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
        answer["data"].clone()
    }

    /// The reference of a new payment whose callbacks go there.
    async fn payment(&self, receiver: &Receiver) -> String {
        let made = self.ordered(&signed(json!({ "callback_url": receiver.url }))).await;
        made["reference"].as_str().expect("text").to_owned()
    }

    async fn act(&self, reference: &str, action: &str) -> (u16, Value) {
        self.send(Method::POST, &format!("transactions/{reference}/{action}"), &Value::Null).await
    }

    async fn page(&self, reference: &str) -> String {
        let url = format!("{}{}", self.origin, page::path(reference));
        self.client.get(url).send().await.expect("an answer").text().await.expect("text")
    }
}

/// An order that is taken, with other values for some fields, and a signature for what comes out.
fn signed(changes: Value) -> Value {
    let mut order = order(changes);
    let text = |name: &str| order[name].as_str().map_or_else(|| order[name].to_string(), str::to_owned);
    let message = format!("{MERCHANT_CODE}{}{}", text("merchant_ref"), text("amount"));
    order["signature"] = callback::sign(PRIVATE_KEY, message.as_bytes()).into();
    order
}

fn order(changes: Value) -> Value {
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

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

struct Received {
    at: Instant,
    headers: HeaderMap,
    body: Bytes,
}

/// Stands where callbacks go, and answers them in turn; the last answer it repeats.
struct Receiver {
    url: String,
    inbox: Arc<Inbox>,
}

struct Inbox {
    answers: Mutex<VecDeque<(u16, &'static str)>>,
    received: Mutex<Vec<Received>>,
}

impl Inbox {
    fn take(&self, received: Received) -> (u16, &'static str) {
        self.received.lock().expect("whole").push(received);
        let mut answers = self.answers.lock().expect("whole");
        let last = answers.back().copied().expect("one");
        if answers.len() > 1 { answers.pop_front().expect("one") } else { last }
    }
}

impl Receiver {
    async fn answering(answers: &[(u16, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/callbacks", listener.local_addr().expect("an address"));
        let inbox = Arc::new(Inbox { answers: Mutex::new(answers.to_vec().into()), received: Mutex::default() });
        let receive = async |State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes| {
            let (status, answer) = inbox.take(Received { at: Instant::now(), headers, body });
            (StatusCode::from_u16(status).expect("a status"), [("location", "/elsewhere")], answer).into_response()
        };
        let service = Router::new().fallback(receive).with_state(inbox.clone());
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { url, inbox }
    }

    fn received(&self) -> MutexGuard<'_, Vec<Received>> {
        self.inbox.received.lock().expect("whole")
    }

    fn count(&self) -> usize {
        self.received().len()
    }

    async fn has(&self, count: usize) {
        let enough = async {
            while self.count() < count {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, enough).await.expect("the callbacks come");
        assert_eq!(self.count(), count);
    }

    /// What the callbacks told, in order.
    fn statuses(&self) -> Vec<String> {
        let received = self.received();
        let status =
            |received: &Received| serde_json::from_slice::<Value>(&received.body).expect("JSON")["status"].clone();
        received.iter().map(|received| status(received).as_str().expect("text").to_owned()).collect()
    }
}

/// Waits until so many attempts are written down.
async fn delivered(shop: &Shop, reference: &str, count: usize) -> Vec<Delivery> {
    let enough = async {
        loop {
            let transaction = shop.sandbox.transaction(reference).expect("there");
            if transaction.deliveries.len() >= count {
                return transaction.deliveries;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, enough).await.expect("it is tried so often")
}

#[tokio::test]
async fn an_order_is_answered_with_the_fields_that_tripay_answers() {
    let shop = Shop::open().await;
    let made = shop.ordered(&signed(json!({ "return_url": "https://app.example.id/paid" }))).await;
    let reference = made["reference"].as_str().expect("text");
    let digits_and_letters = reference.strip_prefix("DEV-T0000").expect(reference);
    assert_eq!(digits_and_letters.get(..9), Some("000000001"));
    assert!(digits_and_letters.chars().all(|character| matches!(character, 'A'..='Z' | '0'..='9')), "{reference}");
    let pay_code = made["pay_code"].as_str().expect("text");
    assert!(pay_code.len() == 15 && pay_code.parse::<u64>().is_ok(), "{pay_code}");
    let expired_time = made["expired_time"].as_i64().expect("a number");
    let expected = json!({
        "reference": reference,
        "merchant_ref": "INV-1",
        "payment_selection_type": "static",
        "payment_method": "BRIVA",
        "payment_name": "BRI Virtual Account",
        "customer_name": "Budi Santoso",
        "customer_email": "budi@example.id",
        "customer_phone": "081200000000",
        "callback_url": null,
        "return_url": "https://app.example.id/paid",
        "amount": 149_000,
        "fee_merchant": 4_250,
        "fee_customer": 0,
        "total_fee": 4_250,
        "amount_received": 144_750,
        "pay_code": pay_code,
        "pay_url": null,
        "checkout_url": format!("{}/_local/tripay/checkout/{reference}", shop.origin),
        "status": "UNPAID",
        "expired_time": expired_time,
        "order_items": [{
            "sku": "pro", "name": "Pro", "price": 149_000, "quantity": 1, "subtotal": 149_000, "product_url": null,
            "image_url": null,
        }],
        "instructions": made["instructions"],
        "qr_string": null,
        "qr_url": null,
    });
    assert_eq!(made, expected);
    assert!(made["instructions"][0]["steps"][0].as_str().expect("text").contains(&format!("<b>{pay_code}</b>")));

    let mut detail = shop.get(&format!("transaction/detail?reference={reference}")).await["data"].clone();
    assert_eq!(detail["paid_at"], Value::Null);
    assert!(detail.as_object_mut().expect("an object").remove("paid_at").is_some());
    assert_eq!(detail, made);

    let list = shop.get("merchant/transactions").await;
    let mut expected = expected.as_object().expect("an object").clone();
    for name in ["expired_time", "instructions", "qr_string", "qr_url"] {
        expected.remove(name);
    }
    let item = json!({ "sku": "pro", "name": "Pro", "price": 149_000, "quantity": 1, "subtotal": 149_000 });
    let created_at = shop.sandbox.transactions()[0].created_at.timestamp();
    let other = json!({
        "order_items": [item], "note": null, "created_at": created_at, "expired_at": expired_time, "paid_at": null,
    });
    expected.extend(other.as_object().expect("an object").clone());
    assert_eq!(list["data"], json!([expected]));
}

#[tokio::test]
async fn a_payment_is_told_as_text_in_detail_and_as_number_in_the_list() {
    let shop = Shop::open().await;
    let receiver = Receiver::answering(&[TAKEN]).await;
    let reference = shop.payment(&receiver).await;
    let before = now().timestamp();
    assert_eq!(shop.act(&reference, "pay").await, (200, json!({ "reference": reference, "status": "PAID" })));
    let detail = shop.get(&format!("transaction/detail?reference={reference}")).await;
    let paid_at: i64 = detail["data"]["paid_at"].as_str().expect("text").parse().expect("seconds");
    assert!((before..=now().timestamp()).contains(&paid_at), "{detail}");
    assert_eq!(detail["data"]["status"], "PAID");
    let list = shop.get("merchant/transactions").await;
    assert_eq!((&list["data"][0]["paid_at"], &list["data"][0]["status"]), (&json!(paid_at), &json!("PAID")));
}

#[tokio::test]
async fn each_way_to_pay_has_what_it_needs() {
    let shop = Shop::open().await;
    let code = shop.ordered(&signed(json!({ "method": "ALFAMART" }))).await;
    assert!(code["pay_code"].is_string() && code["pay_url"].is_null() && code["qr_url"].is_null(), "{code}");

    let wallet = shop.ordered(&signed(json!({ "method": "OVO" }))).await;
    assert!(wallet["pay_code"].is_null() && wallet["qr_string"].is_null(), "{wallet}");
    assert_eq!(wallet["pay_url"], wallet["checkout_url"]);

    let qr = shop.ordered(&signed(json!({ "method": "QRIS" }))).await;
    assert!(qr["pay_code"].is_null() && qr["pay_url"].is_null(), "{qr}");
    assert_eq!(qr["qr_string"], "SANDBOX MODE");
    let image = shop.client.get(qr["qr_url"].as_str().expect("text")).send().await.expect("an answer");
    assert_eq!(image.headers()["content-type"], "image/svg+xml");
    assert!(image.text().await.expect("text").contains("<svg"));
    let none = page::qr_path(code["reference"].as_str().expect("text"));
    let response = shop.client.get(format!("{}{none}", shop.origin)).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn fees_are_the_merchants_or_the_customers() {
    let shop = Shop::open().await;
    let receiver = Receiver::answering(&[TAKEN]).await;
    shop.sandbox.charge_fees_to(FeeBearer::Customer);
    let made = shop.ordered(&signed(json!({ "method": "QRIS", "callback_url": receiver.url }))).await;
    let amounts = ["amount", "fee_merchant", "fee_customer", "total_fee", "amount_received"];
    assert_eq!(amounts.map(|name| made[name].as_i64().expect(name)), [150_793, 0, 1_793, 1_793, 149_000]);
    assert!(shop.page(made["reference"].as_str().expect("text")).await.contains("Rp1.793"));
    let channels = shop.get("merchant/payment-channel").await;
    let qris = channels["data"].as_array().expect("a list").iter().find(|channel| channel["code"] == "QRIS");
    assert_eq!(qris.expect("there")["fee_customer"], json!({ "flat": 750, "percent": 0.7 }));

    // A payment keeps the fee that it began with.
    shop.sandbox.charge_fees_to(FeeBearer::Merchant);
    shop.act(made["reference"].as_str().expect("text"), "pay").await;
    receiver.has(1).await;
    let body: Value = serde_json::from_slice(&receiver.received()[0].body).expect("JSON");
    assert_eq!((&body["total_amount"], &body["fee_customer"]), (&json!(150_793), &json!(1_793)));
    let made = shop.ordered(&signed(json!({ "method": "QRIS" }))).await;
    assert_eq!((&made["amount"], &made["fee_merchant"]), (&json!(149_000), &json!(1_793)));
}

#[tokio::test]
async fn nobody_is_answered_without_the_key() {
    let shop = Shop::open().await;
    for path in ["transaction/detail?reference=1", "merchant/transactions", "merchant/payment-channel"] {
        for header in ["", "Bearer", "Bearer DEV-another-key", API_KEY] {
            let request = shop.client.get(format!("{}/_local/tripay/api-sandbox/{path}", shop.origin));
            let response = request.header("authorization", header).send().await.expect("an answer");
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path} {header}");
            let answer: Value = response.json().await.expect("JSON");
            assert_eq!(answer, json!({ "success": false, "message": "Invalid API Key" }));
        }
    }
    let url = format!("{}/_local/tripay/api-sandbox/transaction/create", shop.origin);
    let response = shop.client.post(url).json(&signed(json!({}))).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(shop.sandbox.transactions().is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_an_order_is_said_and_nothing_is_made_of_it() {
    let shop = Shop::open().await;
    let item = |change: Value| signed(json!({ "order_items": [order_item(change)] }));
    let mut refused = vec![
        (json!("text"), "JSON"),
        (order(json!({})), "Invalid signature"),
        // Signed, and changed afterwards.
        (json!({ "amount": 150_000, "signature": signed(json!({}))["signature"] }), "Invalid signature"),
        (signed(json!({ "method": "briva" })), "briva tidak tersedia"),
        (signed(json!({ "amount": "149.5" })), "amount harus berupa bilangan bulat"),
        (signed(json!({ "amount": 149_000.5 })), "amount harus berupa bilangan bulat"),
        (signed(json!({ "amount": 9_999 })), "Jumlah minimal untuk BRI Virtual Account adalah Rp10.000"),
        (signed(json!({ "amount": 10_000_001 })), "Jumlah maksimal untuk BRI Virtual Account adalah Rp10.000.000"),
        (signed(json!({ "amount": 149_001 })), "order_items tidak sama dengan amount"),
        (signed(json!({ "customer_email": "budi" })), "customer_email tidak valid"),
        (signed(json!({ "method": "OVO", "customer_phone": null })), "customer_phone wajib"),
        (signed(json!({ "customer_phone": 81_200 })), "customer_phone harus berupa teks"),
        (signed(json!({ "expired_time": 86_400 })), "Unix timestamp"),
        (signed(json!({ "expired_time": now().timestamp() })), "Unix timestamp"),
        (signed(json!({ "expired_time": (now().timestamp() + 60) * 1_000 })), "Unix timestamp"),
        (signed(json!({ "callback_url": "callbacks" })), "callback_url tidak valid"),
        (signed(json!({ "return_url": "javascript:alert(1)" })), "return_url tidak valid"),
        (signed(json!({ "order_items": [] })), "minimal satu item"),
        (signed(json!({ "order_items": ["Pro"] })), "order_items tidak valid"),
        (item(json!({ "name": "" })), "order_items: Kolom name wajib"),
        (item(json!({ "price": null })), "order_items: Kolom price wajib"),
        (item(json!({ "quantity": 0 })), "order_items: Kolom quantity"),
        (item(json!({ "quantity": 2 })), "order_items tidak sama dengan amount"),
        (item(json!({ "price": i64::MAX, "quantity": i64::MAX })), "order_items tidak sama dengan amount"),
    ];
    if let Some((order, _)) = refused.get_mut(2) {
        *order = self::order(order.clone());
    }
    let required = ["method", "merchant_ref", "amount", "customer_name", "customer_email", "order_items", "signature"];
    for name in required {
        for nothing in [Value::Null, json!("")] {
            let mut order = signed(json!({}));
            order[name] = nothing;
            refused.push((order, name));
        }
    }
    for (order, said) in refused {
        let (status, answer) = shop.order(&order).await;
        assert_eq!(status, 400, "{order}");
        assert_eq!(keys(&answer), BTreeSet::from(["message", "success"]), "{order}");
        assert_eq!(answer["success"], false, "{order}");
        assert!(answer["message"].as_str().expect("text").contains(said), "{said}: {answer}");
    }
    assert!(shop.sandbox.transactions().is_empty());
}

fn order_item(change: Value) -> Value {
    let mut item = json!({ "name": "Pro", "price": 149_000, "quantity": 1 });
    item.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
    item
}

#[tokio::test]
async fn a_deadline_is_not_later_than_the_channel_allows() {
    let shop = Shop::open().await;
    let (minute, hour) = (60, 3_600);
    for (method, asked, given) in [
        ("BRIVA", None, 24 * hour),
        ("BRIVA", Some(48 * hour), 48 * hour),
        ("BRIVA", Some(60 * 24 * hour), 30 * 24 * hour),
        ("BNIVA", Some(48 * hour), 24 * hour),
        ("BSIVA", None, 3 * hour),
        ("QRIS", None, hour),
        ("QRIS", Some(24 * hour), hour),
        ("QRIS", Some(5 * minute), 5 * minute),
    ] {
        let begun = now().timestamp();
        let asked = asked.map(|seconds| begun + seconds);
        let made = shop.ordered(&signed(json!({ "method": method, "expired_time": asked }))).await;
        let slack = now().timestamp() - begun;
        let lifetime = made["expired_time"].as_i64().expect("a number") - begun;
        assert!((given..=given + slack).contains(&lifetime), "{method} {asked:?}: {lifetime}");
    }
    let warnings: Vec<_> = shop.lines.lock().expect("whole").clone();
    assert_eq!(warnings, ["a payment by QRIS asks for less than its 10 minutes; Tripay may refuse it"]);
}

#[tokio::test]
async fn the_list_is_filtered_and_comes_in_pages() {
    let shop = Shop::open().await;
    let mut references = Vec::new();
    for (method, merchant_ref) in [("BRIVA", "INV-1"), ("QRIS", "INV-2"), ("BRIVA", "INV-2"), ("BRIVA", "INV-20")] {
        let made = shop.ordered(&signed(json!({ "method": method, "merchant_ref": merchant_ref }))).await;
        references.push(made["reference"].as_str().expect("text").to_owned());
    }
    shop.act(&references[0], "fail").await;
    let by_reference = format!("reference={}", references[1]);
    for (query, found) in [
        ("", &[0, 1, 2, 3][..]),
        ("sort=desc", &[3, 2, 1, 0]),
        ("method=BRIVA", &[0, 2, 3]),
        ("status=FAILED", &[0]),
        ("status=UNPAID&method=BRIVA&sort=desc", &[3, 2]),
        ("merchant_ref=INV-1", &[0]),
        ("merchant_ref=INV-2", &[1, 2, 3]),
        ("merchant_ref=NV-2", &[]),
        (&by_reference, &[1]),
        ("page=1&per_page=3", &[0, 1, 2]),
        ("page=2&per_page=3", &[3]),
        ("page=3&per_page=3", &[]),
        ("page=0&per_page=0", &[0]),
    ] {
        let list = shop.get(&format!("merchant/transactions?{query}")).await;
        let listed: Vec<_> = list["data"].as_array().expect("a list").iter().map(|one| &one["reference"]).collect();
        let expected: Vec<_> = found.iter().map(|index: &usize| &references[*index]).collect();
        assert_eq!(listed, expected, "{query}");
    }

    let pagination = shop.get("merchant/transactions?page=2&per_page=3").await["pagination"].clone();
    let expected = json!({
        "sort": "asc", "offset": { "from": 4, "to": 4 }, "current_page": 2, "previous_page": 1, "next_page": null,
        "last_page": 2, "per_page": 3, "total_records": 4,
    });
    assert_eq!(pagination, expected);
    let pagination = shop.get("merchant/transactions?status=REFUND&sort=desc&per_page=99").await["pagination"].clone();
    let expected = json!({
        "sort": "desc", "offset": { "from": null, "to": null }, "current_page": 1, "previous_page": null,
        "next_page": null, "last_page": 1, "per_page": 50, "total_records": 0,
    });
    assert_eq!(pagination, expected);
    for query in ["sort=up", "status=paid", "page=two"] {
        let (status, answer) =
            shop.send(Method::GET, &format!("api-sandbox/merchant/transactions?{query}"), &Value::Null).await;
        assert_eq!((status, &answer["success"]), (400, &json!(false)), "{query}");
    }
}

#[tokio::test]
async fn an_unknown_transaction_is_not_found() {
    let shop = Shop::open().await;
    let detail = "api-sandbox/transaction/detail";
    let (status, answer) = shop.send(Method::GET, &format!("{detail}?reference=DEV-T0000"), &Value::Null).await;
    assert_eq!((status, answer), (404, json!({ "success": false, "message": "Transaction not found" })));
    let (status, answer) = shop.send(Method::GET, detail, &Value::Null).await;
    assert_eq!((status, &answer["success"]), (400, &json!(false)));
    for path in ["transactions/DEV-T0000/pay", "checkout/DEV-T0000/pay", "checkout/DEV-T0000/callback"] {
        assert_eq!(shop.send(Method::POST, path, &Value::Null).await.0, 404, "{path}");
    }
    for path in ["checkout/DEV-T0000", "qr/DEV-T0000"] {
        assert_eq!(shop.send(Method::GET, path, &Value::Null).await.0, 404, "{path}");
    }
    assert!(shop.sandbox.deliver("DEV-T0000").await.is_none());
}

#[tokio::test]
async fn channels_are_listed_as_tripay_lists_them() {
    let shop = Shop::open().await;
    let answer = shop.get("merchant/payment-channel").await;
    let channels = answer["data"].as_array().expect("a list");
    assert_eq!(channels.len(), 20);
    let of = |code: &str| channels.iter().find(|channel| channel["code"] == code).expect(code);
    let expected = json!({
        "group": "Virtual Account", "code": "BRIVA", "name": "BRI Virtual Account", "type": "direct",
        "fee_merchant": { "flat": 4_250, "percent": 0 }, "fee_customer": { "flat": 0, "percent": 0 },
        "total_fee": { "flat": 4_250, "percent": "0.00" }, "minimum_fee": null, "maximum_fee": null,
        "minimum_amount": 10_000, "maximum_amount": 10_000_000, "icon_url": null, "active": true,
    });
    assert_eq!(of("BRIVA"), &expected);
    assert_eq!(of("QRIS2")["total_fee"], json!({ "flat": 750, "percent": "0.70" }));
    assert_eq!((&of("DANA")["type"], &of("DANA")["minimum_fee"]), (&json!("redirect"), &json!(1_000)));
    assert_eq!(of("DANA")["fee_merchant"], json!({ "flat": 0, "percent": 3 }));
}

#[tokio::test]
async fn a_status_follows_only_from_one_that_allows_it() {
    let shop = Shop::open().await;
    let receiver = Receiver::answering(&[TAKEN]).await;
    let all = ["pay", "fail", "expire", "refund"];
    for (actions, status, then) in [
        (&[][..], "UNPAID", &["pay", "fail", "expire"][..]),
        (&["pay"], "PAID", &["refund"]),
        (&["pay", "refund"], "REFUND", &[]),
        (&["fail"], "FAILED", &[]),
        (&["expire"], "EXPIRED", &[]),
    ] {
        for action in all {
            let reference = shop.payment(&receiver).await;
            for action in actions {
                assert_eq!(shop.act(&reference, action).await.0, 200);
            }
            let (code, answer) = shop.act(&reference, action).await;
            if then.contains(&action) {
                assert_eq!(code, 200, "{status} {action}: {answer}");
            } else {
                assert_eq!((code, &answer["status"]), (409, &json!(status)), "{action}");
                assert_eq!(shop.sandbox.transaction(&reference).expect("there").status.to_string(), status);
            }
        }
    }
    let reference = shop.payment(&receiver).await;
    assert_eq!(shop.act(&reference, "cancel").await.0, 400);
}

#[tokio::test]
async fn a_callback_is_signed_over_the_bytes_that_php_would_write() {
    let shop = Shop::open().await;
    let receiver = Receiver::answering(&[TAKEN]).await;
    let order = signed(json!({ "method": "QRIS", "merchant_ref": "INV/é/1", "callback_url": receiver.url }));
    let reference = shop.ordered(&order).await["reference"].as_str().expect("text").to_owned();
    shop.act(&reference, "pay").await;
    receiver.has(1).await;
    let received = receiver.received().pop().expect("one");
    let paid_at = shop.sandbox.transaction(&reference).and_then(|found| found.paid_at).expect("paid").timestamp();
    let expected = format!(
        r#"{{"reference":"{reference}","merchant_ref":"INV\/\u00e9\/1","payment_method":"QRIS by ShopeePay","payment_method_code":"QRIS","total_amount":149000,"fee_merchant":1793,"fee_customer":0,"total_fee":1793,"amount_received":147207,"is_closed_payment":1,"status":"PAID","paid_at":{paid_at},"note":null}}"#
    );
    assert_eq!(String::from_utf8_lossy(&received.body), expected);
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-callback-event", "payment_status"),
        ("x-callback-signature", &callback::sign(PRIVATE_KEY, expected.as_bytes())),
        ("user-agent", "TriPay Payment/1.0 (+https://tripay.co.id/developer?tab=callback)"),
    ] {
        assert_eq!(received.headers[name], value, "{name}");
    }
    assert_eq!(shop.sandbox.sign(expected.as_bytes()), received.headers["x-callback-signature"]);
}

#[tokio::test]
async fn every_change_is_told_and_what_was_not_paid_has_no_time() {
    let shop = Shop::open().await;
    let receiver = Receiver::answering(&[TAKEN]).await;
    for (count, action) in [(1, "fail"), (2, "expire")] {
        let reference = shop.payment(&receiver).await;
        shop.act(&reference, action).await;
        receiver.has(count).await;
    }
    let reference = shop.payment(&receiver).await;
    shop.act(&reference, "pay").await;
    receiver.has(3).await;
    shop.act(&reference, "refund").await;
    receiver.has(4).await;
    assert_eq!(receiver.statuses(), ["FAILED", "EXPIRED", "PAID", "REFUND"]);
    let times: Vec<_> = receiver
        .received()
        .iter()
        .map(|received| serde_json::from_slice::<Value>(&received.body).expect("JSON")["paid_at"].is_i64())
        .collect();
    assert_eq!(times, [false, false, true, true]);
}

#[tokio::test]
async fn a_payment_expires_by_itself() {
    let shop = Shop::open().await;
    let receiver = Receiver::answering(&[TAKEN]).await;
    let soon = now().timestamp() + 2;
    let order = signed(json!({ "expired_time": soon, "callback_url": receiver.url }));
    let reference = shop.ordered(&order).await["reference"].as_str().expect("text").to_owned();
    // Nobody asks.
    receiver.has(1).await;
    assert_eq!(receiver.statuses(), ["EXPIRED"]);
    assert!(Utc::now().timestamp() >= soon);
    assert_eq!(shop.act(&reference, "pay").await.0, 409);
}

#[tokio::test]
async fn whoever_asks_finds_what_is_due_expired() {
    let shop = Shop::open().await;
    let receiver = Receiver::answering(&[TAKEN]).await;
    let due = async || {
        let reference = shop.payment(&receiver).await;
        shop.sandbox.shared.alter(|all| {
            all.iter_mut().filter(|one| one.reference == reference).for_each(|one| one.expires_at = now());
        });
        reference
    };
    for path in ["transaction/detail?reference=", "merchant/transactions?reference="] {
        let reference = due().await;
        let answer = shop.get(&format!("{path}{reference}")).await["data"].clone();
        let transaction = answer.get(0).unwrap_or(&answer);
        assert_eq!(transaction["status"], "EXPIRED", "{path}");
    }
    let reference = due().await;
    assert_eq!(shop.act(&reference, "pay").await.1["status"], "EXPIRED");
    let reference = due().await;
    let transactions = shop.sandbox.transactions();
    assert_eq!(transactions.last().map(|last| (&last.reference, last.status)), Some((&reference, Status::Expired)));
    receiver.has(4).await;
    assert!(!transactions.iter().any(|transaction| transaction.is_due(now())), "once is enough");
}

#[tokio::test]
async fn a_callback_is_sent_again_three_times_with_a_gap() {
    let gap = Duration::from_millis(150);
    let shop = Shop::with(None, gap).await;
    let receiver = Receiver::answering(&[(500, "")]).await;
    let reference = shop.payment(&receiver).await;
    shop.act(&reference, "pay").await;
    let deliveries = delivered(&shop, &reference, 4).await;
    assert!(deliveries.iter().all(|delivery| delivery.http_status == Some(500) && !delivery.is_success()));
    sleep(3 * gap).await;
    let received = receiver.received();
    assert_eq!(received.len(), 4);
    for (one, next) in received.iter().zip(received.iter().skip(1)) {
        assert!(next.at - one.at >= gap, "{:?}", next.at - one.at);
        assert_eq!(one.body, next.body);
    }
}

#[tokio::test]
async fn a_callback_is_sent_until_it_is_taken() {
    let shop = Shop::with(None, Duration::from_millis(20)).await;
    let receiver = Receiver::answering(&[(200, r#"{"success": false}"#), (200, "ok"), TAKEN]).await;
    let reference = shop.payment(&receiver).await;
    shop.act(&reference, "pay").await;
    let deliveries = delivered(&shop, &reference, 3).await;
    let successes: Vec<_> = deliveries.iter().map(Delivery::is_success).collect();
    assert_eq!(successes, [false, false, true]);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(receiver.count(), 3);
}

#[tokio::test]
async fn only_success_told_in_json_with_a_good_status_is_success() {
    let shop = Shop::open().await;
    for (answer, is_success) in [
        (TAKEN, true),
        ((201, r#"{"success":true,"message":"thanks"}"#), true),
        ((200, r#"{"success":"true"}"#), false),
        ((200, r#"{"success":1}"#), false),
        ((200, "{}"), false),
        ((200, "<html>"), false),
        ((500, r#"{"success":true}"#), false),
        // It is not followed.
        ((307, r#"{"success":true}"#), false),
        ((404, ""), false),
    ] {
        let receiver = Receiver::answering(&[answer]).await;
        let reference = shop.payment(&receiver).await;
        shop.act(&reference, "pay").await;
        let deliveries = delivered(&shop, &reference, 1).await;
        assert_eq!((deliveries[0].is_success(), deliveries[0].http_status), (is_success, Some(answer.0)), "{answer:?}");
        assert_eq!(receiver.count(), 1);
    }
}

#[tokio::test]
async fn where_nobody_listens_a_callback_fails_and_says_why() {
    let shop = Shop::open().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let made = shop.ordered(&signed(json!({ "callback_url": format!("http://{nobody}/") }))).await;
    let reference = made["reference"].as_str().expect("text");
    shop.act(reference, "pay").await;
    let deliveries = delivered(&shop, reference, 1).await;
    assert_eq!(deliveries[0].http_status, None);
    assert!(deliveries[0].problem.as_deref().expect("why").contains("refused"), "{deliveries:?}");
}

#[tokio::test]
async fn a_callback_goes_to_the_merchants_own_address_unless_the_payment_names_one() {
    let shop = Shop::open().await;
    let made = shop.ordered(&signed(json!({}))).await;
    let reference = made["reference"].as_str().expect("text");
    assert!(shop.page(reference).await.contains(&format!("<code>{}/callbacks/tripay</code>", shop.origin)));
    shop.act(reference, "pay").await;
    // Nothing is served there in this test.
    assert_eq!(delivered(&shop, reference, 1).await[0].http_status, Some(404));
}

#[tokio::test]
async fn no_callback_is_sent_after_a_stop() {
    let gap = Duration::from_millis(100);
    for is_dropped in [false, true] {
        let shop = Shop::with(None, gap).await;
        let receiver = Receiver::answering(&[(500, "")]).await;
        let reference = shop.payment(&receiver).await;
        shop.act(&reference, "pay").await;
        delivered(&shop, &reference, 1).await;
        if is_dropped {
            drop(shop.sandbox);
        } else {
            timeout(PATIENCE, shop.sandbox.stop()).await.expect("it stops at once");
        }
        let count = receiver.count();
        sleep(3 * gap).await;
        assert_eq!(receiver.count(), count, "dropped: {is_dropped}");
    }
}

#[tokio::test]
async fn a_callback_can_be_sent_once_more() {
    let shop = Shop::open().await;
    let receiver = Receiver::answering(&[TAKEN, (500, "")]).await;
    let reference = shop.payment(&receiver).await;
    shop.act(&reference, "pay").await;
    delivered(&shop, &reference, 1).await;
    let delivery = shop.sandbox.deliver(&reference).await.expect("there");
    assert_eq!((delivery.event, delivery.http_status), (Status::Paid, Some(500)));
    receiver.has(2).await;
    assert_eq!(shop.sandbox.transaction(&reference).expect("there").deliveries.len(), 2);
}

#[tokio::test]
async fn payments_outlive_the_sandbox() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("tripay.json");
    let receiver = Receiver::answering(&[TAKEN]).await;
    let shop = Shop::with(Some(file.clone()), NEVER).await;
    let reference = shop.payment(&receiver).await;
    shop.act(&reference, "pay").await;
    delivered(&shop, &reference, 1).await;
    let before = shop.get(&format!("transaction/detail?reference={reference}")).await;
    shop.sandbox.stop().await;

    let again = Shop::with(Some(file.clone()), NEVER).await;
    let after = again.get(&format!("transaction/detail?reference={reference}")).await;
    let checkout_url = before["data"]["checkout_url"].as_str().expect("text");
    // Where the sandbox is now, not where it was.
    let moved = json!(checkout_url.replace(&shop.origin, &again.origin));
    assert_eq!(after["data"]["checkout_url"], moved);
    let mut expected = before.clone();
    expected["data"]["checkout_url"] = moved;
    assert_eq!(after, expected);
    assert_eq!(again.sandbox.transactions()[0].deliveries.len(), 1);
    let next = again.ordered(&signed(json!({}))).await;
    assert!(next["reference"].as_str().expect("text").starts_with("DEV-T0000000000002"), "{next}");

    let names = fs::read_dir(directory.path()).expect("readable").map(|entry| entry.expect("readable").file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["tripay.json"]);
    fs::write(&file, "[{").expect("writable");
    let options = Options { file: Some(file.clone()), callback_retry_delay: NEVER };
    let error = Sandbox::start(options, String::new(), Arc::new(|_, _| {})).err().expect("unreadable").to_string();
    assert!(error.contains("tripay.json: ") && error.contains("; delete it") && !error.contains('\n'), "{error}");
}

#[tokio::test]
async fn what_cannot_be_kept_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("tripay.json");
    let shop = Shop::with(Some(file.clone()), NEVER).await;
    drop(directory);
    shop.ordered(&signed(json!({}))).await;
    let lines = shop.lines.lock().expect("whole").clone();
    assert!(lines[0].starts_with(&format!("cannot write {}: ", file.display())), "{lines:?}");
}

#[tokio::test]
async fn the_page_shows_the_payment_and_nobody_elses_html() {
    let shop = Shop::open().await;
    let hostile = "<script>alert('&\"</script>";
    let order = signed(json!({
        "merchant_ref": hostile,
        "customer_name": hostile,
        "order_items": [order_item(json!({ "name": hostile }))],
        "callback_url": "http://127.0.0.1:1/?<script>",
        "return_url": "https://app.example.id/paid?plan=pro&x=\"><script>",
    }));
    let made = shop.ordered(&order).await;
    let reference = made["reference"].as_str().expect("text");
    let url = made["checkout_url"].as_str().expect("text");
    let response = shop.client.get(url).send().await.expect("an answer");
    assert!(response.headers()["content-type"].to_str().expect("text").starts_with("text/html"));
    assert!(response.headers()["content-security-policy"].to_str().expect("text").starts_with("default-src 'none'"));
    let page = response.text().await.expect("text");
    assert!(!page.contains("<script"), "{page}");
    assert_eq!(page.matches("&#60;script&#62;alert(&#39;&#38;&#34;&#60;/script&#62;").count(), 3, "{page}");
    for shown in ["Rp149.000", "NusaNexus NoFOMO", reference, made["pay_code"].as_str().expect("text"), ">UNPAID<"] {
        assert!(page.contains(shown), "{shown}");
    }
    let back = format!("tripay_reference={reference}&#38;tripay_merchant_ref=%3Cscript%3Ealert");
    assert!(page.contains("https://app.example.id/paid?plan=pro&#38;x=") && page.contains(&back), "{page}");
    for loading in [" src=", "url(", "@import", "stylesheet"] {
        assert!(!page.contains(loading), "{loading}");
    }
}

/// The addresses of the page's buttons.
fn buttons(page: &str) -> Vec<&str> {
    let forms = page.split("<form").skip(1);
    forms
        .filter_map(|form| form.split_once("action=\"")?.1.split_once('"')?.0.rsplit_once('/').map(|(_, last)| last))
        .collect()
}

#[tokio::test]
async fn the_page_works_without_a_script() {
    let shop = Shop::open().await;
    let receiver = Receiver::answering(&[TAKEN, (500, ""), TAKEN]).await;
    let reference = shop.payment(&receiver).await;
    let page = shop.page(&reference).await;
    assert_eq!(buttons(&page), ["pay", "fail", "expire"]);
    assert!(page.contains("None yet"));

    let press = async |button: &str| {
        let url = format!("{}/_local/tripay/checkout/{reference}/{button}", shop.origin);
        let begun = Instant::now();
        let response = shop.client.post(url).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{button}");
        assert!(begun.elapsed() < page::PATIENCE, "it waits for the first attempt alone");
        assert_eq!(response.headers()["location"], page::path(&reference).as_str());
        shop.page(&reference).await
    };
    // The callback's outcome is on the page that follows.
    let page = press("pay").await;
    assert_eq!(buttons(&page), ["refund", "callback"]);
    assert!(page.contains(">PAID<") && page.contains("HTTP 200, success") && !page.contains("failure"), "{page}");
    let page = press("refund").await;
    assert_eq!(buttons(&page), ["callback"]);
    assert!(page.contains(">REFUND<") && page.contains("HTTP 500, failure"), "{page}");
    let page = press("callback").await;
    assert_eq!((page.matches("success<").count(), page.matches("failure<").count()), (2, 1), "{page}");
    // From a page that was left open.
    let page = press("pay").await;
    assert!(page.contains(">REFUND<"), "{page}");
    assert_eq!(receiver.statuses(), ["PAID", "REFUND", "REFUND"]);
}

#[tokio::test]
async fn an_unpaid_payment_has_no_callback_to_send() {
    let shop = Shop::open().await;
    let receiver = Receiver::answering(&[TAKEN]).await;
    let reference = shop.payment(&receiver).await;
    shop.send(Method::POST, &format!("checkout/{reference}/callback"), &Value::Null).await;
    assert!(shop.sandbox.transaction(&reference).expect("there").deliveries.is_empty());
}

#[test]
fn rupiah_are_written_with_points() {
    for (amount, text) in
        [(0, "Rp0"), (999, "Rp999"), (1_000, "Rp1.000"), (149_000, "Rp149.000"), (10_000_000, "Rp10.000.000")]
    {
        assert_eq!(rupiah(amount), text);
    }
    assert_eq!(rupiah(-1_500), "-Rp1.500");
}
