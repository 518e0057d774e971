//! Daily job `renew-subscriptions`: invoices that renew a plan.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::fake_tripay::{FailureMode, FakeTripay};
use crate::support::payers::{
    Period, Purchase, add_period, buy, payer_id, reset_to_payers, settle_callback, world_with_payers,
};
use crate::support::renewals::{FUNCTION, PRO, TWO_DAYS_BEFORE_END, expected_counts, renewals};
use crate::support::world::{World, assert_log_reports};

#[tokio::test]
async fn a_late_renewal_invoice_can_be_paid_for_a_day() {
    let (world, tripay, owner) = world_with_payers(1).await;
    buy(&owner, 1, &PRO).await;
    let counts = world.run_job(FUNCTION, "2027-04-01T04:59:59Z").await;
    assert_eq!(counts, expected_counts(&json!({ "notices": 1, "invoices": 1 })));
    let until: DateTime<Utc> = "2027-04-02T04:59:59Z".parse().unwrap();
    assert_eq!(tripay.take_create_bodies()[0]["expired_time"], until.timestamp());
    // If the invoice is paid after the end, the period starts at the payment.
    tripay.update_transaction("DEV-T000000001", &json!({ "status": "PAID" }));
    world.run_job("expire-subscriptions", "2027-04-01T05:00:00Z").await;
    assert_eq!(world.run_job("reconcile-invoices", "2027-04-01T06:00:00Z").await["paid"], 1);
    let periods = "select concat_ws(' ', status, started_at at time zone 'UTC', expires_at at time zone 'UTC')
        from public.subscriptions order by started_at";
    assert_eq!(
        owner.list(periods).await,
        ["expired 2027-03-01 05:00:00 2027-04-01 05:00:00", "active 2027-04-01 06:00:00 2027-05-01 06:00:00"]
    );
}

/// Renews from the last day of January to the last days of February and March, in a leap year and in a common year.
#[tokio::test]
async fn a_renewal_invoice_is_opened_three_days_before_the_end() {
    for (year, february) in [("2027", "28"), ("2028", "29")] {
        let (world, tripay, owner) = world_with_payers(1).await;
        let at: &'static str = format!("{year}-01-31T05:00:00Z").leak();
        buy(&owner, 1, &Purchase { at, ..PRO }).await;
        owner.run("update public.plans set price_monthly = 159000 where name = 'Pro'").await.unwrap();
        let end: DateTime<Utc> = format!("{year}-02-{february}T05:00:00Z").parse().unwrap();
        let three_days_before = (end - Duration::days(3)).to_rfc3339();
        let early = (end - Duration::days(3) - Duration::microseconds(1)).to_rfc3339();
        assert_eq!(world.run_job(FUNCTION, &early).await, expected_counts(&json!({ "notices": 1 })));
        assert_eq!(tripay.take_requests(), [""; 0]);

        let counts = world.run_job(FUNCTION, &three_days_before).await;
        assert_eq!(counts, expected_counts(&json!({ "notices": 1, "invoices": 1 })));
        let line = world.log_lines("Run completed", 2).await.remove(1);
        assert_eq!((line["level"].as_str(), line["function"].as_str()), (Some("INFO"), Some(FUNCTION)));
        assert_log_reports(&line, &counts);

        // Further runs open no second invoice.
        let again =
            tokio::join!(world.run_job(FUNCTION, &three_days_before), world.run_job(FUNCTION, &three_days_before));
        assert_eq!(again, (expected_counts(&json!({})), expected_counts(&json!({}))));
        for day in [2, 1] {
            let time = (end - Duration::days(day)).to_rfc3339();
            assert_eq!(world.run_job(FUNCTION, &time).await["invoices"], 0);
        }
        let reference = "select reference_id from public.invoices where renews_subscription_id is not null";
        let reference = owner.text(reference).await;
        assert_eq!(tripay.take_requests(), [format!("create {reference}")]);
        let order = &tripay.take_create_bodies()[0];
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
        let notification = "select concat_ws('|', title, body, context ->> 'checkout_url', context ->> 'invoice_id' = invoices.id::text)
            from public.notifications inner join public.invoices on fact = 'invoice:' || invoices.id || ':renewal'";
        let text = format!(
            "Renew Pro|Pay Rp159.000 with BRIVA of Tripay by {february} February {year} to keep your plan.|\
             https://tripay.test/checkout/DEV-T000000001|t"
        );
        assert_eq!(owner.list(notification).await, [text]);
        let audit = "select string_agg(message || ' ' || (context ->> 'action'), ', ') from public.logs
            where message like '%renewal%'";
        assert_eq!(owner.text(audit).await, "Opened renewal invoice renew-subscription");

        // If the invoice is paid, the next period starts when the last one ends, and ends on the last day of March.
        tripay.update_transaction("DEV-T000000001", &json!({ "status": "PAID" }));
        let reconciled = world.run_job("reconcile-invoices", &(end - Duration::days(1)).to_rfc3339()).await;
        assert_eq!((&reconciled["asked"], &reconciled["paid"]), (&json!(1), &json!(1)));
        let ended = world.run_job("expire-subscriptions", &end.to_rfc3339()).await;
        assert_eq!(ended["subscriptions"], 1);
        let periods = "select concat_ws(' ', status, started_at at time zone 'UTC', expires_at at time zone 'UTC')
            from public.subscriptions order by started_at";
        let two = [
            format!("expired {year}-01-31 05:00:00 {year}-02-{february} 05:00:00"),
            format!("active {year}-02-{february} 05:00:00 {year}-03-31 05:00:00"),
        ];
        assert_eq!(owner.list(periods).await, two);
        let plan = format!("select subscription_plan from public.users where id = '{}'", payer_id(1));
        assert_eq!(owner.text(&plan).await, "pro");
        assert_eq!(owner.text("select count(*) from public.notifications where fact like '%:ended'").await, "0");

        // The next month is renewed in the same way.
        let next = world.run_job(FUNCTION, &format!("{year}-03-28T05:00:00Z")).await;
        assert_eq!(next, expected_counts(&json!({ "notices": 1, "invoices": 1 })));
        tripay.update_transaction("DEV-T000000002", &json!({ "status": "PAID" }));
        world.run_job("reconcile-invoices", &format!("{year}-03-28T06:00:00Z")).await;
        let third = format!("active {year}-03-31 05:00:00 {year}-04-30 05:00:00");
        assert_eq!(owner.list(periods).await[2], third);
    }
}

