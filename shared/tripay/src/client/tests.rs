//! The client against servers that behave, and servers that do not.

use std::process::Command;
use std::time::Instant;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use wiremock::matchers::{any, method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::transaction::answers::{CREATED, DETAIL, LIST};

/// The key of Tripay's documentation; the API key is one that no answer and no error may show.
fn account(base: &str, more: &'static [(&str, &str)]) -> Account {
    let url = format!("{base}/api-sandbox");
    Account::read(|name| match name {
        "TRIPAY_MERCHANT_CODE" => Some("T0001".into()),
        "TRIPAY_API_KEY" => Some("DEV-hush-api".into()),
        "TRIPAY_PRIVATE_KEY" => Some("ytf6ooi2gmlNPfpchd94jDOk8hRWOu".into()),
        "TRIPAY_URL" => Some(url.clone()),
        _ => more.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
    })
    .unwrap()
}

fn tripay(base: &str) -> Tripay {
    Tripay::new(account(base, &[])).unwrap()
}

/// Too long for a test to reach, but for the limits that are given.
fn with_limits(base: &str, create: u64, question: u64) -> Tripay {
    let limits = Limits {
        connect: Duration::from_secs(60),
        create: Duration::from_millis(create),
        question: Duration::from_millis(question),
    };
    Tripay::with_limits(account(base, &[]), limits).unwrap()
}

fn order() -> Order {
    serde_json::from_value(json!({
        "method": "BRIVA",
        "merchant_ref": "INV-2025-000124",
        "amount": 100_000,
        "item": "Tagihan INV-2025-000124",
        "customer_name": "Budi Santoso",
        "customer_email": "budi@example.id",
        "customer_phone": "081200000000",
        "expires_at": "2025-11-19T07:53:31Z",
    }))
    .unwrap()
}

/// A server that answers everything so.
async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

fn json_text(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body, "application/json")
}

async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.unwrap()
}

/// A server that does this with its first connection; what it was sent first is gone then.
async fn raw<F: Future<Output = ()> + Send>(serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (connection, _) = listener.accept().await.unwrap();
        serve(connection).await;
    });
    base
}

/// Head and body, as the client sends them for an order.
async fn read_request(connection: &mut TcpStream) {
    let mut received = Vec::new();
    while !received.ends_with(b"\"}") {
        assert_ne!(connection.read_buf(&mut received).await.unwrap(), 0);
    }
}

/// The cause, if the outcome is unknown; and that nothing in it is a secret or a body.
fn unknown(creation: Creation) -> String {
    let Creation::Unknown(cause) = creation else { panic!("{creation:?}") };
    for secret in ["hush", "ytf6", "budi", "Budi", "<html"] {
        assert!(!cause.contains(secret), "{cause}");
    }
    cause
}

#[tokio::test]
async fn an_order_is_sent_as_tripay_documents_it() {
    let server = server(json_text(200, CREATED)).await;
    let account = account(
        &server.uri(),
        &[
            ("TRIPAY_CALLBACK_URL", "https://pay.example.id/webhooks/tripay"),
            ("TRIPAY_RETURN_URL", "https://pay.example.id/invoices/INV-2025-000124"),
        ],
    );
    let Creation::Created(transaction) = Tripay::new(account).unwrap().create(&order()).await else { panic!() };
    assert_eq!(transaction.reference, "DEV-T0001000000000ABCDE");
    assert_eq!(transaction.pay_code.as_deref(), Some("578912345678901"));

    let [request] = &requests(&server).await[..] else { panic!() };
    assert_eq!((request.method.as_str(), request.url.path()), ("POST", "/api-sandbox/transaction/create"));
    assert_eq!(request.url.query(), None);
    assert_eq!(request.headers["authorization"], "Bearer DEV-hush-api");
    assert_eq!(request.headers["content-type"], "application/json");
    let user_agent = format!("nofomo/{} (+https://nofomo.dev)", env!("CARGO_PKG_VERSION"));
    assert_eq!(request.headers["user-agent"], user_agent.as_str());
    assert_eq!(
        request.body_json::<Value>().unwrap(),
        json!({
            "method": "BRIVA",
            "merchant_ref": "INV-2025-000124",
            "amount": 100_000,
            "customer_name": "Budi Santoso",
            "customer_email": "budi@example.id",
            "customer_phone": "081200000000",
            "order_items": [
                {"sku": "INV-2025-000124", "name": "Tagihan INV-2025-000124", "price": 100_000, "quantity": 1}
            ],
            "callback_url": "https://pay.example.id/webhooks/tripay",
            "return_url": "https://pay.example.id/invoices/INV-2025-000124",
            "expired_time": 1_763_538_811,
            // Of T0001INV-2025-000124100000.
            "signature": "065ead1e814efb17d4159cd352fd702780f76aa6cfac4c568698965dc4dd673c",
        })
    );
}

