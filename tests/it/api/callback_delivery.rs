//! `POST /callbacks/tripay`: signature, body, logs and failures of a delivery, independent of the payment.

use std::collections::{BTreeMap, BTreeSet};

use nofomo_tripay::PrivateKey;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::callbacks::{
    Buyer, DOCUMENTED_KEY, PAID, PLAIN, UNPAID, deliver_bytes, deliver_callback, event_count, is_failure, is_success,
    newest_event, send_callback, with_changes,
};
use crate::support::database::Database;
use crate::support::world::World;

const ATTENTION_MESSAGE: &str = "Payment needs attention";

#[tokio::test]
async fn other_events_are_stored_without_effect() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::new(&owner).await;
    let body = buyer.callback("A", "PAID").to_string().into_bytes();
    let signature = world.stack.tripay().sign(&body);
    for event in ["payment", "PAYMENT_STATUS", "payment_status2", ""] {
        let headers = [("x-callback-event", event), ("x-callback-signature", &signature)];
        assert!(is_success(&send_callback(&world, &headers, body.clone()).await), "{event}");
        assert_eq!(newest_event(&owner).await, (body.clone(), true, "other_event".into(), false));
    }
    assert_eq!(buyer.state(&owner).await, UNPAID);
    // A missing event header means payment_status, the only documented event.
    assert!(is_success(&send_callback(&world, &[("X-CALLBACK-SIGNATURE", &signature)], body).await));
    assert_eq!(buyer.state(&owner).await, PAID);
}

#[tokio::test]
async fn an_invalid_signature_is_rejected_without_effect() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::new(&owner).await;
    let body = buyer.callback("A", "PAID").to_string();
    let right = world.stack.tripay().sign(body.as_bytes());
    let flipped = format!("{}{}", &right[..63], if right.ends_with('0') { '1' } else { '0' });
    let twice = [("x-callback-signature", right.as_str()), ("x-callback-signature", right.as_str())];
    let other = world.stack.tripay().sign(buyer.callback("A", "EXPIRED").to_string().as_bytes());
    let prefixed = format!("sha256={right}");
    for headers in [
        &[][..],
        &[("x-callback-signature", "")],
        &[("x-callback-signature", &flipped)],
        &[("x-callback-signature", &other)],
        &[("x-callback-signature", &right[..62])],
        &[("x-callback-signature", &prefixed)],
        &[("x-callback-signature", "not hexadecimal at all")],
        &[("x-callback-signature", DOCUMENTED_KEY)],
        &[("x-signature", &right)],
        &twice,
    ] {
        let answer = send_callback(&world, headers, body.clone().into_bytes()).await;
        assert!(is_failure(&answer, 401), "{headers:?}: {answer:?}");
        assert_eq!(newest_event(&owner).await, (body.clone().into_bytes(), false, "bad_signature".into(), false));
    }
    // Any changed byte invalidates the signature.
    for changed in [format!("{body}\n"), format!(" {body}"), body.replace("149000", "149001"), String::new()] {
        let answer = send_callback(&world, &[("x-callback-signature", &right)], changed.clone().into_bytes()).await;
        assert!(is_failure(&answer, 401), "{changed}: {answer:?}");
        assert_eq!(newest_event(&owner).await, (changed.into_bytes(), false, "bad_signature".into(), false));
    }
    assert_eq!((buyer.outcomes(&owner).await.as_str(), buyer.state(&owner).await.as_str()), ("", UNPAID));
    // Only the first kibibyte of an unsigned body is stored.
    let long = "é".repeat(32 * 1024);
    let answer = send_callback(&world, &[("x-callback-signature", &right)], long.clone().into_bytes()).await;
    assert!(is_failure(&answer, 401), "{answer:?}");
    assert_eq!(newest_event(&owner).await.0, &long.as_bytes()[..1024]);

    let answer = send_callback(&world, &[("x-callback-signature", &right.to_uppercase())], body.into_bytes()).await;
    assert!(is_success(&answer), "{answer:?}");
    assert_eq!(buyer.state(&owner).await, PAID);
}

#[tokio::test]
async fn a_body_is_limited_to_64_kibibytes() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::new(&owner).await;
    let mut body = buyer.callback("A", "PAID").to_string().into_bytes();
    body.resize(64 * 1024 + 1, b' ');
    for length in [64 * 1024 + 1, 1024 * 1024 + 1] {
        body.resize(length, b' ');
        let answer = deliver_bytes(&world, body.clone()).await;
        assert!(is_failure(&answer, 413), "{answer:?}");
    }
    assert_eq!((event_count(&owner).await.as_str(), buyer.state(&owner).await.as_str()), ("0", UNPAID));
    body.truncate(64 * 1024);
    assert!(is_success(&deliver_bytes(&world, body.clone()).await));
    assert_eq!(newest_event(&owner).await, (body, true, "paid".into(), true));
    assert_eq!(buyer.state(&owner).await, PAID);
}

