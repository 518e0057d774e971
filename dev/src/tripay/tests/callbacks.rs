//! Callbacks to the merchant.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};

use super::support::{ACCEPTED, Receiver, TIMEOUT, TestSandbox, signed, wait_for_deliveries};
use crate::tripay::{Delivery, Status, callback, merchant::PRIVATE_KEY};

#[tokio::test]
async fn a_callback_is_signed_over_the_bytes_that_php_would_write() {
    let test = TestSandbox::start().await;
    let receiver = Receiver::answering(&[ACCEPTED]).await;
    let order = signed(json!({ "method": "QRIS", "merchant_ref": "INV/é/1", "callback_url": receiver.url }));
    let reference = test.create(&order).await["reference"].as_str().expect("text").to_owned();
    test.act(&reference, "pay").await;
    receiver.wait_for(1).await;
    let received = receiver.received().pop().expect("one");
    let paid_at = test.sandbox.transaction(&reference).and_then(|found| found.paid_at).expect("paid").timestamp();
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
    assert_eq!(test.sandbox.sign(expected.as_bytes()), received.headers["x-callback-signature"]);
}

#[tokio::test]
async fn every_change_is_reported_and_only_payments_have_a_time() {
    let test = TestSandbox::start().await;
    let receiver = Receiver::answering(&[ACCEPTED]).await;
    for (count, action) in [(1, "fail"), (2, "expire")] {
        let reference = test.payment(&receiver).await;
        test.act(&reference, action).await;
        receiver.wait_for(count).await;
    }
    let reference = test.payment(&receiver).await;
    test.act(&reference, "pay").await;
    receiver.wait_for(3).await;
    test.act(&reference, "refund").await;
    receiver.wait_for(4).await;
    assert_eq!(receiver.statuses(), ["FAILED", "EXPIRED", "PAID", "REFUND"]);
    let times: Vec<_> = receiver
        .received()
        .iter()
        .map(|received| serde_json::from_slice::<Value>(&received.body).expect("JSON")["paid_at"].is_i64())
        .collect();
    assert_eq!(times, [false, false, true, true]);
}

#[tokio::test]
async fn a_rejected_callback_is_sent_again_three_times_after_a_delay() {
    let delay = Duration::from_millis(150);
    let test = TestSandbox::start_with(None, delay).await;
    let receiver = Receiver::answering(&[(500, "")]).await;
    let reference = test.payment(&receiver).await;
    test.act(&reference, "pay").await;
    let deliveries = wait_for_deliveries(&test, &reference, 4).await;
    assert!(deliveries.iter().all(|delivery| delivery.http_status == Some(500) && !delivery.is_success()));
    sleep(3 * delay).await;
    let received = receiver.received();
    assert_eq!(received.len(), 4);
    for (one, next) in received.iter().zip(received.iter().skip(1)) {
        assert!(next.at - one.at >= delay, "{:?}", next.at - one.at);
        assert_eq!(one.body, next.body);
    }
}

#[tokio::test]
async fn a_callback_is_sent_until_it_is_accepted() {
    let test = TestSandbox::start_with(None, Duration::from_millis(20)).await;
    let receiver = Receiver::answering(&[(200, r#"{"success": false}"#), (200, "ok"), ACCEPTED]).await;
    let reference = test.payment(&receiver).await;
    test.act(&reference, "pay").await;
    let deliveries = wait_for_deliveries(&test, &reference, 3).await;
    let successes: Vec<_> = deliveries.iter().map(Delivery::is_success).collect();
    assert_eq!(successes, [false, false, true]);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(receiver.count(), 3);
}

#[tokio::test]
async fn only_success_in_json_with_a_success_status_counts() {
    let test = TestSandbox::start().await;
    for (answer, is_success) in [
        (ACCEPTED, true),
        ((201, r#"{"success":true,"message":"thanks"}"#), true),
        ((200, r#"{"success":"true"}"#), false),
        ((200, r#"{"success":1}"#), false),
        ((200, "{}"), false),
        ((200, "<html>"), false),
        ((500, r#"{"success":true}"#), false),
        // A redirect is not followed.
        ((307, r#"{"success":true}"#), false),
        ((404, ""), false),
    ] {
        let receiver = Receiver::answering(&[answer]).await;
        let reference = test.payment(&receiver).await;
        test.act(&reference, "pay").await;
        let deliveries = wait_for_deliveries(&test, &reference, 1).await;
        assert_eq!((deliveries[0].is_success(), deliveries[0].http_status), (is_success, Some(answer.0)), "{answer:?}");
        assert_eq!(receiver.count(), 1);
    }
}

#[tokio::test]
async fn a_callback_to_a_closed_port_fails_with_the_reason() {
    let test = TestSandbox::start().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let created = test.create(&signed(json!({ "callback_url": format!("http://{closed}/") }))).await;
    let reference = created["reference"].as_str().expect("text");
    test.act(reference, "pay").await;
    let deliveries = wait_for_deliveries(&test, reference, 1).await;
    assert_eq!(deliveries[0].http_status, None);
    assert!(deliveries[0].problem.as_deref().expect("a reason").contains("refused"), "{deliveries:?}");
}

#[tokio::test]
async fn a_callback_goes_to_the_merchants_url_unless_the_payment_has_one() {
    let test = TestSandbox::start().await;
    let created = test.create(&signed(json!({}))).await;
    let reference = created["reference"].as_str().expect("text");
    assert!(test.page(reference).await.contains(&format!("<code>{}/callbacks/tripay</code>", test.origin)));
    test.act(reference, "pay").await;
    // Nothing handles callbacks there in this test.
    assert_eq!(wait_for_deliveries(&test, reference, 1).await[0].http_status, Some(404));
}

#[tokio::test]
async fn no_callback_is_sent_after_a_stop() {
    let delay = Duration::from_millis(100);
    for is_dropped in [false, true] {
        let test = TestSandbox::start_with(None, delay).await;
        let receiver = Receiver::answering(&[(500, "")]).await;
        let reference = test.payment(&receiver).await;
        test.act(&reference, "pay").await;
        wait_for_deliveries(&test, &reference, 1).await;
        if is_dropped {
            drop(test.sandbox);
        } else {
            timeout(TIMEOUT, test.sandbox.stop()).await.expect("it stops at once");
        }
        let count = receiver.count();
        sleep(3 * delay).await;
        assert_eq!(receiver.count(), count, "dropped: {is_dropped}");
    }
}

#[tokio::test]
async fn a_callback_can_be_sent_again_by_hand() {
    let test = TestSandbox::start().await;
    let receiver = Receiver::answering(&[ACCEPTED, (500, "")]).await;
    let reference = test.payment(&receiver).await;
    test.act(&reference, "pay").await;
    wait_for_deliveries(&test, &reference, 1).await;
    let delivery = test.sandbox.deliver(&reference).await.expect("there");
    assert_eq!((delivery.event, delivery.http_status), (Status::Paid, Some(500)));
    receiver.wait_for(2).await;
    assert_eq!(test.sandbox.transaction(&reference).expect("there").deliveries.len(), 2);
}

#[tokio::test]
async fn an_unpaid_payment_has_no_callback_to_send() {
    let test = TestSandbox::start().await;
    let receiver = Receiver::answering(&[ACCEPTED]).await;
    let reference = test.payment(&receiver).await;
    test.send(Method::POST, &format!("checkout/{reference}/callback"), &Value::Null).await;
    assert!(test.sandbox.transaction(&reference).expect("there").deliveries.is_empty());
}
