//! The rules of periods one by one, with figures that were worked out by hand: Pro is 149,000 a month, Enterprise 499,000.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{Books, at, settle, told};

#[tokio::test]
async fn the_first_payment_starts_now_and_the_same_plan_again_when_that_ends() {
    let books = Books::new().await;
    let person = books.person().await;
    assert_eq!(books.plan(&person).await, "free");
    books.bought(&person, "Pro", "monthly", "2027-04-01 10:00").await;
    assert_eq!(books.plan(&person).await, "pro");
    books.bought(&person, "Pro", "yearly", "2027-04-11 10:00").await;
    assert_eq!(
        books.periods(&person).await,
        [
            "Pro 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 149000",
            "Pro 2027-05-01 10:00:00 to 2028-05-01 10:00:00 worth 1490000",
        ]
    );
}

#[tokio::test]
async fn a_lesser_plan_starts_when_the_better_one_ends_and_a_better_one_bought_meanwhile_goes_before_it() {
    let books = Books::new().await;
    let person = books.person().await;
    books.bought(&person, "Enterprise", "monthly", "2027-04-01 10:00").await;
    books.bought(&person, "Pro", "monthly", "2027-04-02 10:00").await;
    books.bought(&person, "Enterprise", "monthly", "2027-04-03 10:00").await;
    assert_eq!(
        books.periods(&person).await,
        [
            "Enterprise 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 499000",
            "Enterprise 2027-05-01 10:00:00 to 2027-06-01 10:00:00 worth 499000",
            "Pro 2027-06-01 10:00:00 to 2027-07-01 10:00:00 worth 149000",
        ]
    );
    // What is in force follows the time, at the next run.
    for (moment, plan) in [
        ("2027-05-01 10:00", "enterprise"),
        ("2027-06-01 09:59:59", "enterprise"),
        ("2027-06-01 10:00", "pro"),
        ("2027-07-01 09:59:59", "pro"),
        ("2027-07-01 10:00", "free"),
    ] {
        books.expire(moment).await;
        assert_eq!(books.plan(&person).await, plan, "{moment}");
    }
}

#[tokio::test]
async fn a_better_plan_starts_now_and_the_rest_of_the_other_becomes_time_of_it_before_all_that_waits() {
    let books = Books::new().await;
    let person = books.person().await;
    books.bought(&person, "Pro", "monthly", "2027-04-01 10:00").await;
    books.bought(&person, "Pro", "monthly", "2027-04-02 10:00").await;
    books.bought(&person, "Enterprise", "monthly", "2027-04-11 10:00").await;
    // 20 of 30 days are left: 149,000 × 20 ÷ 30 = 99,333.3333. Enterprise is now 499,000 for the 30 days to 11 May, so that
    // this buys 99,333.3333 ÷ 499,000 × 2,592,000 s = 515,975.96 s: 5 days, 23:19:36.
    assert_eq!(
        books.periods(&person).await,
        [
            "ended Pro 2027-04-01 10:00:00 to 2027-04-11 10:00:00 worth 49666.6667",
            "Enterprise 2027-04-11 10:00:00 to 2027-05-11 10:00:00 worth 499000",
            "Enterprise 2027-05-11 10:00:00 to 2027-05-17 09:19:36 worth 99333.3333",
            "Pro 2027-05-17 09:19:36 to 2027-06-17 09:19:36 worth 149000",
        ]
    );
    assert_eq!(books.plan(&person).await, "enterprise");
}

