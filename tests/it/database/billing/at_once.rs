//! Two at once, many times over: whoever comes first, the rows end the same.
//!
//! Half of the rounds let both run as they will; in the others both have begun, and seen what was there, before either may
//! change it, now this one first and now that one.

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Books, Invoice, at, command, delivery, job, settle, told};
use crate::support::database::Session;

const ROUNDS: usize = 24;

const NOW: &str = "2027-04-11 10:00";

impl Books {
    async fn both<T>(&self, round: usize, person: &str, calls: Vec<impl Future<Output = T>>) -> Vec<T> {
        if round.is_multiple_of(2) { self.held(person, calls).await } else { join_all(calls).await }
    }

    /// What is left of an invoice that was told of: its status, periods, events in their order, notifications, and log lines.
    async fn traces(&self, invoice: &Invoice) -> String {
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

    async fn more_jobs(&self) -> Session {
        self.database.session("nofomo_jobs").await
    }
}

async fn outcome(jobs: &Session, source: &str, told: &Value) -> String {
    settle(jobs, source, told, at(NOW)).await["outcome"].as_str().unwrap().to_owned()
}

fn sorted(mut outcomes: Vec<String>) -> Vec<String> {
    outcomes.sort();
    outcomes
}

#[tokio::test]
async fn two_callbacks_at_once_pay_once() {
    let books = Books::new().await;
    let other = books.more_jobs().await;
    for round in 0..ROUNDS {
        let person = books.person().await;
        let invoice = books.order(&person, "Pro", "monthly").await;
        let paid = told(&invoice, "PAID");
        let calls = [&books.jobs, &other].map(|jobs| outcome(jobs, "callback", &paid));
        let outcomes = books.both(round, &person, calls.into()).await;
        assert_eq!(sorted(outcomes), ["duplicate", "paid"]);
        assert_eq!(
            books.traces(&invoice).await,
            "paid, 1 periods, callback paid, callback duplicate, 1 notifications, 1 log lines"
        );
        assert_eq!(books.periods(&person).await, ["Pro 2027-04-11 10:00:00 to 2027-05-11 10:00:00 worth 149000"]);
        assert_eq!(books.plan(&person).await, "pro");
    }
}

#[tokio::test]
async fn a_callback_and_a_reconciliation_at_once_pay_once() {
    let books = Books::new().await;
    let other = books.more_jobs().await;
    let mut seen = [0, 0];
    for round in 0..ROUNDS {
        let person = books.person().await;
        let invoice = books.order(&person, "Pro", "monthly").await;
        let paid = told(&invoice, "PAID");
        // Either may be the first to wait.
        let mut calls = vec![(&books.jobs, "callback"), (&other, "reconciliation")];
        if round % 4 > 1 {
            calls.reverse();
        }
        let calls: Vec<_> = calls.into_iter().map(|(jobs, source)| outcome(jobs, source, &paid)).collect();
        let outcomes = books.both(round, &person, calls).await;
        assert_eq!(sorted(outcomes), ["duplicate", "paid"]);
        let events = ["callback paid", "reconciliation paid, callback duplicate"];
        let expected = events.map(|events| format!("paid, 1 periods, {events}, 1 notifications, 1 log lines"));
        let traces = books.traces(&invoice).await;
        let Some(which) = expected.iter().position(|expected| *expected == traces) else { panic!("{traces}") };
        seen[which] += 1;
        assert_eq!(books.periods(&person).await, ["Pro 2027-04-11 10:00:00 to 2027-05-11 10:00:00 worth 149000"]);
    }
    assert!(seen.iter().all(|count| *count > 0), "each was first at times: {seen:?}");
}

/// Tripay opened it, its answer was lost, and while it is asked again the payment arrives.
#[tokio::test]
async fn a_callback_and_the_finding_of_a_lost_transaction_at_once_pay_once_and_keep_what_was_found() {
    let books = Books::new().await;
    let (other, third) = (books.more_jobs().await, books.more_jobs().await);
    for round in 0..ROUNDS {
        let person = books.person().await;
        let invoice = books.order(&person, "Pro", "monthly").await;
        let forget = "update public.invoices set tripay_invoice_id = null, checkout_url = null where id =";
        books.owner.run(&format!("{forget} '{}'", invoice.id)).await.unwrap();
        let found = json!({
            "now": at(NOW),
            "id": invoice.id,
            "merchant_code": "T0001",
            "transaction": {"reference": invoice.reference, "checkout_url": "https://tripay.co.id/checkout/x"},
        });
        let finding = async {
            job(&third, "record_tripay_response", &found).await;
            outcome(&other, "reconciliation", &told(&invoice, "PAID")).await
        };
        let paid = told(&invoice, "PAID");
        let (first, second) = tokio::join!(outcome(&books.jobs, "callback", &paid), finding);
        assert_eq!(sorted(vec![first, second]), ["duplicate", "paid"], "round {round}");
        let row = "select concat_ws(' ', status, tripay_invoice_id, transaction_id, checkout_url) from public.invoices where id =";
        assert_eq!(
            books.owner.text(&format!("{row} '{}'", invoice.id)).await,
            format!("paid {0} {0} https://tripay.co.id/checkout/x", invoice.reference)
        );
        assert_eq!(books.periods(&person).await.len(), 1);
    }
}

#[tokio::test]
async fn a_payment_counts_though_its_invoice_expires_at_once() {
    let books = Books::new().await;
    let other = books.more_jobs().await;
    let batch = json!({"now": at(NOW), "limit": 500});
    for round in 0..ROUNDS {
        let person = books.person().await;
        // Its end is long past.
        let invoice = books.order(&person, "Pro", "monthly").await;
        let paid = told(&invoice, "PAID");
        match round % 4 {
            0 => {
                // The end is written, and not yet for all to see.
                other.run("begin").await.unwrap();
                assert_eq!(job(&other, "expire_invoices", &batch).await, 1);
                let expiring = async {
                    books.until_blocked(1).await;
                    other.run("commit").await.unwrap();
                };
                assert_eq!(tokio::join!(outcome(&books.jobs, "callback", &paid), expiring).0, "paid");
            }
            1 => {
                // The payment is written, and not yet for all to see.
                other.run("begin").await.unwrap();
                assert_eq!(outcome(&other, "callback", &paid).await, "paid");
                assert_eq!(job(&books.jobs, "expire_invoices", &batch).await, 0);
                other.run("commit").await.unwrap();
            }
            _ => {
                let (outcome, _) =
                    tokio::join!(outcome(&books.jobs, "callback", &paid), job(&other, "expire_invoices", &batch));
                assert_eq!(outcome, "paid");
            }
        }
        assert_eq!(job(&books.jobs, "expire_invoices", &batch).await, 0);
        assert_eq!(books.traces(&invoice).await, "paid, 1 periods, callback paid, 1 notifications, 1 log lines");
    }
}

#[tokio::test]
async fn a_payment_counts_though_what_it_renews_ends_at_once() {
    let books = Books::new().await;
    let other = books.more_jobs().await;
    let batch = json!({"now": at(NOW), "limit": 500, "after": null});
    for round in 0..ROUNDS {
        let person = books.person().await;
        books.bought(&person, "Pro", "monthly", "2027-03-11 10:00").await;
        let invoice = books.order(&person, "Pro", "monthly").await;
        let paid = told(&invoice, "PAID");
        match round % 4 {
            0 => {
                other.run("begin").await.unwrap();
                assert_eq!(job(&other, "expire_subscriptions", &batch).await["subscriptions"], 1);
                let expiring = async {
                    books.until_blocked(1).await;
                    other.run("commit").await.unwrap();
                };
                assert_eq!(tokio::join!(outcome(&books.jobs, "callback", &paid), expiring).0, "paid");
            }
            1 => {
                other.run("begin").await.unwrap();
                assert_eq!(outcome(&other, "callback", &paid).await, "paid");
                // Who is being dealt with is left for the next run.
                assert_eq!(job(&books.jobs, "expire_subscriptions", &batch).await["subscriptions"], 0);
                other.run("commit").await.unwrap();
            }
            _ => {
                let (outcome, _) =
                    tokio::join!(outcome(&books.jobs, "callback", &paid), job(&other, "expire_subscriptions", &batch));
                assert_eq!(outcome, "paid");
            }
        }
        assert_eq!(books.plan(&person).await, "pro", "round {round}");
        books.expire(NOW).await;
        assert_eq!(
            books.periods(&person).await,
            [
                "ended Pro 2027-03-11 10:00:00 to 2027-04-11 10:00:00 worth 149000",
                "Pro 2027-04-11 10:00:00 to 2027-05-11 10:00:00 worth 149000",
            ]
        );
        assert_eq!(books.plan(&person).await, "pro");
    }
}

#[tokio::test]
async fn two_runs_that_end_subscriptions_at_once_end_each_of_them_once() {
    const PEOPLE: i64 = 12;
    let books = Books::new().await;
    let other = books.more_jobs().await;
    for _ in 0..PEOPLE {
        books.person().await;
    }
    for round in 0..20 {
        let given = format!(
            "insert into public.subscriptions (user_id, plan_id, status, started_at, expires_at)
             select users.id, plans.id, 'active', timestamptz '2027-01-01' + interval '{round} days',
                 timestamptz '2027-01-02' + interval '{round} days'
             from public.users, public.plans where plans.name = 'Pro';
             update public.users set subscription_plan = 'pro';
             delete from public.notifications; delete from public.logs"
        );
        books.owner.run(&given).await.unwrap();
        // By many small batches.
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
        let (mine, theirs) = tokio::join!(run(&books.jobs), run(&other));
        assert_eq!(mine + theirs, PEOPLE, "{mine} and {theirs}");
        let left = "select concat_ws(' ',
            (select count(*) from public.subscriptions where status <> 'expired'),
            (select string_agg(distinct subscription_plan, ' ') from public.users),
            (select count(*) from public.notifications where title = 'Pro has ended'),
            (select count(*) from public.logs where message = 'Pro ended'))";
        assert_eq!(books.owner.text(left).await, format!("0 free {PEOPLE} {PEOPLE}"));
    }
}

