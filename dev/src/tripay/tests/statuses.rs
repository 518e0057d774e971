//! Changes of status.

use chrono::Utc;
use serde_json::json;

use super::support::{ACCEPTED, Receiver, TestSandbox, signed};
use crate::tripay::{Status, payments::current_second};

#[tokio::test]
async fn a_status_changes_only_by_an_allowed_action() {
    let test = TestSandbox::start().await;
    let receiver = Receiver::answering(&[ACCEPTED]).await;
    let all = ["pay", "fail", "expire", "refund"];
    for (actions, status, then) in [
        (&[][..], "UNPAID", &["pay", "fail", "expire"][..]),
        (&["pay"], "PAID", &["refund"]),
        (&["pay", "refund"], "REFUND", &[]),
        (&["fail"], "FAILED", &[]),
        (&["expire"], "EXPIRED", &[]),
    ] {
        for action in all {
            let reference = test.payment(&receiver).await;
            for action in actions {
                assert_eq!(test.act(&reference, action).await.0, 200);
            }
            let (code, answer) = test.act(&reference, action).await;
            if then.contains(&action) {
                assert_eq!(code, 200, "{status} {action}: {answer}");
            } else {
                assert_eq!((code, &answer["status"]), (409, &json!(status)), "{action}");
                assert_eq!(test.sandbox.transaction(&reference).expect("there").status.to_string(), status);
            }
        }
    }
    let reference = test.payment(&receiver).await;
    assert_eq!(test.act(&reference, "cancel").await.0, 400);
}

#[tokio::test]
async fn a_payment_expires_without_a_request() {
    let test = TestSandbox::start().await;
    let receiver = Receiver::answering(&[ACCEPTED]).await;
    let soon = current_second().timestamp() + 2;
    let order = signed(json!({ "expired_time": soon, "callback_url": receiver.url }));
    let reference = test.create(&order).await["reference"].as_str().expect("text").to_owned();
    // Without any request.
    receiver.wait_for(1).await;
    assert_eq!(receiver.statuses(), ["EXPIRED"]);
    assert!(Utc::now().timestamp() >= soon);
    assert_eq!(test.act(&reference, "pay").await.0, 409);
}

#[tokio::test]
async fn every_request_sees_a_due_payment_as_expired() {
    let test = TestSandbox::start().await;
    let receiver = Receiver::answering(&[ACCEPTED]).await;
    let due = async || {
        let reference = test.payment(&receiver).await;
        test.sandbox.payments.update(|all| {
            all.iter_mut().filter(|one| one.reference == reference).for_each(|one| one.expires_at = current_second());
        });
        reference
    };
    for path in ["transaction/detail?reference=", "merchant/transactions?reference="] {
        let reference = due().await;
        let answer = test.get(&format!("{path}{reference}")).await["data"].clone();
        let transaction = answer.get(0).unwrap_or(&answer);
        assert_eq!(transaction["status"], "EXPIRED", "{path}");
    }
    let reference = due().await;
    assert_eq!(test.act(&reference, "pay").await.1["status"], "EXPIRED");
    let reference = due().await;
    let transactions = test.sandbox.transactions();
    assert_eq!(transactions.last().map(|last| (&last.reference, last.status)), Some((&reference, Status::Expired)));
    receiver.wait_for(4).await;
    assert!(!transactions.iter().any(|transaction| transaction.is_due(current_second())), "it expires once");
}