#[tokio::test]
async fn an_upgrade_at_the_price_of_a_year_credits_more_time_for_the_same_money() {
    let books = Books::new().await;
    let person = books.person().await;
    books.bought(&person, "Pro", "yearly", "2027-01-01 00:00").await;
    books.bought(&person, "Enterprise", "yearly", "2027-03-15 00:00").await;
    // 292 of 365 days are left: 1,490,000 × 0.8 = 1,192,000. Enterprise is 4,990,000 for the 366 days to 15 March 2028, so
    // that this buys 1,192,000 ÷ 4,990,000 × 31,622,400 s = 7,553,887.94 s: 87 days, 10:18:08.
    assert_eq!(
        books.periods(&person).await,
        [
            "ended Pro 2027-01-01 00:00:00 to 2027-03-15 00:00:00 worth 298000",
            "Enterprise 2027-03-15 00:00:00 to 2028-03-15 00:00:00 worth 4990000",
            "Enterprise 2028-03-15 00:00:00 to 2028-06-10 10:18:08 worth 1192000",
        ]
    );
}

#[tokio::test]
async fn a_second_upgrade_credits_the_first_and_what_that_credited_waits_as_it_is() {
    let books = Books::new().await;
    books.add_plan("Ultimate", 30, 999_000).await;
    let person = books.person().await;
    books.bought(&person, "Pro", "monthly", "2027-04-01 10:00").await;
    books.bought(&person, "Enterprise", "monthly", "2027-04-16 10:00").await;
    books.bought(&person, "Ultimate", "monthly", "2027-05-01 10:00").await;
    // Half of Pro: 74,500 ÷ 499,000 × 30 days = 386,981.96 s: 4 days, 11:29:42.
    // Half of Enterprise: 249,500 ÷ 999,000 × 31 days = 668,929.73 s: 7 days, 17:48:50.
    assert_eq!(
        books.periods(&person).await,
        [
            "ended Pro 2027-04-01 10:00:00 to 2027-04-16 10:00:00 worth 74500",
            "ended Enterprise 2027-04-16 10:00:00 to 2027-05-01 10:00:00 worth 249500",
            "Ultimate 2027-05-01 10:00:00 to 2027-06-01 10:00:00 worth 999000",
            "Ultimate 2027-06-01 10:00:00 to 2027-06-09 03:48:50 worth 249500",
            "Enterprise 2027-06-09 03:48:50 to 2027-06-13 15:18:32 worth 74500",
        ]
    );
}

#[tokio::test]
async fn a_credit_that_is_running_is_credited_again() {
    let books = Books::new().await;
    books.add_plan("Ultimate", 30, 998_000).await;
    let person = books.person().await;
    let pro = books.bought(&person, "Pro", "monthly", "2027-04-01 00:00").await;
    books.bought(&person, "Enterprise", "monthly", "2027-04-16 00:00").await;
    let credit = "Enterprise 2027-05-16 00:00:00 to 2027-05-20 11:29:42 worth 74500";
    assert_eq!(books.periods(&person).await[2], credit);
    // After half of its 386,982 s; Ultimate is 998,000 for 31 days: 37,250 ÷ 998,000 × 2,678,400 s = 99,970.34 s.
    books.bought(&person, "Ultimate", "monthly", "2027-05-18 05:44:51").await;
    assert_eq!(
        books.periods(&person).await[2..],
        [
            "ended Enterprise 2027-05-16 00:00:00 to 2027-05-18 05:44:51 worth 37250",
            "Ultimate 2027-05-18 05:44:51 to 2027-06-18 05:44:51 worth 998000",
            "Ultimate 2027-06-18 05:44:51 to 2027-06-19 09:31:02 worth 37250",
        ]
    );
    // All of it was Pro's money.
    books.refund(&pro, "2027-06-01 00:00").await;
    assert_eq!(
        books.periods(&person).await,
        [
            "ended Pro 2027-04-01 00:00:00 to 2027-04-16 00:00:00 worth 0",
            "Enterprise 2027-04-16 00:00:00 to 2027-05-16 00:00:00 worth 499000",
            "ended Enterprise 2027-05-16 00:00:00 to 2027-05-18 05:44:51 worth 0",
            "Ultimate 2027-05-18 05:44:51 to 2027-06-18 05:44:51 worth 998000",
            "ended Ultimate 2027-06-01 00:00:00 to 2027-06-01 00:00:00 worth 0",
        ]
    );
}

