//! Rules of periods one by one, with figures calculated by hand. Pro costs Rp149,000 a month, Enterprise Rp499,000.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{BillingFixture, callback_body, settle, time};

#[tokio::test]
async fn the_first_period_starts_at_once_and_the_next_of_the_same_plan_when_it_ends() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    assert_eq!(billing.plan(&user).await, "free");
    billing.buy(&user, "Pro", "monthly", "2027-04-01 10:00").await;
    assert_eq!(billing.plan(&user).await, "pro");
    billing.buy(&user, "Pro", "yearly", "2027-04-11 10:00").await;
    assert_eq!(
        billing.periods(&user).await,
        [
            "Pro 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 149000",
            "Pro 2027-05-01 10:00:00 to 2028-05-01 10:00:00 worth 1490000",
        ]
    );
}

#[tokio::test]
async fn a_lower_plan_waits_until_all_higher_ones_have_ended() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    billing.buy(&user, "Enterprise", "monthly", "2027-04-01 10:00").await;
    billing.buy(&user, "Pro", "monthly", "2027-04-02 10:00").await;
    billing.buy(&user, "Enterprise", "monthly", "2027-04-03 10:00").await;
    assert_eq!(
        billing.periods(&user).await,
        [
            "Enterprise 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 499000",
            "Enterprise 2027-05-01 10:00:00 to 2027-06-01 10:00:00 worth 499000",
            "Pro 2027-06-01 10:00:00 to 2027-07-01 10:00:00 worth 149000",
        ]
    );
    // The plan in force changes with the next expiry run.
    for (moment, plan) in [
        ("2027-05-01 10:00", "enterprise"),
        ("2027-06-01 09:59:59", "enterprise"),
        ("2027-06-01 10:00", "pro"),
        ("2027-07-01 09:59:59", "pro"),
        ("2027-07-01 10:00", "free"),
    ] {
        billing.expire(moment).await;
        assert_eq!(billing.plan(&user).await, plan, "{moment}");
    }
}

#[tokio::test]
async fn an_upgrade_starts_now_and_converts_the_remaining_value_ahead_of_queued_periods() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    billing.buy(&user, "Pro", "monthly", "2027-04-01 10:00").await;
    billing.buy(&user, "Pro", "monthly", "2027-04-02 10:00").await;
    billing.buy(&user, "Enterprise", "monthly", "2027-04-11 10:00").await;
    // 20 of 30 days are left: 149,000 × 20 ÷ 30 = 99,333.3333. Enterprise is now 499,000 for the 30 days to 11 May, so
    // that this buys 99,333.3333 ÷ 499,000 × 2,592,000 s = 515,975.96 s: 5 days, 23:19:36.
    assert_eq!(
        billing.periods(&user).await,
        [
            "ended Pro 2027-04-01 10:00:00 to 2027-04-11 10:00:00 worth 49666.6667",
            "Enterprise 2027-04-11 10:00:00 to 2027-05-11 10:00:00 worth 499000",
            "Enterprise 2027-05-11 10:00:00 to 2027-05-17 09:19:36 worth 99333.3333",
            "Pro 2027-05-17 09:19:36 to 2027-06-17 09:19:36 worth 149000",
        ]
    );
    assert_eq!(billing.plan(&user).await, "enterprise");
}

#[tokio::test]
async fn an_upgrade_at_the_yearly_price_credits_more_time_for_the_same_value() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    billing.buy(&user, "Pro", "yearly", "2027-01-01 00:00").await;
    billing.buy(&user, "Enterprise", "yearly", "2027-03-15 00:00").await;
    // 292 of 365 days are left: 1,490,000 × 0.8 = 1,192,000. Enterprise is 4,990,000 for the 366 days to 15 March 2028,
    // so that this buys 1,192,000 ÷ 4,990,000 × 31,622,400 s = 7,553,887.94 s: 87 days, 10:18:08.
    assert_eq!(
        billing.periods(&user).await,
        [
            "ended Pro 2027-01-01 00:00:00 to 2027-03-15 00:00:00 worth 298000",
            "Enterprise 2027-03-15 00:00:00 to 2028-03-15 00:00:00 worth 4990000",
            "Enterprise 2028-03-15 00:00:00 to 2028-06-10 10:18:08 worth 1192000",
        ]
    );
}

