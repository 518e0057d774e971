//! Daily: who is told that his plan ends, and the invoices that renew it.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use crate::support::database::{Database, Session};
use crate::support::payers::{Period, Purchase, add_period, buy, only_payers, payer, tell, world_of};
use crate::support::tripay::{Mood, Tripay};
use crate::support::world::{World, tells};

const FUNCTION: &str = "renew-subscriptions";

/// For a month, in Jakarta from noon to noon.
const PRO: Purchase = Purchase { plan: "Pro", period: "monthly", method: "BRIVA", at: "2027-03-01T05:00:00Z" };
/// Two days before that ends.
const NEAR_ITS_END: &str = "2027-03-30T05:00:00Z";

/// Who was told how many days before the end, and when.
async fn notices(owner: &Session) -> Vec<String> {
    let notices = "select concat_ws(' ', right(user_id::text, 1)::integer, split_part(fact, ':', 3), created_at at time zone 'UTC')
        from public.notifications where fact like '%:ends-in-%' order by user_id, created_at";
    owner.list(notices).await
}

/// The invoices that nobody asked for.
async fn renewals(owner: &Session) -> Vec<String> {
    let renewals =
        "select concat_ws(' ', right(user_id::text, 2)::integer, status, period, amount::bigint, payment_method)
        from public.invoices where renews_subscription_id is not null order by user_id, created_at";
    owner.list(renewals).await
}

fn counts(changes: &Value) -> Value {
    let mut counts =
        json!({ "notices": 0, "invoices": 0, "refused": 0, "unanswered": 0, "failures": 0, "is_complete": true });
    counts.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    counts
}

fn days_of_march(from: u32, until: u32) -> Vec<String> {
    let first: DateTime<Utc> = "2027-03-01T01:00:00Z".parse().unwrap();
    (from..=until).map(|day| (first + Duration::days(i64::from(day) - 1)).to_rfc3339()).collect()
}

