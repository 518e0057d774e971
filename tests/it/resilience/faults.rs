//! What breaks while trades are reported: nobody is told that something was kept which is not there, and afterwards all is well.
//!
//! Bots report as bots do: each trade again and again, until it is acknowledged. In the end every trade is there once, its bot's
//! figures are those of its trades, and the database is what the migrations make.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use dev::auth::SigningKey;
use dev::proxy::Proxy;
use futures_util::future::join_all;
use local_database::postgres::Postgres;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ops::verify::verify_migrations;
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_postgres::NoTls;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::database::{Database, PRO, migrate_template, migrations, run_directory, server};
use crate::support::fake_tripay::{FailureMode, FakeTripay};
use crate::support::issuer::{Issuer, published};
use crate::support::pooler::Pooler;
use crate::support::waiting::until;
use crate::support::world::World;

const UNAVAILABLE: u16 = 503;

/// Of all that was reported.
const STORED: &str = "select exchange_order_id::text from public.trades where exchange_order_id ~ '^(first|[0-9]+)-'";

const fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Bots of one user that report all the while.
struct Load<'a> {
    world: &'a World,
    path: String,
    token: RefCell<String>,
    is_over: Cell<bool>,
    sent: RefCell<BTreeSet<String>>,
    acknowledged: RefCell<BTreeSet<String>>,
    /// How many of these had been there before, and nobody was told.
    known: Cell<usize>,
    /// How often which status was the answer instead.
    refused: RefCell<BTreeMap<u16, usize>>,
}

impl<'a> Load<'a> {
    const WRITERS: usize = 3;

    async fn new(world: &'a World) -> Self {
        let bot = world.bot_of(PRO).await;
        let token = world.sign_in("pro@nofomo.test").await;
        let load = Self {
            world,
            path: format!("/bots/{bot}/trades"),
            token: RefCell::new(token),
            is_over: Cell::default(),
            sent: RefCell::default(),
            acknowledged: RefCell::default(),
            known: Cell::default(),
            refused: RefCell::default(),
        };
        // Their instances are there before it begins.
        join_all((0..Self::WRITERS).map(|n| load.report(format!("first-{n}")))).await;
        assert_eq!((load.acknowledged.borrow().len(), load.refused.borrow().len()), (Self::WRITERS, 0));
        load
    }

    async fn report(&self, name: String) {
        let trade = json!({
            "exchange_order_id": name, "side": "buy", "order_type": "market", "status": "closed", "amount": "0.1",
            "price": "150", "exit_price": "151", "entry_time": "2026-01-01T00:00:00Z", "exit_time": "2026-01-01T01:00:00Z",
        });
        self.sent.borrow_mut().insert(name.clone());
        let token = self.token.borrow().clone();
        let answer = self.world.post(&self.path, &token, &trade).await;
        match answer.status.as_u16() {
            status @ (200 | 201) => {
                self.known.set(self.known.get() + usize::from(status == 200));
                self.acknowledged.borrow_mut().insert(name);
            }
            status => {
                let is_ours = status != UNAVAILABLE || answer.problem() == "unavailable";
                assert!(is_ours, "{answer:?}");
                *self.refused.borrow_mut().entry(status).or_default() += 1;
            }
        }
    }

    async fn write(&self, writer: usize) {
        for n in 0.. {
            let name = format!("{writer}-{n}");
            while !self.acknowledged.borrow().contains(&name) {
                if self.is_over.get() {
                    return;
                }
                self.report(name.clone()).await;
                sleep(milliseconds(20)).await;
            }
        }
    }

    /// Breaks something in the middle of it. Returns how often which status was the answer to a report.
    async fn during(&self, fault: impl Future<Output = ()>) -> BTreeMap<u16, usize> {
        let breaking = async {
            sleep(milliseconds(300)).await;
            fault.await;
            // Whatever it was, reports arrive again without anybody's help.
            self.goes_on().await;
            self.is_over.set(true);
        };
        tokio::join!(breaking, join_all((0..Self::WRITERS).map(|writer| self.write(writer))));
        self.refused.take()
    }

    async fn goes_on(&self) {
        let before = self.acknowledged.borrow().len();
        let enough = before + 5 * Self::WRITERS;
        until("reports are acknowledged", async || self.acknowledged.borrow().len() >= enough).await;
    }