#[tokio::test]
async fn a_signed_unreadable_body_is_stored_and_answered_with_400() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::new(&owner).await;
    let as_text = |changes: Value| with_changes(buyer.callback("A", "PAID"), &changes).to_string();
    let paid = as_text(json!({}));
    let mut not_utf8 = paid.replace("planted-note", "planted-note?").into_bytes();
    let position = not_utf8.iter().position(|byte| *byte == b'?').unwrap();
    not_utf8[position] = 0xff;
    let mut count = 0;
    for body in [
        b"".to_vec(),
        b"not json".into(),
        b"{".into(),
        b"null".into(),
        b"\"PAID\"".into(),
        b"reference=A&status=PAID".into(),
        b"\0".into(),
        paid[..paid.len() - 1].into(),
        format!("{paid}{paid}").into(),
        format!("[{paid}]").into(),
        format!("\u{feff}{paid}").into(),
        not_utf8.clone(),
        "[".repeat(60_000).into(),
        as_text(json!({"status": null})).into(),
        as_text(json!({"status": ["PAID"]})).into(),
        // PostgreSQL text cannot hold U+0000.
        as_text(json!({"note": "planted-note\0"})).into(),
        as_text(json!({"reference": "A\0"})).into(),
        as_text(json!({"merchant_ref": "\0"})).into(),
        as_text(json!({"status": "PAID\0"})).into(),
        // Numbers out of range and texts that are too long.
        as_text(json!({"total_amount": u64::MAX})).into(),
        as_text(json!({"total_amount": 149_000.5})).into(),
        as_text(json!({"total_amount": "a lot"})).into(),
        paid.replace("149000", "1e400").into(),
        paid.replace("149000", &"9".repeat(1000)).into(),
        as_text(json!({"is_closed_payment": 2})).into(),
        as_text(json!({"reference": "A".repeat(256)})).into(),
    ] {
        let answer = deliver_bytes(&world, body.clone()).await;
        let shown = String::from_utf8_lossy(&body);
        assert!(is_failure(&answer, 400), "{shown}: {answer:?}");
        assert_eq!(newest_event(&owner).await, (body.clone(), true, "unreadable".into(), false), "{shown}");
        count += 1;
    }
    assert_eq!(event_count(&owner).await, count.to_string());
    assert_eq!(buyer.state(&owner).await, UNPAID);
    let unreadable = world.log_lines(ATTENTION_MESSAGE, count).await;
    assert!(
        unreadable.iter().all(|line| line["level"] == "ERROR" && line["outcome"] == "unreadable"),
        "{unreadable:?}"
    );

    // Unused fields and times may have any value; the channel's name is cut to the length of its column.
    let odd = with_changes(
        buyer.callback("A", "PAID"),
        &json!({"extra": "\0", "deep": {"\0": [[[u64::MAX, 1e300]]]}, "paid_at": i64::MAX, "payment_method": "x".repeat(300)}),
    );
    assert!(is_success(&deliver_callback(&world, &odd).await));
    assert_eq!(newest_event(&owner).await, (odd.to_string().into_bytes(), true, "paid".into(), true));
    assert_eq!(buyer.state(&owner).await, PAID);
    let stored = format!(
        "select concat_ws(' ', length(payment_channel), paid_at between now() - interval '1 minute' and clock_timestamp())
         from public.invoices where id = '{}'",
        buyer.invoice
    );
    assert_eq!(owner.text(&stored).await, "100 t");
}

#[tokio::test]
async fn the_signature_of_a_base64_encoded_event_covers_the_decoded_body() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    // API Gateway encodes a body as base64 unless its content type is text.
    for (content_type, note) in
        [("application/octet-stream", "é"), ("application/x-www-form-urlencoded", "e"), ("", "é")]
    {
        let buyer = Buyer::new(&owner).await;
        let body = with_changes(buyer.callback("A", "PAID"), &json!({"note": note})).to_string().into_bytes();
        let signature = world.stack.tripay().sign(&body);
        let headers = [("content-type", content_type), ("x-callback-signature", &signature)];
        let answer = world.send_bytes(Method::POST, "/callbacks/tripay", &headers, body.clone()).await;
        assert!(is_success(&answer), "{content_type}: {answer:?}");
        assert_eq!(newest_event(&owner).await, (body, true, "paid".into(), true));
        assert_eq!(buyer.state(&owner).await, PAID, "{content_type}");
    }
}