#[tokio::test]
async fn the_end_is_announced_seven_three_and_one_day_before_and_once_each() {
    let (world, _tripay, owner) = world_of(4).await;
    let first = Period { plan: "Pro", status: "active", from: "2027-03-01T01:00:00Z", until: "2027-04-01T01:00:00Z" };
    add_period(&owner, 1, &first).await;
    // A microsecond later is a run later.
    add_period(&owner, 2, &Period { until: "2027-04-01T01:00:00.000001Z", ..first }).await;
    // After midnight in Jakarta, and before it in Greenwich.
    add_period(&owner, 3, &Period { until: "2027-03-31T17:00:00Z", ..first }).await;
    add_period(&owner, 4, &Period { status: "cancelled", plan: "Enterprise", ..first }).await;
    let mut told = 0;
    for day in days_of_march(20, 34) {
        told += world.counts(FUNCTION, &day).await["notices"].as_u64().unwrap();
        assert_eq!(world.counts(FUNCTION, &day).await, counts(&json!({})), "again on {day}");
    }
    assert_eq!(told, 12);
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
    let told = "select concat_ws('|', kind, title, body, count(*)) from public.notifications
        where fact like '%:ends-in-%' group by kind, title, body, right(fact, 1) order by title, right(fact, 1) desc";
    assert_eq!(
        owner.list(told).await,
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
async fn runs_that_were_missed_or_meet_repeat_nothing_and_invent_nothing() {
    let (world, _tripay, owner) = world_of(1).await;
    let until = "2027-04-01T05:00:00Z";
    add_period(&owner, 1, &Period { plan: "Pro", status: "active", from: "2027-03-01T05:00:00Z", until }).await;
    // Nobody ran from the 26th to the 28th, and then three at once.
    let late = "2027-03-29T01:00:00Z";
    let runs = tokio::join!(world.counts(FUNCTION, late), world.counts(FUNCTION, late), world.counts(FUNCTION, late));
    let told = [runs.0, runs.1, runs.2].map(|run| run["notices"].as_u64().unwrap());
    assert_eq!(told.iter().sum::<u64>(), 1, "{told:?}");
    // Nor on the 30th and the 31st: three days before has gone by.
    world.counts(FUNCTION, "2027-04-01T01:00:00Z").await;
    for over in [until, "2027-04-02T01:00:00Z"] {
        assert_eq!(world.counts(FUNCTION, over).await, counts(&json!({})));
    }
    assert_eq!(notices(&owner).await, ["1 ends-in-7 2027-03-29 01:00:00", "1 ends-in-1 2027-04-01 01:00:00"]);
}

#[tokio::test]
async fn a_renewal_that_comes_late_can_be_paid_for_a_day() {
    let (world, tripay, owner) = world_of(1).await;
    buy(&owner, 1, &PRO).await;
    let answered = world.counts(FUNCTION, "2027-04-01T04:59:59Z").await;
    assert_eq!(answered, counts(&json!({ "notices": 1, "invoices": 1 })));
    let until: DateTime<Utc> = "2027-04-02T04:59:59Z".parse().unwrap();
    assert_eq!(tripay.take_orders()[0]["expired_time"], until.timestamp());
    // Paid after the end, it begins when it is paid.
    tripay.change("DEV-T000000001", &json!({ "status": "PAID" }));
    world.counts("expire-subscriptions", "2027-04-01T05:00:00Z").await;
    assert_eq!(world.counts("reconcile-invoices", "2027-04-01T06:00:00Z").await["paid"], 1);
    let periods = "select concat_ws(' ', status, started_at at time zone 'UTC', expires_at at time zone 'UTC')
        from public.subscriptions order by started_at";
    assert_eq!(
        owner.list(periods).await,
        ["expired 2027-03-01 05:00:00 2027-04-01 05:00:00", "active 2027-04-01 06:00:00 2027-05-01 06:00:00"]
    );
}

#[tokio::test]
async fn a_period_is_not_announced_to_end_where_its_plan_goes_on() {
    let (world, tripay, owner) = world_of(5).await;
    for (user, plan) in [(1, "Pro"), (1, "Pro"), (2, "Enterprise"), (2, "Pro"), (3, "Pro"), (4, "Pro")] {
        buy(&owner, user, &Purchase { plan, ..PRO }).await;
    }
    buy(&owner, 3, &Purchase { method: "QRIS", at: "2027-03-01T06:00:00Z", ..PRO }).await;
    // What would have gone on was given back.
    let second = "select tripay_invoice_id || ' ' || reference_id from public.invoices inner join public.subscriptions
        on invoices.id = invoice_id where subscriptions.user_id = ";
    let last = owner.text(&format!("{second} '{}' order by started_at desc limit 1", payer(3))).await;
    let (reference, merchant_ref) = last.split_once(' ').unwrap();
    tell(&owner, reference, merchant_ref, 149_000, "REFUND", "2027-03-02T05:00:00Z").await;
    // Ended by hand before it began.
    let over = Period { plan: "Pro", status: "expired", from: "2027-04-01T05:00:00Z", until: "2027-05-01T05:00:00Z" };
    add_period(&owner, 5, &Period { status: "active", from: PRO.at, until: over.from, ..over }).await;
    add_period(&owner, 5, &over).await;
    let ends = "select string_agg(right(user_id::text, 1) || ' ' || (expires_at at time zone 'UTC')::date, ', ' order by user_id, expires_at)
        from public.subscriptions where status <> 'expired'";
    assert_eq!(
        owner.text(ends).await,
        "1 2027-04-01, 1 2027-05-01, 2 2027-04-01, 2 2027-05-01, 3 2027-04-01, 4 2027-04-01, 5 2027-04-01"
    );
    assert_eq!(world.counts(FUNCTION, NEAR_ITS_END).await, counts(&json!({ "notices": 4, "invoices": 3 })));
    let told = "select concat_ws(' ', right(user_id::text, 1), title) from public.notifications
        where fact like '%:ends-in-%' order by user_id";
    let first = [
        "2 Enterprise ends on 1 April 2027",
        "3 Pro ends on 1 April 2027",
        "4 Pro ends on 1 April 2027",
        "5 Pro ends on 1 April 2027",
    ];
    assert_eq!(owner.list(told).await, first);
    // As 3 has paid what he did not get back.
    let ways: Vec<_> = tripay.take_orders().iter().map(|order| order["method"].clone()).collect();
    assert_eq!(ways, ["BRIVA", "BRIVA", "BRIVA"]);
    // Next month it is the end.
    world.counts(FUNCTION, "2027-04-29T05:00:00Z").await;
    assert_eq!(owner.list(told).await.len(), 6);
    assert_eq!(owner.list(told).await[0], "1 Pro ends on 1 May 2027");
}

#[tokio::test]
async fn a_trial_is_announced_to_end_but_not_on_the_day_it_begins() {
    let (world, tripay, owner) = world_of(1).await;
    let trial = Period { plan: "Pro", status: "trial", from: "2027-03-01T00:30:00Z", until: "2027-03-08T00:30:00Z" };
    add_period(&owner, 1, &trial).await;
    for day in days_of_march(1, 9) {
        world.counts(FUNCTION, &day).await;
    }
    assert_eq!(notices(&owner).await, ["1 ends-in-3 2027-03-05 01:00:00", "1 ends-in-1 2027-03-07 01:00:00"]);
    let told = "select distinct title || '|' || body from public.notifications";
    let text = "Pro ends on 8 March 2027|Your trial ends on that day. Buy the plan to keep it.";
    assert_eq!(owner.list(told).await, [text]);
    assert_eq!((tripay.take_asked(), renewals(&owner).await), (vec![], vec![]));
}

/// From the last day of January to that of February, in a year that has a day more and one that has not, and to that of March.
#[tokio::test]
async fn three_days_before_the_end_an_invoice_renews_it_to_the_day() {
    for (year, february) in [("2027", "28"), ("2028", "29")] {
        let (world, tripay, owner) = world_of(1).await;
        let at: &'static str = format!("{year}-01-31T05:00:00Z").leak();
        buy(&owner, 1, &Purchase { at, ..PRO }).await;
        owner.run("update public.plans set price_monthly = 159000 where name = 'Pro'").await.unwrap();
        let end: DateTime<Utc> = format!("{year}-02-{february}T05:00:00Z").parse().unwrap();
        let three_days_before = (end - Duration::days(3)).to_rfc3339();
        let early = (end - Duration::days(3) - Duration::microseconds(1)).to_rfc3339();
        assert_eq!(world.counts(FUNCTION, &early).await, counts(&json!({ "notices": 1 })));
        assert_eq!(tripay.take_asked(), [""; 0]);

        let answered = world.counts(FUNCTION, &three_days_before).await;
        assert_eq!(answered, counts(&json!({ "notices": 1, "invoices": 1 })));
        let line = world.logged("Run completed", 2).await.remove(1);
        assert_eq!((line["level"].as_str(), line["function"].as_str()), (Some("INFO"), Some(FUNCTION)));
        tells(&line, &answered);

        // Once, whoever runs again.
        let again =
            tokio::join!(world.counts(FUNCTION, &three_days_before), world.counts(FUNCTION, &three_days_before));
        assert_eq!(again, (counts(&json!({})), counts(&json!({}))));
        for day in [2, 1] {
            let time = (end - Duration::days(day)).to_rfc3339();
            assert_eq!(world.counts(FUNCTION, &time).await["invoices"], 0);
        }
        let reference = "select reference_id from public.invoices where renews_subscription_id is not null";
        let reference = owner.text(reference).await;
        assert_eq!(tripay.take_asked(), [format!("create {reference}")]);
        let order = &tripay.take_orders()[0];
        assert_eq!(
            json!([
                order["method"],
                order["amount"],
                order["customer_name"],
                order["customer_email"],
                order["customer_phone"],
                order["expired_time"],
                order["order_items"][0]["name"],
            ]),
            json!([
                "BRIVA",
                159_000,
                "Payer 1",
                "payer-1@nofomo.test",
                "081200000000",
                end.timestamp(),
                "Pro, monthly"
            ])
        );
        let row = "select concat_ws('|', invoices.status, period, amount, payment_method, payment_channel, description,
                tripay_invoice_id, checkout_url, expired_at = subscriptions.expires_at, customer_phone)
            from public.invoices inner join public.subscriptions on subscriptions.id = renews_subscription_id
            where subscriptions.user_id = invoices.user_id";
        assert_eq!(
            owner.list(row).await,
            [
                "pending|monthly|159000.00|BRIVA|BRIVA of Tripay|Pro, monthly|DEV-T000000001|https://tripay.test/checkout/DEV-T000000001|t|081200000000"
            ]
        );
        let told = "select concat_ws('|', title, body, context ->> 'checkout_url', context ->> 'invoice_id' = invoices.id::text)
            from public.notifications inner join public.invoices on fact = 'invoice:' || invoices.id || ':renewal'";
        let text = format!(
            "Renew Pro|Pay Rp159.000 with BRIVA of Tripay by {february} February {year} to keep your plan.|\
             https://tripay.test/checkout/DEV-T000000001|t"
        );
        assert_eq!(owner.list(told).await, [text]);
        let audit = "select string_agg(message || ' ' || (context ->> 'action'), ', ') from public.logs
            where message like '%renewal%'";
        assert_eq!(owner.text(audit).await, "Opened renewal invoice renew-subscription");

        // Paid, it begins where the last one ends, and ends on the last day again.
        tripay.change("DEV-T000000001", &json!({ "status": "PAID" }));
        let asked = world.counts("reconcile-invoices", &(end - Duration::days(1)).to_rfc3339()).await;
        assert_eq!((&asked["asked"], &asked["paid"]), (&json!(1), &json!(1)));
        let ended = world.counts("expire-subscriptions", &end.to_rfc3339()).await;
        assert_eq!(ended["subscriptions"], 1);
        let periods = "select concat_ws(' ', status, started_at at time zone 'UTC', expires_at at time zone 'UTC')
            from public.subscriptions order by started_at";
        let two = [
            format!("expired {year}-01-31 05:00:00 {year}-02-{february} 05:00:00"),
            format!("active {year}-02-{february} 05:00:00 {year}-03-31 05:00:00"),
        ];
        assert_eq!(owner.list(periods).await, two);
        let plan = format!("select subscription_plan from public.users where id = '{}'", payer(1));
        assert_eq!(owner.text(&plan).await, "pro");
        assert_eq!(owner.text("select count(*) from public.notifications where fact like '%:ended'").await, "0");

        // And so every month.
        let next = world.counts(FUNCTION, &format!("{year}-03-28T05:00:00Z")).await;
        assert_eq!(next, counts(&json!({ "notices": 1, "invoices": 1 })));
        tripay.change("DEV-T000000002", &json!({ "status": "PAID" }));
        world.counts("reconcile-invoices", &format!("{year}-03-28T06:00:00Z")).await;
        let third = format!("active {year}-03-31 05:00:00 {year}-04-30 05:00:00");
        assert_eq!(owner.list(periods).await[2], third);
    }
}

#[tokio::test]
async fn a_renewal_is_for_the_period_and_the_channel_of_the_last_payment() {
    let (world, tripay, owner) = world_of(2).await;
    let leap_day = "2028-02-29T05:00:00Z";
    buy(&owner, 1, &Purchase { period: "yearly", method: "QRIS", at: leap_day, ..PRO }).await;
    buy(&owner, 2, &Purchase { method: "QRIS", at: "2028-12-30T05:00:00Z", ..PRO }).await;
    buy(&owner, 2, &Purchase { method: "BCAVA", at: "2029-01-27T05:00:00Z", ..PRO }).await;
    owner.run("update public.plans set price_yearly = 1590000 where name = 'Pro'").await.unwrap();
    let answered = world.counts(FUNCTION, "2029-02-26T05:00:00Z").await;
    assert_eq!(answered, counts(&json!({ "notices": 2, "invoices": 2 })));
    assert_eq!(renewals(&owner).await, ["1 pending yearly 1590000 QRIS", "2 pending monthly 149000 BCAVA"]);
    tripay.change("DEV-T000000001", &json!({ "status": "PAID" }));
    tripay.change("DEV-T000000002", &json!({ "status": "PAID" }));
    world.counts("reconcile-invoices", "2029-02-26T06:00:00Z").await;
    let periods =
        "select concat_ws(' ', right(user_id::text, 1), started_at at time zone 'UTC', expires_at at time zone 'UTC')
        from public.subscriptions order by user_id, started_at";
    assert_eq!(
        owner.list(periods).await,
        [
            "1 2028-02-29 05:00:00 2029-02-28 05:00:00",
            "1 2029-02-28 05:00:00 2030-02-28 05:00:00",
            "2 2028-12-30 05:00:00 2029-01-30 05:00:00",
            "2 2029-01-30 05:00:00 2029-02-28 05:00:00",
            "2 2029-02-28 05:00:00 2029-03-30 05:00:00",
        ]
    );
}

#[tokio::test]
async fn nothing_renews_by_itself_that_should_not() {
    let (world, tripay, owner) = world_of(13).await;
    for user in [1, 2, 3, 5, 6, 7, 8, 9, 10] {
        let plan = if user == 5 { "Enterprise" } else { "Pro" };
        buy(&owner, user, &Purchase { plan, ..PRO }).await;
    }
    let of = |user| format!("user_id = '{}'", payer(user));
    let mine = |user: u32| format!("('{}'::uuid)", payer(user));
    // 1 renews. 2 has cancelled, and 12 only switched the renewal off. 3 got his money back.
    owner.run(&format!("update public.subscriptions set status = 'cancelled' where {}", of(2))).await.unwrap();
    buy(&owner, 12, &PRO).await;
    owner.run(&format!("update public.subscriptions set auto_renew = false where {}", of(12))).await.unwrap();
    let rows = owner
        .rows(&format!("select tripay_invoice_id, reference_id from public.invoices where {}", of(3)), &[])
        .await
        .unwrap();
    let (reference, merchant_ref): (String, String) = (rows[0].get(0), rows[0].get(1));
    tell(&owner, &reference, &merchant_ref, 149_000, "REFUND", "2027-03-02T05:00:00Z").await;
    // 4 has a trial. The plan of 5 is no longer sold.
    let trial = Period { plan: "Pro", status: "trial", from: "2027-03-25T05:00:00Z", until: "2027-04-01T05:00:00Z" };
    add_period(&owner, 4, &trial).await;
    owner.run("update public.plans set is_active = false where name = 'Enterprise'").await.unwrap();
    // 6 has asked for one himself. 7 has too, but it is as good as over; that of 8 was of another plan; that of 9 failed.
    let asked_for = |user: u32, plan: &str, status: &str, minutes: u32| {
        format!(
            "insert into public.invoices (
                 user_id, plan_id, reference_id, amount, status, period, payment_method, expired_at, created_at
             )
             select {}, id, 'INV-{user}', price_monthly, '{status}', 'monthly', 'OVO',
                 timestamptz '{NEAR_ITS_END}' + interval '{minutes} minutes', timestamptz '{NEAR_ITS_END}' - interval '1 day'
             from public.plans where name = '{plan}'",
            mine(user)
        )
    };
    for invoice in [
        asked_for(6, "Pro", "pending", 11),
        asked_for(7, "Pro", "pending", 10),
        asked_for(8, "Enterprise", "pending", 60),
        asked_for(9, "Pro", "failed", 60),
    ] {
        owner.run(&invoice).await.unwrap();
    }
    // A year, as 11 has bought it, has no price any more.
    buy(&owner, 11, &Purchase { period: "yearly", ..PRO }).await;
    let ends = "expires_at = (select expires_at from public.subscriptions where";
    owner.run(&format!("update public.subscriptions set {ends} {}) where {}", of(1), of(11))).await.unwrap();
    owner.run("update public.plans set price_yearly = 0 where name = 'Pro'").await.unwrap();
    // 13 was given Pro, and has only paid for another plan.
    buy(&owner, 13, &PRO).await;
    let enterprise = "plan_id = (select id from public.plans where name = 'Enterprise')";
    owner.run(&format!("update public.invoices set {enterprise} where {}", of(13))).await.unwrap();
    // Nobody knows how 10 has paid.
    owner.run(&format!("update public.invoices set payment_method = null where {}", of(10))).await.unwrap();

    let answered = world.counts(FUNCTION, NEAR_ITS_END).await;
    assert_eq!(answered, counts(&json!({ "notices": 12, "invoices": 4 })));
    let pro = |user: u32| format!("{user} pending monthly 149000 BRIVA");
    assert_eq!(renewals(&owner).await, [1, 7, 8, 9].map(pro));
    assert_eq!(tripay.take_orders().len(), 4);
}

