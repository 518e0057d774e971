//! Creation of a transaction: requests, outcomes and connections.

use std::process::Command;

use tokio::net::TcpSocket;
use tokio::time::timeout;
use wiremock::matchers::path;

use super::*;

#[tokio::test]
async fn a_create_request_has_the_documented_form() {
    let server = server(json_response(200, CREATED)).await;
    let account = account(
        &server.uri(),
        &[
            ("TRIPAY_CALLBACK_URL", "https://pay.example.id/webhooks/tripay"),
            ("TRIPAY_RETURN_URL", "https://pay.example.id/invoices/INV-2025-000124"),
        ],
    );
    let CreateOutcome::Created(transaction) = Tripay::new(account).unwrap().create_transaction(&order()).await else {
        panic!()
    };
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
            // Signature of T0001INV-2025-000124100000.
            "signature": "065ead1e814efb17d4159cd352fd702780f76aa6cfac4c568698965dc4dd673c",
        })
    );
}

#[tokio::test]
async fn missing_fields_are_omitted() {
    let server = server(json_response(200, CREATED)).await;
    tripay(&server.uri()).create_transaction(&Order { customer_phone: None, ..order() }).await;
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
async fn a_success_response_is_accepted_with_any_status_and_lenient_types() {
    let with_fee = r#"{"success": "true", "data": {"reference": "T1", "merchant_ref": "INV-2025-000124",
        "amount": "104250", "fee_customer": "4250", "pay_code": 12, "expired_at": 1763538811}}"#;
    for (status, body) in [(200, with_fee), (201, with_fee), (422, with_fee), (500, with_fee), (200, CREATED)] {
        let server = server(json_response(status, body)).await;
        let creation = tripay(&server.uri()).create_transaction(&order()).await;
        assert!(matches!(creation, CreateOutcome::Created(_)), "{status} {creation:?}");
    }
    // Missing fields do not contradict the order.
    for data in [
        json!({"reference": "T1"}),
        json!({"reference": "T1", "merchant_ref": null, "amount": 999}),
        json!({"reference": "T1", "merchant_ref": "INV-2025-000124", "fee_customer": 1}),
    ] {
        let server = server(ResponseTemplate::new(200).set_body_json(json!({"success": true, "data": data}))).await;
        let creation = tripay(&server.uri()).create_transaction(&order()).await;
        assert!(matches!(creation, CreateOutcome::Created(ref one) if one.reference == "T1"), "{creation:?}");
    }
}

#[tokio::test]
async fn a_json_refusal_is_conclusive() {
    for (status, message, expected, is_account) in [
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
        let creation = tripay(&server.uri()).create_transaction(&order()).await;
        let CreateOutcome::Refused { message, is_account_error } = creation else { panic!("{creation:?}") };
        assert_eq!((message.as_str(), is_account_error), (expected, is_account));
        assert_eq!(requests(&server).await.len(), 1);
    }
}

