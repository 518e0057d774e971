//! Job `reconcile-invoices`, every 15 minutes: queries Tripay about pending invoices and settles the responses like
//! callbacks.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::database::{Database, Session};
use crate::support::fake_tripay::{FailureMode, FakeTripay};
use crate::support::payers::{payer_id, reset_to_payers, world_with_payers};
use crate::support::world::{World, assert_log_reports};

const FUNCTION: &str = "reconcile-invoices";
const NOW: &str = "2027-03-01T05:00:00Z";
const AMOUNT: i64 = 149_000;

/// Adds an invoice `INV-n` with transaction `DEV-n` for payer `n`: a month of Pro, opened an hour ago and payable for a
/// day.
async fn add_invoices(owner: &Session, numbers: std::ops::RangeInclusive<u32>) {
    owner
        .run(&format!(
            "insert into public.invoices (
                 user_id, plan_id, reference_id, tripay_invoice_id, amount, status, period, payment_method, description,
                 expired_at, created_at
             )
             select
                 users.id, plans.id, 'INV-' || n, 'DEV-' || n, {AMOUNT}, 'pending', 'monthly', 'QRIS', 'Pro, monthly',
                 timestamptz '{NOW}' + interval '23 hours', timestamptz '{NOW}' - interval '1 hour' + n * interval '1 second'
             from generate_series({}, {}) as n
             inner join public.users on users.email = 'payer-' || n || '@nofomo.test'
             inner join public.plans on plans.name = 'Pro'",
            numbers.start(),
            numbers.end()
        ))
        .await
        .unwrap();
}

async fn set(owner: &Session, number: u32, changes: &str) {
    owner.run(&format!("update public.invoices set {changes} where reference_id = 'INV-{number}'")).await.unwrap();
}

async fn statuses(owner: &Session) -> String {
    let statuses =
        "select string_agg(split_part(reference_id, '-', 2) || ' ' || status, ', ' order by created_at, reference_id)
        from public.invoices";
    owner.text(statuses).await
}

async fn events(owner: &Session) -> Vec<String> {
    let events = "select concat_ws(' ', source, coalesce(reference_id, 'none'), outcome, signature_valid)
        from private.payment_events left join public.invoices on invoices.id = invoice_id order by sequence";
    owner.list(events).await
}

/// Periods with their invoices and the plans of their users.
async fn periods(owner: &Session) -> Vec<String> {
    let periods = "select concat_ws(' ', reference_id, subscriptions.status, started_at at time zone 'UTC',
            expires_at at time zone 'UTC', subscription_plan)
        from public.subscriptions
        inner join public.invoices on invoices.id = invoice_id
        inner join public.users on users.id = subscriptions.user_id
        order by invoices.created_at";
    owner.list(periods).await
}

fn expected_counts(changes: &Value) -> Value {
    let mut counts = json!({
        "asked": 0, "unanswered": 0, "found": 0, "failed": 0, "paid": 0, "expired": 0, "refunded": 0, "is_complete": true,
    });
    counts.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    counts
}

/// Runs the job; returns its counts without `oldest_pending_seconds`.
async fn run_counts(world: &World, time: &str) -> Value {
    let mut counts = world.run_job(FUNCTION, time).await;
    counts.as_object_mut().unwrap().remove("oldest_pending_seconds").unwrap();
    counts
}

fn later(minutes: i64) -> String {
    (NOW.parse::<DateTime<Utc>>().unwrap() + Duration::minutes(minutes)).to_rfc3339()
}