#[tokio::test]
async fn many_are_renewed_once_each_by_two_runs_at_once() {
    let (world, tripay, owner) = world_of(35).await;
    for user in 1..=35 {
        buy(&owner, user, &PRO).await;
    }
    let (one, other) = tokio::join!(world.counts(FUNCTION, NEAR_ITS_END), world.counts(FUNCTION, NEAR_ITS_END));
    let sum = |name: &str| one[name].as_u64().unwrap() + other[name].as_u64().unwrap();
    let sums = ["notices", "invoices", "refused", "unanswered", "failures"].map(sum);
    assert_eq!(sums, [35, 35, 0, 0, 0], "{one} {other}");
    let asked = tripay.take_asked();
    assert_eq!((asked.len(), asked.iter().collect::<BTreeSet<_>>().len()), (35, 35));
    let rows =
        "select concat_ws(' ', count(*), count(distinct renews_subscription_id), count(distinct tripay_invoice_id))
        from public.invoices where renews_subscription_id is not null and status = 'pending'";
    assert_eq!(owner.text(rows).await, "35 35 35");
    let told = "select count(*) || ' ' || count(distinct (user_id, fact)) from public.notifications
        where fact like '%:renewal' or fact like '%:ends-in-3'";
    assert_eq!(owner.text(told).await, "70 70");
}