/// A user on trial, and when that ends.
async fn on_trial(books: &Books) -> (String, DateTime<Utc>) {
    let person = books.person().await;
    let done = books.command("manage_subscription", &person, &json!({"action": "trial"})).await;
    let end: DateTime<Utc> = done["done"]["trial_ends_at"].as_str().unwrap().parse().unwrap();
    (person, end)
}

#[tokio::test]
async fn what_a_trial_is_a_trial_of_starts_when_the_trial_ends() {
    let books = Books::new().await;
    let (person, end) = on_trial(&books).await;
    let invoice = books.order(&person, "Pro", "monthly").await;
    let settled = settle(&books.jobs, "callback", &told(&invoice, "PAID"), end - TimeDelta::days(6)).await;
    assert_eq!(settled["outcome"], "paid");
    let follows = "select (array_agg(started_at order by started_at))[2] = (array_agg(expires_at order by started_at))[1]
        and bool_and(status = case when value = 0 then 'trial' else 'active' end) and sum(value) = 149000 and count(*) = 2
        from public.subscriptions where user_id = ";
    assert_eq!(books.owner.text(&format!("{follows} '{person}'")).await, "true");
    assert_eq!(books.plan(&person).await, "pro");
}

#[tokio::test]
async fn a_better_plan_than_the_trials_starts_at_once_and_the_trial_is_worth_nothing() {
    let books = Books::new().await;
    let (person, end) = on_trial(&books).await;
    let (pro, enterprise) =
        (books.order(&person, "Pro", "monthly").await, books.order(&person, "Enterprise", "monthly").await);
    // Pro waits for the end of the trial, and then for that of Enterprise.
    for invoice in [&pro, &enterprise] {
        let settled = settle(&books.jobs, "callback", &told(invoice, "PAID"), end - TimeDelta::days(6)).await;
        assert_eq!(settled["outcome"], "paid");
    }
    let periods = format!(
        "select string_agg(concat_ws(' ', status, name, extract(day from expires_at - started_at) >= 28, value::integer,
            started_at = lag), ', ' order by started_at, expires_at)
         from (
             select subscriptions.*, name, lag(expires_at) over (order by started_at) as lag
             from public.subscriptions inner join public.plans on plans.id = plan_id where user_id = '{person}'
         ) as period"
    );
    assert_eq!(
        books.owner.text(&periods).await,
        "expired Pro f 0, active Enterprise t 499000 t, active Pro t 149000 t",
        "no credit"
    );
    assert_eq!(books.plan(&person).await, "enterprise");
}

#[tokio::test]
async fn a_refund_ends_what_runs_and_what_waits_moves_up() {
    let books = Books::new().await;
    let person = books.person().await;
    let running = books.bought(&person, "Pro", "monthly", "2027-04-01 10:00").await;
    books.bought(&person, "Pro", "monthly", "2027-04-02 10:00").await;
    books.refund(&running, "2027-04-11 12:00").await;
    assert_eq!(
        books.periods(&person).await,
        [
            "ended Pro 2027-04-01 10:00:00 to 2027-04-11 12:00:00 worth 0",
            "Pro 2027-04-11 12:00:00 to 2027-05-11 12:00:00 worth 149000",
        ]
    );
    assert_eq!(books.plan(&person).await, "pro");
    assert_eq!(
        settle(&books.jobs, "callback", &told(&running, "REFUND"), at("2027-04-12 10:00")).await["outcome"],
        "duplicate"
    );
    // Nor does the money come back by being told of again.
    assert_eq!(
        settle(&books.jobs, "callback", &told(&running, "PAID"), at("2027-04-12 10:00")).await["outcome"],
        "duplicate"
    );
    assert_eq!(books.periods(&person).await.len(), 2);
}

