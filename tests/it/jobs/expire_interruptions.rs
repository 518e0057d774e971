//! Hourly job `expire-subscriptions`: killed and concurrent runs, locked rows, and failures for one user.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::database::{Database, Session};
use crate::support::expiring_subscriptions::{
    FUNCTION, NOW, add_due_subscriptions, billing_rows, bots_of, expected_counts,
};
use crate::support::payers::payer_id;
use crate::support::waiting::wait_until;
use crate::support::world::World;

/// Batch size of the function.
const BATCH: u64 = 500;

/// Makes the update of this payer's subscription wait for an advisory lock, which the test holds.
async fn block_on_advisory_lock(owner: &Session, user: u32) {
    owner
        .run(&format!(
            "create function public.block_on_advisory_lock() returns trigger language plpgsql as
             $$ begin
                 perform set_config('lock_timeout', '0', true), pg_advisory_xact_lock(1);
                 return new;
             end $$;
             create trigger block_on_advisory_lock before update on public.subscriptions for each row
             when (old.user_id = '{}') execute function public.block_on_advisory_lock();
             select pg_advisory_lock(1)",
            payer_id(user)
        ))
        .await
        .unwrap();
}

async fn wait_for_value(owner: &Session, sql: &str, value: &str) {
    wait_until(&format!("{sql} is {value}"), async || owner.text(sql).await == value).await;
}

#[tokio::test]
async fn a_killed_run_is_completed_by_the_next_one() {
    // Excludes idle connections, which the pooler keeps open.
    const WORKING: &str = "from pg_stat_activity
        where usename = 'nofomo_jobs' and datname = current_database() and state <> 'idle'";
    let undisturbed = World::new().await;
    let owner = undisturbed.database.owner().await;
    add_due_subscriptions(&owner, 3_000).await;
    assert_eq!(undisturbed.run_job(FUNCTION, NOW).await, expected_counts(3_000, 300, 0, true));
    let expected = billing_rows(&owner).await;

    for kills_function in [true, false] {
        let world = World::new().await;
        let owner = world.database.owner().await;
        add_due_subscriptions(&owner, 3_000).await;
        // This payer is in the third batch: payers with high numbers come first, as their periods ended first.
        block_on_advisory_lock(&owner, 1_800).await;
        let interruption = async {
            wait_for_value(&owner, "select count(*) from public.subscriptions where status = 'expired'", "1000").await;
            wait_for_value(&owner, &format!("select count(*) {WORKING} and wait_event = 'advisory'"), "1").await;
            if kills_function {
                let instance = world.stack.fleet(FUNCTION).unwrap().process_ids()[0];
                kill(Pid::from_raw(instance.cast_signed()), Signal::SIGKILL).unwrap();
                // The batch commits although its caller is dead.
                owner.run("select pg_advisory_unlock(1)").await.unwrap();
                wait_for_value(&owner, &format!("select count(*) {WORKING}"), "0").await;
                let ended = "select count(*) from public.subscriptions where status = 'expired'";
                assert_eq!(owner.text(ended).await, "1500");
            } else {
                owner.run(&format!("select pg_terminate_backend(pid) {WORKING}")).await.unwrap();
                wait_for_value(&owner, &format!("select count(*) {WORKING}"), "0").await;
                owner.run("select pg_advisory_unlock(1)").await.unwrap();
            }
        };
        let (answer, ()) = tokio::join!(world.invoke_job(FUNCTION, NOW), interruption);
        assert_eq!(answer.status, 502, "{answer:?}");
        let (left, bots) = if kills_function { (1_500, 150) } else { (2_000, 200) };
        assert_eq!(world.run_job(FUNCTION, NOW).await, expected_counts(left, bots, 0, true));
        for (table, expected) in billing_rows(&owner).await.iter().zip(&expected) {
            assert_eq!(table, expected, "killed: {kills_function}");
        }
    }
}

#[tokio::test]
async fn concurrent_runs_share_the_work_and_notify_once() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    add_due_subscriptions(&owner, 3_000).await;
    let (one, other) = tokio::join!(world.run_job(FUNCTION, NOW), world.run_job(FUNCTION, NOW));
    let sum = |name: &str| one[name].as_u64().unwrap() + other[name].as_u64().unwrap();
    let sums = ["subscriptions", "stopped_bots", "failures"].map(sum);
    assert_eq!(sums, [3_000, 300, 0], "{one} {other}");
    assert_eq!(world.stack.fleet(FUNCTION).unwrap().process_ids().len(), 2);
    let reference = World::new().await;
    let alone = reference.database.owner().await;
    add_due_subscriptions(&alone, 3_000).await;
    assert_eq!(reference.run_job(FUNCTION, NOW).await, expected_counts(3_000, 300, 0, true));
    assert_eq!(billing_rows(&owner).await, billing_rows(&alone).await);
}