#[tokio::test]
async fn a_renewal_uses_the_period_and_channel_of_the_last_payment() {
    let (world, tripay, owner) = world_with_payers(2).await;
    let leap_day = "2028-02-29T05:00:00Z";
    buy(&owner, 1, &Purchase { period: "yearly", method: "QRIS", at: leap_day, ..PRO }).await;
    buy(&owner, 2, &Purchase { method: "QRIS", at: "2028-12-30T05:00:00Z", ..PRO }).await;
    buy(&owner, 2, &Purchase { method: "BCAVA", at: "2029-01-27T05:00:00Z", ..PRO }).await;
    owner.run("update public.plans set price_yearly = 1590000 where name = 'Pro'").await.unwrap();
    let counts = world.run_job(FUNCTION, "2029-02-26T05:00:00Z").await;
    assert_eq!(counts, expected_counts(&json!({ "notices": 2, "invoices": 2 })));
    assert_eq!(renewals(&owner).await, ["1 pending yearly 1590000 QRIS", "2 pending monthly 149000 BCAVA"]);
    tripay.update_transaction("DEV-T000000001", &json!({ "status": "PAID" }));
    tripay.update_transaction("DEV-T000000002", &json!({ "status": "PAID" }));
    world.run_job("reconcile-invoices", "2029-02-26T06:00:00Z").await;
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
async fn ineligible_subscriptions_are_not_renewed() {
    let (world, tripay, owner) = world_with_payers(13).await;
    for user in [1, 2, 3, 5, 6, 7, 8, 9, 10] {
        let plan = if user == 5 { "Enterprise" } else { "Pro" };
        buy(&owner, user, &Purchase { plan, ..PRO }).await;
    }
    let of = |user| format!("user_id = '{}'", payer_id(user));
    let mine = |user: u32| format!("('{}'::uuid)", payer_id(user));
    // 1 renews. 2 has cancelled, 12 has only switched the renewal off, and 3 got a refund.
    owner.run(&format!("update public.subscriptions set status = 'cancelled' where {}", of(2))).await.unwrap();
    buy(&owner, 12, &PRO).await;
    owner.run(&format!("update public.subscriptions set auto_renew = false where {}", of(12))).await.unwrap();
    let rows = owner
        .rows(&format!("select tripay_invoice_id, reference_id from public.invoices where {}", of(3)), &[])
        .await
        .unwrap();
    let (reference, merchant_ref): (String, String) = (rows[0].get(0), rows[0].get(1));
    settle_callback(&owner, &reference, &merchant_ref, 149_000, "REFUND", "2027-03-02T05:00:00Z").await;
    // 4 has a trial. The plan of 5 was withdrawn.
    let trial = Period { plan: "Pro", status: "trial", from: "2027-03-25T05:00:00Z", until: "2027-04-01T05:00:00Z" };
    add_period(&owner, 4, &trial).await;
    owner.run("update public.plans set is_active = false where name = 'Enterprise'").await.unwrap();
    // 6 has opened a payable invoice. The one of 7 expires within ten minutes, the one of 8 is for another plan,
    // and the one of 9 failed.
    let own_invoice = |user: u32, plan: &str, status: &str, minutes: u32| {
        format!(
            "insert into public.invoices (
                 user_id, plan_id, reference_id, amount, status, period, payment_method, expired_at, created_at
             )
             select {}, id, 'INV-{user}', price_monthly, '{status}', 'monthly', 'OVO',
                 timestamptz '{TWO_DAYS_BEFORE_END}' + interval '{minutes} minutes', timestamptz '{TWO_DAYS_BEFORE_END}' - interval '1 day'
             from public.plans where name = '{plan}'",
            mine(user)
        )
    };
    for invoice in [
        own_invoice(6, "Pro", "pending", 11),
        own_invoice(7, "Pro", "pending", 10),
        own_invoice(8, "Enterprise", "pending", 60),
        own_invoice(9, "Pro", "failed", 60),
    ] {
        owner.run(&invoice).await.unwrap();
    }
    // The yearly period of 11 no longer has a price.
    buy(&owner, 11, &Purchase { period: "yearly", ..PRO }).await;
    let ends = "expires_at = (select expires_at from public.subscriptions where";
    owner.run(&format!("update public.subscriptions set {ends} {}) where {}", of(1), of(11))).await.unwrap();
    owner.run("update public.plans set price_yearly = 0 where name = 'Pro'").await.unwrap();
    // 13 has Pro, but paid for another plan only.
    buy(&owner, 13, &PRO).await;
    let enterprise = "plan_id = (select id from public.plans where name = 'Enterprise')";
    owner.run(&format!("update public.invoices set {enterprise} where {}", of(13))).await.unwrap();
    // The payment channel of 10 is unknown.
    owner.run(&format!("update public.invoices set payment_method = null where {}", of(10))).await.unwrap();

    let counts = world.run_job(FUNCTION, TWO_DAYS_BEFORE_END).await;
    assert_eq!(counts, expected_counts(&json!({ "notices": 12, "invoices": 4 })));
    let pro = |user: u32| format!("{user} pending monthly 149000 BRIVA");
    assert_eq!(renewals(&owner).await, [1, 7, 8, 9].map(pro));
    assert_eq!(tripay.take_create_bodies().len(), 4);
}

