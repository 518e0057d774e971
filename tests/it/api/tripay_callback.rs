//! `POST /callbacks/tripay`: effects of a payment's status on the invoice, the period and the user.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, Months, NaiveDateTime, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::callbacks::{
    Buyer, DOCUMENTED_KEY, ESCAPED, PAID, PLAIN, UNPAID, WITHOUT_AMOUNTS, WITHOUT_IDS, deliver_callback, is_failure,
    is_success, newest_event, send_callback, with_changes,
};
use crate::support::world::World;

#[tokio::test]
async fn documented_callbacks_are_verified_byte_for_byte() {
    let world = World::with_settings(BTreeMap::from([("TRIPAY_PRIVATE_KEY".into(), DOCUMENTED_KEY.into())])).await;
    let owner = world.database.owner().await;
    let mut buyers = Vec::new();
    for merchant_ref in ["INV-2025-000123", "INV/2025/000124", "INV-2025-000125"] {
        let buyer = Buyer::with_unrecorded_transaction(&owner).await;
        buyer.update_invoice(&owner, &format!("reference_id = '{merchant_ref}', amount = 100000")).await;
        buyers.push(buyer);
    }
    // The same JSON in other bytes does not match the signature.
    let rewritten = ESCAPED.0.replace(r"\/", "/").replace(r"\u00e9", "é");
    assert_eq!(serde_json::from_str::<Value>(&rewritten).unwrap(), serde_json::from_str::<Value>(ESCAPED.0).unwrap());
    let answer = send_callback(&world, &[("x-callback-signature", ESCAPED.1)], rewritten.into_bytes()).await;
    assert!(is_failure(&answer, 401), "{answer:?}");
    assert_eq!(buyers[1].state(&owner).await, "pending - -; no period; free; notified of nothing; logged nothing");

    for ((body, signature), outcome) in
        [(PLAIN, "paid"), (ESCAPED, "paid"), (WITHOUT_AMOUNTS, "wrong_amount"), (WITHOUT_IDS, "test")]
    {
        let headers = [("x-callback-event", "payment_status"), ("x-callback-signature", signature)];
        let answer = send_callback(&world, &headers, body.into()).await;
        assert!(is_success(&answer), "{outcome}: {answer:?}");
        assert_eq!(newest_event(&owner).await, (body.into(), true, outcome.into(), outcome != "test"));
    }
    let paid = "paid D D; active; pro; notified of paid; logged paid";
    assert_eq!(buyers[0].state(&owner).await, paid);
    assert_eq!(buyers[1].state(&owner).await, paid);
    assert_eq!(buyers[2].state(&owner).await, "pending D -; no period; free; notified of nothing; logged nothing");
    let stored =
        "select string_agg(concat_ws(' ', transaction_id, payment_channel, extract(epoch from paid_at)::bigint), ', '
         order by transaction_id) from public.invoices where amount = 100000 and status = 'paid'";
    assert_eq!(
        owner.text(stored).await,
        "DEV-T0001000000000AAAAA QRIS by ShopeePay 1763452411, DEV-T0001000000000BBBBB BRI Virtual Account 1763452411"
    );
}

