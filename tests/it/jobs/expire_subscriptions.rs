//! Hourly job `expire-subscriptions`: the subscriptions that a run ends, the bots that it stops, and the invoices that
//! expire.

use serde_json::json;

use crate::support::database::Session;
use crate::support::expiring_subscriptions::{
    FUNCTION, NOW, add_due_subscriptions, billing_rows, bots_of, expected_counts,
};
use crate::support::payers::{Period, add_period, payer_id, reset_to_payers};
use crate::support::world::{World, assert_log_reports};

const PRO: Period =
    Period { plan: "Pro", status: "active", from: "2027-02-01T04:59:59Z", until: "2027-03-01T04:59:59Z" };

/// Adds bots with these names and statuses, in order of creation.
async fn add_bots(owner: &Session, user: u32, bots: &[(&str, &str)]) {
    for (place, (name, status)) in bots.iter().enumerate() {
        owner
            .run(&format!(
                "alter table public.bots disable trigger user;
                 insert into public.bots (
                     user_id, name, exchange, trading_pair, timeframe, strategy, status, initial_balance, current_balance,
                     stake_amount, created_at
                 )
                 values (
                     '{}', '{name}', 'binance', 'BTC/USDT', '1h', 'EMA cross', '{status}', 1000, 1000, 100,
                     timestamptz '2027-01-01' + {place} * interval '1 day'
                 );
                 alter table public.bots enable trigger user",
                payer_id(user)
            ))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn only_due_subscriptions_end() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    reset_to_payers(&owner, 8).await;
    owner.run("update public.users set subscription_plan = 'pro' where email like 'payer-%'").await.unwrap();
    // One period is due at this moment, the other a microsecond later.
    add_period(&owner, 1, &Period { until: NOW, ..PRO }).await;
    add_period(&owner, 2, &Period { until: "2027-03-01T05:00:00.000001Z", ..PRO }).await;
    // One period is followed by a lower plan for a moment, the other by the same plan.
    add_period(&owner, 3, &Period { plan: "Enterprise", ..PRO }).await;
    add_period(&owner, 3, &Period { from: PRO.until, until: "2027-03-01T05:00:00.000001Z", ..PRO }).await;
    add_period(&owner, 4, &PRO).await;
    add_period(&owner, 4, &Period { from: PRO.until, until: "2027-04-01T05:00:00Z", ..PRO }).await;
    add_period(&owner, 5, &Period { status: "cancelled", ..PRO }).await;
    add_period(&owner, 6, &Period { status: "trial", from: "2027-02-22T04:59:59Z", ..PRO }).await;
    // The period of user 7 has already ended.
    add_period(&owner, 7, &Period { status: "expired", ..PRO }).await;
    // The job has not run for two months.
    add_period(&owner, 8, &Period { from: "2026-12-01T00:00:00Z", until: "2027-01-01T00:00:00Z", ..PRO }).await;
    add_period(&owner, 8, &Period { from: "2027-01-01T00:00:00Z", until: "2027-02-01T00:00:00Z", ..PRO }).await;

    let counts = world.run_job(FUNCTION, NOW).await;
    assert_eq!(counts, expected_counts(7, 0, 0, true));
    let line = world.log_lines("Run completed", 1).await.remove(0);
    assert_eq!((line["level"].as_str(), line["function"].as_str()), (Some("INFO"), Some(FUNCTION)));
    assert_log_reports(&line, &counts);

    let periods = "select concat_ws(' ', right(user_id::text, 1), plans.name, subscriptions.status)
        from public.subscriptions inner join public.plans on plans.id = plan_id order by user_id, expires_at";
    assert_eq!(
        owner.list(periods).await,
        [
            "1 Pro expired",
            "2 Pro active",
            "3 Enterprise expired",
            "3 Pro active",
            "4 Pro expired",
            "4 Pro active",
            "5 Pro expired",
            "6 Pro expired",
            "7 Pro expired",
            "8 Pro expired",
            "8 Pro expired"
        ]
    );
    let plans = "select concat_ws(' ', right(id::text, 1), subscription_plan)
        from public.users where email like 'payer-%' order by id";
    // The seventh has no due subscription, so their plan was not recomputed.
    assert_eq!(owner.list(plans).await, ["1 free", "2 pro", "3 pro", "4 pro", "5 free", "6 free", "7 pro", "8 free"]);
    let notifications = "select concat_ws('|', right(user_id::text, 1), kind, title, body)
        from public.notifications order by user_id, created_at";
    assert_eq!(
        owner.list(notifications).await,
        [
            "1|subscription|Pro has ended|Your plan is now Free.",
            "3|subscription|Enterprise has ended|Your plan is now Pro.",
            "5|subscription|Pro has ended|Your plan is now Free.",
            "6|subscription|Pro has ended|Your plan is now Free.",
            "8|subscription|Pro has ended|Your plan is now Free.",
        ]
    );
    let facts = "select count(*) from public.notifications
        inner join public.subscriptions on fact = 'subscription:' || subscriptions.id || ':ended'
            and context = jsonb_build_object('subscription_id', subscriptions.id, 'stopped_bots', 0)
            and notifications.user_id = subscriptions.user_id
        where notifications.created_at = timestamptz '2027-03-01T05:00:00Z' and read_at is null
            and subscriptions.expires_at >= '2027-02-01T00:00:00Z'";
    assert_eq!(owner.text(facts).await, "5");
    let audit = "select concat_ws('|', right(user_id::text, 1), log_level, source, message, context ->> 'action')
        from public.logs where created_at = '2027-03-01T05:00:00Z' order by user_id, message";
    assert_eq!(
        owner.list(audit).await,
        [
            "1|info|billing|Pro ended|expire-subscription",
            "3|info|billing|Enterprise ended|expire-subscription",
            "4|info|billing|Pro ended|expire-subscription",
            "5|info|billing|Pro ended|expire-subscription",
            "6|info|billing|Pro ended|expire-subscription",
            "8|info|billing|Pro ended|expire-subscription",
            "8|info|billing|Pro ended|expire-subscription",
        ]
    );

    // A second run changes nothing; a run a microsecond later does.
    let before = billing_rows(&owner).await;
    assert_eq!(world.run_job(FUNCTION, NOW).await, expected_counts(0, 0, 0, true));
    assert_eq!(billing_rows(&owner).await, before);
    assert_eq!(world.run_job(FUNCTION, "2027-03-01T05:00:00.000001Z").await, expected_counts(2, 0, 0, true));
}

#[tokio::test]
async fn a_lower_bot_limit_stops_only_the_newest_running_bots() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    reset_to_payers(&owner, 6).await;
    let names: Vec<String> = (1..=12).map(|n| format!("b{n}")).collect();
    let twelve: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "running")).collect();
    let next = Period { from: PRO.until, until: "2027-04-01T05:00:00Z", ..PRO };

    add_period(&owner, 1, &PRO).await;
    let mixed =
        [("a", "running"), ("b", "running"), ("c", "paused"), ("d", "error"), ("e", "stopped"), ("f", "running")];
    add_bots(&owner, 1, &mixed).await;
    // Free covers the oldest bot, running or not, as it does when a bot is started.
    add_period(&owner, 2, &PRO).await;
    add_bots(&owner, 2, &[("first", "stopped"), ("second", "running")]).await;
    add_period(&owner, 3, &Period { plan: "Enterprise", ..PRO }).await;
    add_period(&owner, 3, &next).await;
    add_bots(&owner, 3, &twelve).await;
    // A change to an unlimited plan, and one to a plan whose limit is not exceeded.
    add_period(&owner, 4, &PRO).await;
    add_period(&owner, 4, &Period { plan: "Enterprise", ..next }).await;
    add_bots(&owner, 4, &twelve).await;
    add_period(&owner, 5, &PRO).await;
    add_bots(&owner, 5, &[("only", "running")]).await;
    // User 6 has no due subscription.
    add_period(&owner, 6, &Period { until: "2027-03-01T06:00:00Z", ..PRO }).await;
    add_bots(&owner, 6, &mixed).await;

    assert_eq!(world.run_job(FUNCTION, NOW).await, expected_counts(5, 5, 0, true));
    let left = "a running, b stopped, c paused, d error, e stopped, f stopped";
    assert_eq!(bots_of(&owner, 1).await, left);
    assert_eq!(bots_of(&owner, 2).await, "first stopped, second stopped");
    let all = |ten: &str, two: &str| {
        let statuses = std::iter::repeat_n(ten, 10).chain([two, two]);
        names.iter().zip(statuses).map(|(name, status)| format!("{name} {status}")).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(bots_of(&owner, 3).await, all("running", "stopped"));
    assert_eq!(bots_of(&owner, 4).await, all("running", "running"));
    assert_eq!(bots_of(&owner, 5).await, "only running");
    assert_eq!(bots_of(&owner, 6).await, "a running, b running, c paused, d error, e stopped, f running");

    let notifications = "select concat_ws('|', right(user_id::text, 1), title, body, context ->> 'stopped_bots')
        from public.notifications order by user_id";
    assert_eq!(
        owner.list(notifications).await,
        [
            "1|Pro has ended|Your plan is now Free. 2 bots over its limit were stopped: b, f.|2",
            "2|Pro has ended|Your plan is now Free. 1 bot over its limit was stopped: second.|1",
            "3|Enterprise has ended|Your plan is now Pro. 2 bots over its limit were stopped: b11, b12.|2",
            "4|Pro has ended|Your plan is now Enterprise.|0",
            "5|Pro has ended|Your plan is now Free.|0",
        ]
    );
    let audit = "select concat_ws('|', right(logs.user_id::text, 1), bots.name, message, context ->> 'action', context ->> 'from')
        from public.logs inner join public.bots on bots.id = bot_id order by logs.user_id, bots.created_at";
    assert_eq!(
        owner.list(audit).await,
        [
            "1|b|Stopped bot|stop|running",
            "1|f|Stopped bot|stop|running",
            "2|second|Stopped bot|stop|running",
            "3|b11|Stopped bot|stop|running",
            "3|b12|Stopped bot|stop|running",
        ]
    );
}