#[tokio::test]
async fn a_second_upgrade_credits_the_first_and_leaves_its_credit_queued() {
    let billing = BillingFixture::new().await;
    billing.add_plan("Ultimate", 30, 999_000).await;
    let user = billing.new_user().await;
    billing.buy(&user, "Pro", "monthly", "2027-04-01 10:00").await;
    billing.buy(&user, "Enterprise", "monthly", "2027-04-16 10:00").await;
    billing.buy(&user, "Ultimate", "monthly", "2027-05-01 10:00").await;
    // Half of Pro: 74,500 ÷ 499,000 × 30 days = 386,981.96 s: 4 days, 11:29:42.
    // Half of Enterprise: 249,500 ÷ 999,000 × 31 days = 668,929.73 s: 7 days, 17:48:50.
    assert_eq!(
        billing.periods(&user).await,
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
async fn a_running_credit_is_converted_again() {
    let billing = BillingFixture::new().await;
    billing.add_plan("Ultimate", 30, 998_000).await;
    let user = billing.new_user().await;
    let pro = billing.buy(&user, "Pro", "monthly", "2027-04-01 00:00").await;
    billing.buy(&user, "Enterprise", "monthly", "2027-04-16 00:00").await;
    let credit = "Enterprise 2027-05-16 00:00:00 to 2027-05-20 11:29:42 worth 74500";
    assert_eq!(billing.periods(&user).await[2], credit);
    // After half of its 386,982 s; Ultimate is 998,000 for 31 days: 37,250 ÷ 998,000 × 2,678,400 s = 99,970.34 s.
    billing.buy(&user, "Ultimate", "monthly", "2027-05-18 05:44:51").await;
    assert_eq!(
        billing.periods(&user).await[2..],
        [
            "ended Enterprise 2027-05-16 00:00:00 to 2027-05-18 05:44:51 worth 37250",
            "Ultimate 2027-05-18 05:44:51 to 2027-06-18 05:44:51 worth 998000",
            "Ultimate 2027-06-18 05:44:51 to 2027-06-19 09:31:02 worth 37250",
        ]
    );
    // All of the credit came from the payment for Pro.
    billing.refund(&pro, "2027-06-01 00:00").await;
    assert_eq!(
        billing.periods(&user).await,
        [
            "ended Pro 2027-04-01 00:00:00 to 2027-04-16 00:00:00 worth 0",
            "Enterprise 2027-04-16 00:00:00 to 2027-05-16 00:00:00 worth 499000",
            "ended Enterprise 2027-05-16 00:00:00 to 2027-05-18 05:44:51 worth 0",
            "Ultimate 2027-05-18 05:44:51 to 2027-06-18 05:44:51 worth 998000",
            "ended Ultimate 2027-06-01 00:00:00 to 2027-06-01 00:00:00 worth 0",
        ]
    );
}

/// Starts a trial for a new user. Returns the user and the end of the trial.
async fn start_trial(billing: &BillingFixture) -> (String, DateTime<Utc>) {
    let user = billing.new_user().await;
    let done = billing.command("manage_subscription", &user, &json!({"action": "trial"})).await;
    let end: DateTime<Utc> = done["done"]["trial_ends_at"].as_str().unwrap().parse().unwrap();
    (user, end)
}

#[tokio::test]
async fn a_plan_paid_during_its_trial_starts_when_the_trial_ends() {
    let billing = BillingFixture::new().await;
    let (user, end) = start_trial(&billing).await;
    let invoice = billing.create_invoice(&user, "Pro", "monthly").await;
    let result = settle(&billing.jobs, "callback", &callback_body(&invoice, "PAID"), end - TimeDelta::days(6)).await;
    assert_eq!(result["outcome"], "paid");
    let follows = "select (array_agg(started_at order by started_at))[2] = (array_agg(expires_at order by started_at))[1]
        and bool_and(status = case when value = 0 then 'trial' else 'active' end) and sum(value) = 149000 and count(*) = 2
        from public.subscriptions where user_id = ";
    assert_eq!(billing.owner.text(&format!("{follows} '{user}'")).await, "true");
    assert_eq!(billing.plan(&user).await, "pro");
}

#[tokio::test]
async fn a_higher_plan_ends_a_trial_at_once_without_credit() {
    let billing = BillingFixture::new().await;
    let (user, end) = start_trial(&billing).await;
    let (pro, enterprise) = (
        billing.create_invoice(&user, "Pro", "monthly").await,
        billing.create_invoice(&user, "Enterprise", "monthly").await,
    );
    // Pro is queued behind the trial, and then behind Enterprise.
    for invoice in [&pro, &enterprise] {
        let result = settle(&billing.jobs, "callback", &callback_body(invoice, "PAID"), end - TimeDelta::days(6)).await;
        assert_eq!(result["outcome"], "paid");
    }
    let periods = format!(
        "select string_agg(concat_ws(' ', status, name, extract(day from expires_at - started_at) >= 28, value::integer,
            started_at = lag), ', ' order by started_at, expires_at)
         from (
             select subscriptions.*, name, lag(expires_at) over (order by started_at) as lag
             from public.subscriptions inner join public.plans on plans.id = plan_id where user_id = '{user}'
         ) as period"
    );
    assert_eq!(
        billing.owner.text(&periods).await,
        "expired Pro f 0, active Enterprise t 499000 t, active Pro t 149000 t",
        "no credit"
    );
    assert_eq!(billing.plan(&user).await, "enterprise");
}

