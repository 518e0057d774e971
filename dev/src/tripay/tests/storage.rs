//! The file of transactions.

use std::{fs, sync::Arc};

use serde_json::json;

use super::support::{ACCEPTED, NEVER, Receiver, TestSandbox, signed, wait_for_deliveries};
use crate::tripay::{Options, Sandbox};

#[tokio::test]
async fn payments_survive_a_restart_of_the_sandbox() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("tripay.json");
    let receiver = Receiver::answering(&[ACCEPTED]).await;
    let test = TestSandbox::start_with(Some(file.clone()), NEVER).await;
    let reference = test.payment(&receiver).await;
    test.act(&reference, "pay").await;
    wait_for_deliveries(&test, &reference, 1).await;
    let before = test.get(&format!("transaction/detail?reference={reference}")).await;
    test.sandbox.stop().await;

    let again = TestSandbox::start_with(Some(file.clone()), NEVER).await;
    let after = again.get(&format!("transaction/detail?reference={reference}")).await;
    let checkout_url = before["data"]["checkout_url"].as_str().expect("text");
    // The URL of the new sandbox, not of the old one.
    let moved = json!(checkout_url.replace(&test.origin, &again.origin));
    assert_eq!(after["data"]["checkout_url"], moved);
    let mut expected = before.clone();
    expected["data"]["checkout_url"] = moved;
    assert_eq!(after, expected);
    assert_eq!(again.sandbox.transactions()[0].deliveries.len(), 1);
    let next = again.create(&signed(json!({}))).await;
    assert!(next["reference"].as_str().expect("text").starts_with("DEV-T0000000000002"), "{next}");

    let names = fs::read_dir(directory.path()).expect("readable").map(|entry| entry.expect("readable").file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["tripay.json"]);
    fs::write(&file, "[{").expect("writable");
    let options = Options { file: Some(file.clone()), callback_retry_delay: NEVER };
    let error = Sandbox::start(options, String::new(), Arc::new(|_, _| {})).err().expect("unreadable").to_string();
    assert!(error.contains("tripay.json: ") && error.contains("; delete it") && !error.contains('\n'), "{error}");
}

#[tokio::test]
async fn a_failed_write_is_logged() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("tripay.json");
    let test = TestSandbox::start_with(Some(file.clone()), NEVER).await;
    drop(directory);
    test.create(&signed(json!({}))).await;
    let lines = test.lines.lock().expect("not poisoned").clone();
    assert!(lines[0].starts_with(&format!("cannot write {}: ", file.display())), "{lines:?}");
}