/// Uses small batches, so that the runs collide often.
#[tokio::test]
async fn runs_that_collide_in_every_batch_skip_no_user() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let jobs = [
        database.session("nofomo_jobs").await,
        database.session("nofomo_jobs").await,
        database.session("nofomo_jobs").await,
    ];
    add_due_subscriptions(&owner, 60).await;
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
        let state = billing_rows(&owner).await;
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
async fn one_failing_row_affects_no_other_user() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    add_due_subscriptions(&owner, 1_200).await;
    owner
        .run(&format!(
            "create function public.refuse() returns trigger language plpgsql as
             $$ begin raise exception 'a bad row'; end $$;
             create trigger refuse before insert on public.notifications for each row
             when (new.user_id = '{}') execute function public.refuse()",
            payer_id(605)
        ))
        .await
        .unwrap();
    assert_eq!(world.run_job(FUNCTION, NOW).await, expected_counts(1_199, 118, 1, true));
    let line = world.log_lines("Failed to end subscription", 1).await.remove(0);
    assert_eq!((line["level"].as_str(), line["user_id"].as_str()), (Some("ERROR"), Some(payer_id(605).as_str())));
    assert_eq!(line["cause"], "P0001 a bad row");
    // Nothing has changed for this user, everything for the others.
    let left = "select string_agg(right(users.id::text, 3) || ' ' || subscription_plan, ', ')
        from public.subscriptions inner join public.users on users.id = user_id
        where status = 'active' and expires_at <= '2027-03-01T05:00:00Z'";
    assert_eq!(owner.text(left).await, "605 pro");
    assert_eq!(bots_of(&owner, 605).await, "Bot 1 running, Bot 2 running, Bot 3 running");
    let rows_of = format!("select count(*) from public.logs where user_id = '{}'", payer_id(605));
    assert_eq!(owner.text(&rows_of).await, "0");
    assert_eq!(owner.text("select count(*) from public.notifications").await, (1_200 - 120 - 1).to_string());

    owner.run("drop trigger refuse on public.notifications").await.unwrap();
    assert_eq!(world.run_job(FUNCTION, NOW).await, expected_counts(1, 2, 0, true));
    assert_eq!(owner.text("select count(*) from public.notifications").await, (1_200 - 120).to_string());
}

#[tokio::test]
async fn a_locked_user_is_left_for_the_next_run() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    add_due_subscriptions(&owner, 40).await;
    // Holds the lock that the settlement of a payment holds.
    let paying = world.database.owner().await;
    let lock = format!("begin; select from public.users where id = '{}' for no key update", payer_id(25));
    paying.run(&lock).await.unwrap();
    assert_eq!(world.run_job(FUNCTION, NOW).await, expected_counts(39, 2, 0, true));
    let left = "select string_agg(right(user_id::text, 2), ', ') from public.subscriptions
        where status = 'active' and expires_at <= '2027-03-01T05:00:00Z'";
    assert_eq!(owner.text(left).await, "25");
    paying.rollback().await;
    assert_eq!(world.run_job(FUNCTION, NOW).await, expected_counts(1, 2, 0, true));
    assert_eq!(bots_of(&owner, 25).await, "Bot 1 running, Bot 2 stopped, Bot 3 stopped");
}

/// A slow report of a trade holds the lock of the bot.
#[tokio::test]
async fn a_locked_bot_delays_only_its_owner() {
    let world = World::new().await;
    let owner = world.database.owner().await;
    add_due_subscriptions(&owner, 40).await;
    let reporting = world.database.owner().await;
    let lock = format!("begin; select from public.bots where user_id = '{}' for update", payer_id(25));
    reporting.run(&lock).await.unwrap();
    assert_eq!(world.run_job(FUNCTION, NOW).await, expected_counts(39, 2, 1, true));
    let line = world.log_lines("Failed to end subscription", 1).await.remove(0);
    assert_eq!((line["level"].as_str(), line["user_id"].as_str()), (Some("ERROR"), Some(payer_id(25).as_str())));
    reporting.rollback().await;
    assert_eq!(world.run_job(FUNCTION, NOW).await, expected_counts(1, 2, 0, true));
    assert_eq!(bots_of(&owner, 25).await, "Bot 1 running, Bot 2 stopped, Bot 3 stopped");
}

#[tokio::test]
async fn a_run_stops_before_its_timeout_and_the_next_one_continues() {
    // 15 of the 21 seconds are reserved for the last batch, so about three batches fit.
    let world = World::with_timeout(Database::new().await, BTreeMap::new(), FUNCTION, 21).await;
    let owner = world.database.owner().await;
    add_due_subscriptions(&owner, 3_000).await;
    owner
        .run(
            "create function public.slow_down() returns trigger language plpgsql as
             $$ begin perform pg_sleep(2); return null; end $$;
             create trigger slow_down after update on public.subscriptions execute function public.slow_down()",
        )
        .await
        .unwrap();
    let stopped = world.run_job(FUNCTION, NOW).await;
    assert_eq!(stopped["is_complete"], false);
    let ended = stopped["subscriptions"].as_u64().unwrap();
    assert!((BATCH..=3 * BATCH).contains(&ended) && ended.is_multiple_of(BATCH), "{stopped}");
    let expired = "select count(*) from public.subscriptions where status = 'expired'";
    assert_eq!(owner.text(expired).await, ended.to_string());

    owner.run("drop trigger slow_down on public.subscriptions").await.unwrap();
    let rest = world.run_job(FUNCTION, NOW).await;
    assert_eq!(rest["is_complete"], true);
    let sum = |name: &str| stopped[name].as_u64().unwrap() + rest[name].as_u64().unwrap();
    assert_eq!(["subscriptions", "stopped_bots", "failures"].map(sum), [3_000, 300, 0]);
    assert_eq!(owner.text("select count(*) from public.notifications").await, "2700");
}