#[tokio::test]
async fn an_upgrade_and_the_refund_of_what_it_ends_at_once_leave_the_upgrade_alone() {
    let books = Books::new().await;
    let other = books.more_jobs().await;
    for round in 0..ROUNDS {
        let person = books.person().await;
        let pro = books.bought(&person, "Pro", "monthly", "2027-04-01 10:00").await;
        let enterprise = books.order(&person, "Enterprise", "monthly").await;
        let (paid, refunded) = (told(&enterprise, "PAID"), told(&pro, "REFUND"));
        let mut calls = vec![(&books.jobs, &paid), (&other, &refunded)];
        if round % 4 > 1 {
            calls.reverse();
        }
        let calls: Vec<_> = calls.into_iter().map(|(jobs, told)| outcome(jobs, "callback", told)).collect();
        assert_eq!(sorted(books.both(round, &person, calls).await), ["paid", "refunded"]);
        let mut periods = books.periods(&person).await;
        // If the upgrade was first, it made a credit, which went with the refund.
        periods.retain(|period| *period != "ended Enterprise 2027-04-11 10:00:00 to 2027-04-11 10:00:00 worth 0");
        assert_eq!(
            periods,
            [
                "ended Pro 2027-04-01 10:00:00 to 2027-04-11 10:00:00 worth 0",
                "Enterprise 2027-04-11 10:00:00 to 2027-05-11 10:00:00 worth 499000",
            ]
        );
        assert_eq!(books.plan(&person).await, "enterprise");
    }
}

