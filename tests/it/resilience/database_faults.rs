//! Faults of the database while trades are reported.
//!
//! Clients report each trade until it is acknowledged. Afterwards each trade is stored once, the bot's statistics equal
//! those of its trades, and the schema is the one that the migrations create.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use dev::proxy::Proxy;
use local_database::postgres::Postgres;
use tokio::time::sleep;
use tokio_postgres::NoTls;

use crate::support::database::{Database, migrate_template, run_directory, server};
use crate::support::pooler::Pooler;
use crate::support::trade_load::{TradeLoad, UNAVAILABLE, assert_only_status, milliseconds};
use crate::support::waiting::wait_until;
use crate::support::world::World;

/// Starts a server for one test, and a world on it.
async fn start_own_server(directory: PathBuf) -> (Postgres, World) {
    let postgres = Postgres::start(&directory, None).await.unwrap();
    migrate_template(&postgres).await;
    let world = World::on_database(Database::migrated_on(&postgres), BTreeMap::new()).await;
    (postgres, world)
}

#[tokio::test]
async fn acknowledged_trades_survive_a_killed_database() {
    let (mut postgres, world) = start_own_server(run_directory("postgres-fault")).await;
    let load = TradeLoad::new(&world).await;
    let refused = load.during(async {
        postgres.kill().unwrap();
        load.wait_until_refused().await;
        postgres.restart().await.unwrap();
    });
    assert_only_status(&refused.await, UNAVAILABLE);
    load.assert_recovered(&postgres).await;
}

#[tokio::test]
async fn acknowledged_trades_survive_a_restart_of_the_pooler() {
    let mut pooler = Pooler::start(server().await, "pgbouncer-fault").await;
    let database = Database::new().await;
    let settings = BTreeMap::from([("DATABASE_URL".into(), database.url_at_port(pooler.port, "nofomo_api"))]);
    let world = World::on_database(database, settings).await;
    let load = TradeLoad::new(&world).await;
    assert_only_status(&load.during(pooler.restart(load.wait_until_refused())).await, UNAVAILABLE);
    load.assert_recovered(server().await).await;
}

#[tokio::test]
async fn acknowledged_trades_survive_repeatedly_cut_connections() {
    let database = Database::new().await;
    let proxy = Proxy::start(database.port, milliseconds(5)).await.unwrap();
    let settings = BTreeMap::from([("DATABASE_URL".into(), database.url_at_port(proxy.port(), "nofomo_api"))]);
    let world = World::on_database(database, settings).await;
    let load = TradeLoad::new(&world).await;
    let owner = world.database.owner().await;
    let refused = load.during(async {
        // Cuts at any point: in a login, a statement, a response, or between them.
        for n in 0..40 {
            sleep(milliseconds(25 + n % 7)).await;
            proxy.cut();
        }
        for is_silent in [false, true] {
            // After this, no client still retries a statement that was cut earlier.
            load.wait_until_acknowledged().await;
            let before = load.already_stored.get();
            owner.run("begin; lock table public.trades in share row exclusive mode").await.unwrap();
            owner.wait_until_blocking(1).await;
            if is_silent {
                // The statement is committed, but its response does not arrive.
                proxy.silence();
                owner.run("commit").await.unwrap();
                owner.wait_until_idle().await;
                proxy.cut();
            } else {
                // Cuts in the middle of the statement, which takes effect nevertheless.
                proxy.cut();
                owner.run("commit").await.unwrap();
            }
            wait_until("a stored trade is reported again", async || load.already_stored.get() > before).await;
        }
    });
    assert_only_status(&refused.await, UNAVAILABLE);
    load.assert_recovered(server().await).await;
}

#[tokio::test]
async fn acknowledged_trades_survive_a_read_only_database() {
    let world = World::new().await;
    let load = TradeLoad::new(&world).await;
    let admin = world.database.session("supabase_admin").await;
    admin.run("set default_transaction_read_only = off").await.unwrap();
    let set_read_only = async |value| {
        let name = &world.database.name;
        admin.run(&format!("alter database {name} set default_transaction_read_only = {value}")).await.unwrap();
        // The setting is read when a connection starts.
        let others = "select pg_terminate_backend(pid) from pg_stat_activity
            where usename = 'nofomo_api' and datname = current_database()";
        admin.run(others).await.unwrap();
    };
    let refused = load.during(async {
        set_read_only("on").await;
        load.wait_until_refused().await;
        set_read_only("off").await;
    });
    assert_only_status(&refused.await, UNAVAILABLE);
    admin.run(&format!("alter database {} reset default_transaction_read_only", world.database.name)).await.unwrap();
    load.assert_recovered(server().await).await;
}

