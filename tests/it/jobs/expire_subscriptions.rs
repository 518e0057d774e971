//! Hourly: what is due ends, and nothing else, however often, slowly or simultaneously it is ended.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::database::{Database, Session};
use crate::support::payers::{Period, add_period, only_payers, payer};
use crate::support::waiting::until;
use crate::support::world::{World, tells};

const FUNCTION: &str = "expire-subscriptions";
const NOW: &str = "2027-03-01T05:00:00Z";
/// How many subscriptions the function asks for at once.
const BATCH: u64 = 500;

const PRO: Period =
    Period { plan: "Pro", status: "active", from: "2027-02-01T04:59:59Z", until: "2027-03-01T04:59:59Z" };

/// So many whose Pro ended within the last day, one after the other. For every tenth it goes on; of every twentieth three
/// bots run.
async fn crowd(owner: &Session, count: u32) {
    only_payers(owner, count).await;
    owner
        .run(&format!(
            "update public.users set subscription_plan = 'pro' where email like 'payer-%';
             insert into public.subscriptions (
                 id, user_id, plan_id, status, started_at, expires_at, period_months, value
             )
             select
                 ('0190d001-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
                 ('0190b001-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
                 plans.id, 'active', ended - interval '28 days', ended, 1, 149000
             from generate_series(1, {count}) as n
             cross join lateral (select timestamptz '{NOW}' - n * interval '1 day' / {count} as ended) as period
             inner join public.plans on plans.name = 'Pro';
             insert into public.subscriptions (
                 id, user_id, plan_id, status, started_at, expires_at, period_months, value
             )
             select
                 overlay(id::text placing '0190d002' from 1)::uuid, user_id, plan_id, 'active', expires_at,
                 expires_at + interval '1 month', 1, 149000
             from public.subscriptions
             where right(id::text, 12)::bigint % 10 = 0;
             alter table public.bots disable trigger user;
             insert into public.bots (
                 id, user_id, name, exchange, trading_pair, timeframe, strategy, status, initial_balance, current_balance,
                 stake_amount, created_at
             )
             select
                 ('0190f00' || place || '-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
                 ('0190b001-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
                 'Bot ' || place, 'binance', 'BTC/USDT', '1h', 'EMA cross', 'running', 1000, 1000, 100,
                 timestamptz '2027-01-01' + place * interval '1 day'
             from generate_series(5, {count}, 20) as n, generate_series(1, 3) as place;
             alter table public.bots enable trigger user;
             -- As after a while in production.
             analyze public.users, public.subscriptions, public.bots"
        ))
        .await
        .unwrap();
}

fn counts(subscriptions: u64, stopped_bots: u64, failures: u64, is_complete: bool) -> Value {
    json!({
        "subscriptions": subscriptions,
        "stopped_bots": stopped_bots,
        "invoices": 0,
        "failures": failures,
        "is_complete": is_complete,
    })
}

/// Bots in the order of their creation, by name and status.
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
                payer(user)
            ))
            .await
            .unwrap();
    }
}

async fn bots_of(owner: &Session, user: u32) -> String {
    let bots = "select string_agg(name || ' ' || status, ', ' order by created_at) from public.bots where user_id";
    owner.text(&format!("{bots} = '{}'", payer(user))).await
}

/// Everything that a run changes, but for when it did.
async fn state(owner: &Session) -> Vec<Vec<String>> {
    let mut tables = Vec::new();
    for sql in [
        "select concat_ws(' ', id, status, started_at, expires_at, auto_renew) from public.subscriptions order by id",
        "select concat_ws(' ', id, subscription_plan) from public.users order by id",
        "select concat_ws(' ', id, status, error_message) from public.bots order by id",
        "select concat_ws(' ', user_id, fact, kind, title, body, context, created_at)
         from public.notifications order by user_id, fact",
        "select concat_ws(' ', user_id, bot_id, log_level, message, context, source, count(*)) as line
         from public.logs group by user_id, bot_id, log_level, message, context, source order by line",
    ] {
        tables.push(owner.list(sql).await);
    }
    tables
}