#[tokio::test]
async fn concurrent_runs_renew_each_subscription_once() {
    let (world, tripay, owner) = world_with_payers(35).await;
    for user in 1..=35 {
        buy(&owner, user, &PRO).await;
    }
    let (one, other) =
        tokio::join!(world.run_job(FUNCTION, TWO_DAYS_BEFORE_END), world.run_job(FUNCTION, TWO_DAYS_BEFORE_END));
    let sum = |name: &str| one[name].as_u64().unwrap() + other[name].as_u64().unwrap();
    let sums = ["notices", "invoices", "refused", "unanswered", "failures"].map(sum);
    assert_eq!(sums, [35, 35, 0, 0, 0], "{one} {other}");
    let requests = tripay.take_requests();
    assert_eq!((requests.len(), requests.iter().collect::<BTreeSet<_>>().len()), (35, 35));
    let rows =
        "select concat_ws(' ', count(*), count(distinct renews_subscription_id), count(distinct tripay_invoice_id))
        from public.invoices where renews_subscription_id is not null and status = 'pending'";
    assert_eq!(owner.text(rows).await, "35 35 35");
    let notifications = "select count(*) || ' ' || count(distinct (user_id, fact)) from public.notifications
        where fact like '%:renewal' or fact like '%:ends-in-3'";
    assert_eq!(owner.text(notifications).await, "70 70");
}

