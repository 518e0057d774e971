//! `clean-logs`, daily: deletes rows that are older than their retention period.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::database::{PRO, Session, is_full_size_run};
use crate::support::waiting::wait_until;
use crate::support::world::World;

const FUNCTION: &str = "clean-logs";

async fn clean(world: &World) -> Value {
    let answer = world.send(Method::POST, &format!("/_local/invoke/{FUNCTION}"), &[], "{}").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Deletes the rows of the sample data; returns the owner's session.
async fn delete_sample_rows(world: &World) -> Session {
    let owner = world.database.owner().await;
    owner
        .run("delete from public.logs; delete from public.notifications; delete from private.payment_events")
        .await
        .unwrap();
    owner
}

/// Inserts rows of each kind: one an hour younger than its retention period, and one an hour older.
async fn insert_around_the_limit(world: &World, owner: &Session, days: [(&str, i64); 7]) {
    for (kind, days) in days {
        for (name, hours) in [("younger", days * 24 - 1), ("older", days * 24 + 1)] {
            let time = format!("now() - interval '{hours} hours'");
            let insert = match kind {
                "notifications" => format!(
                    "insert into public.notifications (user_id, kind, title, body, read_at, created_at)
                     values ('{PRO}', 'test', '{name}', '', {time}, '2020-01-01'), ('{PRO}', 'test', 'unread {name}', '', null, {time})"
                ),
                "payment_events" => format!(
                    "insert into private.payment_events (received_at, source, body, signature_valid, outcome)
                     values ({time}, 'callback', '{name}', true, 'settled')"
                ),
                "freqtrade_events" => format!(
                    "insert into private.freqtrade_events (bot_id, body_hash, trade_id, kind, event, received_at)
                     select bots.id, sha256(('{name}' || event.kind)::bytea), event.trade_id, event.kind || ' {name}', '{{}}', {time}
                     from public.bots
                     cross join (
                         select 'of no trade', null::uuid
                         union all
                         (select 'of an open trade', trades.id from public.trades where trades.status = 'open' limit 1)
                         union all
                         (select 'of a trade long closed', trades.id from public.trades
                          where trades.status = 'closed' order by trades.id limit 1)
                         union all
                         (select 'of a trade just closed', trades.id from public.trades
                          where trades.status = 'closed' order by trades.id desc limit 1)
                     ) as event (kind, trade_id)
                     where bots.user_id = '{PRO}'
                     order by bots.id
                     limit 4"
                ),
                level => format!(
                    "insert into public.logs (user_id, log_level, message, created_at)
                     values ('{PRO}', '{level}', '{name}', {time})"
                ),
            };
            owner.run(&insert).await.unwrap();
        }
    }
    let admin = world.database.session("supabase_admin").await;
    admin
        .run(
            "set session_replication_role = replica;
             update public.trades set updated_at = now() - interval '1 year' where status = 'closed';
             update public.trades set updated_at = now() - interval '1 day' where id = (
                 select trades.id from public.trades where trades.status = 'closed' order by trades.id desc limit 1
             );
             reset session_replication_role",
        )
        .await
        .unwrap();
}

/// Query: names of the remaining rows.
const REMAINING_ROWS: &str = "
    select logs.log_level || ' ' || logs.message from public.logs
    union all select 'notification ' || notifications.title from public.notifications
    union all select 'payment event ' || convert_from(payment_events.body, 'UTF8') from private.payment_events
    union all select 'freqtrade event ' || freqtrade_events.kind from private.freqtrade_events
    order by 1";

const EXPECTED_ROWS: [&str; 12] = [
    "debug younger",
    "error younger",
    "freqtrade event of a trade just closed older",
    "freqtrade event of a trade just closed younger",
    "freqtrade event of a trade long closed younger",
    "freqtrade event of an open trade older",
    "freqtrade event of an open trade younger",
    "freqtrade event of no trade younger",
    "info younger",
    "notification unread older",
    "notification unread younger",
    "notification younger",
];

#[tokio::test]
async fn only_rows_older_than_their_retention_period_are_deleted() {
    let world = World::with_settings(BTreeMap::from([("INFO_LOG_DAYS".into(), "400".into())])).await;
    let owner = delete_sample_rows(&world).await;
    let days = [
        ("debug", 7),
        ("info", 400),
        ("warning", 90),
        ("error", 90),
        ("notifications", 90),
        ("freqtrade_events", 90),
        ("payment_events", 730),
    ];
    insert_around_the_limit(&world, &owner, days).await;
    let removed = json!({
        "debug": 1, "info": 1, "warning": 1, "error": 1, "notifications": 1, "freqtrade_events": 2, "payment_events": 1,
        "is_complete": true,
    });
    assert_eq!(clean(&world).await, removed);
    let mut expected = EXPECTED_ROWS.to_vec();
    expected.extend(["payment event younger", "warning younger"]);
    assert_eq!(owner.list(REMAINING_ROWS).await, expected);

    // A future `time` does not make rows older: it is replaced with the current time.
    let counts = world.run_job(FUNCTION, "2040-01-01T00:00:00Z").await;
    assert_eq!((&counts["debug"], &counts["is_complete"]), (&json!(0), &json!(true)), "{counts}");
    assert_eq!(owner.list(REMAINING_ROWS).await, expected);
}

/// Adds this number of log rows, of which one in ten is too young to be deleted.
async fn fill(owner: &Session, rows: u64) {
    owner
        .run(&format!(
            "insert into public.logs (user_id, log_level, message, created_at)
             select '{PRO}', 'info', 'Did something', case
                 when number % 10 = 0 then now() - interval '1 day'
                 else now() - interval '31 days' - number * interval '1 second' end
             from generate_series(1, {rows}) as number;
             analyze public.logs"
        ))
        .await
        .unwrap();
}

#[tokio::test]
async fn many_rows_are_deleted_in_batches_during_writes_and_an_interrupted_run_is_resumed() {
    let world = Arc::new(World::new().await);
    let owner = delete_sample_rows(&world).await;
    // Enough rows for dozens of batches.
    let rows: u64 = if is_full_size_run() { 1_000_000 } else { 300_000 };
    let young = rows / 10;
    fill(&owner, rows).await;
    let counting = world.database.owner().await;
    let left = async || counting.text("select count(*) from public.logs where log_level = 'info'").await;
    let killed = async {
        wait_until("a batch is deleted", async || left().await != rows.to_string()).await;
        let [instance] = world.stack.fleet(FUNCTION).unwrap().process_ids()[..] else { panic!("one instance") };
        kill(Pid::from_raw(i32::try_from(instance).unwrap()), Signal::SIGKILL).unwrap();
    };
    let path = format!("/_local/invoke/{FUNCTION}");
    let (first, ()) = tokio::join!(world.send(Method::POST, &path, &[], "{}"), killed);
    assert_ne!(first.status, 200, "{first:?}");
    // The server still finishes the statement of the killed instance.
    let running = "select count(*) from pg_stat_activity
         where datname = current_database() and state = 'active' and query like '%private.clean_logs%' and pid <> pg_backend_pid()";
    wait_until("the statement has ended", async || counting.text(running).await == "0").await;
    let rest: u64 = left().await.parse().unwrap();
    assert!((young + 1..rows).contains(&rest), "{rest}");

    // Another session writes without a pause and is never blocked.
    let writer = world.database.owner().await;
    let is_finished = AtomicBool::new(false);
    let writing = async {
        writer.run("set lock_timeout = '2s'").await.unwrap();
        let mut written = 0;
        while !is_finished.load(Ordering::Relaxed) {
            let insert =
                format!("insert into public.logs (user_id, log_level, message) values ('{PRO}', 'error', 'new')");
            writer.run(&insert).await.unwrap();
            written += 1;
        }
        written
    };
    let cleaning = async {
        let counts = clean(&world).await;
        is_finished.store(true, Ordering::Relaxed);
        counts
    };
    let (written, counts) = tokio::join!(writing, cleaning);
    assert_eq!((&counts["info"], &counts["is_complete"]), (&json!(rest - young), &json!(true)), "{counts}");
    assert_eq!(left().await, young.to_string());
    assert_eq!(counting.text("select count(*) from public.logs where message = 'new'").await, written.to_string());
    assert!(written > 20, "only {written} were written meanwhile");

    let instances = world.stack.fleet(FUNCTION).unwrap().process_ids();
    let [instance] = instances[..] else { panic!("{instances:?}") };
    let status = std::fs::read_to_string(format!("/proc/{instance}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim();
    let kilobytes: u64 = peak.strip_suffix(" kB").unwrap().parse().unwrap();
    assert!(kilobytes < 128 * 1024, "{peak}");
}

#[tokio::test]
async fn two_concurrent_runs_share_the_work_and_skip_locked_rows() {
    let world = World::new().await;
    let owner = delete_sample_rows(&world).await;
    owner
        .run(&format!(
            "insert into public.logs (user_id, log_level, message, created_at)
             select '{PRO}', 'debug', 'old', now() - interval '8 days' - number * interval '1 second'
             from generate_series(1, 30000) as number"
        ))
        .await
        .unwrap();
    let holder = world.database.owner().await;
    holder
        .run("begin; select from public.logs where log_level = 'debug' order by created_at limit 7 for update")
        .await
        .unwrap();
    let counts = join_all([clean(&world), clean(&world)]).await;
    let removed: u64 = counts.iter().map(|counts| counts["debug"].as_u64().unwrap()).sum();
    assert_eq!(removed, 29_993, "{counts:?}");
    holder.rollback().await;
    assert_eq!(clean(&world).await["debug"], 7);
}