#[tokio::test]
async fn what_is_due_ends_and_nothing_else() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    only_payers(&owner, 8).await;
    owner.run("update public.users set subscription_plan = 'pro' where email like 'payer-%'").await.unwrap();
    // In the very moment, and a microsecond after it.
    add_period(&owner, 1, &Period { until: NOW, ..PRO }).await;
    add_period(&owner, 2, &Period { until: "2027-03-01T05:00:00.000001Z", ..PRO }).await;
    // A lesser plan follows, if only for this moment, and the same one.
    add_period(&owner, 3, &Period { plan: "Enterprise", ..PRO }).await;
    add_period(&owner, 3, &Period { from: PRO.until, until: "2027-03-01T05:00:00.000001Z", ..PRO }).await;
    add_period(&owner, 4, &PRO).await;
    add_period(&owner, 4, &Period { from: PRO.until, until: "2027-04-01T05:00:00Z", ..PRO }).await;
    add_period(&owner, 5, &Period { status: "cancelled", ..PRO }).await;
    add_period(&owner, 6, &Period { status: "trial", from: "2027-02-22T04:59:59Z", ..PRO }).await;
    // What is over is over.
    add_period(&owner, 7, &Period { status: "expired", ..PRO }).await;
    // Nobody ran for two months.
    add_period(&owner, 8, &Period { from: "2026-12-01T00:00:00Z", until: "2027-01-01T00:00:00Z", ..PRO }).await;
    add_period(&owner, 8, &Period { from: "2027-01-01T00:00:00Z", until: "2027-02-01T00:00:00Z", ..PRO }).await;

    let answered = world.counts(FUNCTION, NOW).await;
    assert_eq!(answered, counts(7, 0, 0, true));
    let line = world.logged("Run completed", 1).await.remove(0);
    assert_eq!((line["level"].as_str(), line["function"].as_str()), (Some("INFO"), Some(FUNCTION)));
    tells(&line, &answered);

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
    // The seventh was not due, so that nobody looked.
    assert_eq!(owner.list(plans).await, ["1 free", "2 pro", "3 pro", "4 pro", "5 free", "6 free", "7 pro", "8 free"]);
    let told = "select concat_ws('|', right(user_id::text, 1), kind, title, body)
        from public.notifications order by user_id, created_at";
    assert_eq!(
        owner.list(told).await,
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

    // Again, nothing is left to do; and a microsecond later there is.
    let before = state(&owner).await;
    assert_eq!(world.counts(FUNCTION, NOW).await, counts(0, 0, 0, true));
    assert_eq!(state(&owner).await, before);
    assert_eq!(world.counts(FUNCTION, "2027-03-01T05:00:00.000001Z").await, counts(2, 0, 0, true));
}

#[tokio::test]
async fn a_smaller_plan_stops_the_newest_bots_and_no_others() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    only_payers(&owner, 6).await;
    let names: Vec<String> = (1..=12).map(|n| format!("b{n}")).collect();
    let twelve: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "running")).collect();
    let next = Period { from: PRO.until, until: "2027-04-01T05:00:00Z", ..PRO };

    add_period(&owner, 1, &PRO).await;
    let mixed =
        [("a", "running"), ("b", "running"), ("c", "paused"), ("d", "error"), ("e", "stopped"), ("f", "running")];
    add_bots(&owner, 1, &mixed).await;
    // Free covers the oldest, running or not, as it does when one is started.
    add_period(&owner, 2, &PRO).await;
    add_bots(&owner, 2, &[("first", "stopped"), ("second", "running")]).await;
    add_period(&owner, 3, &Period { plan: "Enterprise", ..PRO }).await;
    add_period(&owner, 3, &next).await;
    add_bots(&owner, 3, &twelve).await;
    // Unlimited, and within the limit.
    add_period(&owner, 4, &PRO).await;
    add_period(&owner, 4, &Period { plan: "Enterprise", ..next }).await;
    add_bots(&owner, 4, &twelve).await;
    add_period(&owner, 5, &PRO).await;
    add_bots(&owner, 5, &[("only", "running")]).await;
    // Not due.
    add_period(&owner, 6, &Period { until: "2027-03-01T06:00:00Z", ..PRO }).await;
    add_bots(&owner, 6, &mixed).await;

    assert_eq!(world.counts(FUNCTION, NOW).await, counts(5, 5, 0, true));
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

    let told = "select concat_ws('|', right(user_id::text, 1), title, body, context ->> 'stopped_bots')
        from public.notifications order by user_id";
    assert_eq!(
        owner.list(told).await,
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
async fn unpaid_invoices_expire_at_their_end_and_paid_ones_never() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    only_payers(&owner, 1).await;
    owner
        .run(&format!(
            "insert into public.invoices (user_id, plan_id, reference_id, amount, status, expired_at)
             select '{}', plans.id, 'INV-' || status || '-' || n, 149000, status, timestamptz '{NOW}' - n * interval '1 second'
             from public.plans, generate_series(0, 1200) as n, unnest(array['pending', 'paid', 'failed', 'cancelled']) as status
             where plans.name = 'Pro' and (status = 'pending' or n < 3);
             insert into public.invoices (user_id, plan_id, reference_id, amount, status, expired_at)
             select '{0}', plan_id, 'INV-later', amount, 'pending', timestamptz '{NOW}' + interval '1 microsecond'
             from public.invoices where reference_id = 'INV-pending-0'",
            payer(1)
        ))
        .await
        .unwrap();
    let answered = world.counts(FUNCTION, NOW).await;
    assert_eq!((&answered["invoices"], &answered["is_complete"]), (&json!(1201), &json!(true)));
    let statuses = "select string_agg(line, ', ' order by line) from (
        select split_part(reference_id, '-', 2) || ' ' || status || ' ' || count(*) as line
        from public.invoices group by 1, split_part(reference_id, '-', 2), status) as counted";
    let after = "cancelled cancelled 3, failed failed 3, later pending 1, paid paid 3, pending expired 1201";
    assert_eq!(owner.text(&statuses.replace("group by 1, ", "group by ")).await, after);
    assert_eq!(world.counts(FUNCTION, NOW).await["invoices"], 0);
}