#[tokio::test]
async fn an_upgrade_and_its_own_refund_at_once_keep_what_was_there_before() {
    let books = Books::new().await;
    let other = books.more_jobs().await;
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
        // What went back before it came is never taken for a payment.
        ("duplicate refunded_unpaid", "pro", vec!["Pro 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 149000"]),
    ];
    let mut seen = [0, 0];
    for round in 0..ROUNDS {
        let person = books.person().await;
        books.bought(&person, "Pro", "monthly", "2027-04-01 10:00").await;
        let enterprise = books.order(&person, "Enterprise", "monthly").await;
        let mut told = [(&books.jobs, told(&enterprise, "PAID")), (&other, told(&enterprise, "REFUND"))];
        if round % 4 > 1 {
            told.reverse();
        }
        let calls: Vec<_> = told.iter().map(|(jobs, told)| outcome(jobs, "callback", told)).collect();
        let outcomes = sorted(books.both(round, &person, calls).await).join(" ");
        let Some(which) = expected.iter().position(|expected| expected.0 == outcomes) else { panic!("{outcomes}") };
        seen[which] += 1;
        assert_eq!(books.periods(&person).await, expected[which].2);
        assert_eq!(books.plan(&person).await, expected[which].1);
    }
    assert!(seen.iter().all(|count| *count > 0), "each was first at times: {seen:?}");
}