#[tokio::test]
async fn a_refund_ends_the_running_period_and_moves_queued_ones_up() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    let running = billing.buy(&user, "Pro", "monthly", "2027-04-01 10:00").await;
    billing.buy(&user, "Pro", "monthly", "2027-04-02 10:00").await;
    billing.refund(&running, "2027-04-11 12:00").await;
    assert_eq!(
        billing.periods(&user).await,
        [
            "ended Pro 2027-04-01 10:00:00 to 2027-04-11 12:00:00 worth 0",
            "Pro 2027-04-11 12:00:00 to 2027-05-11 12:00:00 worth 149000",
        ]
    );
    assert_eq!(billing.plan(&user).await, "pro");
    assert_eq!(
        settle(&billing.jobs, "callback", &callback_body(&running, "REFUND"), time("2027-04-12 10:00")).await["outcome"],
        "duplicate"
    );
    // A repeated payment callback does not undo the refund.
    assert_eq!(
        settle(&billing.jobs, "callback", &callback_body(&running, "PAID"), time("2027-04-12 10:00")).await["outcome"],
        "duplicate"
    );
    assert_eq!(billing.periods(&user).await.len(), 2);
}

#[tokio::test]
async fn a_refund_of_the_only_period_returns_the_user_to_free() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    let invoice = billing.buy(&user, "Enterprise", "yearly", "2027-04-01 10:00").await;
    billing.refund(&invoice, "2027-04-11 12:00").await;
    assert_eq!(billing.periods(&user).await, ["ended Enterprise 2027-04-01 10:00:00 to 2027-04-11 12:00:00 worth 0"]);
    assert_eq!(billing.plan(&user).await, "free");
    let row = "select concat_ws(' ', status, refunded_at, auto_renew, cancelled_at) from (
        select invoices.status, refunded_at, auto_renew, cancelled_at
        from public.invoices inner join public.subscriptions on subscriptions.invoice_id = invoices.id
        where invoices.user_id = ";
    assert_eq!(
        billing.owner.text(&format!("{row} '{user}') as row")).await,
        "paid 2027-04-11 12:00:00+07 f 2027-04-11 12:00:00+07"
    );
}

#[tokio::test]
async fn a_refunded_queued_period_never_starts() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    billing.buy(&user, "Enterprise", "monthly", "2027-04-01 10:00").await;
    let waiting = billing.buy(&user, "Enterprise", "monthly", "2027-04-02 10:00").await;
    billing.buy(&user, "Pro", "monthly", "2027-04-03 10:00").await;
    billing.refund(&waiting, "2027-04-11 10:00").await;
    assert_eq!(
        billing.periods(&user).await,
        [
            "Enterprise 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 499000",
            "ended Enterprise 2027-04-11 10:00:00 to 2027-04-11 10:00:00 worth 0",
            "Pro 2027-05-01 10:00:00 to 2027-06-01 10:00:00 worth 149000",
        ]
    );
}

#[tokio::test]
async fn a_refund_of_the_upgraded_period_removes_its_credit() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    let pro = billing.buy(&user, "Pro", "monthly", "2027-04-01 10:00").await;
    billing.buy(&user, "Pro", "monthly", "2027-04-02 10:00").await;
    billing.buy(&user, "Enterprise", "monthly", "2027-04-11 10:00").await;
    billing.refund(&pro, "2027-04-20 10:00").await;
    assert_eq!(
        billing.periods(&user).await,
        [
            "ended Pro 2027-04-01 10:00:00 to 2027-04-11 10:00:00 worth 0",
            "Enterprise 2027-04-11 10:00:00 to 2027-05-11 10:00:00 worth 499000",
            "ended Enterprise 2027-04-20 10:00:00 to 2027-04-20 10:00:00 worth 0",
            "Pro 2027-05-11 10:00:00 to 2027-06-11 10:00:00 worth 149000",
        ]
    );
}