#[tokio::test]
async fn a_new_status_of_a_pending_invoice_is_settled_and_stored() {
    let (world, tripay, owner) = world_with_payers(9).await;
    add_invoices(&owner, 1..=9).await;
    for (number, status) in [
        (1, "PAID"),
        (2, "EXPIRED"),
        (3, "FAILED"),
        (4, "REFUND"),
        (5, "UNPAID"),
        (7, "LOST"),
        (8, "PAID"),
        (9, "PAID"),
    ] {
        tripay.add_transaction(&format!("DEV-{number}"), &format!("INV-{number}"), AMOUNT, status);
    }
    tripay.update_transaction("DEV-1", &json!({ "paid_at": "1803876000" }));
    tripay.update_transaction("DEV-8", &json!({ "amount": 100_000, "amount_received": 98_550 }));
    tripay.update_transaction(
        "DEV-9",
        &json!({ "amount": AMOUNT + 1450, "fee_customer": 1450, "fee_merchant": 0, "amount_received": AMOUNT }),
    );

    let counts = world.run_job(FUNCTION, NOW).await;
    // The fifth invoice is the oldest pending one, opened an hour less five seconds ago.
    let oldest = json!({ "asked": 9, "paid": 2, "expired": 2, "refunded": 1, "oldest_pending_seconds": 3595 });
    assert_eq!(counts, expected_counts(&oldest));
    let line = world.log_lines("Run completed", 1).await.remove(0);
    assert_eq!((line["level"].as_str(), line["function"].as_str()), (Some("INFO"), Some(FUNCTION)));
    assert_log_reports(&line, &counts);
    assert_eq!(tripay.take_requests(), (1..=9).map(|n| format!("detail DEV-{n}")).collect::<Vec<_>>());
    assert_eq!(
        statuses(&owner).await,
        "1 paid, 2 expired, 3 failed, 4 cancelled, 5 pending, 6 pending, 7 pending, 8 pending, 9 paid"
    );
    let paid = "select concat_ws(' ', transaction_id, payment_channel, paid_at at time zone 'UTC') from public.invoices
        where status = 'paid' order by created_at";
    // The payment time is Tripay's, or the time of the run if Tripay gives none.
    assert_eq!(
        owner.list(paid).await,
        ["DEV-1 QRIS of Tripay 2027-03-01 04:40:00", "DEV-9 QRIS of Tripay 2027-03-01 05:00:00"]
    );
    assert_eq!(
        periods(&owner).await,
        [
            "INV-1 active 2027-03-01 05:00:00 2027-04-01 05:00:00 pro",
            "INV-9 active 2027-03-01 05:00:00 2027-04-01 05:00:00 pro"
        ]
    );
    let expected_events = [
        "reconciliation INV-1 paid t",
        "reconciliation INV-2 expired t",
        "reconciliation INV-3 failed t",
        "reconciliation INV-4 refunded_unpaid t",
        "reconciliation INV-7 unknown_status t",
        "reconciliation INV-8 wrong_amount t",
        "reconciliation INV-9 paid t",
    ];
    assert_eq!(events(&owner).await, expected_events);
    let bodies = "select string_agg(convert_from(body, 'UTF8')::jsonb ->> 'reference', ' ' order by sequence) from private.payment_events";
    assert_eq!(owner.text(bodies).await, "DEV-1 DEV-2 DEV-3 DEV-4 DEV-7 DEV-8 DEV-9");
    let mut alarms: Vec<String> = world
        .log_lines("Payment needs attention", 3)
        .await
        .iter()
        .map(|line| format!("{} {}", line["level"].as_str().unwrap(), line["outcome"].as_str().unwrap()))
        .collect();
    alarms.sort();
    assert_eq!(alarms, ["ERROR refunded_unpaid", "ERROR unknown_status", "ERROR wrong_amount"]);
    assert_eq!(world.log_lines("Tripay does not find a transaction that it created", 1).await[0]["level"], "ERROR");

    // 15 minutes later, pending invoices are queried again, and no status is new.
    assert_eq!(run_counts(&world, &later(15)).await, expected_counts(&json!({ "asked": 4 })));
    assert_eq!(tripay.take_requests(), ["detail DEV-5", "detail DEV-6", "detail DEV-7", "detail DEV-8"]);
    assert_eq!(events(&owner).await, expected_events);
    // After an hour, expired invoices are queried, too; paid, failed and refunded ones never.
    assert_eq!(run_counts(&world, &later(60)).await, expected_counts(&json!({ "asked": 5 })));
    assert_eq!(events(&owner).await, expected_events);
    assert_eq!(owner.text("select count(*) from public.subscriptions").await, "2");
}