#[tokio::test]
async fn two_invoices_paid_at_once_follow_each_other() {
    let books = Books::new().await;
    let other = books.more_jobs().await;
    for round in 0..ROUNDS {
        let person = books.person().await;
        let invoices = [books.order(&person, "Pro", "monthly").await, books.order(&person, "Pro", "monthly").await];
        let paid = invoices.each_ref().map(|invoice| told(invoice, "PAID"));
        let calls = vec![outcome(&books.jobs, "callback", &paid[0]), outcome(&other, "callback", &paid[1])];
        assert_eq!(books.both(round, &person, calls).await, ["paid", "paid"]);
        assert_eq!(
            books.periods(&person).await,
            [
                "Pro 2027-04-11 10:00:00 to 2027-05-11 10:00:00 worth 149000",
                "Pro 2027-05-11 10:00:00 to 2027-06-11 10:00:00 worth 149000",
            ]
        );
    }
}

#[tokio::test]
async fn two_trials_at_once_are_one() {
    let books = Books::new().await;
    let (api, other) = (&books.api, books.database.session("nofomo_api").await);
    let trial = json!({"action": "trial"});
    for round in 0..ROUNDS {
        let person = books.person().await;
        let calls = [api, &other].map(|api| command(api, "manage_subscription", &person, &trial));
        let answers = books.both(round, &person, calls.into()).await;
        assert!(answers[0]["done"]["id"].is_string(), "{answers:?}");
        assert_eq!(answers[0], answers[1]);
        let rows = "select concat_ws(' ', count(*), min(status),
            (select count(*) from public.logs where context ->> 'action' = 'start-trial' and user_id = subscriptions.user_id))
            from public.subscriptions group by user_id having user_id =";
        assert_eq!(books.owner.text(&format!("{rows} '{person}'")).await, "1 trial 1");
        assert_eq!(books.plan(&person).await, "pro");
    }
}

#[tokio::test]
async fn a_trial_and_a_payment_at_once_never_share_a_moment() {
    let books = Books::new().await;
    let trial = json!({"action": "trial"});
    let mut seen = [0, 0];
    for round in 0..ROUNDS {
        let person = books.person().await;
        let invoice = books.order(&person, "Pro", "monthly").await;
        // At the clock's own time, as the trial.
        let paid = delivery("callback", &told(&invoice, "PAID"), true, at("2026-01-01 00:00"));
        let mut calls = vec![
            command(&books.api, "manage_subscription", &person, &trial).boxed_local(),
            job(&books.jobs, "settle_payment", &paid).boxed_local(),
        ];
        if round % 4 > 1 {
            calls.reverse();
        }
        let answers = books.both(round, &person, calls).await;
        let answer = &answers[usize::from(round % 4 > 1)];
        let periods =
            "select string_agg(concat_ws(' ', subscriptions.status, started_at = lag), ', ' order by started_at) from (
            select status, started_at, lag(expires_at) over (order by started_at) as lag
            from public.subscriptions where user_id =";
        let periods = books.owner.text(&format!("{periods} '{person}') as subscriptions")).await;
        if answer == "already_subscribed" {
            assert_eq!(periods, "active");
            seen[0] += 1;
        } else {
            assert_eq!(answer["done"]["status"], "trial", "{answer}");
            assert_eq!(periods, "trial, active t");
            seen[1] += 1;
        }
        assert_eq!(books.plan(&person).await, "pro");
    }
    assert!(seen.iter().all(|count| *count > 0), "each was first at times: {seen:?}");
}