#[tokio::test]
async fn what_is_not_known_is_not_sent() {
    let server = server(json_text(200, CREATED)).await;
    tripay(&server.uri()).create(&Order { customer_phone: None, ..order() }).await;
    let sent: Map<String, Value> = requests(&server).await[0].body_json().unwrap();
    let names: Vec<_> = sent.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "amount",
            "customer_email",
            "customer_name",
            "expired_time",
            "merchant_ref",
            "method",
            "order_items",
            "signature"
        ]
    );
}

#[tokio::test]
async fn a_created_transaction_is_one_whatever_the_status_and_the_types() {
    let with_fee = r#"{"success": "true", "data": {"reference": "T1", "merchant_ref": "INV-2025-000124",
        "amount": "104250", "fee_customer": "4250", "pay_code": 12, "expired_at": 1763538811}}"#;
    for (status, body) in [(200, with_fee), (201, with_fee), (422, with_fee), (500, with_fee), (200, CREATED)] {
        let server = server(json_text(status, body)).await;
        let creation = tripay(&server.uri()).create(&order()).await;
        assert!(matches!(creation, Creation::Created(_)), "{status} {creation:?}");
    }
    // Less told, but nothing that contradicts.
    for data in [
        json!({"reference": "T1"}),
        json!({"reference": "T1", "merchant_ref": null, "amount": 999}),
        json!({"reference": "T1", "merchant_ref": "INV-2025-000124", "fee_customer": 1}),
    ] {
        let server = server(ResponseTemplate::new(200).set_body_json(json!({"success": true, "data": data}))).await;
        let creation = tripay(&server.uri()).create(&order()).await;
        assert!(matches!(creation, Creation::Created(ref one) if one.reference == "T1"), "{creation:?}");
    }
}