#[tokio::test]
async fn what_tripay_refuses_to_open_fails_and_its_payer_is_told() {
    let (world, tripay, owner) = world_of(2).await;
    buy(&owner, 1, &PRO).await;
    tripay.set(Mood::Refuses("Channel BRIVA tidak aktif"));
    assert_eq!(world.counts(FUNCTION, NEAR_ITS_END).await, counts(&json!({ "notices": 1, "refused": 1 })));
    assert_eq!(renewals(&owner).await, ["1 failed monthly 149000 BRIVA"]);
    let told = "select concat_ws('|', kind, title, body, context ->> 'invoice_id' = invoices.id::text)
        from public.notifications inner join public.invoices on fact = 'invoice:' || invoices.id || ':failed'";
    let text = "invoice|Renewal payment failed|The payment of Rp149.000 for Pro, monthly by BRIVA could not be created. \
                Choose another payment method before your plan ends.|t";
    assert_eq!(owner.list(told).await, [text]);
    let line = world.logged("Tripay refused a renewal", 1).await.remove(0);
    assert_eq!((line["level"].as_str(), line["cause"].as_str()), (Some("ERROR"), Some("Channel BRIVA tidak aktif")));
    // Nor is it tried again.
    tripay.set(Mood::Answers);
    tripay.take_asked();
    assert_eq!(world.counts(FUNCTION, "2027-03-31T01:00:00Z").await, counts(&json!({})));
    assert_eq!(world.counts("reconcile-invoices", "2027-03-31T02:00:00Z").await["asked"], 0);
    assert_eq!(tripay.take_asked(), [""; 0]);
}

