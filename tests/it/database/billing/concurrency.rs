//! Concurrent pairs of billing operations, many times each: the final rows do not depend on their order.
//!
//! In half of the rounds, both operations run freely. In the other half, both wait for the same lock, so that each has
//! read the initial state before either changes it; their order alternates.

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{BillingFixture, Invoice, callback_body, command, job, settle, settlement_input, time};
use crate::support::database::Session;

const ROUNDS: usize = 24;

const NOW: &str = "2027-04-11 10:00";

impl BillingFixture {
    async fn run_concurrently<T>(&self, round: usize, user: &str, calls: Vec<impl Future<Output = T>>) -> Vec<T> {
        if round.is_multiple_of(2) { self.run_blocked(user, calls).await } else { join_all(calls).await }
    }

    /// Summary of an invoice: its status, periods, events in order, notifications and log lines.
    async fn invoice_summary(&self, invoice: &Invoice) -> String {
        let sql = format!(
            "select concat_ws(', ',
                 status,
                 (select count(*) || ' periods' from public.subscriptions where invoice_id = invoices.id),
                 (select string_agg(source || ' ' || outcome, ', ' order by sequence)
                  from private.payment_events where invoice_id = invoices.id),
                 (select count(*) || ' notifications' from public.notifications
                  where fact like 'invoice:' || invoices.id || ':%'),
                 (select count(*) || ' log lines' from public.logs
                  where context ->> 'invoice_id' = invoices.id::text and context ->> 'action' = 'settle-payment'))
             from public.invoices where id = '{}'",
            invoice.id
        );
        self.owner.text(&sql).await
    }

    async fn new_job_session(&self) -> Session {
        self.database.session("nofomo_jobs").await
    }
}

async fn outcome(jobs: &Session, source: &str, callback: &Value) -> String {
    settle(jobs, source, callback, time(NOW)).await["outcome"].as_str().unwrap().to_owned()
}

fn sorted(mut outcomes: Vec<String>) -> Vec<String> {
    outcomes.sort();
    outcomes
}

#[tokio::test]
async fn concurrent_callbacks_pay_once() {
    let billing = BillingFixture::new().await;
    let other = billing.new_job_session().await;
    for round in 0..ROUNDS {
        let user = billing.new_user().await;
        let invoice = billing.create_invoice(&user, "Pro", "monthly").await;
        let paid = callback_body(&invoice, "PAID");
        let calls = [&billing.jobs, &other].map(|jobs| outcome(jobs, "callback", &paid));
        let outcomes = billing.run_concurrently(round, &user, calls.into()).await;
        assert_eq!(sorted(outcomes), ["duplicate", "paid"]);
        assert_eq!(
            billing.invoice_summary(&invoice).await,
            "paid, 1 periods, callback paid, callback duplicate, 1 notifications, 1 log lines"
        );
        assert_eq!(billing.periods(&user).await, ["Pro 2027-04-11 10:00:00 to 2027-05-11 10:00:00 worth 149000"]);
        assert_eq!(billing.plan(&user).await, "pro");
    }
}

#[tokio::test]
async fn a_concurrent_callback_and_reconciliation_pay_once() {
    let billing = BillingFixture::new().await;
    let other = billing.new_job_session().await;
    let mut seen = [0, 0];
    for round in 0..ROUNDS {
        let user = billing.new_user().await;
        let invoice = billing.create_invoice(&user, "Pro", "monthly").await;
        let paid = callback_body(&invoice, "PAID");
        // Each of the two is first in half of the rounds.
        let mut calls = vec![(&billing.jobs, "callback"), (&other, "reconciliation")];
        if round % 4 > 1 {
            calls.reverse();
        }
        let calls: Vec<_> = calls.into_iter().map(|(jobs, source)| outcome(jobs, source, &paid)).collect();
        let outcomes = billing.run_concurrently(round, &user, calls).await;
        assert_eq!(sorted(outcomes), ["duplicate", "paid"]);
        let events = ["callback paid", "reconciliation paid, callback duplicate"];
        let expected = events.map(|events| format!("paid, 1 periods, {events}, 1 notifications, 1 log lines"));
        let summary = billing.invoice_summary(&invoice).await;
        let Some(which) = expected.iter().position(|expected| *expected == summary) else { panic!("{summary}") };
        seen[which] += 1;
        assert_eq!(billing.periods(&user).await, ["Pro 2027-04-11 10:00:00 to 2027-05-11 10:00:00 worth 149000"]);
    }
    assert!(seen.iter().all(|count| *count > 0), "each order occurred: {seen:?}");
}