#[tokio::test]
async fn an_invoice_younger_than_ten_minutes_is_not_queried() {
    let (world, tripay, owner) = world_with_payers(3).await;
    add_invoices(&owner, 1..=3).await;
    set(&owner, 1, &format!("created_at = timestamptz '{NOW}' - interval '10 minutes' + interval '1 microsecond'"))
        .await;
    set(&owner, 2, &format!("created_at = timestamptz '{NOW}' - interval '10 minutes'")).await;
    // The create request may still be in flight.
    set(&owner, 3, &format!("created_at = timestamptz '{NOW}' - interval '9 minutes', tripay_invoice_id = null")).await;
    for n in 1..=3 {
        tripay.add_transaction(&format!("DEV-{n}"), &format!("INV-{n}"), AMOUNT, "PAID");
    }
    assert_eq!(run_counts(&world, NOW).await, expected_counts(&json!({ "asked": 1, "paid": 1 })));
    assert_eq!(tripay.take_requests(), ["detail DEV-2"]);
    assert_eq!(statuses(&owner).await, "2 paid, 1 pending, 3 pending");
}

#[tokio::test]
async fn an_invoice_is_queried_while_pending_and_hourly_for_a_day_after_expiry() {
    let (world, tripay, owner) = world_with_payers(1).await;
    add_invoices(&owner, 1..=1).await;
    // Opened now, payable for two hours.
    set(&owner, 1, &format!("created_at = '{NOW}', expired_at = timestamptz '{NOW}' + interval '2 hours'")).await;
    tripay.add_transaction("DEV-1", "INV-1", AMOUNT, "UNPAID");
    let mut queried = Vec::new();
    for quarter in 0..=4 * 30 {
        let time = later(15 * quarter);
        assert_eq!(run_counts(&world, &time).await["is_complete"], true);
        if !tripay.take_requests().is_empty() {
            queried.push(quarter);
        }
        // Another run nine minutes later queries nothing.
        run_counts(&world, &later(15 * quarter + 9)).await;
        assert_eq!(tripay.take_requests(), [""; 0]);
        if quarter % 4 == 0 {
            world.run_job("expire-subscriptions", &time).await;
        }
    }
    let hourly_until_a_day_after = (12..4 * 26).step_by(4);
    assert_eq!(queried, (1..=8).chain(hourly_until_a_day_after).collect::<Vec<_>>());
    assert_eq!(statuses(&owner).await, "1 expired");
    assert_eq!(events(&owner).await, [""; 0]);
}