#[tokio::test]
async fn an_inconclusive_response_leaves_the_outcome_unknown() {
    let html = "<html><title>Attention Required! | Cloudflare</title>";
    for (response, cause) in [
        (ResponseTemplate::new(403).set_body_raw(html, "text/html"), "403"),
        (ResponseTemplate::new(200).set_body_raw(html, "text/html"), "not a JSON object"),
        (json_response(500, r#"{"success": false, "message": "hush"}"#), "no conclusive `success`"),
        (json_response(503, r#"{"success": false}"#), "no conclusive `success`"),
        (json_response(200, r#"{"message": "hush"}"#), "no conclusive `success`"),
        (json_response(200, r#"{"success": null}"#), "no conclusive `success`"),
        (json_response(200, r#"{"success": "hush"}"#), "no conclusive `success`"),
        (json_response(200, r#"[{"success": false}]"#), "not a JSON object"),
        (json_response(200, r#"{"success": false"#), "not a JSON object"),
        (json_response(400, ""), "not a JSON object"),
        (json_response(200, r#"{"success": true}"#), "without `data`"),
        (json_response(200, r#"{"success": true, "data": []}"#), "without `data`"),
        (json_response(200, r#"{"success": true, "data": {}}"#), "`reference` is missing"),
        (json_response(200, r#"{"success": true, "data": {"reference": ""}}"#), "`reference` is missing"),
        (json_response(200, r#"{"success": true, "data": {"reference": "T1", "amount": "hush"}}"#), "`amount`"),
    ] {
        let server = server(response).await;
        let error = unknown_cause(tripay(&server.uri()).create_transaction(&order()).await);
        assert!(error.contains(cause), "{error}");
        assert_eq!(requests(&server).await.len(), 1, "not retried");
    }
}

#[tokio::test]
async fn a_transaction_that_does_not_match_the_order_leaves_the_outcome_unknown() {
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
        let cause = unknown_cause(tripay(&server.uri()).create_transaction(&order()).await);
        assert!(cause.contains("DEV-T0001000000000ABCDE"), "{cause}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_leaves_the_outcome_unknown() {
    for status in [301, 302, 303, 307, 308] {
        let server = MockServer::start().await;
        let elsewhere = format!("{}/elsewhere", server.uri());
        let redirect = json_response(status, r#"{"success": false}"#).insert_header("location", elsewhere.as_str());
        Mock::given(path("/elsewhere")).respond_with(json_response(200, CREATED)).mount(&server).await;
        Mock::given(path("/api-sandbox/transaction/create")).respond_with(redirect).mount(&server).await;
        let cause = unknown_cause(tripay(&server.uri()).create_transaction(&order()).await);
        assert!(cause.contains("redirect not followed"), "{cause}");
        assert_eq!(requests(&server).await.len(), 1);
    }
}

#[tokio::test]
async fn a_timeout_leaves_the_outcome_unknown() {
    let server = server(json_response(200, CREATED).set_delay(Duration::from_secs(30))).await;
    let started = Instant::now();
    let cause = unknown_cause(with_timeouts(&server.uri(), 200, 60_000).create_transaction(&order()).await);
    assert!(cause.contains("TimedOut"), "{cause}");
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(requests(&server).await.len(), 1, "the request was sent");
}

#[tokio::test]
async fn connecting_has_its_own_timeout() {
    // A listener with a full backlog drops further connection attempts silently.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let _listener = socket.listen(1).unwrap();
    let mut queue = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(500), TcpStream::connect(address)).await {
        queue.push(connected.unwrap());
    }
    let minute = Duration::from_secs(60);
    let timeouts = Timeouts { connect: Duration::from_millis(200), create: minute, query: minute };
    let tripay = Tripay::with_timeouts(account(&format!("http://{address}"), &[]), timeouts).unwrap();
    let started = Instant::now();
    let cause = unknown_cause(tripay.create_transaction(&order()).await);
    assert!(cause.contains("Connect"), "{cause}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn proxy_settings_of_the_environment_are_ignored() {
    // The environment belongs to the whole process, so a child process runs the test.
    let mut with_proxy = Command::new(std::env::current_exe().unwrap());
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        with_proxy.env(name, "http://127.0.0.1:1");
    }
    for name in ["no_proxy", "NO_PROXY", "REQUEST_METHOD"] {
        with_proxy.env_remove(name);
    }
    let test = "client::tests::create::a_create_request_has_the_documented_form";
    let output = with_proxy.args(["--exact", test]).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && report.contains("1 passed"), "{report}");
}

#[tokio::test]
async fn a_body_that_does_not_end_leaves_the_outcome_unknown() {
    let base = raw_server(async |mut connection| {
        read_request(&mut connection).await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{{\"success\": true,", CREATED.len());
        connection.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(30)).await;
    })
    .await;
    let started = Instant::now();
    let cause = unknown_cause(with_timeouts(&base, 200, 60_000).create_transaction(&order()).await);
    assert!(cause.contains("TimedOut"), "{cause}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_lost_connection_leaves_the_outcome_unknown() {
    // A connection is reset if it is dropped with unread data.
    let reset = raw_server(async |mut connection| {
        connection.read_exact(&mut [0; 4]).await.unwrap();
    })
    .await;
    let closed = raw_server(async |mut connection| read_request(&mut connection).await).await;
    let partial_response = raw_server(async |mut connection| {
        read_request(&mut connection).await;
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"success\":").await.unwrap();
    })
    .await;
    for base in [reset, closed, partial_response] {
        unknown_cause(tripay(&base).create_transaction(&order()).await);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed_port = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let cause = unknown_cause(tripay(&closed_port).create_transaction(&order()).await);
    assert!(cause.contains("Connect"), "{cause}");
}

#[tokio::test]
async fn nothing_is_sent_before_the_connection_is_encrypted() {
    let (sender, hello) = tokio::sync::oneshot::channel();
    let base = raw_server(async |mut connection| {
        let mut hello = Vec::new();
        connection.read_buf(&mut hello).await.unwrap();
        connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        sender.send(hello).unwrap();
    })
    .await;
    let cause = unknown_cause(tripay(&base.replace("http:", "https:")).create_transaction(&order()).await);
    assert!(cause.contains("InvalidMessage"), "{cause}");
    let hello = hello.await.unwrap();
    // The first record is a handshake with a ClientHello.
    assert_eq!((hello[0], hello[5]), (22, 1));
}

#[tokio::test]
async fn the_size_of_a_response_is_limited() {
    let padded = |size: usize| format!("{CREATED}{}", " ".repeat(size - CREATED.len()));
    let fitting = server(json_response(200, &padded(MAX_RESPONSE_BYTES))).await;
    assert!(matches!(tripay(&fitting.uri()).create_transaction(&order()).await, CreateOutcome::Created(_)));
    let huge = server(json_response(200, &padded(MAX_RESPONSE_BYTES + 1))).await;
    let cause = unknown_cause(tripay(&huge.uri()).create_transaction(&order()).await);
    assert!(cause.contains("exceeds 262144 bytes"), "{cause}");
}

#[tokio::test]
async fn connections_are_not_reused_and_use_ipv4_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut connection, _) = listener.accept().await.unwrap();
            read_request(&mut connection).await;
            let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{CREATED}", CREATED.len());
            connection.write_all(response.as_bytes()).await.unwrap();
            // A client that reused the connection would send its next request here and wait for ever.
            tokio::spawn(async move { connection.read_to_end(&mut Vec::new()).await });
        }
    });
    let tripay = with_timeouts(&base, 5_000, 5_000);
    for _ in 0..2 {
        let creation = tripay.create_transaction(&order()).await;
        assert!(matches!(creation, CreateOutcome::Created(_)), "{creation:?}");
    }
    server.await.unwrap();

    // Skipped on a machine without IPv6.
    if let Ok(listener) = TcpListener::bind("[::1]:0").await {
        let base = format!("http://{}", listener.local_addr().unwrap());
        let accepted = tokio::spawn(async move { listener.accept().await.map(drop) });
        unknown_cause(with_timeouts(&base, 5_000, 5_000).create_transaction(&order()).await);
        assert!(!accepted.is_finished(), "connected over IPv6");
        accepted.abort();
    }
}