#[tokio::test]
async fn a_hundred_thousand_end_in_batches_within_their_memory() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    crowd(&owner, 100_000).await;
    assert_eq!(world.counts(FUNCTION, NOW).await, counts(100_000, 10_000, 0, true));

    let [instance] = world.stack.fleet(FUNCTION).unwrap().instances()[..] else { panic!("one instance") };
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
    // 200 batches, each a transaction.
    assert_eq!(owner.text(left).await, "100000 10000 90000 10000 5000 10000 90000 200 100000 10000");
    assert_eq!(world.counts(FUNCTION, NOW).await, counts(0, 0, 0, true));
}

/// As of an advisory lock, which the test holds, when this payer's turn comes.
async fn hold_up(owner: &Session, user: u32) {
    owner
        .run(&format!(
            "create function public.hold_up() returns trigger language plpgsql as
             $$ begin
                 perform set_config('lock_timeout', '0', true), pg_advisory_xact_lock(1);
                 return new;
             end $$;
             create trigger hold_up before update on public.subscriptions for each row
             when (old.user_id = '{}') execute function public.hold_up();
             select pg_advisory_lock(1)",
            payer(user)
        ))
        .await
        .unwrap();
}

async fn answers(owner: &Session, sql: &str, answer: &str) {
    until(&format!("{sql} is {answer}"), async || owner.text(sql).await == answer).await;
}

#[tokio::test]
async fn a_run_that_is_killed_and_started_again_ends_as_one_undisturbed() {
    // A pooler keeps idle connections.
    const WORKING: &str = "from pg_stat_activity
        where usename = 'nofomo_jobs' and datname = current_database() and state <> 'idle'";
    let undisturbed = World::new().await;
    let owner = undisturbed.database.owner().await;
    crowd(&owner, 3_000).await;
    assert_eq!(undisturbed.counts(FUNCTION, NOW).await, counts(3_000, 300, 0, true));
    let expected = state(&owner).await;

    for is_the_function_killed in [true, false] {
        let world = World::new().await;
        let owner = world.database.owner().await;
        crowd(&owner, 3_000).await;
        // In the third batch: those whose period ended first have the highest numbers.
        hold_up(&owner, 1_800).await;
        let killing = async {
            answers(&owner, "select count(*) from public.subscriptions where status = 'expired'", "1000").await;
            answers(&owner, &format!("select count(*) {WORKING} and wait_event = 'advisory'"), "1").await;
            if is_the_function_killed {
                let instance = world.stack.fleet(FUNCTION).unwrap().instances()[0];
                kill(Pid::from_raw(instance.cast_signed()), Signal::SIGKILL).unwrap();
                // Nobody is left to hear of it, and the batch takes effect all the same.
                owner.run("select pg_advisory_unlock(1)").await.unwrap();
                answers(&owner, &format!("select count(*) {WORKING}"), "0").await;
                let ended = "select count(*) from public.subscriptions where status = 'expired'";
                assert_eq!(owner.text(ended).await, "1500");
            } else {
                owner.run(&format!("select pg_terminate_backend(pid) {WORKING}")).await.unwrap();
                answers(&owner, &format!("select count(*) {WORKING}"), "0").await;
                owner.run("select pg_advisory_unlock(1)").await.unwrap();
            }
        };
        let (answer, ()) = tokio::join!(world.run(FUNCTION, NOW), killing);
        assert_eq!(answer.status, 502, "{answer:?}");
        let (left, bots) = if is_the_function_killed { (1_500, 150) } else { (2_000, 200) };
        assert_eq!(world.counts(FUNCTION, NOW).await, counts(left, bots, 0, true));
        for (table, expected) in state(&owner).await.iter().zip(&expected) {
            assert_eq!(table, expected, "killed: {is_the_function_killed}");
        }
    }
}

