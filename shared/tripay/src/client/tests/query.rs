//! Queries for transactions: by reference and by `merchant_ref`.

use wiremock::matchers::{method, path, query_param};

use super::*;

#[tokio::test]
async fn a_query_has_its_own_timeout() {
    let server = server(json_response(200, DETAIL).set_delay(Duration::from_secs(30))).await;
    let tripay = with_timeouts(&server.uri(), 60_000, 200);
    let started = Instant::now();
    let errors =
        [tripay.find_transaction("T1").await.unwrap_err(), tripay.list_transactions("INV-1").await.unwrap_err()];
    for error in errors {
        assert!(error.to_string().contains("TimedOut"), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_transaction_is_found_by_its_reference() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/api-sandbox/transaction/detail"))
        .and(query_param("reference", "DEV-T0001000000000ABCDE"))
        .respond_with(json_response(200, DETAIL))
        .mount(&server)
        .await;
    let transaction = tripay(&server.uri()).find_transaction("DEV-T0001000000000ABCDE").await.unwrap().unwrap();
    assert_eq!((transaction.status.as_str(), transaction.amount), ("PAID", Some(100_000)));
    assert_eq!(requests(&server).await[0].headers["authorization"], "Bearer DEV-hush-api");
}

#[tokio::test]
async fn a_reference_is_escaped_in_the_query() {
    let server = server(json_response(400, r#"{"success": false, "message": "Transaction not found"}"#)).await;
    assert_eq!(tripay(&server.uri()).find_transaction("T1&reference=T2#é").await.unwrap(), None);
    let [request] = &requests(&server).await[..] else { panic!() };
    assert_eq!(request.url.query_pairs().collect::<Vec<_>>(), [("reference".into(), "T1&reference=T2#é".into())]);
}

#[tokio::test]
async fn only_a_refusal_about_the_transaction_means_that_it_does_not_exist() {
    for status in [200, 400, 404] {
        let server = server(json_response(status, r#"{"success": false, "message": "Transaction not found"}"#)).await;
        assert_eq!(tripay(&server.uri()).find_transaction("T1").await.unwrap(), None, "{status}");
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
        let server = server(json_response(status, body)).await;
        let error = tripay(&server.uri()).find_transaction("T1").await.expect_err(body);
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }
}

#[tokio::test]
async fn listed_transactions_have_exactly_the_requested_merchant_ref() {
    let mut body: Value = serde_json::from_str(LIST).unwrap();
    let one = body["data"][0].take();
    let transaction = |reference: &str, merchant_ref: Value| {
        let mut item = one.clone();
        item["reference"] = reference.into();
        item["merchant_ref"] = merchant_ref;
        item
    };
    body["data"] = json!([
        transaction("T1", json!("INV-2025-000124")),
        transaction("T2", json!("INV-2025-000124-2")),
        transaction("T3", json!("inv-2025-000124")),
        transaction("T4", json!(null)),
        transaction("T5", json!("INV-2025-00012")),
        // The invalid amount of another order is ignored.
        {"merchant_ref": "INV-2025-000124-3", "amount": "?"},
        transaction("T0", json!("INV-2025-000124")),
    ]);
    let server = server(ResponseTemplate::new(200).set_body_json(body)).await;
    let found = tripay(&server.uri()).list_transactions("INV-2025-000124").await.unwrap();
    let references: Vec<_> = found.iter().map(|transaction| transaction.reference.as_str()).collect();
    assert_eq!(references, ["T1", "T0"], "in the order of the response, oldest first");

    let [request] = &requests(&server).await[..] else { panic!() };
    assert_eq!((request.method.as_str(), request.url.path()), ("GET", "/api-sandbox/merchant/transactions"));
    assert_eq!(request.url.query(), Some("page=1&per_page=50&sort=asc&merchant_ref=INV-2025-000124"));
    assert_eq!(request.headers["authorization"], "Bearer DEV-hush-api");
}

/// Responds to each page with one transaction, named after the page.
async fn mount_pages(server: &MockServer, count: usize, pagination: impl Fn(usize) -> Value) {
    for page in 1..=count {
        let item = json!({"reference": format!("T{page}"), "merchant_ref": "INV-1"});
        let body = json!({"success": true, "data": [item], "pagination": pagination(page)});
        Mock::given(query_param("page", page.to_string()))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(server)
            .await;
    }
}

async fn references_of(server: &MockServer) -> Result<Vec<String>, QueryError> {
    let found = tripay(&server.uri()).list_transactions("INV-1").await?;
    Ok(found.into_iter().map(|transaction| transaction.reference).collect())
}

#[tokio::test]
async fn all_pages_are_read() {
    for pagination in [
        |page: usize| json!({"current_page": page, "next_page": (page < 3).then_some(page + 1)}),
        |page: usize| json!({"current_page": page, "last_page": 3}),
        |page: usize| json!({"current_page": page, "next_page": null, "last_page": "3"}),
    ] {
        let server = MockServer::start().await;
        mount_pages(&server, 3, pagination).await;
        assert_eq!(references_of(&server).await.unwrap(), ["T1", "T2", "T3"]);
        assert_eq!(requests(&server).await.len(), 3);
    }
}

#[tokio::test]
async fn without_pagination_a_full_page_is_followed_by_another_request() {
    let server = MockServer::start().await;
    for (page, count) in [(1, PAGE_SIZE), (2, 1)] {
        let item = json!({"reference": "T1", "merchant_ref": "INV-1"});
        let body = json!({"success": true, "data": vec![item; count]});
        Mock::given(query_param("page", page.to_string()))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
    }
    assert_eq!(references_of(&server).await.unwrap().len(), PAGE_SIZE + 1);
    assert_eq!(requests(&server).await.len(), 2);
}

#[tokio::test]
async fn too_many_pages_are_an_error() {
    let last = MockServer::start().await;
    mount_pages(&last, MAX_PAGES, |_| json!({"last_page": MAX_PAGES})).await;
    assert_eq!(references_of(&last).await.unwrap().len(), MAX_PAGES);
    let endless = MockServer::start().await;
    mount_pages(&endless, MAX_PAGES + 5, |page| json!({"next_page": page + 1})).await;
    assert!(references_of(&endless).await.unwrap_err().to_string().contains("more than 10 pages"));
    assert_eq!(requests(&endless).await.len(), MAX_PAGES);
}

#[tokio::test]
async fn an_empty_page_ends_the_list() {
    let body = json!({"success": true, "data": [], "pagination": {"next_page": 2, "last_page": 9}});
    let server = server(ResponseTemplate::new(200).set_body_json(body)).await;
    assert_eq!(references_of(&server).await.unwrap(), [""; 0]);
    assert_eq!(requests(&server).await.len(), 1);
}

#[tokio::test]
async fn a_missing_list_is_an_error() {
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
        let server = server(json_response(status, body)).await;
        let error = references_of(&server).await.expect_err(body);
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }
}

#[tokio::test]
async fn debug_output_and_errors_contain_no_key() {
    let tripay = tripay("http://127.0.0.1:1");
    let shown = format!("{tripay:?} {tripay:#?}");
    assert!(shown.contains("T0001"), "{shown}");
    assert!(!shown.contains("hush") && !shown.contains("ytf6"), "{shown}");
    assert_eq!(tripay.merchant_code(), "T0001");
    let error = tripay.find_transaction("T1").await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
}