    /// Waits until every instance accepts a report. A lock makes the reports of all writers wait in the database at the same
    /// time, so each of them is in an instance of its own; and there are no more instances than writers.
    async fn every_instance_accepts(&self) {
        let owner = self.world.database.owner().await;
        owner.run("begin; lock table public.trades in share row exclusive mode").await.unwrap();
        owner.blocks(Self::WRITERS).await;
        owner.run("commit").await.unwrap();
    }

    async fn is_refused(&self) {
        until("reports are refused", async || self.refused.borrow().contains_key(&UNAVAILABLE)).await;
    }

    async fn stored(&self) -> BTreeSet<String> {
        self.world.database.owner().await.list(STORED).await.into_iter().collect()
    }

    /// All is well again, and nothing that was acknowledged is lost.
    async fn settles(&self, postgres: &Postgres) {
        let stored = self.stored().await;
        let lost: Vec<_> = self.acknowledged.borrow().difference(&stored).cloned().collect();
        assert_eq!(lost, Vec::<String>::new(), "acknowledged, and not there");

        // What nobody has acknowledged is reported once more, now that nothing is in its way.
        let open: Vec<_> = self.sent.borrow().difference(&self.acknowledged.borrow()).cloned().collect();
        for name in open {
            self.report(name).await;
        }
        assert_eq!(self.refused.take(), BTreeMap::new());
        let mut found = self.world.database.owner().await.list(STORED).await;
        found.sort();
        assert_eq!(found, self.sent.borrow().iter().cloned().collect::<Vec<_>>(), "each of them once");
        let token = self.token.borrow().clone();
        assert_eq!(self.world.get("/portfolio", &token).await.status, 200);
        let url = self.world.database.url("postgres");
        let verified = verify_migrations(postgres, &url, &migrations()).await.unwrap();
        assert_eq!(verified.differences.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    }
}

/// A server of its own, and a world on it.
async fn own_server(directory: PathBuf) -> (Postgres, World) {
    let postgres = Postgres::start(&directory, None).await.unwrap();
    migrate_template(&postgres).await;
    let world = World::on(Database::template_of(&postgres), BTreeMap::new()).await;
    (postgres, world)
}

fn only(refused: &BTreeMap<u16, usize>, status: u16) {
    assert_eq!(refused.keys().copied().collect::<Vec<_>>(), [status], "{refused:?}");
}

#[tokio::test]
async fn the_database_is_killed_and_restarted() {
    let (mut postgres, world) = own_server(run_directory("postgres-fault")).await;
    let load = Load::new(&world).await;
    let refused = load.during(async {
        postgres.kill().unwrap();
        load.is_refused().await;
        postgres.restart().await.unwrap();
    });
    only(&refused.await, UNAVAILABLE);
    load.settles(&postgres).await;
}

#[tokio::test]
async fn the_pooler_is_restarted() {
    let mut pooler = Pooler::start(server().await, "pgbouncer-fault").await;
    let database = Database::new().await;
    let settings = BTreeMap::from([("DATABASE_URL".into(), database.url_at(pooler.port, "nofomo_api"))]);
    let world = World::on(database, settings).await;
    let load = Load::new(&world).await;
    only(&load.during(pooler.restart(load.is_refused())).await, UNAVAILABLE);
    load.settles(server().await).await;
}

#[tokio::test]
async fn connections_are_cut_again_and_again() {
    let database = Database::new().await;
    let proxy = Proxy::start(database.port, milliseconds(5)).await.unwrap();
    let settings = BTreeMap::from([("DATABASE_URL".into(), database.url_at(proxy.port(), "nofomo_api"))]);
    let world = World::on(database, settings).await;
    let load = Load::new(&world).await;
    let owner = world.database.owner().await;
    let refused = load.during(async {
        // As it comes: in a login, a statement, an answer, or between them.
        for n in 0..40 {
            sleep(milliseconds(25 + n % 7)).await;
            proxy.cut();
        }
        for is_silent in [false, true] {
            // Nobody is left whose statement was cut before.
            load.goes_on().await;
            let known = load.known.get();
            owner.run("begin; lock table public.trades in share row exclusive mode").await.unwrap();
            owner.blocks(1).await;
            if is_silent {
                // The statement ends well, and of its commit's answer nothing arrives.
                proxy.silence();
                owner.run("commit").await.unwrap();
                owner.has_answered().await;
                proxy.cut();
            } else {
                // In the middle of the statement, which takes effect all the same.
                proxy.cut();
                owner.run("commit").await.unwrap();
            }
            until("what was kept is reported again", async || load.known.get() > known).await;
        }
    });
    only(&refused.await, UNAVAILABLE);
    load.settles(server().await).await;
}

#[tokio::test]
async fn the_database_is_read_only_for_a_while() {
    let world = World::new().await;
    let load = Load::new(&world).await;
    let admin = world.database.session("supabase_admin").await;
    admin.run("set default_transaction_read_only = off").await.unwrap();
    let turn = async |value| {
        let name = &world.database.name;
        admin.run(&format!("alter database {name} set default_transaction_read_only = {value}")).await.unwrap();
        // A setting of the database is read when a connection begins.
        let others = "select pg_terminate_backend(pid) from pg_stat_activity
            where usename = 'nofomo_api' and datname = current_database()";
        admin.run(others).await.unwrap();
    };
    let refused = load.during(async {
        turn("on").await;
        load.is_refused().await;
        turn("off").await;
    });
    only(&refused.await, UNAVAILABLE);
    admin.run(&format!("alter database {} reset default_transaction_read_only", world.database.name)).await.unwrap();
    load.settles(server().await).await;
}

/// A file system of its own, which ends with this.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Folder that PostgreSQL's account may enter, also if it may not enter the clone: otherwise its files would lie on another disk.
    const FOLDER: &str = "/var/tmp";
    const PREFIX: &str = "nofomo-small-disk-";