/// File system of 400 MiB, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Folder that PostgreSQL's account can enter even if it cannot enter this clone of the repository.
    const FOLDER: &str = "/var/tmp";
    const PREFIX: &str = "nofomo-small-disk-";

    /// Mounts the file system; `None` if the user may not mount one.
    fn mount() -> Option<Self> {
        for entry in fs::read_dir(Self::FOLDER).unwrap().flatten() {
            // Left behind by a killed run.
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.strip_prefix(Self::PREFIX).is_some_and(|process| !Path::new("/proc").join(process).exists()) {
                drop(Self(entry.path()));
            }
        }
        let directory = Path::new(Self::FOLDER).join(format!("{}{}", Self::PREFIX, std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=400M,mode=0755", "tmpfs"]).arg(&directory).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then_some(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").args(["--lazy"]).arg(&self.0).status().ok();
        fs::remove_dir(&self.0).ok();
    }
}

/// Appends to the file until the disk is full.
fn fill_disk(path: &Path) {
    let mut file = fs::File::options().append(true).create(true).open(path).unwrap();
    let mut page = vec![0; 1024 * 1024];
    loop {
        match file.write_all(&page) {
            Ok(()) => {}
            Err(_) if page.len() > 512 => page.truncate(page.len() / 2),
            Err(_) => return,
        }
    }
}

#[tokio::test]
async fn acknowledged_trades_survive_a_full_disk() {
    let Some(disk) = SmallDisk::mount() else {
        return assert_recovery_from_disk_full_errors().await;
    };
    let (mut postgres, world) = start_own_server(disk.0.join("postgres")).await;
    let load = TradeLoad::new(&world).await;
    let filler = disk.0.join("filler");
    let refused = load.during(async {
        // Fills the disk repeatedly: the server frees space, and first uses up the reserved write-ahead log.
        wait_until("a report fails for lack of space", async || {
            let path = filler.clone();
            tokio::task::spawn_blocking(move || fill_disk(&path)).await.unwrap();
            sleep(milliseconds(100)).await;
            load.refused.borrow().contains_key(&UNAVAILABLE)
        })
        .await;
        fs::remove_file(&filler).unwrap();
        // PostgreSQL stops if it has no space for the write-ahead log.
        if tokio_postgres::connect(&world.database.url("postgres"), NoTls).await.is_err() {
            postgres.kill().ok();
            postgres.restart().await.unwrap();
        }
    });
    assert_only_status(&refused.await, UNAVAILABLE);
    load.assert_recovered(&postgres).await;
    postgres.stop().await.unwrap();
}

/// Asserts recovery from PostgreSQL's error for a full disk, for machines where no file system can be mounted.
async fn assert_recovery_from_disk_full_errors() {
    let world = World::new().await;
    assert_recovery_from(&world, "raise exception 'No space left on device' using errcode = 'disk_full'").await;
}

#[tokio::test]
async fn acknowledged_trades_survive_a_slow_database() {
    // Longer than statement_timeout.
    assert_recovery_from(&World::new().await, "perform pg_sleep(20)").await;
}

/// Asserts recovery from a fault: a PL/pgSQL statement that each insert of a trade executes until a report is refused.
async fn assert_recovery_from(world: &World, fault: &str) {
    let load = TradeLoad::new(world).await;
    let owner = world.database.owner().await;
    let inject = format!(
        "create table public.active_fault ();
         create function public.inject_fault() returns trigger language plpgsql security definer as
         $$ begin
             if exists (select from public.active_fault) then {fault}; end if;
             return null;
         end $$;
         create trigger inject_fault before insert on public.trades execute function public.inject_fault()"
    );
    owner.run(&inject).await.unwrap();
    let refused = load.during(async {
        owner.run("insert into public.active_fault default values").await.unwrap();
        load.wait_until_refused().await;
        owner.run("delete from public.active_fault").await.unwrap();
    });
    assert_only_status(&refused.await, UNAVAILABLE);
    let remove =
        "drop trigger inject_fault on public.trades; drop function public.inject_fault; drop table public.active_fault";
    owner.run(remove).await.unwrap();
    load.assert_recovered(server().await).await;
}

#[tokio::test]
async fn acknowledged_trades_survive_a_table_lock_of_half_a_minute() {
    let world = World::new().await;
    let load = TradeLoad::new(&world).await;
    let owner = world.database.owner().await;
    let refused = load.during(async {
        owner.run("begin; lock table public.trades in access exclusive mode").await.unwrap();
        sleep(Duration::from_secs(30)).await;
        // No request waits for the whole time: each gives up after lock_timeout and is repeated.
        let count = 4 * TradeLoad::WRITERS;
        let is_refused_repeatedly =
            async || load.refused.borrow().get(&UNAVAILABLE).is_some_and(|times| *times >= count);
        wait_until("every client is refused repeatedly", is_refused_repeatedly).await;
        owner.rollback().await;
    });
    assert_only_status(&refused.await, UNAVAILABLE);
    load.assert_recovered(server().await).await;
}