#[tokio::test]
async fn a_refund_of_the_upgrade_keeps_the_credit_and_moves_it_up() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    billing.buy(&user, "Pro", "monthly", "2027-04-01 10:00").await;
    let upgrade = billing.buy(&user, "Enterprise", "monthly", "2027-04-11 10:00").await;
    billing.refund(&upgrade, "2027-04-20 10:00").await;
    assert_eq!(
        billing.periods(&user).await,
        [
            "ended Pro 2027-04-01 10:00:00 to 2027-04-11 10:00:00 worth 49666.6667",
            "ended Enterprise 2027-04-11 10:00:00 to 2027-04-20 10:00:00 worth 0",
            "Enterprise 2027-04-20 10:00:00 to 2027-04-26 09:19:36 worth 99333.3333",
        ]
    );
    assert_eq!(billing.plan(&user).await, "enterprise");
}

#[tokio::test]
async fn a_late_payment_starts_its_period_at_once_before_or_after_the_expiry_run() {
    let billing = BillingFixture::new().await;
    for (paid, end, has_run) in [
        ("2027-05-01 10:00:00", "2027-06-01 10:00:00", false),
        ("2027-05-01 10:00:00", "2027-06-01 10:00:00", true),
        ("2027-05-03 11:00:00", "2027-06-03 11:00:00", false),
        ("2027-05-03 11:00:00", "2027-06-03 11:00:00", true),
    ] {
        let user = billing.new_user().await;
        billing.buy(&user, "Enterprise", "monthly", "2027-04-01 10:00").await;
        if has_run {
            billing.expire("2027-05-01 10:00").await;
            assert_eq!(billing.plan(&user).await, "free");
        }
        billing.buy(&user, "Pro", "monthly", paid).await;
        let ended = if has_run { "ended " } else { "" };
        assert_eq!(
            billing.periods(&user).await,
            [
                format!("{ended}Enterprise 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 499000"),
                format!("Pro {paid} to {end} worth 149000"),
            ]
        );
        assert_eq!(billing.plan(&user).await, "pro");
    }
}

#[tokio::test]
async fn a_cancelled_plan_runs_to_its_end_like_any_other() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    billing.buy(&user, "Pro", "monthly", "2027-04-01 10:00").await;
    billing.owner.run("update public.subscriptions set status = 'cancelled' where status = 'active'").await.unwrap();
    billing.buy(&user, "Pro", "monthly", "2027-04-02 10:00").await;
    billing.expire("2027-04-03 10:00").await;
    assert_eq!(billing.plan(&user).await, "pro");
    assert_eq!(
        billing.periods(&user).await,
        [
            "Pro 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 149000",
            "Pro 2027-05-01 10:00:00 to 2027-06-01 10:00:00 worth 149000",
        ]
    );
}

#[tokio::test]
async fn a_period_is_worth_its_invoice_amount_after_a_price_change() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    let invoice = billing.create_invoice(&user, "Pro", "monthly").await;
    billing.owner.run("update public.plans set price_monthly = 298000 where name = 'Pro'").await.unwrap();
    billing.pay(&invoice, "2027-04-01 10:00").await;
    assert_eq!(billing.periods(&user).await, ["Pro 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 149000"]);
}