#[tokio::test]
async fn two_runs_at_once_share_the_work_and_tell_everything_once() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    crowd(&owner, 3_000).await;
    let (one, other) = tokio::join!(world.counts(FUNCTION, NOW), world.counts(FUNCTION, NOW));
    let sum = |name: &str| one[name].as_u64().unwrap() + other[name].as_u64().unwrap();
    let sums = ["subscriptions", "stopped_bots", "failures"].map(sum);
    assert_eq!(sums, [3_000, 300, 0], "{one} {other}");
    assert_eq!(world.stack.fleet(FUNCTION).unwrap().instances().len(), 2);
    let reference = World::new().await;
    let alone = reference.database.owner().await;
    crowd(&alone, 3_000).await;
    assert_eq!(reference.counts(FUNCTION, NOW).await, counts(3_000, 300, 0, true));
    assert_eq!(state(&owner).await, state(&alone).await);
}

/// In batches so small that the runs meet again and again.
#[tokio::test]
async fn runs_that_meet_in_every_batch_leave_nobody_out() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let jobs = [
        database.session("nofomo_jobs").await,
        database.session("nofomo_jobs").await,
        database.session("nofomo_jobs").await,
    ];
    crowd(&owner, 60).await;
    let mut first = None;
    for round in 0..20 {
        let runs = join_all(jobs.iter().map(|session| async move {
            let (mut after, mut sums) = (Value::Null, [0, 0]);
            loop {
                let input = json!({ "now": NOW, "limit": 7, "after": after }).to_string();
                let answer = session.text(&format!("private.expire_subscriptions('{input}')")).await;
                let mut answer: Value = serde_json::from_str(&answer).unwrap();
                assert_eq!(answer["failures"], json!([]));
                sums[0] += answer["subscriptions"].as_u64().unwrap();
                sums[1] += answer["bots"].as_u64().unwrap();
                after = answer["after"].take();
                if after.is_null() {
                    return sums;
                }
            }
        }))
        .await;
        let total = runs.iter().fold([0, 0], |sum, run| [sum[0] + run[0], sum[1] + run[1]]);
        assert_eq!(total, [60, 6], "{round}: {runs:?}");
        let state = state(&owner).await;
        assert_eq!(first.get_or_insert_with(|| state.clone()), &state);
        owner
            .run(
                "update public.subscriptions set status = 'active';
                 update public.users set subscription_plan = 'pro' where email like 'payer-%';
                 update public.bots set status = 'running' where name like 'Bot _';
                 delete from public.notifications;
                 delete from public.logs",
            )
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn one_bad_row_stops_nobody_else() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    crowd(&owner, 1_200).await;
    owner
        .run(&format!(
            "create function public.refuse() returns trigger language plpgsql as
             $$ begin raise exception 'a bad row'; end $$;
             create trigger refuse before insert on public.notifications for each row
             when (new.user_id = '{}') execute function public.refuse()",
            payer(605)
        ))
        .await
        .unwrap();
    assert_eq!(world.counts(FUNCTION, NOW).await, counts(1_199, 118, 1, true));
    let line = world.logged("Subscription not ended", 1).await.remove(0);
    assert_eq!((line["level"].as_str(), line["user_id"].as_str()), (Some("ERROR"), Some(payer(605).as_str())));
    assert_eq!(line["cause"], "P0001 a bad row");
    // Of him nothing has changed, of the others everything.
    let left = "select string_agg(right(users.id::text, 3) || ' ' || subscription_plan, ', ')
        from public.subscriptions inner join public.users on users.id = user_id
        where status = 'active' and expires_at <= '2027-03-01T05:00:00Z'";
    assert_eq!(owner.text(left).await, "605 pro");
    assert_eq!(bots_of(&owner, 605).await, "Bot 1 running, Bot 2 running, Bot 3 running");
    let rows_of = format!("select count(*) from public.logs where user_id = '{}'", payer(605));
    assert_eq!(owner.text(&rows_of).await, "0");
    assert_eq!(owner.text("select count(*) from public.notifications").await, (1_200 - 120 - 1).to_string());

    owner.run("drop trigger refuse on public.notifications").await.unwrap();
    assert_eq!(world.counts(FUNCTION, NOW).await, counts(1, 2, 0, true));
    assert_eq!(owner.text("select count(*) from public.notifications").await, (1_200 - 120).to_string());
}