/// Tripay created the transaction, its response was lost, and the callback arrives while Tripay is queried.
#[tokio::test]
async fn a_callback_during_the_recovery_of_a_lost_transaction_pays_once_and_keeps_the_transaction() {
    let billing = BillingFixture::new().await;
    let (other, third) = (billing.new_job_session().await, billing.new_job_session().await);
    for round in 0..ROUNDS {
        let user = billing.new_user().await;
        let invoice = billing.create_invoice(&user, "Pro", "monthly").await;
        let clear_transaction = "update public.invoices set tripay_invoice_id = null, checkout_url = null where id =";
        billing.owner.run(&format!("{clear_transaction} '{}'", invoice.id)).await.unwrap();
        let found = json!({
            "now": time(NOW),
            "id": invoice.id,
            "merchant_code": "T0001",
            "transaction": {"reference": invoice.reference, "checkout_url": "https://tripay.co.id/checkout/x"},
        });
        let recovery = async {
            job(&third, "record_tripay_response", &found).await;
            outcome(&other, "reconciliation", &callback_body(&invoice, "PAID")).await
        };
        let paid = callback_body(&invoice, "PAID");
        let (first, second) = tokio::join!(outcome(&billing.jobs, "callback", &paid), recovery);
        assert_eq!(sorted(vec![first, second]), ["duplicate", "paid"], "round {round}");
        let row = "select concat_ws(' ', status, tripay_invoice_id, transaction_id, checkout_url) from public.invoices where id =";
        assert_eq!(
            billing.owner.text(&format!("{row} '{}'", invoice.id)).await,
            format!("paid {0} {0} https://tripay.co.id/checkout/x", invoice.reference)
        );
        assert_eq!(billing.periods(&user).await.len(), 1);
    }
}

#[tokio::test]
async fn a_payment_counts_while_its_invoice_expires_concurrently() {
    let billing = BillingFixture::new().await;
    let other = billing.new_job_session().await;
    let batch = json!({"now": time(NOW), "limit": 500});
    for round in 0..ROUNDS {
        let user = billing.new_user().await;
        // The invoice expired long before `NOW`.
        let invoice = billing.create_invoice(&user, "Pro", "monthly").await;
        let paid = callback_body(&invoice, "PAID");
        match round % 4 {
            0 => {
                // The expiry is written but not committed.
                other.run("begin").await.unwrap();
                assert_eq!(job(&other, "expire_invoices", &batch).await, 1);
                let expiring = async {
                    billing.wait_until_blocked(1).await;
                    other.run("commit").await.unwrap();
                };
                assert_eq!(tokio::join!(outcome(&billing.jobs, "callback", &paid), expiring).0, "paid");
            }
            1 => {
                // The payment is written but not committed.
                other.run("begin").await.unwrap();
                assert_eq!(outcome(&other, "callback", &paid).await, "paid");
                assert_eq!(job(&billing.jobs, "expire_invoices", &batch).await, 0);
                other.run("commit").await.unwrap();
            }
            _ => {
                let (outcome, _) =
                    tokio::join!(outcome(&billing.jobs, "callback", &paid), job(&other, "expire_invoices", &batch));
                assert_eq!(outcome, "paid");
            }
        }
        assert_eq!(job(&billing.jobs, "expire_invoices", &batch).await, 0);
        assert_eq!(
            billing.invoice_summary(&invoice).await,
            "paid, 1 periods, callback paid, 1 notifications, 1 log lines"
        );
    }
}

#[tokio::test]
async fn a_renewal_payment_counts_while_the_period_ends_concurrently() {
    let billing = BillingFixture::new().await;
    let other = billing.new_job_session().await;
    let batch = json!({"now": time(NOW), "limit": 500, "after": null});
    for round in 0..ROUNDS {
        let user = billing.new_user().await;
        billing.buy(&user, "Pro", "monthly", "2027-03-11 10:00").await;
        let invoice = billing.create_invoice(&user, "Pro", "monthly").await;
        let paid = callback_body(&invoice, "PAID");
        match round % 4 {
            0 => {
                other.run("begin").await.unwrap();
                assert_eq!(job(&other, "expire_subscriptions", &batch).await["subscriptions"], 1);
                let expiring = async {
                    billing.wait_until_blocked(1).await;
                    other.run("commit").await.unwrap();
                };
                assert_eq!(tokio::join!(outcome(&billing.jobs, "callback", &paid), expiring).0, "paid");
            }
            1 => {
                other.run("begin").await.unwrap();
                assert_eq!(outcome(&other, "callback", &paid).await, "paid");
                // A locked user is left for the next run.
                assert_eq!(job(&billing.jobs, "expire_subscriptions", &batch).await["subscriptions"], 0);
                other.run("commit").await.unwrap();
            }
            _ => {
                let (outcome, _) = tokio::join!(
                    outcome(&billing.jobs, "callback", &paid),
                    job(&other, "expire_subscriptions", &batch)
                );
                assert_eq!(outcome, "paid");
            }
        }
        assert_eq!(billing.plan(&user).await, "pro", "round {round}");
        billing.expire(NOW).await;
        assert_eq!(
            billing.periods(&user).await,
            [
                "ended Pro 2027-03-11 10:00:00 to 2027-04-11 10:00:00 worth 149000",
                "Pro 2027-04-11 10:00:00 to 2027-05-11 10:00:00 worth 149000",
            ]
        );
        assert_eq!(billing.plan(&user).await, "pro");
    }
}