#[tokio::test]
async fn a_refund_of_all_there_is_leaves_free() {
    let books = Books::new().await;
    let person = books.person().await;
    let invoice = books.bought(&person, "Enterprise", "yearly", "2027-04-01 10:00").await;
    books.refund(&invoice, "2027-04-11 12:00").await;
    assert_eq!(books.periods(&person).await, ["ended Enterprise 2027-04-01 10:00:00 to 2027-04-11 12:00:00 worth 0"]);
    assert_eq!(books.plan(&person).await, "free");
    let row = "select concat_ws(' ', status, refunded_at, auto_renew, cancelled_at) from (
        select invoices.status, refunded_at, auto_renew, cancelled_at
        from public.invoices inner join public.subscriptions on subscriptions.invoice_id = invoices.id
        where invoices.user_id = ";
    assert_eq!(
        books.owner.text(&format!("{row} '{person}') as row")).await,
        "paid 2027-04-11 12:00:00+07 f 2027-04-11 12:00:00+07"
    );
}

#[tokio::test]
async fn a_refund_of_what_waits_never_lets_it_begin() {
    let books = Books::new().await;
    let person = books.person().await;
    books.bought(&person, "Enterprise", "monthly", "2027-04-01 10:00").await;
    let waiting = books.bought(&person, "Enterprise", "monthly", "2027-04-02 10:00").await;
    books.bought(&person, "Pro", "monthly", "2027-04-03 10:00").await;
    books.refund(&waiting, "2027-04-11 10:00").await;
    assert_eq!(
        books.periods(&person).await,
        [
            "Enterprise 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 499000",
            "ended Enterprise 2027-04-11 10:00:00 to 2027-04-11 10:00:00 worth 0",
            "Pro 2027-05-01 10:00:00 to 2027-06-01 10:00:00 worth 149000",
        ]
    );
}

#[tokio::test]
async fn a_refund_of_what_an_upgrade_ended_takes_its_credit() {
    let books = Books::new().await;
    let person = books.person().await;
    let pro = books.bought(&person, "Pro", "monthly", "2027-04-01 10:00").await;
    books.bought(&person, "Pro", "monthly", "2027-04-02 10:00").await;
    books.bought(&person, "Enterprise", "monthly", "2027-04-11 10:00").await;
    books.refund(&pro, "2027-04-20 10:00").await;
    assert_eq!(
        books.periods(&person).await,
        [
            "ended Pro 2027-04-01 10:00:00 to 2027-04-11 10:00:00 worth 0",
            "Enterprise 2027-04-11 10:00:00 to 2027-05-11 10:00:00 worth 499000",
            "ended Enterprise 2027-04-20 10:00:00 to 2027-04-20 10:00:00 worth 0",
            "Pro 2027-05-11 10:00:00 to 2027-06-11 10:00:00 worth 149000",
        ]
    );
}

#[tokio::test]
async fn a_refund_of_the_upgrade_leaves_the_credit_which_moves_up() {
    let books = Books::new().await;
    let person = books.person().await;
    books.bought(&person, "Pro", "monthly", "2027-04-01 10:00").await;
    let upgrade = books.bought(&person, "Enterprise", "monthly", "2027-04-11 10:00").await;
    books.refund(&upgrade, "2027-04-20 10:00").await;
    assert_eq!(
        books.periods(&person).await,
        [
            "ended Pro 2027-04-01 10:00:00 to 2027-04-11 10:00:00 worth 49666.6667",
            "ended Enterprise 2027-04-11 10:00:00 to 2027-04-20 10:00:00 worth 0",
            "Enterprise 2027-04-20 10:00:00 to 2027-04-26 09:19:36 worth 99333.3333",
        ]
    );
    assert_eq!(books.plan(&person).await, "enterprise");
}