#[tokio::test]
async fn an_invoice_without_a_tripay_reference_is_matched_by_exact_merchant_ref_or_fails() {
    let (world, tripay, owner) = world_with_payers(7).await;
    add_invoices(&owner, 1..=7).await;
    owner.run("update public.invoices set tripay_invoice_id = null").await.unwrap();
    let expires = 1_803_900_000;
    // 1: created. 2: paid. 3: created twice, and the second was paid. 4: created twice, and both were paid.
    tripay.add_transaction("DEV-1", "INV-1", AMOUNT, "UNPAID");
    tripay.update_transaction("DEV-1", &json!({ "expired_at": expires }));
    tripay.add_transaction("DEV-2", "INV-2", AMOUNT, "PAID");
    tripay.add_transaction("DEV-3a", "INV-3", AMOUNT, "UNPAID");
    tripay.add_transaction("DEV-3b", "INV-3", AMOUNT, "PAID");
    tripay.add_transaction("DEV-4a", "INV-4", AMOUNT, "PAID");
    tripay.add_transaction("DEV-4b", "INV-4", AMOUNT, "PAID");
    // 5: only a transaction with a longer merchant_ref. 6: none. 7: one that belongs to another invoice.
    tripay.add_transaction("DEV-50", "INV-50", AMOUNT, "PAID");
    tripay.add_transaction("DEV-1", "INV-7", AMOUNT, "PAID");

    let counts = run_counts(&world, NOW).await;
    let expected_events = [
        "reconciliation INV-2 paid t",
        "reconciliation INV-3 paid t",
        "reconciliation INV-4 paid t",
        "reconciliation INV-4 paid_twice t",
        "reconciliation INV-7 reference_of_another t",
    ];
    assert_eq!(events(&owner).await, expected_events);
    assert_eq!(counts, expected_counts(&json!({ "asked": 7, "found": 5, "failed": 2, "paid": 3 })));
    assert_eq!(tripay.take_requests(), (1..=7).map(|n| format!("list INV-{n}")).collect::<Vec<_>>());
    assert_eq!(statuses(&owner).await, "1 pending, 2 paid, 3 paid, 4 paid, 5 failed, 6 failed, 7 pending");
    let rows =
        "select concat_ws(' ', reference_id, tripay_invoice_id, transaction_id, checkout_url, tripay_merchant_id)
        from public.invoices order by created_at";
    assert_eq!(
        owner.list(rows).await,
        [
            "INV-1 DEV-1 https://tripay.test/checkout/DEV-1 T0000",
            "INV-2 DEV-2 DEV-2 https://tripay.test/checkout/DEV-2 T0000",
            "INV-3 DEV-3a DEV-3b https://tripay.test/checkout/DEV-3a T0000",
            "INV-4 DEV-4a DEV-4a https://tripay.test/checkout/DEV-4a T0000",
            "INV-5",
            "INV-6",
            "INV-7",
        ]
    );
    // The expiry is Tripay's.
    let deadline = "select extract(epoch from expired_at)::bigint from public.invoices where reference_id = 'INV-1'";
    assert_eq!(owner.text(deadline).await, expires.to_string());
    assert_eq!(periods(&owner).await.len(), 3);
    assert_eq!(owner.text("select count(*) from public.notifications where kind = 'payment'").await, "3");

    // From now on it is queried by its reference, and failed invoices are not queried.
    run_counts(&world, &later(15)).await;
    assert_eq!(tripay.take_requests(), ["detail DEV-1", "list INV-7"]);
    assert_eq!(events(&owner).await, expected_events);
}

#[tokio::test]
async fn while_tripay_is_unavailable_nothing_changes_and_the_next_run_continues() {
    let (world, tripay, owner) = world_with_payers(8).await;
    add_invoices(&owner, 1..=8).await;
    set(&owner, 2, "tripay_invoice_id = null").await;
    for n in 1..=8 {
        tripay.add_transaction(&format!("DEV-{n}"), &format!("INV-{n}"), AMOUNT, "PAID");
    }
    let rows = "select concat_ws(' ', status, tripay_invoice_id, transaction_id, expired_at) from public.invoices order by created_at";
    let before = owner.list(rows).await;
    let unavailable = expected_counts(&json!({ "asked": 3, "unanswered": 3, "is_complete": false }));

    tripay.set_failure_mode(FailureMode::ServesHtml);
    assert_eq!(run_counts(&world, NOW).await, unavailable);
    assert_eq!(tripay.take_requests(), ["detail DEV-1", "list INV-2", "detail DEV-3"]);
    tripay.set_failure_mode(FailureMode::Disconnects);
    assert_eq!(run_counts(&world, &later(15)).await, unavailable);
    assert_eq!(tripay.take_requests(), ["detail DEV-4", "detail DEV-5", "detail DEV-6"]);
    // A refusal of the IP address says nothing about a transaction.
    tripay.set_failure_mode(FailureMode::Refuses("Unauthorized IP 192.0.2.1"));
    assert_eq!(run_counts(&world, &later(30)).await, unavailable);
    assert_eq!(tripay.take_requests(), ["detail DEV-7", "detail DEV-8", "detail DEV-1"]);
    assert_eq!(owner.list(rows).await, before);
    assert_eq!(events(&owner).await, [""; 0]);
    assert!(world.log_lines("Tripay query failed", 9).await.iter().all(|line| line["level"] == "WARN"));

    tripay.set_failure_mode(FailureMode::None);
    let recovered = run_counts(&world, &later(45)).await;
    assert_eq!(recovered, expected_counts(&json!({ "asked": 8, "found": 1, "paid": 8 })));
    // The least recently queried come first, then the oldest.
    let order: Vec<_> =
        [2, 3, 4, 5, 6, 1, 7, 8].map(|n| if n == 2 { "list INV-2".into() } else { format!("detail DEV-{n}") }).into();
    assert_eq!(tripay.take_requests(), order);
    assert_eq!(periods(&owner).await.len(), 8);
}