#[tokio::test]
async fn a_withdrawn_plan_is_granted_for_open_invoices_and_no_longer_sold() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    let invoice = billing.create_invoice(&user, "Pro", "monthly").await;
    billing.owner.run("update public.plans set is_active = false where name = 'Pro'").await.unwrap();
    billing.pay(&invoice, "2027-04-01 10:00").await;
    assert_eq!(billing.periods(&user).await, ["Pro 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 149000"]);
    assert_eq!(billing.plan(&user).await, "pro");
    let id = uuid::Uuid::new_v4();
    let input = json!({"id": id, "plan": "Pro", "period": "monthly", "method": "OVO", "customer_phone": null});
    assert_eq!(billing.command("create_invoice", &user, &input).await, "unknown_plan");
    let batch = json!({"now": time("2027-04-29 10:00"), "limit": 10, "after": null});
    let renewed = super::job(&billing.jobs, "renew_subscriptions", &batch).await;
    assert_eq!((&renewed["opened"], &renewed["failures"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn a_plan_that_was_bought_cannot_be_deleted() {
    let billing = BillingFixture::new().await;
    billing.add_plan("Ultimate", 30, 999_000).await;
    billing.add_plan("Unsold", 40, 999_000).await;
    let user = billing.new_user().await;
    billing.buy(&user, "Pro", "monthly", "2027-04-01 10:00").await;
    // An open invoice suffices, as it may be paid.
    billing.create_invoice(&user, "Ultimate", "monthly").await;
    for plan in ["Pro", "Ultimate"] {
        let refused = billing.owner.run(&format!("delete from public.plans where name = '{plan}'")).await.unwrap_err();
        let refused = refused.as_db_error().unwrap();
        assert_eq!((refused.code().code(), refused.constraint()), ("PT409", Some("plan_is_unsold")), "{plan}");
    }
    // A period without an invoice, such as a trial, prevents deletion, too.
    billing.owner.run("delete from public.invoices").await.unwrap();
    assert!(billing.owner.run("delete from public.plans where name = 'Pro'").await.is_err());
    billing.owner.run("delete from public.plans where name in ('Unsold', 'Ultimate')").await.unwrap();
    assert_eq!(billing.owner.text("select count(*) from public.plans").await, "3");
}

#[tokio::test]
async fn a_plan_without_a_rank_neither_upgrades_nor_is_upgraded() {
    let billing = BillingFixture::new().await;
    billing.add_plan("Odd", 0, 99_000).await;
    billing.owner.run("update public.plans set sort_order = null where name = 'Odd'").await.unwrap();
    for (first, then) in [(("Pro", 149_000), ("Odd", 99_000)), (("Odd", 99_000), ("Pro", 149_000))] {
        let user = billing.new_user().await;
        billing.buy(&user, first.0, "monthly", "2027-04-01 10:00").await;
        billing.buy(&user, then.0, "monthly", "2027-04-11 10:00").await;
        assert_eq!(
            billing.periods(&user).await,
            [
                format!("{} 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth {}", first.0, first.1),
                format!("{} 2027-05-01 10:00:00 to 2027-06-01 10:00:00 worth {}", then.0, then.1),
            ]
        );
    }
}

#[tokio::test]
async fn a_change_of_rank_does_not_reorder_existing_periods() {
    let billing = BillingFixture::new().await;
    billing.add_plan("Basic", 5, 49_000).await;
    let user = billing.new_user().await;
    billing.buy(&user, "Enterprise", "monthly", "2027-04-01 10:00").await;
    billing.buy(&user, "Pro", "monthly", "2027-04-02 10:00").await;
    billing.owner.run("update public.plans set sort_order = 30 where name = 'Pro'").await.unwrap();
    billing.buy(&user, "Basic", "monthly", "2027-04-03 10:00").await;
    assert_eq!(
        billing.periods(&user).await,
        [
            "Enterprise 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 499000",
            "Pro 2027-05-01 10:00:00 to 2027-06-01 10:00:00 worth 149000",
            "Basic 2027-06-01 10:00:00 to 2027-07-01 10:00:00 worth 49000",
        ]
    );
}

#[tokio::test]
async fn a_period_ended_by_a_fast_clock_stays_ended() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    billing.buy(&user, "Enterprise", "monthly", "2027-04-01 10:00").await;
    billing.buy(&user, "Pro", "monthly", "2027-04-02 10:00").await;
    billing.expire("2027-05-01 10:00").await;
    billing.buy(&user, "Pro", "monthly", "2027-04-30 10:00").await;
    assert_eq!(
        billing.periods(&user).await,
        [
            "ended Enterprise 2027-04-01 10:00:00 to 2027-05-01 10:00:00 worth 499000",
            "Pro 2027-04-30 10:00:00 to 2027-05-30 10:00:00 worth 149000",
            "Pro 2027-05-30 10:00:00 to 2027-06-30 10:00:00 worth 149000",
        ]
    );
    assert_eq!(billing.plan(&user).await, "pro");
}

#[tokio::test]
async fn the_reference_of_an_open_payment_is_never_assigned_to_an_invoice() {
    let billing = BillingFixture::new().await;
    let user = billing.new_user().await;
    let (known, unanswered) =
        (billing.create_invoice(&user, "Pro", "monthly").await, billing.create_invoice(&user, "Pro", "yearly").await);
    let clear_reference = format!("update public.invoices set tripay_invoice_id = null where id = '{}'", unanswered.id);
    billing.owner.run(&clear_reference).await.unwrap();
    for reference in [&known.reference, &unanswered.reference] {
        let mut open = callback_body(&unanswered, "PAID");
        open["reference"] = json!(reference);
        open["is_closed_payment"] = json!(0);
        let result = settle(&billing.jobs, "callback", &open, time("2027-04-01 10:00")).await;
        assert_eq!(result["outcome"], "open_payment");
    }
    let rows = "select concat_ws(' ', count(tripay_invoice_id), string_agg(distinct status, ' '),
        (select count(*) from private.payment_events)) from public.invoices where user_id = ";
    assert_eq!(billing.owner.text(&format!("{rows} '{user}'")).await, "1 pending 2");
    assert!(billing.periods(&user).await.is_empty());
}