#[tokio::test]
async fn a_refused_renewal_fails_and_notifies_the_payer() {
    let (world, tripay, owner) = world_with_payers(2).await;
    buy(&owner, 1, &PRO).await;
    tripay.set_failure_mode(FailureMode::Refuses("Channel BRIVA tidak aktif"));
    assert_eq!(
        world.run_job(FUNCTION, TWO_DAYS_BEFORE_END).await,
        expected_counts(&json!({ "notices": 1, "refused": 1 }))
    );
    assert_eq!(renewals(&owner).await, ["1 failed monthly 149000 BRIVA"]);
    let notification = "select concat_ws('|', kind, title, body, context ->> 'invoice_id' = invoices.id::text)
        from public.notifications inner join public.invoices on fact = 'invoice:' || invoices.id || ':failed'";
    let text = "invoice|Renewal payment failed|The payment of Rp149.000 for Pro, monthly by BRIVA could not be created. \
                Choose another payment method before your plan ends.|t";
    assert_eq!(owner.list(notification).await, [text]);
    let line = world.log_lines("Tripay refused a renewal", 1).await.remove(0);
    assert_eq!((line["level"].as_str(), line["cause"].as_str()), (Some("ERROR"), Some("Channel BRIVA tidak aktif")));
    // It is not retried.
    tripay.set_failure_mode(FailureMode::None);
    tripay.take_requests();
    assert_eq!(world.run_job(FUNCTION, "2027-03-31T01:00:00Z").await, expected_counts(&json!({})));
    assert_eq!(world.run_job("reconcile-invoices", "2027-03-31T02:00:00Z").await["asked"], 0);
    assert_eq!(tripay.take_requests(), [""; 0]);
}

#[tokio::test]
async fn an_unanswered_renewal_stays_pending_until_it_is_reconciled() {
    let (world, tripay, owner) = world_with_payers(3).await;
    let minutes =
        |minutes| (TWO_DAYS_BEFORE_END.parse::<DateTime<Utc>>().unwrap() + Duration::minutes(minutes)).to_rfc3339();
    // User 1: the transaction was created, and the response was lost.
    buy(&owner, 1, &PRO).await;
    tripay.set_failure_mode(FailureMode::LosesResponse);
    let unanswered = expected_counts(&json!({ "notices": 1, "unanswered": 1 }));
    assert_eq!(world.run_job(FUNCTION, TWO_DAYS_BEFORE_END).await, unanswered);
    // User 2: the transaction was not created; the response is a page of Cloudflare.
    buy(&owner, 2, &PRO).await;
    tripay.set_failure_mode(FailureMode::ServesHtml);
    assert_eq!(world.run_job(FUNCTION, TWO_DAYS_BEFORE_END).await, unanswered);
    // User 3: the invoice was committed, and the instance died before it called Tripay.
    buy(&owner, 3, &PRO).await;
    let jobs = world.database.session("nofomo_jobs").await;
    let input = json!({ "now": TWO_DAYS_BEFORE_END, "limit": 10, "after": null });
    let opened = jobs.text(&format!("private.renew_subscriptions('{input}')")).await;
    assert_eq!(serde_json::from_str::<Value>(&opened).unwrap()["opened"].as_array().unwrap().len(), 1);
    let waiting = [1, 2, 3].map(|user| format!("{user} pending monthly 149000 BRIVA"));
    assert_eq!(renewals(&owner).await, waiting);
    assert_eq!(world.log_lines("Tripay did not confirm a renewal", 2).await[0]["level"], "WARN");

    tripay.set_failure_mode(FailureMode::None);
    tripay.take_requests();
    assert_eq!(world.run_job(FUNCTION, &minutes(1)).await, expected_counts(&json!({})));
    assert_eq!(world.run_job("reconcile-invoices", &minutes(9)).await["asked"], 0);
    assert_eq!(renewals(&owner).await, waiting);
    assert_eq!(tripay.take_requests(), [""; 0]);

    let reconciled = world.run_job("reconcile-invoices", &minutes(10)).await;
    assert_eq!(["asked", "found", "failed", "paid"].map(|name| reconciled[name].as_u64().unwrap()), [3, 1, 2, 0]);
    let one = |user: u32, status: &str| format!("{user} {status} monthly 149000 BRIVA");
    assert_eq!(renewals(&owner).await, [one(1, "pending"), one(2, "failed"), one(3, "failed")]);
    let notifications =
        "select concat_ws('|', right(user_id::text, 1), split_part(fact, ':', 3), title, context ->> 'checkout_url',
            created_at at time zone 'UTC')
        from public.notifications where kind = 'invoice' order by user_id";
    assert_eq!(
        owner.list(notifications).await,
        [
            "1|renewal|Renew Pro|https://tripay.test/checkout/DEV-T000000001|2027-03-30 05:10:00",
            "2|failed|Renewal payment failed|2027-03-30 05:10:00",
            "3|failed|Renewal payment failed|2027-03-30 05:10:00",
        ]
    );
    // No second payment is opened.
    assert_eq!(world.run_job(FUNCTION, "2027-03-31T05:00:00Z").await["invoices"], 0);
    assert!(!tripay.take_requests().iter().any(|request| request.starts_with("create")));
}