#[tokio::test]
async fn unanswered_invoices_do_not_block_the_others() {
    let (world, tripay, owner) = world_with_payers(8).await;
    add_invoices(&owner, 1..=8).await;
    for n in 1..=8 {
        tripay.add_transaction(&format!("DEV-{n}"), &format!("INV-{n}"), AMOUNT, "PAID");
    }
    for n in [1, 2, 3, 5, 6] {
        tripay.disconnect_for(&format!("DEV-{n}"));
    }
    let three = expected_counts(&json!({ "asked": 3, "unanswered": 3, "is_complete": false }));
    assert_eq!(run_counts(&world, NOW).await, three);
    // Two consecutive failures do not stop the run.
    let rest = expected_counts(&json!({ "asked": 8, "unanswered": 5, "paid": 3, "is_complete": false }));
    assert_eq!(run_counts(&world, &later(15)).await, rest);
    assert_eq!(statuses(&owner).await, "1 pending, 2 pending, 3 pending, 4 paid, 5 pending, 6 pending, 7 paid, 8 paid");
}

#[tokio::test]
async fn concurrent_runs_query_each_invoice_once() {
    let (world, tripay, owner) = world_with_payers(120).await;
    add_invoices(&owner, 1..=120).await;
    for n in 1..=120 {
        tripay.add_transaction(&format!("DEV-{n}"), &format!("INV-{n}"), AMOUNT, "PAID");
    }
    let (one, other) = tokio::join!(run_counts(&world, NOW), run_counts(&world, NOW));
    let sum = |name: &str| one[name].as_u64().unwrap() + other[name].as_u64().unwrap();
    assert_eq!(["asked", "paid", "unanswered"].map(sum), [120, 120, 0], "{one} {other}");
    let mut query_counts = BTreeMap::new();
    for query in tripay.take_requests() {
        *query_counts.entry(query).or_insert(0) += 1;
    }
    assert_eq!((query_counts.len(), query_counts.values().max()), (120, Some(&1)));
    let rows = "select concat_ws(' ', (select count(*) from public.subscriptions),
        (select count(distinct invoice_id) from public.subscriptions), (select count(*) from private.payment_events),
        (select count(*) from public.notifications), (select count(*) from public.users where subscription_plan = 'pro'))";
    assert_eq!(owner.text(rows).await, "120 120 120 120 120");
}

#[tokio::test]
async fn an_invoice_locked_by_a_settlement_is_left_for_the_next_run() {
    let (world, tripay, owner) = world_with_payers(3).await;
    add_invoices(&owner, 1..=3).await;
    for n in 1..=3 {
        tripay.add_transaction(&format!("DEV-{n}"), &format!("INV-{n}"), AMOUNT, "PAID");
    }
    let settling = world.database.owner().await;
    settling.run("begin; select from public.invoices where reference_id = 'INV-2' for update").await.unwrap();
    assert_eq!(run_counts(&world, NOW).await, expected_counts(&json!({ "asked": 2, "paid": 2 })));
    settling.rollback().await;
    assert_eq!(run_counts(&world, NOW).await, expected_counts(&json!({ "asked": 1, "paid": 1 })));
    assert_eq!(tripay.take_requests(), ["detail DEV-1", "detail DEV-3", "detail DEV-2"]);
}

