//! Requests that read transactions and channels.

use axum::http::StatusCode;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{ACCEPTED, Receiver, TestSandbox, signed};
use crate::tripay::{merchant::API_KEY, payments::current_second};

#[tokio::test]
async fn the_time_of_payment_is_text_in_detail_and_a_number_in_the_list() {
    let test = TestSandbox::start().await;
    let receiver = Receiver::answering(&[ACCEPTED]).await;
    let reference = test.payment(&receiver).await;
    let before = current_second().timestamp();
    assert_eq!(test.act(&reference, "pay").await, (200, json!({ "reference": reference, "status": "PAID" })));
    let detail = test.get(&format!("transaction/detail?reference={reference}")).await;
    let paid_at: i64 = detail["data"]["paid_at"].as_str().expect("text").parse().expect("seconds");
    assert!((before..=current_second().timestamp()).contains(&paid_at), "{detail}");
    assert_eq!(detail["data"]["status"], "PAID");
    let list = test.get("merchant/transactions").await;
    assert_eq!((&list["data"][0]["paid_at"], &list["data"][0]["status"]), (&json!(paid_at), &json!("PAID")));
}

#[tokio::test]
async fn a_request_without_the_api_key_is_rejected() {
    let test = TestSandbox::start().await;
    for path in ["transaction/detail?reference=1", "merchant/transactions", "merchant/payment-channel"] {
        for header in ["", "Bearer", "Bearer DEV-another-key", API_KEY] {
            let request = test.client.get(format!("{}/_local/tripay/api-sandbox/{path}", test.origin));
            let response = request.header("authorization", header).send().await.expect("an answer");
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path} {header}");
            let answer: Value = response.json().await.expect("JSON");
            assert_eq!(answer, json!({ "success": false, "message": "Invalid API Key" }));
        }
    }
    let url = format!("{}/_local/tripay/api-sandbox/transaction/create", test.origin);
    let response = test.client.post(url).json(&signed(json!({}))).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(test.sandbox.transactions().is_empty());
}

#[tokio::test]
async fn the_list_is_filtered_and_paginated() {
    let test = TestSandbox::start().await;
    let mut references = Vec::new();
    for (method, merchant_ref) in [("BRIVA", "INV-1"), ("QRIS", "INV-2"), ("BRIVA", "INV-2"), ("BRIVA", "INV-20")] {
        let created = test.create(&signed(json!({ "method": method, "merchant_ref": merchant_ref }))).await;
        references.push(created["reference"].as_str().expect("text").to_owned());
    }
    test.act(&references[0], "fail").await;
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
        let list = test.get(&format!("merchant/transactions?{query}")).await;
        let listed: Vec<_> = list["data"].as_array().expect("a list").iter().map(|one| &one["reference"]).collect();
        let expected: Vec<_> = found.iter().map(|index: &usize| &references[*index]).collect();
        assert_eq!(listed, expected, "{query}");
    }

    let pagination = test.get("merchant/transactions?page=2&per_page=3").await["pagination"].clone();
    let expected = json!({
        "sort": "asc", "offset": { "from": 4, "to": 4 }, "current_page": 2, "previous_page": 1, "next_page": null,
        "last_page": 2, "per_page": 3, "total_records": 4,
    });
    assert_eq!(pagination, expected);
    let pagination = test.get("merchant/transactions?status=REFUND&sort=desc&per_page=99").await["pagination"].clone();
    let expected = json!({
        "sort": "desc", "offset": { "from": null, "to": null }, "current_page": 1, "previous_page": null,
        "next_page": null, "last_page": 1, "per_page": 50, "total_records": 0,
    });
    assert_eq!(pagination, expected);
    for query in ["sort=up", "status=paid", "page=two"] {
        let (status, answer) =
            test.send(Method::GET, &format!("api-sandbox/merchant/transactions?{query}"), &Value::Null).await;
        assert_eq!((status, &answer["success"]), (400, &json!(false)), "{query}");
    }
}

#[tokio::test]
async fn an_unknown_transaction_is_not_found() {
    let test = TestSandbox::start().await;
    let detail = "api-sandbox/transaction/detail";
    let (status, answer) = test.send(Method::GET, &format!("{detail}?reference=DEV-T0000"), &Value::Null).await;
    assert_eq!((status, answer), (404, json!({ "success": false, "message": "Transaction not found" })));
    let (status, answer) = test.send(Method::GET, detail, &Value::Null).await;
    assert_eq!((status, &answer["success"]), (400, &json!(false)));
    for path in ["transactions/DEV-T0000/pay", "checkout/DEV-T0000/pay", "checkout/DEV-T0000/callback"] {
        assert_eq!(test.send(Method::POST, path, &Value::Null).await.0, 404, "{path}");
    }
    for path in ["checkout/DEV-T0000", "qr/DEV-T0000"] {
        assert_eq!(test.send(Method::GET, path, &Value::Null).await.0, 404, "{path}");
    }
    assert!(test.sandbox.deliver("DEV-T0000").await.is_none());
}

#[tokio::test]
async fn channels_are_listed_as_by_tripay() {
    let test = TestSandbox::start().await;
    let answer = test.get("merchant/payment-channel").await;
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