#[tokio::test]
async fn what_tripay_does_not_answer_for_stays_pending_until_it_is_found_or_fails() {
    let (world, tripay, owner) = world_of(3).await;
    let minutes = |minutes| (NEAR_ITS_END.parse::<DateTime<Utc>>().unwrap() + Duration::minutes(minutes)).to_rfc3339();
    // Opened, and the answer lost.
    buy(&owner, 1, &PRO).await;
    tripay.set(Mood::LosesItsAnswer);
    let unanswered = counts(&json!({ "notices": 1, "unanswered": 1 }));
    assert_eq!(world.counts(FUNCTION, NEAR_ITS_END).await, unanswered);
    // Not opened: a page of Cloudflare's.
    buy(&owner, 2, &PRO).await;
    tripay.set(Mood::Blocks);
    assert_eq!(world.counts(FUNCTION, NEAR_ITS_END).await, unanswered);
    // Committed, and the instance died before it could ask.
    buy(&owner, 3, &PRO).await;
    let jobs = world.database.session("nofomo_jobs").await;
    let input = json!({ "now": NEAR_ITS_END, "limit": 10, "after": null });
    let opened = jobs.text(&format!("private.renew_subscriptions('{input}')")).await;
    assert_eq!(serde_json::from_str::<Value>(&opened).unwrap()["opened"].as_array().unwrap().len(), 1);
    let waiting = [1, 2, 3].map(|user| format!("{user} pending monthly 149000 BRIVA"));
    assert_eq!(renewals(&owner).await, waiting);
    assert_eq!(world.logged("Tripay did not answer for a renewal", 2).await[0]["level"], "WARN");

    tripay.set(Mood::Answers);
    tripay.take_asked();
    assert_eq!(world.counts(FUNCTION, &minutes(1)).await, counts(&json!({})));
    assert_eq!(world.counts("reconcile-invoices", &minutes(9)).await["asked"], 0);
    assert_eq!(renewals(&owner).await, waiting);
    assert_eq!(tripay.take_asked(), [""; 0]);

    let reconciled = world.counts("reconcile-invoices", &minutes(10)).await;
    assert_eq!(["asked", "found", "failed", "paid"].map(|name| reconciled[name].as_u64().unwrap()), [3, 1, 2, 0]);
    let one = |user: u32, status: &str| format!("{user} {status} monthly 149000 BRIVA");
    assert_eq!(renewals(&owner).await, [one(1, "pending"), one(2, "failed"), one(3, "failed")]);
    let told =
        "select concat_ws('|', right(user_id::text, 1), split_part(fact, ':', 3), title, context ->> 'checkout_url',
            created_at at time zone 'UTC')
        from public.notifications where kind = 'invoice' order by user_id";
    assert_eq!(
        owner.list(told).await,
        [
            "1|renewal|Renew Pro|https://tripay.test/checkout/DEV-T000000001|2027-03-30 05:10:00",
            "2|failed|Renewal payment failed|2027-03-30 05:10:00",
            "3|failed|Renewal payment failed|2027-03-30 05:10:00",
        ]
    );
    // Whatever becomes of it, no second payment is opened.
    assert_eq!(world.counts(FUNCTION, "2027-03-31T05:00:00Z").await["invoices"], 0);
    assert!(!tripay.take_asked().iter().any(|asked| asked.starts_with("create")));
}