#[tokio::test]
async fn only_pending_invoices_expire() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    reset_to_payers(&owner, 1).await;
    owner
        .run(&format!(
            "insert into public.invoices (user_id, plan_id, reference_id, amount, status, expired_at)
             select '{}', plans.id, 'INV-' || status || '-' || n, 149000, status, timestamptz '{NOW}' - n * interval '1 second'
             from public.plans, generate_series(0, 1200) as n, unnest(array['pending', 'paid', 'failed', 'cancelled']) as status
             where plans.name = 'Pro' and (status = 'pending' or n < 3);
             insert into public.invoices (user_id, plan_id, reference_id, amount, status, expired_at)
             select '{0}', plan_id, 'INV-later', amount, 'pending', timestamptz '{NOW}' + interval '1 microsecond'
             from public.invoices where reference_id = 'INV-pending-0'",
            payer_id(1)
        ))
        .await
        .unwrap();
    let counts = world.run_job(FUNCTION, NOW).await;
    assert_eq!((&counts["invoices"], &counts["is_complete"]), (&json!(1201), &json!(true)));
    let statuses = "select string_agg(line, ', ' order by line) from (
        select split_part(reference_id, '-', 2) || ' ' || status || ' ' || count(*) as line
        from public.invoices group by 1, split_part(reference_id, '-', 2), status) as counted";
    let after = "cancelled cancelled 3, failed failed 3, later pending 1, paid paid 3, pending expired 1201";
    assert_eq!(owner.text(&statuses.replace("group by 1, ", "group by ")).await, after);
    assert_eq!(world.run_job(FUNCTION, NOW).await["invoices"], 0);
}