#[tokio::test]
async fn concurrent_runs_end_each_subscription_once() {
    const USERS: i64 = 12;
    let billing = BillingFixture::new().await;
    let other = billing.new_job_session().await;
    for _ in 0..USERS {
        billing.new_user().await;
    }
    for round in 0..20 {
        let setup = format!(
            "insert into public.subscriptions (user_id, plan_id, status, started_at, expires_at)
             select users.id, plans.id, 'active', timestamptz '2027-01-01' + interval '{round} days',
                 timestamptz '2027-01-02' + interval '{round} days'
             from public.users, public.plans where plans.name = 'Pro';
             update public.users set subscription_plan = 'pro';
             delete from public.notifications; delete from public.logs"
        );
        billing.owner.run(&setup).await.unwrap();
        // Runs in many small batches.
        let run = async |jobs: &Session| {
            let (mut ended, mut after) = (0, Value::Null);
            loop {
                let batch = json!({"now": "2027-03-01T00:00:00Z", "limit": 5, "after": after});
                let counts = job(jobs, "expire_subscriptions", &batch).await;
                assert_eq!(counts["failures"], json!([]));
                ended += counts["subscriptions"].as_i64().unwrap();
                after = counts["after"].clone();
                if after.is_null() {
                    return ended;
                }
            }
        };
        let (mine, theirs) = tokio::join!(run(&billing.jobs), run(&other));
        assert_eq!(mine + theirs, USERS, "{mine} and {theirs}");
        let left = "select concat_ws(' ',
            (select count(*) from public.subscriptions where status <> 'expired'),
            (select string_agg(distinct subscription_plan, ' ') from public.users),
            (select count(*) from public.notifications where title = 'Pro has ended'),
            (select count(*) from public.logs where message = 'Pro ended'))";
        assert_eq!(billing.owner.text(left).await, format!("0 free {USERS} {USERS}"));
    }
}

#[tokio::test]
async fn a_concurrent_refund_of_the_previous_plan_leaves_the_upgrade_intact() {
    let billing = BillingFixture::new().await;
    let other = billing.new_job_session().await;
    for round in 0..ROUNDS {
        let user = billing.new_user().await;
        let pro = billing.buy(&user, "Pro", "monthly", "2027-04-01 10:00").await;
        let enterprise = billing.create_invoice(&user, "Enterprise", "monthly").await;
        let (paid, refunded) = (callback_body(&enterprise, "PAID"), callback_body(&pro, "REFUND"));
        let mut calls = vec![(&billing.jobs, &paid), (&other, &refunded)];
        if round % 4 > 1 {
            calls.reverse();
        }
        let calls: Vec<_> = calls.into_iter().map(|(jobs, callback)| outcome(jobs, "callback", callback)).collect();
        assert_eq!(sorted(billing.run_concurrently(round, &user, calls).await), ["paid", "refunded"]);
        let mut periods = billing.periods(&user).await;
        // If the upgrade was first, its credit was removed by the refund.
        periods.retain(|period| *period != "ended Enterprise 2027-04-11 10:00:00 to 2027-04-11 10:00:00 worth 0");
        assert_eq!(
            periods,
            [
                "ended Pro 2027-04-01 10:00:00 to 2027-04-11 10:00:00 worth 0",
                "Enterprise 2027-04-11 10:00:00 to 2027-05-11 10:00:00 worth 499000",
            ]
        );
        assert_eq!(billing.plan(&user).await, "enterprise");
    }
}