    /// None where this user may not mount anything.
    fn mount() -> Option<Self> {
        for entry in fs::read_dir(Self::FOLDER).unwrap().flatten() {
            // Left by a run that was killed.
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

/// As long as anything fits.
fn fill(path: &Path) {
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
async fn the_disk_is_full_until_somebody_makes_room() {
    let Some(disk) = SmallDisk::mount() else {
        return no_room_is_left_for_trades().await;
    };
    let (mut postgres, world) = own_server(disk.0.join("postgres")).await;
    let load = Load::new(&world).await;
    let filler = disk.0.join("filler");
    let refused = load.during(async {
        // To the last page: what the log of writes has reserved is used up first.
        // What the server gives up meanwhile is filled as well.
        until("a report finds no room", async || {
            let path = filler.clone();
            tokio::task::spawn_blocking(move || fill(&path)).await.unwrap();
            sleep(milliseconds(100)).await;
            load.refused.borrow().contains_key(&UNAVAILABLE)
        })
        .await;
        fs::remove_file(&filler).unwrap();
        // Where the log of writes itself found no room, PostgreSQL has given up.
        if tokio_postgres::connect(&world.database.url("postgres"), NoTls).await.is_err() {
            postgres.kill().ok();
            postgres.restart().await.unwrap();
        }
    });
    only(&refused.await, UNAVAILABLE);
    load.settles(&postgres).await;
    postgres.stop().await.unwrap();
}

/// What PostgreSQL says of it, where nobody can make it happen.
async fn no_room_is_left_for_trades() {
    let world = World::new().await;
    trades_meet(&world, "raise exception 'No space left on device' using errcode = 'disk_full'").await;
}

#[tokio::test]
async fn the_database_is_too_slow_for_a_while() {
    // Longer than statement_timeout.
    trades_meet(&World::new().await, "perform pg_sleep(20)").await;
}

/// Until a report was refused for it, this is done before each insert.
async fn trades_meet(world: &World, hindrance: &str) {
    let load = Load::new(world).await;
    let owner = world.database.owner().await;
    let hinder = format!(
        "create table public.hindered ();
         create function public.hinder() returns trigger language plpgsql security definer as
         $$ begin
             if exists (select from public.hindered) then {hindrance}; end if;
             return null;
         end $$;
         create trigger hinder before insert on public.trades execute function public.hinder()"
    );
    owner.run(&hinder).await.unwrap();
    let refused = load.during(async {
        owner.run("insert into public.hindered default values").await.unwrap();
        load.is_refused().await;
        owner.run("delete from public.hindered").await.unwrap();
    });
    only(&refused.await, UNAVAILABLE);
    let gone = "drop trigger hinder on public.trades; drop function public.hinder; drop table public.hindered";
    owner.run(gone).await.unwrap();
    load.settles(server().await).await;
}

#[tokio::test]
async fn a_lock_is_held_for_half_a_minute() {
    let world = World::new().await;
    let load = Load::new(&world).await;
    let owner = world.database.owner().await;
    let refused = load.during(async {
        owner.run("begin; lock table public.trades in access exclusive mode").await.unwrap();
        sleep(Duration::from_secs(30)).await;
        // Nobody waits in line for it: each gives up after lock_timeout and comes again.
        let often = 4 * Load::WRITERS;
        let is_often = async || load.refused.borrow().get(&UNAVAILABLE).is_some_and(|times| *times >= often);
        until("each is refused again and again", is_often).await;
        owner.rollback().await;
    });
    only(&refused.await, UNAVAILABLE);
    load.settles(server().await).await;
}

#[tokio::test]
async fn instances_are_killed() {
    let world = World::new().await;
    let load = Load::new(&world).await;
    let fleet = world.stack.fleet("record-trade").unwrap();
    let refused = load.during(async {
        let kill_all = || {
            for instance in fleet.instances() {
                kill(Pid::from_raw(instance.cast_signed()), Signal::SIGKILL).ok();
            }
        };
        for n in 0..30 {
            sleep(milliseconds(23 + n % 9)).await;
            kill_all();
        }
        until("a report is met", async || {
            kill_all();
            !load.refused.borrow().is_empty()
        })
        .await;
    });
    // What API Gateway says of an instance that died under a request.
    only(&refused.await, 502);
    load.settles(server().await).await;
}

/// Whoever signs the tokens is five minutes ahead of us, or behind.
#[tokio::test]
async fn clocks_differ_by_five_minutes() {
    let world = World::new().await;
    let load = Load::new(&world).await;
    let claims = world.stack.auth().claims_for("pro@nofomo.test").await.unwrap();
    let refused = load.during(async {
        for seconds in [300, -300] {
            let mut claims = claims.clone();
            for name in ["iat", "exp"] {
                claims[name] = json!(claims[name].as_i64().unwrap() + seconds);
            }
            *load.token.borrow_mut() = world.stack.auth().sign(&claims).unwrap();
            load.goes_on().await;
        }
        // And so may be the clock of the schedules.
        for minutes in [5, -5] {
            let time = (Utc::now() + chrono::Duration::minutes(minutes)).to_rfc3339();
            assert_eq!(world.counts("expire-subscriptions", &time).await["is_complete"], true);
        }
    });
    assert_eq!(refused.await, BTreeMap::new(), "nobody is refused for it");
    load.settles(server().await).await;
}

/// That of the machines that functions run on is set while they work. libfaketime reads by how many seconds it is off.
#[tokio::test]
async fn the_functions_clock_is_set_five_minutes_forward_and_back() {
    let homes = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path()).chain(["/usr/lib".into()]);
    let library = homes.map(|home| home.join("faketime/libfaketime.so.1")).find(|library| library.exists());
    let library = library.expect("the tests need libfaketime: apt-get install faketime").display().to_string();
    let seconds_off = run_directory("clock");
    fs::write(&seconds_off, "+0").unwrap();
    let world = World::with(BTreeMap::from([
        ("LD_PRELOAD".into(), library),
        ("FAKETIME_TIMESTAMP_FILE".into(), seconds_off.display().to_string()),
        ("FAKETIME_NO_CACHE".into(), "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC".into(), "1".into()),
    ]))
    .await;
    let load = Load::new(&world).await;
    let refused = load.during(async {
        for seconds in ["+300", "-300", "+0"] {
            fs::write(&seconds_off, seconds).unwrap();
            load.goes_on().await;
        }
    });
    assert_eq!(refused.await, BTreeMap::new(), "nobody is refused for it");
    let acknowledged = load.acknowledged.borrow().len();
    let logged = world.logged("POST /bots/{bot_id}/trades 201", acknowledged).await;
    let minutes_off = |line: &Value| {
        let logged = line["timestamp"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        (logged - Utc::now()).num_minutes()
    };
    let off: Vec<_> = logged.iter().map(minutes_off).collect();
    assert!(off.iter().any(|minutes| *minutes > 2) && off.iter().any(|minutes| *minutes < -4), "{off:?}");
    load.settles(server().await).await;
    fs::remove_file(seconds_off).unwrap();
}

#[tokio::test]
async fn tripay_is_slow_dead_and_lying() {
    let tripay = FakeTripay::start().await;
    let world = World::with(tripay.settings()).await;
    let load = Load::new(&world).await;
    let payer = world.sign_in("free@nofomo.test").await;
    let owner = world.database.owner().await;
    let periods = async || owner.list("select count(*)::text from public.subscriptions").await;
    let before = periods().await;
    let mut open = BTreeSet::new();
    let refused = load.during(async {
        let failure_modes = [
            (FailureMode::None, 201),
            (FailureMode::Slow, 201),
            (FailureMode::Unresponsive, 504),
            (FailureMode::ServesHtml, 504),
            (FailureMode::Refuses("Invalid Payment Channel"), 422),
            (FailureMode::Disconnects, 504),
            (FailureMode::LosesResponse, 504),
            (FailureMode::ReturnsOtherTransaction, 504),
            (FailureMode::None, 201),
        ];
        for (n, (failure_mode, status)) in failure_modes.into_iter().enumerate() {
            tripay.set_failure_mode(failure_mode);
            let method =
                ["QRIS", "BRIVA", "BNIVA", "MANDIRIVA", "PERMATAVA", "CIMBVA", "BSIVA", "MUAMALATVA", "ALFAMART"][n];
            let body = json!({ "plan": "pro", "period": "monthly", "method": method }).to_string();
            let key = format!("invoice-{n}");
            let answer = world.post_with("/invoices", &payer, &[("idempotency-key", &key)], &body).await;
            assert_eq!(answer.status, status, "{method}: {answer:?}");
            // A lost answer is found again with the same key, once Tripay can be asked.
            tripay.set_failure_mode(FailureMode::None);
            let again = world.post_with("/invoices", &payer, &[("idempotency-key", &key)], &body).await;
            let invoice = again.json();
            if invoice["status"] == "pending" {
                open.insert(invoice["reference_id"].as_str().unwrap().to_owned());
            }
        }
        // One rupiah is said to have paid for each of them.
        let told = "select tripay_invoice_id::text from public.invoices
            where status = 'pending' and reference_id = any(string_to_array($1, ','))";
        let given = open.iter().cloned().collect::<Vec<_>>().join(",");
        for row in owner.rows(told, &[&given]).await.unwrap() {
            let reference: String = row.get(0);
            tripay.update_transaction(&reference, &json!({ "status": "PAID", "amount": 1, "amount_received": 1 }));
        }
        let later = (Utc::now() + chrono::Duration::minutes(20)).to_rfc3339();
        let counts = world.counts("reconcile-invoices", &later).await;
        assert!(counts["asked"].as_u64() >= Some(open.len() as u64) && counts["paid"] == 0, "{counts}");
    });
    assert_eq!(refused.await, BTreeMap::new(), "what is broken there is nothing to trades");
    let pending =
        "select reference_id::text from public.invoices where status = 'pending' and checkout_url is not null";
    let pending: BTreeSet<String> = owner.list(pending).await.into_iter().collect();
    assert!(open.len() >= 5 && pending.is_superset(&open), "{open:?} {pending:?}");
    assert_eq!(periods().await, before, "nobody has paid");
    let judged = "select count(*) from private.payment_events where outcome = 'wrong_amount'";
    assert_eq!(owner.text(judged).await, open.len().to_string(), "each lie was understood, and not believed");
    load.settles(server().await).await;
}

#[tokio::test]
async fn the_language_model_is_slow_dead_and_lying() {
    let model = MockServer::start().await;
    let settings = BTreeMap::from([
        ("LANGUAGE_MODEL_URL".into(), format!("{}/v1", model.uri())),
        ("LANGUAGE_MODEL_KEY".into(), "key-of-the-model".into()),
        ("LANGUAGE_MODEL_NAME".into(), "words".into()),
    ]);
    let world = World::with(settings).await;
    let load = Load::new(&world).await;
    let bot = world.bot_of(PRO).await;
    let refused = load.during(async {
        let says = |text: &str| {
            let content = json!({ "text": text, "recommendations": [] }).to_string();
            ResponseTemplate::new(200).set_body_json(json!({
                "id": "1", "object": "chat.completion", "created": 1, "model": "words",
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
            }))
        };
        for (answer, is_told) in [
            (ResponseTemplate::new(500), false),
            (ResponseTemplate::new(200).set_body_string("not JSON"), false),
            (says("It earns 4711 % a day."), false),
            (says("It loses now and then.").set_delay(Duration::from_secs(2)), true),
        ] {
            model.reset().await;
            Mock::given(any()).respond_with(answer).mount(&model).await;
            let wanted = json!({ "analysis_type": "performance", "bot_id": bot, "narrative": true });
            let token = load.token.borrow().clone();
            let judged = world.post("/analyses", &token, &wanted).await;
            // The figures are ours, and come with or without its words.
            assert_eq!(judged.status, 201, "{judged:?}");
            let results = &judged.json()["results"];
            assert!(results["narrative"].is_object() == is_told, "{results}");
            assert!(results["narrative_error"].is_null() == is_told, "{results}");
        }
    });
    assert_eq!(refused.await, BTreeMap::new(), "what is broken there is nothing to trades");
    load.settles(server().await).await;
}

#[tokio::test]
async fn at_tripay_and_at_the_language_model_nobody_listens() {
    let nobody = "http://127.0.0.1:1/api-sandbox";
    let world = World::with(BTreeMap::from([
        ("TRIPAY_URL".into(), nobody.into()),
        ("LANGUAGE_MODEL_URL".into(), nobody.into()),
        ("LANGUAGE_MODEL_KEY".into(), "key-of-the-model".into()),
        ("LANGUAGE_MODEL_NAME".into(), "words".into()),
    ]))
    .await;
    let load = Load::new(&world).await;
    let token = load.token.borrow().clone();
    let bot = world.bot_of(PRO).await;
    let owner = world.database.owner().await;
    let open = "select count(*) from public.invoices where status = 'pending' and checkout_url is null";
    let before: usize = owner.text(open).await.parse().unwrap();
    let refused = load.during(async {
        let wanted = json!({ "plan": "enterprise", "period": "monthly", "method": "QRIS" });
        let answer = world.post("/invoices", &token, &wanted).await;
        // Its reconciliation will tell.
        assert_eq!(answer.status, 504, "{answer:?}");
        assert_eq!(owner.text(open).await, (before + 1).to_string());
        let wanted = json!({ "analysis_type": "performance", "bot_id": bot, "narrative": true });
        let judged = world.post("/analyses", &token, &wanted).await;
        assert_eq!(judged.status, 201, "{judged:?}");
        assert!(judged.json()["results"]["narrative_error"].is_string(), "{judged:?}");
    });
    assert_eq!(refused.await, BTreeMap::new(), "who is away there is nothing to trades");
    load.settles(server().await).await;
}

#[tokio::test]
async fn signing_keys_are_away_and_then_rotated() {
    let issuer = Issuer::start(&json!({ "keys": [] })).await;
    let world = issuer.world().await;
    *issuer.body.lock().unwrap() = published(&world).await.to_string();
    let load = Load::new(&world).await;
    let refused = load.during(async {
        issuer.away.store(true, Ordering::SeqCst);
        // Another token of the same user, which no instance has seen.
        let claims = world.stack.auth().claims_for("pro@nofomo.test").await.unwrap();
        *load.token.borrow_mut() = world.stack.auth().sign(&claims).unwrap();
        load.goes_on().await;
        assert_eq!(*load.refused.borrow(), BTreeMap::new(), "known keys are kept");
        // Whoever starts now has no keys: he does not know whether a token is good, and says so.
        issuer.take_fetches();
        for instance in world.stack.fleet("record-trade").unwrap().instances() {
            kill(Pid::from_raw(instance.cast_signed()), Signal::SIGKILL).ok();
        }
        load.is_refused().await;
        assert!(issuer.take_fetches() > 0);
        let next = SigningKey::generate().unwrap();
        world.stack.auth().publish(&next);
        *issuer.body.lock().unwrap() = published(&world).await.to_string();
        issuer.away.store(false, Ordering::SeqCst);
        let claims = world.stack.auth().claims_for("pro@nofomo.test").await.unwrap();
        *load.token.borrow_mut() = next.sign(&claims).unwrap();
        // An instance fetches again only some time after a failed fetch; until then it refuses every report.
        load.every_instance_accepts().await;
    });
    let refused = refused.await;
    assert!(refused.keys().all(|status| [502, UNAVAILABLE].contains(status)), "{refused:?}");
    load.settles(server().await).await;
}