#[tokio::test]
async fn a_hundred_thousand_subscriptions_end_within_the_memory_limit() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    add_due_subscriptions(&owner, 100_000).await;
    assert_eq!(world.run_job(FUNCTION, NOW).await, expected_counts(100_000, 10_000, 0, true));

    let [instance] = world.stack.fleet(FUNCTION).unwrap().process_ids()[..] else { panic!("one instance") };
    let status = std::fs::read_to_string(format!("/proc/{instance}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim();
    let kilobytes: u64 = peak.strip_suffix(" kB").unwrap().parse().unwrap();
    assert!(kilobytes < 128 * 1024, "{peak}");

    let left = "select concat_ws(' ',
        (select count(*) from public.subscriptions where status = 'expired'),
        (select count(*) from public.subscriptions where status = 'active' and expires_at > '2027-03-01T05:00:00Z'),
        (select count(*) from public.users where subscription_plan = 'free' and email like 'payer-%'),
        (select count(*) from public.users where subscription_plan = 'pro' and email like 'payer-%'),
        (select count(*) from public.bots where status = 'running' and name = 'Bot 1'),
        (select count(*) from public.bots where status = 'stopped' and name in ('Bot 2', 'Bot 3')),
        (select count(*) from public.notifications),
        (select count(distinct xmin::text) from public.notifications),
        (select count(*) from public.logs where message = 'Pro ended'),
        (select count(*) from public.logs where message = 'Stopped bot'))";
    // 200 batches, each in a transaction of its own.
    assert_eq!(owner.text(left).await, "100000 10000 90000 10000 5000 10000 90000 200 100000 10000");
    assert_eq!(world.run_job(FUNCTION, NOW).await, expected_counts(0, 0, 0, true));
}
