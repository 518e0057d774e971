//! Killed instances and wrong clocks while trades are reported.
//!
//! Clients report each trade until it is acknowledged. Afterwards each trade is stored once, the bot's statistics equal
//! those of its trades, and the schema is the one that the migrations create.

use std::collections::BTreeMap;
use std::fs;

use chrono::{DateTime, Utc};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::database::{run_directory, server};
use crate::support::trade_load::{TradeLoad, assert_only_status, milliseconds};
use crate::support::waiting::wait_until;
use crate::support::world::World;

#[tokio::test]
async fn acknowledged_trades_survive_killed_instances() {
    let world = World::new().await;
    let load = TradeLoad::new(&world).await;
    let fleet = world.stack.fleet("record-trade").unwrap();
    let refused = load.during(async {
        let kill_all = || {
            for instance in fleet.process_ids() {
                kill(Pid::from_raw(instance.cast_signed()), Signal::SIGKILL).ok();
            }
        };
        for n in 0..30 {
            sleep(milliseconds(23 + n % 9)).await;
            kill_all();
        }
        wait_until("a report is interrupted", async || {
            kill_all();
            !load.refused.borrow().is_empty()
        })
        .await;
    });
    // API Gateway's status for an instance that died during a request.
    assert_only_status(&refused.await, 502);
    load.assert_recovered(server().await).await;
}

/// The clock of the token issuer differs by five minutes in either direction.
#[tokio::test]
async fn trades_are_accepted_with_clocks_that_differ_by_five_minutes() {
    let world = World::new().await;
    let load = TradeLoad::new(&world).await;
    let claims = world.stack.auth().claims_for("pro@nofomo.test").await.unwrap();
    let refused = load.during(async {
        for seconds in [300, -300] {
            let mut claims = claims.clone();
            for name in ["iat", "exp"] {
                claims[name] = json!(claims[name].as_i64().unwrap() + seconds);
            }
            *load.token.borrow_mut() = world.stack.auth().sign(&claims).unwrap();
            load.wait_until_acknowledged().await;
        }
        // The clock of the schedules can differ too.
        for minutes in [5, -5] {
            let time = (Utc::now() + chrono::Duration::minutes(minutes)).to_rfc3339();
            assert_eq!(world.run_job("expire-subscriptions", &time).await["is_complete"], true);
        }
    });
    assert_eq!(refused.await, BTreeMap::new(), "no report is refused");
    load.assert_recovered(server().await).await;
}

/// libfaketime reads the offset of the functions' clock, in seconds, from a file.
#[tokio::test]
async fn trades_are_accepted_while_the_functions_clock_jumps_by_five_minutes() {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path()).chain(["/usr/lib".into()]);
    let library = folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|library| library.exists());
    let library = library.expect("the tests need libfaketime: apt-get install faketime").display().to_string();
    let offset_file = run_directory("clock");
    fs::write(&offset_file, "+0").unwrap();
    let world = World::with_settings(BTreeMap::from([
        ("LD_PRELOAD".into(), library),
        ("FAKETIME_TIMESTAMP_FILE".into(), offset_file.display().to_string()),
        ("FAKETIME_NO_CACHE".into(), "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC".into(), "1".into()),
    ]))
    .await;
    let load = TradeLoad::new(&world).await;
    let refused = load.during(async {
        for seconds in ["+300", "-300", "+0"] {
            fs::write(&offset_file, seconds).unwrap();
            load.wait_until_acknowledged().await;
        }
    });
    assert_eq!(refused.await, BTreeMap::new(), "no report is refused");
    let acknowledged = load.acknowledged.borrow().len();
    let logged = world.log_lines("POST /bots/{bot_id}/trades 201", acknowledged).await;
    let minutes_ahead = |line: &Value| {
        let logged = line["timestamp"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        (logged - Utc::now()).num_minutes()
    };
    let offsets: Vec<_> = logged.iter().map(minutes_ahead).collect();
    assert!(offsets.iter().any(|minutes| *minutes > 2) && offsets.iter().any(|minutes| *minutes < -4), "{offsets:?}");
    load.assert_recovered(server().await).await;
    fs::remove_file(offset_file).unwrap();
}