/// Uses batches of one invoice, so that the runs collide at every query.
#[tokio::test]
async fn no_invoice_is_assigned_to_two_runs() {
    let database = Database::new().await;
    let owner = database.owner().await;
    reset_to_payers(&owner, 40).await;
    add_invoices(&owner, 1..=40).await;
    let jobs = [
        database.session("nofomo_jobs").await,
        database.session("nofomo_jobs").await,
        database.session("nofomo_jobs").await,
    ];
    for round in 0..20 {
        let input = json!({ "now": later(15 * round), "limit": 1 }).to_string();
        let assigned = join_all(jobs.iter().map(|session| {
            let query = format!("private.reconcile_invoices('{input}')");
            async move {
                let mut references = Vec::new();
                loop {
                    let answer: Vec<Value> = serde_json::from_str(&session.text(&query).await).unwrap();
                    let Some(invoice) = answer.first() else { return references };
                    references.push(invoice["reference_id"].as_str().unwrap().to_owned());
                }
            }
        }))
        .await;
        let all: Vec<_> = assigned.concat();
        assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (40, 40), "{round}: {assigned:?}");
    }
}

#[tokio::test]
async fn a_late_payment_of_an_expired_or_cancelled_invoice_counts() {
    let (world, tripay, owner) = world_with_payers(3).await;
    add_invoices(&owner, 1..=3).await;
    set(&owner, 1, &format!("expired_at = timestamptz '{NOW}' - interval '1 second'")).await;
    set(&owner, 2, "status = 'cancelled'").await;
    set(&owner, 3, &format!("status = 'cancelled', refunded_at = '{NOW}'")).await;
    for n in 1..=3 {
        tripay.add_transaction(&format!("DEV-{n}"), &format!("INV-{n}"), AMOUNT, "PAID");
    }
    assert_eq!(world.run_job("expire-subscriptions", NOW).await["invoices"], 1);
    assert_eq!(statuses(&owner).await, "1 expired, 2 cancelled, 3 cancelled");
    assert_eq!(run_counts(&world, NOW).await, expected_counts(&json!({ "asked": 2, "paid": 2 })));
    assert_eq!(statuses(&owner).await, "1 paid, 2 paid, 3 cancelled");
    assert_eq!(
        periods(&owner).await,
        [
            "INV-1 active 2027-03-01 05:00:00 2027-04-01 05:00:00 pro",
            "INV-2 active 2027-03-01 05:00:00 2027-04-01 05:00:00 pro"
        ]
    );
    // A callback that arrives later is a duplicate.
    let settlement = json!({
        "now": later(1), "source": "callback", "body": "e30=", "signature_valid": true, "event": "payment_status",
        "payment": { "reference": "DEV-1", "merchant_ref": "INV-1", "total_amount": AMOUNT, "status": "PAID",
                     "is_closed_payment": true },
    });
    let jobs = world.database.session("nofomo_jobs").await;
    assert!(jobs.text(&format!("private.settle_payment('{settlement}')")).await.contains("duplicate"));
    assert_eq!(periods(&owner).await.len(), 2);
}

#[tokio::test]
async fn a_run_stops_before_its_timeout_and_the_next_one_continues() {
    let tripay = FakeTripay::start().await;
    // 30 of the 33 seconds are reserved for the last query, so the run has three.
    let world = World::with_timeout(Database::new().await, tripay.settings(), FUNCTION, 33).await;
    let owner = world.database.owner().await;
    reset_to_payers(&owner, 20).await;
    add_invoices(&owner, 1..=20).await;
    for n in 1..=20 {
        tripay.add_transaction(&format!("DEV-{n}"), &format!("INV-{n}"), AMOUNT, "PAID");
    }
    tripay.set_failure_mode(FailureMode::Slow);
    let stopped = run_counts(&world, NOW).await;
    let asked = stopped["asked"].as_u64().unwrap();
    assert!((1..10).contains(&asked), "{stopped}");
    assert_eq!(stopped, expected_counts(&json!({ "asked": asked, "paid": asked, "is_complete": false })));
    tripay.take_requests();
    tripay.set_failure_mode(FailureMode::None);
    let rest = run_counts(&world, &later(15)).await;
    assert_eq!(rest, expected_counts(&json!({ "asked": 20 - asked, "paid": 20 - asked })));
    assert_eq!(tripay.take_requests()[0], format!("detail DEV-{}", asked + 1));
    assert_eq!(
        owner.text(&format!("select count(*) from public.subscriptions where user_id <> '{}'", payer_id(1))).await,
        "19"
    );
}
