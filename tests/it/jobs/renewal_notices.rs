//! Daily job `renew-subscriptions`: notices that announce the end of a plan.

use chrono::{DateTime, Duration, Utc};
use serde_json::json;

use crate::support::payers::{Period, Purchase, add_period, buy, payer_id, settle_callback, world_with_payers};
use crate::support::renewals::{FUNCTION, PRO, TWO_DAYS_BEFORE_END, expected_counts, notices, renewals};

fn days_of_march(from: u32, until: u32) -> Vec<String> {
    let first: DateTime<Utc> = "2027-03-01T01:00:00Z".parse().unwrap();
    (from..=until).map(|day| (first + Duration::days(i64::from(day) - 1)).to_rfc3339()).collect()
}

#[tokio::test]
async fn one_notice_is_sent_seven_three_and_one_days_before_the_end_of_a_plan() {
    let (world, _tripay, owner) = world_with_payers(4).await;
    let first = Period { plan: "Pro", status: "active", from: "2027-03-01T01:00:00Z", until: "2027-04-01T01:00:00Z" };
    add_period(&owner, 1, &first).await;
    // Ends a microsecond later, which moves each notice to the next run.
    add_period(&owner, 2, &Period { until: "2027-04-01T01:00:00.000001Z", ..first }).await;
    // Ends on 1 April in Jakarta and on 31 March in UTC.
    add_period(&owner, 3, &Period { until: "2027-03-31T17:00:00Z", ..first }).await;
    add_period(&owner, 4, &Period { status: "cancelled", plan: "Enterprise", ..first }).await;
    let mut notice_count = 0;
    for day in days_of_march(20, 34) {
        notice_count += world.run_job(FUNCTION, &day).await["notices"].as_u64().unwrap();
        assert_eq!(world.run_job(FUNCTION, &day).await, expected_counts(&json!({})), "again on {day}");
    }
    assert_eq!(notice_count, 12);
    assert_eq!(
        notices(&owner).await,
        [
            "1 ends-in-7 2027-03-25 01:00:00",
            "1 ends-in-3 2027-03-29 01:00:00",
            "1 ends-in-1 2027-03-31 01:00:00",
            "2 ends-in-7 2027-03-26 01:00:00",
            "2 ends-in-3 2027-03-30 01:00:00",
            "2 ends-in-1 2027-04-01 01:00:00",
            "3 ends-in-7 2027-03-25 01:00:00",
            "3 ends-in-3 2027-03-29 01:00:00",
            "3 ends-in-1 2027-03-31 01:00:00",
            "4 ends-in-7 2027-03-25 01:00:00",
            "4 ends-in-3 2027-03-29 01:00:00",
            "4 ends-in-1 2027-03-31 01:00:00",
        ]
    );
    let texts = "select concat_ws('|', kind, title, body, count(*)) from public.notifications
        where fact like '%:ends-in-%' group by kind, title, body, right(fact, 1) order by title, right(fact, 1) desc";
    assert_eq!(
        owner.list(texts).await,
        [
            "subscription|Enterprise ends on 1 April 2027|The renewal is cancelled. Resume it, or buy the plan again, to keep the plan.|1",
            "subscription|Enterprise ends on 1 April 2027|The renewal is cancelled. Resume it, or buy the plan again, to keep the plan.|1",
            "subscription|Enterprise ends on 1 April 2027|The renewal is cancelled. Resume it, or buy the plan again, to keep the plan.|1",
            "subscription|Pro ends on 1 April 2027|You will receive a renewal invoice three days before that date.|3",
            "subscription|Pro ends on 1 April 2027|Pay the renewal invoice, or buy the plan again, to keep it.|3",
            "subscription|Pro ends on 1 April 2027|Pay the renewal invoice, or buy the plan again, to keep it.|3",
        ]
    );
    let contexts = "select count(*) from public.notifications inner join public.subscriptions
        on notifications.user_id = subscriptions.user_id and split_part(fact, ':', 2) = subscriptions.id::text
        where context ->> 'subscription_id' = subscriptions.id::text and (context ->> 'expires_at')::timestamptz = expires_at";
    assert_eq!(owner.text(contexts).await, "12");
}