#[tokio::test]
async fn a_payment_starts_one_period_and_notifies_once() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::new(&owner).await;
    let Buyer { id, invoice } = &buyer;
    let before = Utc::now();
    assert!(is_success(&deliver_callback(&world, &buyer.callback("A", "PAID")).await));

    let rows = owner
        .rows(
            "select
                 concat_ws(' ', subscriptions.status, plans.name, auto_renew, value, period_months, cancelled_at, trial_ends_at),
                 started_at at time zone 'Asia/Jakarta', expires_at at time zone 'Asia/Jakarta', subscriptions.id::text
             from public.subscriptions inner join public.plans on plans.id = plan_id where invoice_id = $1::uuid",
            &[&invoice.to_string()],
        )
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, String>(0), "active Pro t 149000.0000 1");
    let (starts, ends): (NaiveDateTime, NaiveDateTime) = (rows[0].get(1), rows[0].get(2));
    let in_jakarta = |time: DateTime<Utc>| time.with_timezone(&FixedOffset::east_opt(7 * 3600).unwrap()).naive_local();
    assert!((in_jakarta(before)..=in_jakarta(Utc::now())).contains(&starts), "{starts}");
    assert_eq!(ends, starts + Months::new(1), "a calendar month later, at the same time of the day");

    let stored = format!(
        "select concat_ws(' ', status, transaction_id = tripay_invoice_id, payment_channel, extract(epoch from paid_at)::bigint,
             refunded_at)
         from public.invoices where id = '{invoice}'"
    );
    assert_eq!(owner.text(&stored).await, "paid t BRI Virtual Account 1763452411");
    let notifications = format!(
        "select concat_ws('|', kind, title, body, context, read_at) from public.notifications where user_id = '{id}'"
    );
    let day = |time: NaiveDateTime| time.format("%-d %B %Y").to_string();
    let context = format!(r#"{{"invoice_id": "{invoice}", "subscription_id": "{}"}}"#, rows[0].get::<_, String>(3));
    let expected = format!(
        "payment|Payment received|We received Rp149.000 for Pro, monthly. Your plan is active from {} until {}.|{context}",
        day(starts),
        day(ends)
    );
    assert_eq!(owner.text(&notifications).await, expected);
    let audit = format!("select (log_level, message, context, source) from public.logs where user_id = '{id}'");
    let context = format!(
        r#"{{"action": "settle-payment", "amount": 149000.00, "source": "callback", "invoice_id": "{invoice}"}}"#
    );
    assert_eq!(
        owner.text(&audit).await,
        format!("(info,\"Invoice is paid\",\"{}\",billing)", context.replace('"', "\"\""))
    );

    // Tripay repeats callbacks; a duplicate may arrive at any time.
    assert_eq!(buyer.deliver(&world, "A PAID, A PAID, A PAID").await, "paid duplicate duplicate duplicate");
    assert_eq!(buyer.state(&owner).await, PAID);
    assert_eq!(owner.text(&notifications).await, expected);
    let again: Vec<NaiveDateTime> = owner
        .rows(
            "select expires_at at time zone 'Asia/Jakarta' from public.subscriptions where user_id = $1::uuid",
            &[&id.to_string()],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(again, [ends]);
}

#[tokio::test]
async fn concurrent_identical_callbacks_pay_once() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    for round in 0..20 {
        // Half of them arrive before the response to the create request is stored.
        let buyer =
            if round % 2 == 0 { Buyer::new(&owner).await } else { Buyer::with_unrecorded_transaction(&owner).await };
        let callback = buyer.callback("A", "PAID");
        let answers = join_all((0..2 + round % 3).map(|_| deliver_callback(&world, &callback))).await;
        assert!(answers.iter().all(is_success), "{answers:?}");
        let expected = format!("paid{}", " duplicate".repeat(1 + round % 3));
        assert_eq!((buyer.outcomes(&owner).await, buyer.state(&owner).await), (expected, PAID.into()));
    }
}