#[tokio::test]
async fn whoever_is_locked_is_left_for_the_next_run() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    crowd(&owner, 40).await;
    // As a payment does that is just being settled.
    let paying = world.database.owner().await;
    let lock = format!("begin; select from public.users where id = '{}' for no key update", payer(25));
    paying.run(&lock).await.unwrap();
    assert_eq!(world.counts(FUNCTION, NOW).await, counts(39, 2, 0, true));
    let left = "select string_agg(right(user_id::text, 2), ', ') from public.subscriptions
        where status = 'active' and expires_at <= '2027-03-01T05:00:00Z'";
    assert_eq!(owner.text(left).await, "25");
    paying.rollback().await;
    assert_eq!(world.counts(FUNCTION, NOW).await, counts(1, 2, 0, true));
    assert_eq!(bots_of(&owner, 25).await, "Bot 1 running, Bot 2 stopped, Bot 3 stopped");
}

/// A report that takes its time holds the bot, and its owner has to wait; the others do not.
#[tokio::test]
async fn a_bot_that_is_locked_keeps_only_its_owner_waiting() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    crowd(&owner, 40).await;
    let reporting = world.database.owner().await;
    let lock = format!("begin; select from public.bots where user_id = '{}' for update", payer(25));
    reporting.run(&lock).await.unwrap();
    assert_eq!(world.counts(FUNCTION, NOW).await, counts(39, 2, 1, true));
    let line = world.logged("Subscription not ended", 1).await.remove(0);
    assert_eq!((line["level"].as_str(), line["user_id"].as_str()), (Some("ERROR"), Some(payer(25).as_str())));
    reporting.rollback().await;
    assert_eq!(world.counts(FUNCTION, NOW).await, counts(1, 2, 0, true));
    assert_eq!(bots_of(&owner, 25).await, "Bot 1 running, Bot 2 stopped, Bot 3 stopped");
}

#[tokio::test]
async fn a_run_stops_before_its_time_is_out_and_the_next_one_goes_on() {
    // Of 21 seconds it keeps 15 for one more batch, so that it has three.
    let world = World::with_time_limit(Database::new().await, BTreeMap::new(), FUNCTION, 21).await;
    let owner = world.database.owner().await;
    crowd(&owner, 3_000).await;
    owner
        .run(
            "create function public.slow_down() returns trigger language plpgsql as
             $$ begin perform pg_sleep(2); return null; end $$;
             create trigger slow_down after update on public.subscriptions execute function public.slow_down()",
        )
        .await
        .unwrap();
    let stopped = world.counts(FUNCTION, NOW).await;
    assert_eq!(stopped["is_complete"], false);
    let ended = stopped["subscriptions"].as_u64().unwrap();
    assert!((BATCH..=3 * BATCH).contains(&ended) && ended.is_multiple_of(BATCH), "{stopped}");
    let expired = "select count(*) from public.subscriptions where status = 'expired'";
    assert_eq!(owner.text(expired).await, ended.to_string());

    owner.run("drop trigger slow_down on public.subscriptions").await.unwrap();
    let rest = world.counts(FUNCTION, NOW).await;
    assert_eq!(rest["is_complete"], true);
    let sum = |name: &str| stopped[name].as_u64().unwrap() + rest[name].as_u64().unwrap();
    assert_eq!(["subscriptions", "stopped_bots", "failures"].map(sum), [3_000, 300, 0]);
    assert_eq!(owner.text("select count(*) from public.notifications").await, "2700");
}