#[tokio::test]
async fn missed_and_concurrent_runs_send_no_duplicate_or_outdated_notice() {
    let (world, _tripay, owner) = world_with_payers(1).await;
    let until = "2027-04-01T05:00:00Z";
    add_period(&owner, 1, &Period { plan: "Pro", status: "active", from: "2027-03-01T05:00:00Z", until }).await;
    // No run from the 26th to the 28th, then three at once.
    let late = "2027-03-29T01:00:00Z";
    let runs =
        tokio::join!(world.run_job(FUNCTION, late), world.run_job(FUNCTION, late), world.run_job(FUNCTION, late));
    let counts = [runs.0, runs.1, runs.2].map(|run| run["notices"].as_u64().unwrap());
    assert_eq!(counts.iter().sum::<u64>(), 1, "{counts:?}");
    // No run on the 30th and 31st, so that the notice for three days before is skipped.
    world.run_job(FUNCTION, "2027-04-01T01:00:00Z").await;
    for over in [until, "2027-04-02T01:00:00Z"] {
        assert_eq!(world.run_job(FUNCTION, over).await, expected_counts(&json!({})));
    }
    assert_eq!(notices(&owner).await, ["1 ends-in-7 2027-03-29 01:00:00", "1 ends-in-1 2027-04-01 01:00:00"]);
}

#[tokio::test]
async fn the_end_of_a_period_followed_by_the_same_plan_is_not_announced() {
    let (world, tripay, owner) = world_with_payers(5).await;
    for (user, plan) in [(1, "Pro"), (1, "Pro"), (2, "Enterprise"), (2, "Pro"), (3, "Pro"), (4, "Pro")] {
        buy(&owner, user, &Purchase { plan, ..PRO }).await;
    }
    buy(&owner, 3, &Purchase { method: "QRIS", at: "2027-03-01T06:00:00Z", ..PRO }).await;
    // Refunds the following period.
    let second = "select tripay_invoice_id || ' ' || reference_id from public.invoices inner join public.subscriptions
        on invoices.id = invoice_id where subscriptions.user_id = ";
    let last = owner.text(&format!("{second} '{}' order by started_at desc limit 1", payer_id(3))).await;
    let (reference, merchant_ref) = last.split_once(' ').unwrap();
    settle_callback(&owner, reference, merchant_ref, 149_000, "REFUND", "2027-03-02T05:00:00Z").await;
    // User 5 has a following period that was ended before it started.
    let over = Period { plan: "Pro", status: "expired", from: "2027-04-01T05:00:00Z", until: "2027-05-01T05:00:00Z" };
    add_period(&owner, 5, &Period { status: "active", from: PRO.at, until: over.from, ..over }).await;
    add_period(&owner, 5, &over).await;
    let ends = "select string_agg(right(user_id::text, 1) || ' ' || (expires_at at time zone 'UTC')::date, ', ' order by user_id, expires_at)
        from public.subscriptions where status <> 'expired'";
    assert_eq!(
        owner.text(ends).await,
        "1 2027-04-01, 1 2027-05-01, 2 2027-04-01, 2 2027-05-01, 3 2027-04-01, 4 2027-04-01, 5 2027-04-01"
    );
    assert_eq!(
        world.run_job(FUNCTION, TWO_DAYS_BEFORE_END).await,
        expected_counts(&json!({ "notices": 4, "invoices": 3 }))
    );
    let notices = "select concat_ws(' ', right(user_id::text, 1), title) from public.notifications
        where fact like '%:ends-in-%' order by user_id";
    let first = [
        "2 Enterprise ends on 1 April 2027",
        "3 Pro ends on 1 April 2027",
        "4 Pro ends on 1 April 2027",
        "5 Pro ends on 1 April 2027",
    ];
    assert_eq!(owner.list(notices).await, first);
    // User 3's renewal uses the channel of the payment that was not refunded.
    let methods: Vec<_> = tripay.take_create_bodies().iter().map(|order| order["method"].clone()).collect();
    assert_eq!(methods, ["BRIVA", "BRIVA", "BRIVA"]);
    // In the next month the following period ends.
    world.run_job(FUNCTION, "2027-04-29T05:00:00Z").await;
    assert_eq!(owner.list(notices).await.len(), 6);
    assert_eq!(owner.list(notices).await[0], "1 Pro ends on 1 May 2027");
}

#[tokio::test]
async fn the_end_of_a_trial_is_announced_but_not_on_its_first_day() {
    let (world, tripay, owner) = world_with_payers(1).await;
    let trial = Period { plan: "Pro", status: "trial", from: "2027-03-01T00:30:00Z", until: "2027-03-08T00:30:00Z" };
    add_period(&owner, 1, &trial).await;
    for day in days_of_march(1, 9) {
        world.run_job(FUNCTION, &day).await;
    }
    assert_eq!(notices(&owner).await, ["1 ends-in-3 2027-03-05 01:00:00", "1 ends-in-1 2027-03-07 01:00:00"]);
    let notices = "select distinct title || '|' || body from public.notifications";
    let text = "Pro ends on 8 March 2027|Your trial ends on that day. Buy the plan to keep it.";
    assert_eq!(owner.list(notices).await, [text]);
    assert_eq!((tripay.take_requests(), renewals(&owner).await), (vec![], vec![]));
}