#[tokio::test]
async fn one_failing_row_and_one_locked_user_affect_no_other_user() {
    let (world, tripay, owner) = world_with_payers(30).await;
    for user in 1..=30 {
        buy(&owner, user, &PRO).await;
    }
    owner
        .run(&format!(
            "create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'a bad row'; end $$;
             create trigger refuse before insert on public.invoices for each row
             when (new.user_id = '{}') execute function public.refuse()",
            payer_id(12)
        ))
        .await
        .unwrap();
    let paying = world.database.owner().await;
    let lock = format!("begin; select from public.users where id = '{}' for no key update", payer_id(25));
    paying.run(&lock).await.unwrap();
    let counts = world.run_job(FUNCTION, TWO_DAYS_BEFORE_END).await;
    assert_eq!(counts, expected_counts(&json!({ "notices": 28, "invoices": 28, "failures": 1 })));
    let line = world.log_lines("Failed to renew subscription", 1).await.remove(0);
    assert_eq!((line["level"].as_str(), line["user_id"].as_str()), (Some("ERROR"), Some(payer_id(12).as_str())));
    assert_eq!(line["cause"], "P0001 a bad row");
    // The notice of the failed renewal is rolled back.
    let notification_count =
        format!("select count(*) from public.notifications where user_id = '{}' and kind <> 'payment'", payer_id(12));
    assert_eq!(owner.text(&notification_count).await, "0");

    paying.rollback().await;
    owner.run("drop trigger refuse on public.invoices").await.unwrap();
    let rest = world.run_job(FUNCTION, TWO_DAYS_BEFORE_END).await;
    assert_eq!(rest, expected_counts(&json!({ "notices": 2, "invoices": 2 })));
    assert_eq!((renewals(&owner).await.len(), tripay.take_create_bodies().len()), (30, 30));
}

#[tokio::test]
async fn a_run_stops_before_its_timeout_and_the_next_one_continues() {
    let tripay = FakeTripay::start().await;
    // 180 of the 183 seconds are reserved for the last batch, and ten slow responses take more than the other three.
    let world = World::with_timeout(Database::new().await, tripay.settings(), FUNCTION, 183).await;
    let owner = world.database.owner().await;
    reset_to_payers(&owner, 25).await;
    for user in 1..=25 {
        buy(&owner, user, &PRO).await;
    }
    tripay.set_failure_mode(FailureMode::Slow);
    let stopped = world.run_job(FUNCTION, TWO_DAYS_BEFORE_END).await;
    assert_eq!(stopped, expected_counts(&json!({ "notices": 10, "invoices": 10, "is_complete": false })));
    tripay.set_failure_mode(FailureMode::None);
    let rest = world.run_job(FUNCTION, TWO_DAYS_BEFORE_END).await;
    assert_eq!(rest, expected_counts(&json!({ "notices": 15, "invoices": 15 })));
    assert_eq!(tripay.take_requests().iter().collect::<BTreeSet<_>>().len(), 25);
    assert_eq!(renewals(&owner).await.len(), 25);
}
