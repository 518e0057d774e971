//! Orders: their validation and the responses to them.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::support::{ACCEPTED, Receiver, TestSandbox, keys, order, order_item, signed};
use crate::tripay::{FeeBearer, paths::qr_path, payments::current_second};

#[tokio::test]
async fn an_order_returns_the_fields_that_tripay_returns() {
    let test = TestSandbox::start().await;
    let created = test.create(&signed(json!({ "return_url": "https://app.example.id/paid" }))).await;
    let reference = created["reference"].as_str().expect("text");
    let digits_and_letters = reference.strip_prefix("DEV-T0000").expect(reference);
    assert_eq!(digits_and_letters.get(..9), Some("000000001"));
    assert!(digits_and_letters.chars().all(|character| matches!(character, 'A'..='Z' | '0'..='9')), "{reference}");
    let pay_code = created["pay_code"].as_str().expect("text");
    assert!(pay_code.len() == 15 && pay_code.parse::<u64>().is_ok(), "{pay_code}");
    let expired_time = created["expired_time"].as_i64().expect("a number");
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
        "checkout_url": format!("{}/_local/tripay/checkout/{reference}", test.origin),
        "status": "UNPAID",
        "expired_time": expired_time,
        "order_items": [{
            "sku": "pro", "name": "Pro", "price": 149_000, "quantity": 1, "subtotal": 149_000, "product_url": null,
            "image_url": null,
        }],
        "instructions": created["instructions"],
        "qr_string": null,
        "qr_url": null,
    });
    assert_eq!(created, expected);
    assert!(created["instructions"][0]["steps"][0].as_str().expect("text").contains(&format!("<b>{pay_code}</b>")));

    let mut detail = test.get(&format!("transaction/detail?reference={reference}")).await["data"].clone();
    assert_eq!(detail["paid_at"], Value::Null);
    assert!(detail.as_object_mut().expect("an object").remove("paid_at").is_some());
    assert_eq!(detail, created);

    let list = test.get("merchant/transactions").await;
    let mut expected = expected.as_object().expect("an object").clone();
    for name in ["expired_time", "instructions", "qr_string", "qr_url"] {
        expected.remove(name);
    }
    let item = json!({ "sku": "pro", "name": "Pro", "price": 149_000, "quantity": 1, "subtotal": 149_000 });
    let created_at = test.sandbox.transactions()[0].created_at.timestamp();
    let other = json!({
        "order_items": [item], "note": null, "created_at": created_at, "expired_at": expired_time, "paid_at": null,
    });
    expected.extend(other.as_object().expect("an object").clone());
    assert_eq!(list["data"], json!([expected]));
}

#[tokio::test]
async fn each_payment_method_returns_its_instructions() {
    let test = TestSandbox::start().await;
    let code = test.create(&signed(json!({ "method": "ALFAMART" }))).await;
    assert!(code["pay_code"].is_string() && code["pay_url"].is_null() && code["qr_url"].is_null(), "{code}");

    let wallet = test.create(&signed(json!({ "method": "OVO" }))).await;
    assert!(wallet["pay_code"].is_null() && wallet["qr_string"].is_null(), "{wallet}");
    assert_eq!(wallet["pay_url"], wallet["checkout_url"]);

    let qr = test.create(&signed(json!({ "method": "QRIS" }))).await;
    assert!(qr["pay_code"].is_null() && qr["pay_url"].is_null(), "{qr}");
    assert_eq!(qr["qr_string"], "SANDBOX MODE");
    let image = test.client.get(qr["qr_url"].as_str().expect("text")).send().await.expect("an answer");
    assert_eq!(image.headers()["content-type"], "image/svg+xml");
    assert!(image.text().await.expect("text").contains("<svg"));
    let none = qr_path(code["reference"].as_str().expect("text"));
    let response = test.client.get(format!("{}{none}", test.origin)).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn fees_are_paid_by_the_merchant_or_the_customer() {
    let test = TestSandbox::start().await;
    let receiver = Receiver::answering(&[ACCEPTED]).await;
    test.sandbox.charge_fees_to(FeeBearer::Customer);
    let created = test.create(&signed(json!({ "method": "QRIS", "callback_url": receiver.url }))).await;
    let amounts = ["amount", "fee_merchant", "fee_customer", "total_fee", "amount_received"];
    assert_eq!(amounts.map(|name| created[name].as_i64().expect(name)), [150_793, 0, 1_793, 1_793, 149_000]);
    assert!(test.page(created["reference"].as_str().expect("text")).await.contains("Rp1.793"));
    let channels = test.get("merchant/payment-channel").await;
    let qris = channels["data"].as_array().expect("a list").iter().find(|channel| channel["code"] == "QRIS");
    assert_eq!(qris.expect("there")["fee_customer"], json!({ "flat": 750, "percent": 0.7 }));

    // The fee of a payment does not change.
    test.sandbox.charge_fees_to(FeeBearer::Merchant);
    test.act(created["reference"].as_str().expect("text"), "pay").await;
    receiver.wait_for(1).await;
    let body: Value = serde_json::from_slice(&receiver.received()[0].body).expect("JSON");
    assert_eq!((&body["total_amount"], &body["fee_customer"]), (&json!(150_793), &json!(1_793)));
    let created = test.create(&signed(json!({ "method": "QRIS" }))).await;
    assert_eq!((&created["amount"], &created["fee_merchant"]), (&json!(149_000), &json!(1_793)));
}

#[tokio::test]
async fn an_invalid_order_is_rejected_with_its_reason() {
    let test = TestSandbox::start().await;
    let item = |change: Value| signed(json!({ "order_items": [order_item(change)] }));
    let mut refused = vec![
        (json!("text"), "JSON"),
        (order(json!({})), "Invalid signature"),
        // Changed after it was signed.
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
        (signed(json!({ "expired_time": current_second().timestamp() })), "Unix timestamp"),
        (signed(json!({ "expired_time": (current_second().timestamp() + 60) * 1_000 })), "Unix timestamp"),
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
        let (status, answer) = test.order(&order).await;
        assert_eq!(status, 400, "{order}");
        assert_eq!(keys(&answer), BTreeSet::from(["message", "success"]), "{order}");
        assert_eq!(answer["success"], false, "{order}");
        assert!(answer["message"].as_str().expect("text").contains(said), "{said}: {answer}");
    }
    assert!(test.sandbox.transactions().is_empty());
}

#[tokio::test]
async fn a_deadline_is_not_later_than_the_channel_allows() {
    let test = TestSandbox::start().await;
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
        let begun = current_second().timestamp();
        let asked = asked.map(|seconds| begun + seconds);
        let created = test.create(&signed(json!({ "method": method, "expired_time": asked }))).await;
        let slack = current_second().timestamp() - begun;
        let lifetime = created["expired_time"].as_i64().expect("a number") - begun;
        assert!((given..=given + slack).contains(&lifetime), "{method} {asked:?}: {lifetime}");
    }
    let warnings: Vec<_> = test.lines.lock().expect("not poisoned").clone();
    assert_eq!(warnings, ["a payment by QRIS expires in less than 10 minutes; Tripay may reject it"]);
}