#[tokio::test]
async fn an_invoice_is_paid_once_in_any_order_of_callbacks() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    for (callbacks, outcomes, state) in [
        ("A PAID", "paid", PAID),
        ("A UNPAID, A PAID, A UNPAID", "unpaid paid unpaid", PAID),
        // A late status does not undo a payment.
        ("A PAID, A EXPIRED, A FAILED, A EXPIRED", "paid too_late too_late too_late", PAID),
        (
            "A EXPIRED, A EXPIRED, A FAILED",
            "expired duplicate too_late",
            "expired A -; no period; free; notified of nothing; logged expired",
        ),
        (
            "A FAILED, A FAILED, A EXPIRED",
            "failed duplicate too_late",
            "failed A -; no period; free; notified of nothing; logged failed",
        ),
        // A payment counts after expiry and failure.
        (
            "A EXPIRED, A PAID, A EXPIRED",
            "expired paid too_late",
            "paid A A; active; pro; notified of paid; logged expired, paid",
        ),
        ("A FAILED, A PAID", "failed paid", "paid A A; active; pro; notified of paid; logged failed, paid"),
        (
            "A PAID, A REFUND, A REFUND, A PAID, A EXPIRED",
            "paid refunded duplicate duplicate too_late",
            "paid A A refunded; expired; free; notified of paid refunded; logged paid, refunded",
        ),
        (
            "A REFUND, A REFUND, A PAID, A EXPIRED",
            "refunded_unpaid duplicate duplicate too_late",
            "cancelled A - refunded; no period; free; notified of refunded; logged refunded unpaid",
        ),
        ("A paid", "paid", PAID),
        ("A Paid, A expired", "paid too_late", PAID),
        ("A PARTIAL, A 7", "unknown_status unknown_status", UNPAID),
    ] {
        let buyer = Buyer::new(&owner).await;
        assert_eq!(buyer.deliver(&world, callbacks).await, outcomes, "{callbacks}");
        assert_eq!(buyer.state(&owner).await, state, "{callbacks}");
    }
}

#[tokio::test]
async fn the_first_paid_transaction_of_an_invoice_pays_it() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    for (callbacks, outcomes, state) in [
        ("B PAID", "paid", "paid A B; active; pro; notified of paid; logged paid"),
        (
            "B PAID, A EXPIRED, A FAILED, B EXPIRED",
            "paid other_transaction other_transaction too_late",
            "paid A B; active; pro; notified of paid; logged paid",
        ),
        // The end of another transaction does not end the invoice.
        ("B EXPIRED, B FAILED, B UNPAID", "other_transaction other_transaction unpaid", UNPAID),
        ("A PAID, B PAID, B PAID", "paid paid_twice paid_twice", PAID),
        ("B PAID, A PAID", "paid paid_twice", "paid A B; active; pro; notified of paid; logged paid"),
        // The refund of a second payment does not end the period.
        ("A PAID, B PAID, B REFUND", "paid paid_twice other_transaction", PAID),
        (
            "B PAID, A REFUND, B REFUND, A PAID",
            "paid other_transaction refunded paid_twice",
            "paid A B refunded; expired; free; notified of paid refunded; logged paid, refunded",
        ),
        ("A EXPIRED, B PAID", "expired paid", "paid A B; active; pro; notified of paid; logged expired, paid"),
    ] {
        let buyer = Buyer::new(&owner).await;
        assert_eq!(buyer.deliver(&world, callbacks).await, outcomes, "{callbacks}");
        assert_eq!(buyer.state(&owner).await, state, "{callbacks}");
    }

    // A reference of another invoice has no effect.
    let (one, other) = (Buyer::new(&owner).await, Buyer::with_unrecorded_transaction(&owner).await);
    for status in ["PAID", "EXPIRED", "REFUND"] {
        let mixed = with_changes(other.callback("X", status), &json!({"reference": one.reference("A")}));
        assert!(is_success(&deliver_callback(&world, &mixed).await));
    }
    assert_eq!(other.outcomes(&owner).await, ["reference_of_another"; 3].join(" "));
    assert_eq!(other.state(&owner).await, "pending - -; no period; free; notified of nothing; logged nothing");
    assert_eq!((one.outcomes(&owner).await.as_str(), one.state(&owner).await.as_str()), ("", UNPAID));
}

#[tokio::test]
async fn a_callback_before_the_create_response_records_the_reference() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    for (callbacks, outcomes, state) in [
        ("A PAID, B EXPIRED", "paid other_transaction", PAID),
        ("A EXPIRED", "expired", "expired A -; no period; free; notified of nothing; logged expired"),
        ("A UNPAID, B FAILED", "unpaid other_transaction", UNPAID),
        ("A PAID, B PAID", "paid paid_twice", PAID),
    ] {
        let buyer = Buyer::with_unrecorded_transaction(&owner).await;
        assert_eq!(buyer.deliver(&world, callbacks).await, outcomes, "{callbacks}");
        assert_eq!(buyer.state(&owner).await, state, "{callbacks}");
    }
}