#[tokio::test]
async fn a_database_failure_is_answered_with_500_so_that_tripay_retries() {
    let database = Database::new().await;
    // Bypasses the pooler, which would outlive the server for a while.
    let settings = BTreeMap::from([("DATABASE_URL".into(), database.url("nofomo_jobs"))]);
    let world = World::on_database(database, settings).await;
    let owner = world.database.owner().await;
    let limit = |limit| format!("alter database {} connection limit {limit}", world.database.name);
    let buyer = Buyer::new(&owner).await;
    let callback = buyer.callback("A", "PAID");
    owner.run(&limit(0)).await.unwrap();
    let answer = deliver_callback(&world, &callback).await;
    assert!(is_failure(&answer, 500), "{answer:?}");
    assert_eq!((event_count(&owner).await.as_str(), buyer.state(&owner).await.as_str()), ("0", UNPAID));
    owner.run(&limit(-1)).await.unwrap();
    assert!(is_success(&deliver_callback(&world, &callback).await));
    assert_eq!(buyer.state(&owner).await, PAID);

    // The database fails after the instance has connected.
    owner.run(&limit(0)).await.unwrap();
    owner
        .run(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where usename = 'nofomo_jobs' and datname = current_database()",
        )
        .await
        .unwrap();
    let refund = buyer.callback("A", "REFUND");
    let answer = deliver_callback(&world, &refund).await;
    assert!(is_failure(&answer, 500), "{answer:?}");
    owner.run(&limit(-1)).await.unwrap();
    // An error in our own SQL gets the same response.
    owner.run("alter function private.settle_payment(jsonb) rename to settle").await.unwrap();
    let answer = deliver_callback(&world, &refund).await;
    assert!(is_failure(&answer, 500), "{answer:?}");
    assert_eq!((event_count(&owner).await.as_str(), buyer.state(&owner).await.as_str()), ("1", PAID));
    owner.run("alter function private.settle(jsonb) rename to settle_payment").await.unwrap();
    assert!(is_success(&deliver_callback(&world, &refund).await));
    assert_eq!(buyer.outcomes(&owner).await, "paid refunded");
    let causes = world.log_lines("POST /callbacks/tripay 500", 3).await;
    assert!(causes.iter().all(|line| line["level"] == "ERROR" && line["cause"].is_string()), "{causes:?}");
    assert!(!world.log().contains("planted-note"));
}

#[tokio::test]
async fn outcomes_that_need_attention_are_logged_as_errors_and_no_log_holds_a_payload() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let (buyer, other) = (Buyer::new(&owner).await, Buyer::new(&owner).await);
    let of_another = json!({"reference": other.reference("A")});
    let (mut signatures, mut errors) = (Vec::new(), Vec::new());
    for (callback, is_error) in [
        (buyer.callback("A", "UNPAID"), false),
        (with_changes(buyer.callback("A", "PAID"), &json!({"total_amount": 1})), true),
        (with_changes(buyer.callback("A", "PAID"), &json!({"total_fee": 1})), true),
        (with_changes(buyer.callback("A", "PAID"), &json!({"is_closed_payment": 0})), false),
        (with_changes(buyer.callback("A", "PAID"), &of_another), true),
        (buyer.callback("A", "PARTIAL"), true),
        (buyer.callback("A", "EXPIRED"), false),
        (buyer.callback("A", "FAILED"), false),
        (buyer.callback("B", "FAILED"), false),
        (Buyer::new(&owner).await.callback("A", "FAILED"), false),
        (buyer.callback("A", "PAID"), false),
        (buyer.callback("A", "PAID"), false),
        (buyer.callback("B", "PAID"), true),
        (buyer.callback("A", "REFUND"), false),
        (other.callback("A", "REFUND"), true),
        (with_changes(buyer.callback("A", "PAID"), &json!({"merchant_ref": "planted-ref"})), true),
        (json!({"note": "planted-note"}), true),
        (json!({"status": "PAID", "note": "planted-note"}), false),
    ] {
        let body = callback.to_string().into_bytes();
        signatures.push(world.stack.tripay().sign(&body));
        deliver_bytes(&world, body).await;
        if is_error {
            errors.push(json!(newest_event(&owner).await.2));
        }
    }
    let body = buyer.callback("A", "PAID").to_string().into_bytes();
    signatures.push(world.stack.tripay().sign(&body));
    send_callback(
        &world,
        &[("x-callback-event", "other"), ("x-callback-signature", signatures.last().unwrap())],
        body.clone(),
    )
    .await;
    errors.push(json!("other_event"));
    send_callback(&world, &[("x-callback-signature", "planted-signature")], body).await;
    world.log_lines("POST /callbacks/tripay 401", 1).await;
    let attention = world.log_lines(ATTENTION_MESSAGE, errors.len()).await;
    assert!(attention.iter().all(|line| line["level"] == "ERROR"), "{attention:?}");
    assert_eq!(attention.iter().map(|line| line["outcome"].clone()).collect::<Vec<_>>(), errors);
    let requests = world.log_lines("POST /callbacks/tripay 200", signatures.len() - 1).await;

    let distinct = "select count(distinct outcome) from private.payment_events";
    assert_eq!(owner.text(distinct).await, "20", "all outcomes");
    let log = world.log();
    for secret in signatures.iter().map(String::as_str).chain([
        "planted",
        "local-sandbox-private-key",
        "DEV-local-sandbox-key",
        // References and bodies, also in base64.
        &buyer.reference("A"),
        &format!("INV-{}", buyer.invoice),
        "149000",
        "total_amount",
        "eyJ",
    ]) {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    let fields: BTreeSet<_> = requests.iter().flat_map(|line| line.as_object().unwrap().keys().cloned()).collect();
    let expected = "_aws cold_starts database_ms duration_ms function level message outcome outside_ms request_id requests \
         route stage status timestamp trace_id";
    assert_eq!(fields, expected.split_whitespace().map(String::from).collect());
    let outcomes: BTreeSet<_> = requests.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert!(outcomes.contains("paid") && outcomes.contains("other_event"), "outcomes are logged: {outcomes:?}");
}