#[tokio::test]
async fn a_refusal_in_json_is_definite() {
    for (status, message, shown, ours) in [
        (400, json!("Minimal pembayaran <b>Rp 10.000</b>"), "Minimal pembayaran Rp 10.000", false),
        (200, json!("Channel tidak aktif"), "Channel tidak aktif", false),
        (422, json!({"amount": ["kurang"]}), r#"{"amount":["kurang"]}"#, false),
        (422, json!(null), "Tripay gave no reason", false),
        (400, json!("Invalid API Key DEV-hush-api"), "Invalid API Key …", true),
        (200, json!("Invalid signature"), "Invalid signature", true),
        (401, json!("Ditolak"), "Ditolak", true),
        (403, json!("Unauthorized IP"), "Unauthorized IP", true),
    ] {
        let body = json!({"success": false, "message": message});
        let server = server(ResponseTemplate::new(status).set_body_json(body)).await;
        let creation = tripay(&server.uri()).create(&order()).await;
        let Creation::Refused { message, is_ours } = creation else { panic!("{creation:?}") };
        assert_eq!((message.as_str(), is_ours), (shown, ours));
        assert_eq!(requests(&server).await.len(), 1);
    }
}

#[tokio::test]
async fn whatever_is_neither_leaves_the_outcome_unknown() {
    let html = "<html><title>Attention Required! | Cloudflare</title>";
    for (answer, cause) in [
        (ResponseTemplate::new(403).set_body_raw(html, "text/html"), "403"),
        (ResponseTemplate::new(200).set_body_raw(html, "text/html"), "without a JSON object"),
        (json_text(500, r#"{"success": false, "message": "hush"}"#), "neither yes nor no"),
        (json_text(503, r#"{"success": false}"#), "neither yes nor no"),
        (json_text(200, r#"{"message": "hush"}"#), "neither yes nor no"),
        (json_text(200, r#"{"success": null}"#), "neither yes nor no"),
        (json_text(200, r#"{"success": "hush"}"#), "neither yes nor no"),
        (json_text(200, r#"[{"success": false}]"#), "without a JSON object"),
        (json_text(200, r#"{"success": false"#), "without a JSON object"),
        (json_text(400, ""), "without a JSON object"),
        (json_text(200, r#"{"success": true}"#), "without data"),
        (json_text(200, r#"{"success": true, "data": []}"#), "without data"),
        (json_text(200, r#"{"success": true, "data": {}}"#), "`reference` is missing"),
        (json_text(200, r#"{"success": true, "data": {"reference": ""}}"#), "`reference` is missing"),
        (json_text(200, r#"{"success": true, "data": {"reference": "T1", "amount": "hush"}}"#), "`amount`"),
    ] {
        let server = server(answer).await;
        let told = unknown(tripay(&server.uri()).create(&order()).await);
        assert!(told.contains(cause), "{told}");
        assert_eq!(requests(&server).await.len(), 1, "sent once");
    }
}

#[tokio::test]
async fn another_transaction_than_the_ordered_one_leaves_the_outcome_unknown() {
    for (name, value) in [
        ("merchant_ref", json!("INV-2025-000123")),
        ("merchant_ref", json!("inv-2025-000124")),
        ("amount", json!(100_001)),
        ("amount", json!(0)),
        ("fee_customer", json!(4250)),
        ("fee_customer", json!(i64::MIN)),
    ] {
        let mut body: Value = serde_json::from_str(CREATED).unwrap();
        body["data"][name] = value;
        let server = server(ResponseTemplate::new(200).set_body_json(body)).await;
        let cause = unknown(tripay(&server.uri()).create(&order()).await);
        assert!(cause.contains("DEV-T0001000000000ABCDE"), "{cause}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_settles_nothing() {
    for status in [301, 302, 303, 307, 308] {
        let server = MockServer::start().await;
        let elsewhere = format!("{}/elsewhere", server.uri());
        let redirect = json_text(status, r#"{"success": false}"#).insert_header("location", elsewhere.as_str());
        Mock::given(path("/elsewhere")).respond_with(json_text(200, CREATED)).mount(&server).await;
        Mock::given(path("/api-sandbox/transaction/create")).respond_with(redirect).mount(&server).await;
        let cause = unknown(tripay(&server.uri()).create(&order()).await);
        assert!(cause.contains("redirected"), "{cause}");
        assert_eq!(requests(&server).await.len(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_leaves_the_outcome_unknown() {
    let server = server(json_text(200, CREATED).set_delay(Duration::from_secs(30))).await;
    let started = Instant::now();
    let cause = unknown(with_limits(&server.uri(), 200, 60_000).create(&order()).await);
    assert!(cause.contains("TimedOut"), "{cause}");
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(requests(&server).await.len(), 1, "it had been sent");
}

#[tokio::test]
async fn a_question_has_a_time_limit_of_its_own() {
    let server = server(json_text(200, DETAIL).set_delay(Duration::from_secs(30))).await;
    let tripay = with_limits(&server.uri(), 60_000, 200);
    let started = Instant::now();
    let errors = [tripay.detail("T1").await.unwrap_err(), tripay.transactions_of("INV-1").await.unwrap_err()];
    for error in errors {
        assert!(error.to_string().contains("TimedOut"), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn connecting_has_a_time_limit_of_its_own() {
    // With its queue full, a listener lets nobody else in and does not say so.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let _listener = socket.listen(1).unwrap();
    let mut queue = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(500), TcpStream::connect(address)).await {
        queue.push(connected.unwrap());
    }
    let minute = Duration::from_secs(60);
    let limits = Limits { connect: Duration::from_millis(200), create: minute, question: minute };
    let tripay = Tripay::with_limits(account(&format!("http://{address}"), &[]), limits).unwrap();
    let started = Instant::now();
    let cause = unknown(tripay.create(&order()).await);
    assert!(cause.contains("Connect"), "{cause}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_proxy_that_the_environment_names_is_not_asked() {
    // The environment belongs to the whole process, so another one does it.
    let mut with_proxy = Command::new(std::env::current_exe().unwrap());
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        with_proxy.env(name, "http://127.0.0.1:1");
    }
    for name in ["no_proxy", "NO_PROXY", "REQUEST_METHOD"] {
        with_proxy.env_remove(name);
    }
    let test = "client::tests::an_order_is_sent_as_tripay_documents_it";
    let output = with_proxy.args(["--exact", test]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

#[tokio::test]
async fn a_body_that_does_not_end_leaves_the_outcome_unknown() {
    let base = raw(async |mut connection| {
        read_request(&mut connection).await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{{\"success\": true,", CREATED.len());
        connection.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(30)).await;
    })
    .await;
    let started = Instant::now();
    let cause = unknown(with_limits(&base, 200, 60_000).create(&order()).await);
    assert!(cause.contains("TimedOut"), "{cause}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_connection_that_is_lost_leaves_the_outcome_unknown() {
    // Dropped with something unread in it, the connection is reset.
    let reset = raw(async |mut connection| {
        connection.read_exact(&mut [0; 4]).await.unwrap();
    })
    .await;
    let closed = raw(async |mut connection| read_request(&mut connection).await).await;
    let in_the_middle = raw(async |mut connection| {
        read_request(&mut connection).await;
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"success\":").await.unwrap();
    })
    .await;
    for base in [reset, closed, in_the_middle] {
        unknown(tripay(&base).create(&order()).await);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let cause = unknown(tripay(&nobody).create(&order()).await);
    assert!(cause.contains("Connect"), "{cause}");
}

#[tokio::test]
async fn nothing_is_said_before_the_connection_is_encrypted() {
    let (told, hello) = tokio::sync::oneshot::channel();
    let base = raw(async |mut connection| {
        let mut hello = Vec::new();
        connection.read_buf(&mut hello).await.unwrap();
        connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        told.send(hello).unwrap();
    })
    .await;
    let cause = unknown(tripay(&base.replace("http:", "https:")).create(&order()).await);
    assert!(cause.contains("InvalidMessage"), "{cause}");
    let hello = hello.await.unwrap();
    // A handshake record with a ClientHello in it.
    assert_eq!((hello[0], hello[5]), (22, 1));
}

#[tokio::test]
async fn an_answer_is_read_up_to_a_limit() {
    let padded = |size: usize| format!("{CREATED}{}", " ".repeat(size - CREATED.len()));
    let fitting = server(json_text(200, &padded(SIZE_LIMIT))).await;
    assert!(matches!(tripay(&fitting.uri()).create(&order()).await, Creation::Created(_)));
    let huge = server(json_text(200, &padded(SIZE_LIMIT + 1))).await;
    let cause = unknown(tripay(&huge.uri()).create(&order()).await);
    assert!(cause.contains("more than 262144 bytes"), "{cause}");
}

#[tokio::test]
async fn no_connection_is_kept_and_only_ipv4_is_dialled() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut connection, _) = listener.accept().await.unwrap();
            read_request(&mut connection).await;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{CREATED}", CREATED.len());
            connection.write_all(answer.as_bytes()).await.unwrap();
            // A client that keeps the connection sends its next request here, and waits for ever.
            tokio::spawn(async move { connection.read_to_end(&mut Vec::new()).await });
        }
    });
    let tripay = with_limits(&base, 5_000, 5_000);
    for _ in 0..2 {
        let creation = tripay.create(&order()).await;
        assert!(matches!(creation, Creation::Created(_)), "{creation:?}");
    }
    server.await.unwrap();

    // A machine without IPv6 cannot dial it anyway.
    if let Ok(listener) = TcpListener::bind("[::1]:0").await {
        let base = format!("http://{}", listener.local_addr().unwrap());
        let accepted = tokio::spawn(async move { listener.accept().await.map(drop) });
        unknown(with_limits(&base, 5_000, 5_000).create(&order()).await);
        assert!(!accepted.is_finished(), "dialled over IPv6");
        accepted.abort();
    }
}

#[tokio::test]
async fn a_question_about_a_reference_is_answered() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/api-sandbox/transaction/detail"))
        .and(query_param("reference", "DEV-T0001000000000ABCDE"))
        .respond_with(json_text(200, DETAIL))
        .mount(&server)
        .await;
    let transaction = tripay(&server.uri()).detail("DEV-T0001000000000ABCDE").await.unwrap().unwrap();
    assert_eq!((transaction.status.as_str(), transaction.amount), ("PAID", Some(100_000)));
    assert_eq!(requests(&server).await[0].headers["authorization"], "Bearer DEV-hush-api");
}

#[tokio::test]
async fn a_reference_cannot_change_the_question() {
    let server = server(json_text(400, r#"{"success": false, "message": "Transaction not found"}"#)).await;
    assert_eq!(tripay(&server.uri()).detail("T1&reference=T2#é").await.unwrap(), None);
    let [request] = &requests(&server).await[..] else { panic!() };
    assert_eq!(request.url.query_pairs().collect::<Vec<_>>(), [("reference".into(), "T1&reference=T2#é".into())]);
}

#[tokio::test]
async fn only_a_refusal_that_is_not_ours_means_that_there_is_no_such_transaction() {
    for status in [200, 400, 404] {
        let server = server(json_text(status, r#"{"success": false, "message": "Transaction not found"}"#)).await;
        assert_eq!(tripay(&server.uri()).detail("T1").await.unwrap(), None, "{status}");
    }
    for (status, body) in [
        (401, r#"{"success": false, "message": "x"}"#),
        (403, r#"{"success": false, "message": "x"}"#),
        (429, r#"{"success": false, "message": "x"}"#),
        (400, r#"{"success": false, "message": "Invalid API Key DEV-hush-api"}"#),
        (500, r#"{"success": false, "message": "hush"}"#),
        (404, "<html>hush"),
        (302, r#"{"success": false}"#),
        (200, r#"{"success": true}"#),
        (200, r#"{"success": true, "data": {"reference": "T2", "status": "PAID"}}"#),
        (200, r#"{"success": true, "data": {"status": "PAID"}}"#),
        (200, r#"{"success": true, "data": {"reference": "T1", "amount": "hush"}}"#),
    ] {
        let server = server(json_text(status, body)).await;
        let error = tripay(&server.uri()).detail("T1").await.expect_err(body);
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }
}

#[tokio::test]
async fn transactions_are_those_of_exactly_this_merchant_ref() {
    let mut body: Value = serde_json::from_str(LIST).unwrap();
    let one = body["data"][0].take();
    let as_of = |reference: &str, merchant_ref: Value| {
        let mut item = one.clone();
        item["reference"] = reference.into();
        item["merchant_ref"] = merchant_ref;
        item
    };
    body["data"] = json!([
        as_of("T1", json!("INV-2025-000124")),
        as_of("T2", json!("INV-2025-000124-2")),
        as_of("T3", json!("inv-2025-000124")),
        as_of("T4", json!(null)),
        as_of("T5", json!("INV-2025-00012")),
        // Of another order, whatever it has.
        {"merchant_ref": "INV-2025-000124-3", "amount": "?"},
        as_of("T0", json!("INV-2025-000124")),
    ]);
    let server = server(ResponseTemplate::new(200).set_body_json(body)).await;
    let found = tripay(&server.uri()).transactions_of("INV-2025-000124").await.unwrap();
    let references: Vec<_> = found.iter().map(|transaction| transaction.reference.as_str()).collect();
    assert_eq!(references, ["T1", "T0"], "in Tripay's order, which is the oldest first");

    let [request] = &requests(&server).await[..] else { panic!() };
    assert_eq!((request.method.as_str(), request.url.path()), ("GET", "/api-sandbox/merchant/transactions"));
    assert_eq!(request.url.query(), Some("page=1&per_page=50&sort=asc&merchant_ref=INV-2025-000124"));
    assert_eq!(request.headers["authorization"], "Bearer DEV-hush-api");
}

/// Answers each page with one transaction of this merchant_ref, named after the page.
async fn pages(server: &MockServer, count: usize, pagination: impl Fn(usize) -> Value) {
    for page in 1..=count {
        let item = json!({"reference": format!("T{page}"), "merchant_ref": "INV-1"});
        let body = json!({"success": true, "data": [item], "pagination": pagination(page)});
        Mock::given(query_param("page", page.to_string()))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(server)
            .await;
    }
}

async fn references_of(server: &MockServer) -> Result<Vec<String>, NoAnswer> {
    let found = tripay(&server.uri()).transactions_of("INV-1").await?;
    Ok(found.into_iter().map(|transaction| transaction.reference).collect())
}

#[tokio::test]
async fn pages_are_followed_to_the_last() {
    for told in [
        |page: usize| json!({"current_page": page, "next_page": (page < 3).then_some(page + 1)}),
        |page: usize| json!({"current_page": page, "last_page": 3}),
        |page: usize| json!({"current_page": page, "next_page": null, "last_page": "3"}),
    ] {
        let server = MockServer::start().await;
        pages(&server, 3, told).await;
        assert_eq!(references_of(&server).await.unwrap(), ["T1", "T2", "T3"]);
        assert_eq!(requests(&server).await.len(), 3);
    }
}

#[tokio::test]
async fn without_pagination_a_full_page_is_followed() {
    let server = MockServer::start().await;
    for (page, count) in [(1, PER_PAGE), (2, 1)] {
        let item = json!({"reference": "T1", "merchant_ref": "INV-1"});
        let body = json!({"success": true, "data": vec![item; count]});
        Mock::given(query_param("page", page.to_string()))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
    }
    assert_eq!(references_of(&server).await.unwrap().len(), PER_PAGE + 1);
    assert_eq!(requests(&server).await.len(), 2);
}

#[tokio::test]
async fn more_pages_than_are_followed_leave_it_open() {
    let last = MockServer::start().await;
    pages(&last, MOST_PAGES, |_| json!({"last_page": MOST_PAGES})).await;
    assert_eq!(references_of(&last).await.unwrap().len(), MOST_PAGES);
    let endless = MockServer::start().await;
    pages(&endless, MOST_PAGES + 5, |page| json!({"next_page": page + 1})).await;
    assert!(references_of(&endless).await.unwrap_err().to_string().contains("more than 10 pages"));
    assert_eq!(requests(&endless).await.len(), MOST_PAGES);
}

#[tokio::test]
async fn an_empty_list_ends_the_question() {
    let body = json!({"success": true, "data": [], "pagination": {"next_page": 2, "last_page": 9}});
    let server = server(ResponseTemplate::new(200).set_body_json(body)).await;
    assert_eq!(references_of(&server).await.unwrap(), [""; 0]);
    assert_eq!(requests(&server).await.len(), 1);
}

#[tokio::test]
async fn a_list_that_is_not_given_is_not_an_empty_one() {
    for (status, body) in [
        (200, r#"{"success": false, "message": "Not found"}"#),
        (400, r#"{"success": false, "message": "Invalid API Key DEV-hush-api"}"#),
        (500, r#"{"success": false}"#),
        (403, "<html>hush"),
        (200, r#"{"success": true}"#),
        (200, r#"{"success": true, "data": {}}"#),
        (200, r#"{"success": true, "data": ["hush"]}"#),
        (200, r#"{"success": true, "data": [{"merchant_ref": "INV-1"}]}"#),
        (200, r#"{"success": true, "data": [{"merchant_ref": "INV-1", "reference": "T1", "amount": "hush"}]}"#),
    ] {
        let server = server(json_text(status, body)).await;
        let error = references_of(&server).await.expect_err(body);
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }
}

#[tokio::test]
async fn a_key_is_never_shown() {
    let tripay = tripay("http://127.0.0.1:1");
    let shown = format!("{tripay:?} {tripay:#?}");
    assert!(shown.contains("T0001"), "{shown}");
    assert!(!shown.contains("hush") && !shown.contains("ytf6"), "{shown}");
    assert_eq!(tripay.merchant_code(), "T0001");
    let error = tripay.detail("T1").await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
}