#[tokio::test]
async fn one_bad_row_and_one_locked_user_stop_nobody_else() {
    let (world, tripay, owner) = world_of(30).await;
    for user in 1..=30 {
        buy(&owner, user, &PRO).await;
    }
    owner
        .run(&format!(
            "create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'a bad row'; end $$;
             create trigger refuse before insert on public.invoices for each row
             when (new.user_id = '{}') execute function public.refuse()",
            payer(12)
        ))
        .await
        .unwrap();
    let paying = world.database.owner().await;
    let lock = format!("begin; select from public.users where id = '{}' for no key update", payer(25));
    paying.run(&lock).await.unwrap();
    let answered = world.counts(FUNCTION, NEAR_ITS_END).await;
    assert_eq!(answered, counts(&json!({ "notices": 28, "invoices": 28, "failures": 1 })));
    let line = world.logged("Subscription not renewed", 1).await.remove(0);
    assert_eq!((line["level"].as_str(), line["user_id"].as_str()), (Some("ERROR"), Some(payer(12).as_str())));
    assert_eq!(line["cause"], "P0001 a bad row");
    // What he was told without the invoice is untold again.
    let of_him =
        format!("select count(*) from public.notifications where user_id = '{}' and kind <> 'payment'", payer(12));
    assert_eq!(owner.text(&of_him).await, "0");

    paying.rollback().await;
    owner.run("drop trigger refuse on public.invoices").await.unwrap();
    let rest = world.counts(FUNCTION, NEAR_ITS_END).await;
    assert_eq!(rest, counts(&json!({ "notices": 2, "invoices": 2 })));
    assert_eq!((renewals(&owner).await.len(), tripay.take_orders().len()), (30, 30));
}

#[tokio::test]
async fn a_run_stops_before_its_time_is_out_and_the_next_one_goes_on() {
    let tripay = Tripay::start().await;
    // Of 183 seconds it keeps 180 for one more batch, so that it has three, and ten answers take longer.
    let world = World::with_time_limit(Database::new().await, tripay.settings(), FUNCTION, 183).await;
    let owner = world.database.owner().await;
    only_payers(&owner, 25).await;
    for user in 1..=25 {
        buy(&owner, user, &PRO).await;
    }
    tripay.set(Mood::Slow);
    let stopped = world.counts(FUNCTION, NEAR_ITS_END).await;
    assert_eq!(stopped, counts(&json!({ "notices": 10, "invoices": 10, "is_complete": false })));
    tripay.set(Mood::Answers);
    let rest = world.counts(FUNCTION, NEAR_ITS_END).await;
    assert_eq!(rest, counts(&json!({ "notices": 15, "invoices": 15 })));
    assert_eq!(tripay.take_asked().iter().collect::<BTreeSet<_>>().len(), 25);
    assert_eq!(renewals(&owner).await.len(), 25);
}