#[tokio::test]
async fn a_payment_of_a_cancelled_expired_or_failed_invoice_counts() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    for status in ["cancelled", "expired", "failed"] {
        let buyer = Buyer::new(&owner).await;
        buyer.update_invoice(&owner, &format!("status = '{status}', expired_at = now() - interval '1 hour'")).await;
        let late = buyer.deliver(&world, "A EXPIRED").await;
        assert_eq!(late, if status == "expired" { "duplicate" } else { "too_late" });
        assert_eq!(buyer.deliver(&world, "A PAID").await, format!("{late} paid"));
        assert_eq!(buyer.state(&owner).await, PAID, "{status}");
    }
}

#[tokio::test]
async fn a_refund_ends_the_period_immediately() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::new(&owner).await;
    buyer.deliver(&world, "A PAID").await;
    let is_over = format!(
        "select concat_ws(' ', status, expires_at <= clock_timestamp(), expires_at > clock_timestamp() - interval '1 minute',
             value, auto_renew)
         from public.subscriptions where user_id = '{}'",
        buyer.id
    );
    assert_eq!(owner.text(&is_over).await, "active f t 149000.0000 t");
    // Tripay does not document the amounts of a refund.
    let refund = with_changes(
        buyer.callback("A", "REFUND"),
        &json!({"total_amount": 0, "amount_received": 0, "total_fee": null}),
    );
    for _ in 0..2 {
        assert!(is_success(&deliver_callback(&world, &refund).await));
    }
    assert_eq!(buyer.outcomes(&owner).await, "paid refunded duplicate");
    assert_eq!(owner.text(&is_over).await, "expired t t 0.0000 f");
    let notification = format!(
        "select title || ': ' || body from public.notifications where user_id = '{}' order by created_at desc limit 1",
        buyer.id
    );
    assert_eq!(
        owner.text(&notification).await,
        "Payment refunded: Rp149.000 for Pro, monthly was refunded. The subscription that it paid for has ended."
    );
}

