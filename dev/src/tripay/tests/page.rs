//! The checkout page.

use std::time::Instant;

use axum::http::StatusCode;
use serde_json::json;

use super::support::{ACCEPTED, Receiver, TestSandbox, order_item, signed};
use crate::tripay::{page::CALLBACK_TIMEOUT, paths::checkout_path};

#[tokio::test]
async fn the_page_shows_the_payment_and_escapes_html() {
    let test = TestSandbox::start().await;
    let hostile = "<script>alert('&\"</script>";
    let order = signed(json!({
        "merchant_ref": hostile,
        "customer_name": hostile,
        "order_items": [order_item(json!({ "name": hostile }))],
        "callback_url": "http://127.0.0.1:1/?<script>",
        "return_url": "https://app.example.id/paid?plan=pro&x=\"><script>",
    }));
    let created = test.create(&order).await;
    let reference = created["reference"].as_str().expect("text");
    let url = created["checkout_url"].as_str().expect("text");
    let response = test.client.get(url).send().await.expect("an answer");
    assert!(response.headers()["content-type"].to_str().expect("text").starts_with("text/html"));
    assert!(response.headers()["content-security-policy"].to_str().expect("text").starts_with("default-src 'none'"));
    let page = response.text().await.expect("text");
    assert!(!page.contains("<script"), "{page}");
    assert_eq!(page.matches("&#60;script&#62;alert(&#39;&#38;&#34;&#60;/script&#62;").count(), 3, "{page}");
    for shown in ["Rp149.000", "NusaNexus NoFOMO", reference, created["pay_code"].as_str().expect("text"), ">UNPAID<"] {
        assert!(page.contains(shown), "{shown}");
    }
    let back = format!("tripay_reference={reference}&#38;tripay_merchant_ref=%3Cscript%3Ealert");
    assert!(page.contains("https://app.example.id/paid?plan=pro&#38;x=") && page.contains(&back), "{page}");
    for loading in [" src=", "url(", "@import", "stylesheet"] {
        assert!(!page.contains(loading), "{loading}");
    }
}

/// Last path segments of the page's buttons.
fn buttons(page: &str) -> Vec<&str> {
    let forms = page.split("<form").skip(1);
    forms
        .filter_map(|form| form.split_once("action=\"")?.1.split_once('"')?.0.rsplit_once('/').map(|(_, last)| last))
        .collect()
}

#[tokio::test]
async fn the_page_works_without_scripts() {
    let test = TestSandbox::start().await;
    let receiver = Receiver::answering(&[ACCEPTED, (500, ""), ACCEPTED]).await;
    let reference = test.payment(&receiver).await;
    let page = test.page(&reference).await;
    assert_eq!(buttons(&page), ["pay", "fail", "expire"]);
    assert!(page.contains("None yet"));

    let press = async |button: &str| {
        let url = format!("{}/_local/tripay/checkout/{reference}/{button}", test.origin);
        let begun = Instant::now();
        let response = test.client.post(url).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{button}");
        assert!(begun.elapsed() < CALLBACK_TIMEOUT, "it waits only for the first attempt");
        assert_eq!(response.headers()["location"], checkout_path(&reference).as_str());
        test.page(&reference).await
    };
    // The next page shows the outcome of the callback.
    let page = press("pay").await;
    assert_eq!(buttons(&page), ["refund", "callback"]);
    assert!(page.contains(">PAID<") && page.contains("HTTP 200, success") && !page.contains("failure"), "{page}");
    let page = press("refund").await;
    assert_eq!(buttons(&page), ["callback"]);
    assert!(page.contains(">REFUND<") && page.contains("HTTP 500, failure"), "{page}");
    let page = press("callback").await;
    assert_eq!((page.matches("success<").count(), page.matches("failure<").count()), (2, 1), "{page}");
    // A button of a page that was left open.
    let page = press("pay").await;
    assert!(page.contains(">REFUND<"), "{page}");
    assert_eq!(receiver.statuses(), ["PAID", "REFUND", "REFUND"]);
}