#[tokio::test]
async fn after_the_end_it_starts_now_whether_or_not_that_was_noticed() {
    let books = Books::new().await;
    for (paid, end, is_noticed) in [
        ("2027-05-01 10:00:00", "2027-06-01 10:00:00", false),
        ("2027-05-01 10:00:00", "2027-06-01 10:00:00", true),
        ("2027-05-03 11:00:00", "2027-06-03 11:00:00", false),
        ("2027-05-03 11:00:00", "2027-06-03 11:00:00", true),
    ] {
        let person = books.person().await;
        books.bought(&person, "Enterprise", "monthly", "2027-04-01 10:00").await;
        if is_noticed {
            books.expire("2027-05-01 10:00").await;
            assert_eq!(books.plan(&person).await, "free");
        }
        books.bought(&person, "Pro", "monthly", paid).await;
        let ended = if is_noticed { "ended " } else { "" };
        assert_eq!(
            books.periods(&person).await,
            [
                format!("{ended}Enterprise 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 499000"),
                format!("Pro {paid} to {end} worth 149000"),
            ]
        );
        assert_eq!(books.plan(&person).await, "pro");
    }
}

#[tokio::test]
async fn a_cancelled_plan_runs_to_its_end_and_counts_as_any_other() {
    let books = Books::new().await;
    let person = books.person().await;
    books.bought(&person, "Pro", "monthly", "2027-04-01 10:00").await;
    books.owner.run("update public.subscriptions set status = 'cancelled' where status = 'active'").await.unwrap();
    books.bought(&person, "Pro", "monthly", "2027-04-02 10:00").await;
    books.expire("2027-04-03 10:00").await;
    assert_eq!(books.plan(&person).await, "pro");
    assert_eq!(
        books.periods(&person).await,
        [
            "Pro 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 149000",
            "Pro 2027-05-01 10:00:00 to 2027-06-01 10:00:00 worth 149000",
        ]
    );
}

#[tokio::test]
async fn an_invoice_counts_what_was_paid_for_it_whatever_the_plan_costs_now() {
    let books = Books::new().await;
    let person = books.person().await;
    let invoice = books.order(&person, "Pro", "monthly").await;
    books.owner.run("update public.plans set price_monthly = 298000 where name = 'Pro'").await.unwrap();
    books.pay(&invoice, "2027-04-01 10:00").await;
    assert_eq!(books.periods(&person).await, ["Pro 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 149000"]);
}