#[tokio::test]
async fn the_amount_without_the_customer_fee_must_equal_the_invoice_amount() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    for (changes, outcome) in [
        // A fee paid by the merchant, by the customer, by both, and none.
        (json!({}), "paid"),
        (json!({"total_amount": 153_250, "fee_merchant": 0, "fee_customer": 4250, "amount_received": 149_000}), "paid"),
        (
            json!({"total_amount": 151_000, "fee_merchant": 2250, "fee_customer": 2000, "amount_received": 146_750}),
            "paid",
        ),
        (json!({"fee_merchant": 0, "total_fee": 0, "amount_received": 149_000}), "paid"),
        // Missing figures do not contradict the total.
        (json!({"fee_merchant": null, "fee_customer": null, "total_fee": null, "amount_received": null}), "paid"),
        (json!({"total_amount": "149000", "fee_merchant": "4250.00", "paid_at": "1763452411"}), "paid"),
        (json!({"total_amount": 148_999, "amount_received": 144_749}), "wrong_amount"),
        (json!({"total_amount": 149_001, "amount_received": 144_751}), "wrong_amount"),
        (json!({"total_amount": 153_250, "amount_received": 149_000}), "wrong_amount"),
        (json!({"fee_merchant": 0, "fee_customer": 4250}), "wrong_amount"),
        (json!({"total_amount": 0, "fee_merchant": 0, "total_fee": 0, "amount_received": 0}), "wrong_amount"),
        (json!({"total_amount": -149_000}), "wrong_amount"),
        (json!({"total_amount": null}), "wrong_amount"),
        (json!({"total_amount": 1, "fee_customer": null}), "wrong_amount"),
        (json!({"total_amount": 0, "fee_customer": -149_000}), "wrong_amount"),
        (json!({"total_amount": i64::MAX, "amount_received": i64::MAX}), "wrong_amount"),
        (json!({"total_amount": i64::MAX, "fee_customer": i64::MIN}), "wrong_amount"),
        // The total equals the invoice but contradicts its parts.
        (json!({"total_fee": 4251}), "inconsistent"),
        (json!({"amount_received": 149_000}), "inconsistent"),
        (json!({"fee_merchant": 0}), "inconsistent"),
        (json!({"fee_merchant": i64::MAX}), "inconsistent"),
        (
            json!({"total_amount": 100, "fee_customer": -148_900, "total_fee": -144_650, "amount_received": 144_750}),
            "inconsistent",
        ),
        (json!({"fee_merchant": -1, "total_fee": -1, "amount_received": 149_001}), "inconsistent"),
    ] {
        let buyer = Buyer::new(&owner).await;
        let answer = deliver_callback(&world, &with_changes(buyer.callback("A", "PAID"), &changes)).await;
        assert!(is_success(&answer), "{changes}: {answer:?}");
        assert_eq!(buyer.outcomes(&owner).await, outcome, "{changes}");
        assert_eq!(buyer.state(&owner).await, if outcome == "paid" { PAID } else { UNPAID }, "{changes}");
        // A correct callback is still accepted.
        if outcome != "paid" {
            assert_eq!(buyer.deliver(&world, "A PAID").await, format!("{outcome} paid"));
            assert_eq!(buyer.state(&owner).await, PAID, "{changes}");
        }
    }
}

#[tokio::test]
async fn a_callback_for_an_unknown_invoice_is_stored_without_effect() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    let buyer = Buyer::with_unrecorded_transaction(&owner).await;
    let untouched = buyer.state(&owner).await;
    for (changes, outcome) in [
        (json!({"reference": null, "merchant_ref": null, "note": "Test Callback"}), "test"),
        (json!({"reference": "", "merchant_ref": ""}), "test"),
        (json!({"merchant_ref": "INV-of-nobody"}), "unknown_invoice"),
        (json!({"merchant_ref": null}), "unknown_invoice"),
        (json!({"reference": null, "merchant_ref": "x"}), "unknown_invoice"),
        (json!({"merchant_ref": format!("inv-{}", buyer.invoice)}), "unknown_invoice"),
        (json!({"merchant_ref": format!("INV-{}-2", buyer.invoice)}), "unknown_invoice"),
    ] {
        let callback = with_changes(buyer.callback("A", "PAID"), &changes);
        assert!(is_success(&deliver_callback(&world, &callback).await), "{changes}");
        assert_eq!(newest_event(&owner).await, (callback.to_string().into_bytes(), true, outcome.into(), false));
    }
    // The payer of an open payment chooses its amount, so it settles no invoice.
    for flag in [json!(0), json!(false), json!("0")] {
        assert!(is_success(
            &deliver_callback(&world, &with_changes(buyer.callback("O", "PAID"), &json!({"is_closed_payment": flag})))
                .await
        ));
    }
    assert_eq!(buyer.outcomes(&owner).await, ["open_payment"; 3].join(" "));
    assert_eq!(buyer.state(&owner).await, untouched);

    // Either id suffices.
    assert!(is_success(
        &deliver_callback(&world, &with_changes(buyer.callback("A", "PAID"), &json!({"reference": null}))).await
    ));
    assert_eq!(buyer.state(&owner).await, "paid - -; active; pro; notified of paid; logged paid");
    let other = Buyer::new(&owner).await;
    assert!(is_success(
        &deliver_callback(&world, &with_changes(other.callback("A", "PAID"), &json!({"merchant_ref": null}))).await
    ));
    assert_eq!(other.state(&owner).await, PAID);
}