#[tokio::test]
async fn payment_events_are_inaccessible_to_application_roles() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::new(&owner).await;
    buyer.deliver(&world, "A PAID").await;
    for role in ["nofomo_api", "nofomo_jobs"] {
        let session = world.database.session(role).await;
        for sql in [
            "select * from private.payment_events",
            "insert into private.payment_events (received_at, source, body, signature_valid, outcome)
             values (now(), 'callback', '', true, 'paid')",
            "update private.payment_events set outcome = 'paid'",
            "delete from private.payment_events",
        ] {
            let refused = session.run(sql).await.unwrap_err();
            assert_eq!(refused.code().unwrap().code(), "42501", "{role}: {sql}");
        }
    }
    let session = world.database.session("nofomo_api").await;
    let refused = session.run("select private.settle_payment('{}'::jsonb)").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501", "only functions without a user may settle");
}

/// Environment variable with the signature that [`one_signature_is_compared`] compares in a separate process.
const SIGNATURE_VARIABLE: &str = "NOFOMO_TEST_SIGNATURE";

#[test]
#[expect(clippy::disallowed_methods, reason = "the environment passes the signature from the parent test")]
fn one_signature_is_compared() {
    let (body, right) = PLAIN;
    let key = PrivateKey::from_settings(|_| Some(DOCUMENTED_KEY.into())).unwrap();
    let signature = std::env::var(SIGNATURE_VARIABLE).unwrap_or_else(|_| right.into());
    // Allocating and freeing the same size fills the thread's cache of the allocator. Otherwise the comparison could
    // take a slower path that depends on other threads, and a few more instructions would be counted.
    drop(hex::decode(&signature).unwrap());
    assert_eq!(key.is_valid_signature(body.as_bytes(), &signature), signature == right);
}

/// Compares the number of executed instructions, which is reproducible, instead of the time.
#[tokio::test]
async fn a_signature_comparison_takes_constant_time() {
    let (_, right) = PLAIN;
    let test = concat!(module_path!(), "::one_signature_is_compared");
    let (_, test) = test.split_once("::").unwrap();
    let count_instructions = async |signature: String| {
        let mut valgrind = tokio::process::Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--read-inline-info=no"]);
        valgrind.arg("--toggle-collect=*PrivateKey::is_valid_signature*").arg(std::env::current_exe().unwrap());
        valgrind.args(["--exact", test, "--test-threads=1"]);
        let output = valgrind.env(SIGNATURE_VARIABLE, &signature).output().await;
        let output = output.expect("the tests need valgrind: apt-get install valgrind");
        let report = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{signature}: {report}");
        let count = report.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
        count.unwrap_or_else(|| panic!("{signature}: {report}"))
    };
    // A digit is replaced by another digit and a letter by another letter, as decoding takes a different branch for
    // each.
    let wrong_at = |positions: &[usize]| -> String {
        let other = |(position, digit): (usize, char)| match digit {
            _ if !positions.contains(&position) => digit,
            '9' => '0',
            'f' => 'a',
            digit => char::from(digit as u8 + 1),
        };
        right.chars().enumerate().map(other).collect()
    };
    let wrong = [wrong_at(&[0]), wrong_at(&[31]), wrong_at(&[63]), wrong_at(&(0..64).collect::<Vec<_>>())];
    let mut counts = Vec::<u64>::new();
    for signature in wrong {
        counts.push(count_instructions(signature).await);
    }
    assert!(counts[0] > 1_000, "{counts:?}");
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
}