#[tokio::test]
async fn a_plan_taken_off_sale_is_still_given_to_who_pays_for_it_and_sold_to_nobody_else() {
    let books = Books::new().await;
    let person = books.person().await;
    let invoice = books.order(&person, "Pro", "monthly").await;
    books.owner.run("update public.plans set is_active = false where name = 'Pro'").await.unwrap();
    books.pay(&invoice, "2027-04-01 10:00").await;
    assert_eq!(books.periods(&person).await, ["Pro 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 149000"]);
    assert_eq!(books.plan(&person).await, "pro");
    let id = uuid::Uuid::new_v4();
    let wanted = json!({"id": id, "plan": "Pro", "period": "monthly", "method": "OVO", "customer_phone": null});
    assert_eq!(books.command("create_invoice", &person, &wanted).await, "unknown_plan");
    let batch = json!({"now": at("2027-04-29 10:00"), "limit": 10, "after": null});
    let renewed = super::job(&books.jobs, "renew_subscriptions", &batch).await;
    assert_eq!((&renewed["opened"], &renewed["failures"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn a_plan_that_somebody_bought_is_not_deleted() {
    let books = Books::new().await;
    books.add_plan("Ultimate", 30, 999_000).await;
    books.add_plan("Unsold", 40, 999_000).await;
    let person = books.person().await;
    books.bought(&person, "Pro", "monthly", "2027-04-01 10:00").await;
    // Asking for it is enough: it may be paid.
    books.order(&person, "Ultimate", "monthly").await;
    for plan in ["Pro", "Ultimate"] {
        let refused = books.owner.run(&format!("delete from public.plans where name = '{plan}'")).await.unwrap_err();
        let refused = refused.as_db_error().unwrap();
        assert_eq!((refused.code().code(), refused.constraint()), ("PT409", Some("plan_is_unsold")), "{plan}");
    }
    // A period without an invoice, as a trial's, is somebody's too.
    books.owner.run("delete from public.invoices").await.unwrap();
    assert!(books.owner.run("delete from public.plans where name = 'Pro'").await.is_err());
    books.owner.run("delete from public.plans where name in ('Unsold', 'Ultimate')").await.unwrap();
    assert_eq!(books.owner.text("select count(*) from public.plans").await, "3");
}

#[tokio::test]
async fn a_plan_without_a_rank_waits_and_is_waited_for() {
    let books = Books::new().await;
    books.add_plan("Odd", 0, 99_000).await;
    books.owner.run("update public.plans set sort_order = null where name = 'Odd'").await.unwrap();
    for (first, then) in [(("Pro", 149_000), ("Odd", 99_000)), (("Odd", 99_000), ("Pro", 149_000))] {
        let person = books.person().await;
        books.bought(&person, first.0, "monthly", "2027-04-01 10:00").await;
        books.bought(&person, then.0, "monthly", "2027-04-11 10:00").await;
        assert_eq!(
            books.periods(&person).await,
            [
                format!("{} 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth {}", first.0, first.1),
                format!("{} 2027-05-01 10:00:00 to 2027-06-01 10:00:00 worth {}", then.0, then.1),
            ]
        );
    }
}

#[tokio::test]
async fn a_plan_that_became_the_better_one_still_waits_for_what_runs() {
    let books = Books::new().await;
    books.add_plan("Basic", 5, 49_000).await;
    let person = books.person().await;
    books.bought(&person, "Enterprise", "monthly", "2027-04-01 10:00").await;
    books.bought(&person, "Pro", "monthly", "2027-04-02 10:00").await;
    books.owner.run("update public.plans set sort_order = 30 where name = 'Pro'").await.unwrap();
    books.bought(&person, "Basic", "monthly", "2027-04-03 10:00").await;
    assert_eq!(
        books.periods(&person).await,
        [
            "Enterprise 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 499000",
            "Pro 2027-05-01 10:00:00 to 2027-06-01 10:00:00 worth 149000",
            "Basic 2027-06-01 10:00:00 to 2027-07-01 10:00:00 worth 49000",
        ]
    );
}

#[tokio::test]
async fn what_was_ended_stays_so_though_the_clock_of_the_run_was_fast() {
    let books = Books::new().await;
    let person = books.person().await;
    books.bought(&person, "Enterprise", "monthly", "2027-04-01 10:00").await;
    books.bought(&person, "Pro", "monthly", "2027-04-02 10:00").await;
    books.expire("2027-05-01 10:00").await;
    books.bought(&person, "Pro", "monthly", "2027-04-30 10:00").await;
    assert_eq!(
        books.periods(&person).await,
        [
            "ended Enterprise 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 499000",
            "Pro 2027-04-30 10:00:00 to 2027-05-30 10:00:00 worth 149000",
            "Pro 2027-05-30 10:00:00 to 2027-06-30 10:00:00 worth 149000",
        ]
    );
    assert_eq!(books.plan(&person).await, "pro");
}

#[tokio::test]
async fn an_open_payments_reference_never_becomes_that_of_an_invoice() {
    let books = Books::new().await;
    let person = books.person().await;
    let (known, unanswered) =
        (books.order(&person, "Pro", "monthly").await, books.order(&person, "Pro", "yearly").await);
    let forget = format!("update public.invoices set tripay_invoice_id = null where id = '{}'", unanswered.id);
    books.owner.run(&forget).await.unwrap();
    for reference in [&known.reference, &unanswered.reference] {
        let mut open = told(&unanswered, "PAID");
        open["reference"] = json!(reference);
        open["is_closed_payment"] = json!(0);
        let settled = settle(&books.jobs, "callback", &open, at("2027-04-01 10:00")).await;
        assert_eq!(settled["outcome"], "open_payment");
    }
    let rows = "select concat_ws(' ', count(tripay_invoice_id), string_agg(distinct status, ' '),
        (select count(*) from private.payment_events)) from public.invoices where user_id = ";
    assert_eq!(books.owner.text(&format!("{rows} '{person}'")).await, "1 pending 2");
    assert!(books.periods(&person).await.is_empty());
}