#[tokio::test]
async fn a_concurrent_refund_of_an_upgrade_preserves_the_previous_value() {
    let billing = BillingFixture::new().await;
    let other = billing.new_job_session().await;
    let expected = [
        (
            "paid refunded",
            "enterprise",
            vec![
                "ended Pro 2027-04-01 10:00:00 to 2027-04-11 10:00:00 worth 49666.6667",
                "ended Enterprise 2027-04-11 10:00:00 to 2027-04-11 10:00:00 worth 0",
                "Enterprise 2027-04-11 10:00:00 to 2027-04-17 09:19:36 worth 99333.3333",
            ],
        ),
        // A payment that was refunded before it was reported never counts.
        ("duplicate refunded_unpaid", "pro", vec!["Pro 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 149000"]),
    ];
    let mut seen = [0, 0];
    for round in 0..ROUNDS {
        let user = billing.new_user().await;
        billing.buy(&user, "Pro", "monthly", "2027-04-01 10:00").await;
        let enterprise = billing.create_invoice(&user, "Enterprise", "monthly").await;
        let mut callbacks =
            [(&billing.jobs, callback_body(&enterprise, "PAID")), (&other, callback_body(&enterprise, "REFUND"))];
        if round % 4 > 1 {
            callbacks.reverse();
        }
        let calls: Vec<_> = callbacks.iter().map(|(jobs, callback)| outcome(jobs, "callback", callback)).collect();
        let outcomes = sorted(billing.run_concurrently(round, &user, calls).await).join(" ");
        let Some(which) = expected.iter().position(|expected| expected.0 == outcomes) else { panic!("{outcomes}") };
        seen[which] += 1;
        assert_eq!(billing.periods(&user).await, expected[which].2);
        assert_eq!(billing.plan(&user).await, expected[which].1);
    }
    assert!(seen.iter().all(|count| *count > 0), "each order occurred: {seen:?}");
}

#[tokio::test]
async fn two_invoices_paid_concurrently_give_consecutive_periods() {
    let billing = BillingFixture::new().await;
    let other = billing.new_job_session().await;
    for round in 0..ROUNDS {
        let user = billing.new_user().await;
        let invoices = [
            billing.create_invoice(&user, "Pro", "monthly").await,
            billing.create_invoice(&user, "Pro", "monthly").await,
        ];
        let paid = invoices.each_ref().map(|invoice| callback_body(invoice, "PAID"));
        let calls = vec![outcome(&billing.jobs, "callback", &paid[0]), outcome(&other, "callback", &paid[1])];
        assert_eq!(billing.run_concurrently(round, &user, calls).await, ["paid", "paid"]);
        assert_eq!(
            billing.periods(&user).await,
            [
                "Pro 2027-04-11 10:00:00 to 2027-05-11 10:00:00 worth 149000",
                "Pro 2027-05-11 10:00:00 to 2027-06-11 10:00:00 worth 149000",
            ]
        );
    }
}

#[tokio::test]
async fn two_concurrent_trial_requests_start_one_trial() {
    let billing = BillingFixture::new().await;
    let (api, other) = (&billing.api, billing.database.session("nofomo_api").await);
    let trial = json!({"action": "trial"});
    for round in 0..ROUNDS {
        let user = billing.new_user().await;
        let calls = [api, &other].map(|api| command(api, "manage_subscription", &user, &trial));
        let answers = billing.run_concurrently(round, &user, calls.into()).await;
        assert!(answers[0]["done"]["id"].is_string(), "{answers:?}");
        assert_eq!(answers[0], answers[1]);
        let rows = "select concat_ws(' ', count(*), min(status),
            (select count(*) from public.logs where context ->> 'action' = 'start-trial' and user_id = subscriptions.user_id))
            from public.subscriptions group by user_id having user_id =";
        assert_eq!(billing.owner.text(&format!("{rows} '{user}'")).await, "1 trial 1");
        assert_eq!(billing.plan(&user).await, "pro");
    }
}

#[tokio::test]
async fn a_concurrent_trial_and_payment_never_overlap() {
    let billing = BillingFixture::new().await;
    let trial = json!({"action": "trial"});
    let mut seen = [0, 0];
    for round in 0..ROUNDS {
        let user = billing.new_user().await;
        let invoice = billing.create_invoice(&user, "Pro", "monthly").await;
        // A past `now` is replaced with the current time, which the trial also uses.
        let paid = settlement_input("callback", &callback_body(&invoice, "PAID"), true, time("2026-01-01 00:00"));
        let mut calls = vec![
            command(&billing.api, "manage_subscription", &user, &trial).boxed_local(),
            job(&billing.jobs, "settle_payment", &paid).boxed_local(),
        ];
        if round % 4 > 1 {
            calls.reverse();
        }
        let answers = billing.run_concurrently(round, &user, calls).await;
        let answer = &answers[usize::from(round % 4 > 1)];
        let periods =
            "select string_agg(concat_ws(' ', subscriptions.status, started_at = lag), ', ' order by started_at) from (
            select status, started_at, lag(expires_at) over (order by started_at) as lag
            from public.subscriptions where user_id =";
        let periods = billing.owner.text(&format!("{periods} '{user}') as subscriptions")).await;
        if answer == "already_subscribed" {
            assert_eq!(periods, "active");
            seen[0] += 1;
        } else {
            assert_eq!(answer["done"]["status"], "trial", "{answer}");
            assert_eq!(periods, "trial, active t");
            seen[1] += 1;
        }
        assert_eq!(billing.plan(&user).await, "pro");
    }
    assert!(seen.iter().all(|count| *count > 0), "each order occurred: {seen:?}");
}
