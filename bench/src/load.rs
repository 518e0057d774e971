//! Minutes of mixed traffic at four fifths of what the stack can do: nothing fails, nothing grows, nothing is lost.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::Utc;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet, time::sleep_until};
use tokio_postgres::{Client, types::Type};

use crate::{
    environment::Environment,
    load_generator::{LoadStats, drive, median, milliseconds},
    requests::{Call, NTH, ask, bot, portfolio},
    usage::Processes,
};
use dev::{client::client, runtime::Fleet, stack::Stack};
use local_database::{Error, Result, connect, describe_error};
use ops::verify::verify_migrations;

/// Of what the stack can do.
const SHARE: f64 = 0.8;
/// How much the memory of an instance may grow with each call, in bytes. It is 166: lambda_runtime puts each trace's id into the
/// environment, and glibc keeps whatever was ever put there.
const GROWTH: f64 = 200.0;
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much slower the slowest parts may be than the usual one.
const SLOWEST: f64 = 3.0;

#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub traders: i64,
    /// Trades that each of them had in the thirty days before.
    pub history: i32,
    /// How long the stack is asked for all it can do, before that is measured and while it is.
    pub warm_up: Duration,
    pub probe: Duration,
    /// How often it is looked at.
    pub parts: usize,
    pub part: Duration,
}

impl Size {
    pub const FULL: Self = Self {
        traders: 1_000,
        history: 500,
        warm_up: Duration::from_secs(30),
        probe: Duration::from_secs(60),
        parts: 10,
        part: Duration::from_secs(60),
    };

    /// Who ask at once; so many instances of a function are enough.
    const CALLERS: usize = 8;
}

/// What was seen at the end of one part.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    #[serde(flatten)]
    pub driven: LoadStats,
    /// Of functions: a pause and a freqtrade trade are two.
    pub calls: usize,
    pub instances: usize,
    pub memory_of_instance_mib: f64,
    pub connections: i64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub most_per_second: f64,
    pub parts: Vec<Part>,
    /// Each request that failed, in words.
    pub errors: Vec<String>,
    /// Trades, trades of freqtrade's and lines of log that were acknowledged, and those of them that are there.
    pub acknowledged: i64,
    pub stored: i64,
    /// What `cargo ops verify` found.
    pub differences: Vec<String>,
}

impl Report {
    /// What was not as it should be, in words.
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        if let Some(first) = self.errors.first() {
            missed.push(format!("{} requests failed, such as: {first}", self.errors.len()));
        }
        if self.stored != self.acknowledged {
            missed.push(format!(
                "{} trades and lines were acknowledged and {} are there",
                self.acknowledged, self.stored
            ));
        }
        missed.extend(self.differences.iter().cloned());
        if let Some(last) = self.parts.last() {
            let growth = self.growth();
            if growth > GROWTH {
                missed.push(format!("an instance grows by {growth:.0} bytes a call, and may by {GROWTH}"));
            }
            let most = i64::try_from(last.instances).unwrap_or(i64::MAX);
            if last.connections > most {
                missed.push(format!("{most} instances hold {} connections", last.connections));
            }
        }
        let usual = median(self.parts.iter().map(|part| part.driven.p99_ms).collect());
        for (number, part) in self.parts.iter().enumerate().filter(|(_, part)| part.driven.p99_ms > usual * SLOWEST) {
            missed.push(format!("p99 was {:.1} ms in part {number} and {usual:.1} ms as a rule", part.driven.p99_ms));
        }
        missed
    }

    /// Bytes by which an instance grows with each call after the first part.
    fn growth(&self) -> f64 {
        let [first, rest @ ..] = &self.parts[..] else { return 0.0 };
        let Some(last) = rest.last() else { return 0.0 };
        let calls: usize = rest.iter().map(|part| part.calls).sum();
        let grown = (last.memory_of_instance_mib - first.memory_of_instance_mib) * 1_024.0 * 1_024.0;
        grown * last.instances as f64 / calls.max(1) as f64
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.most_per_second;
        writeln!(f, "At most {most:.0} requests/s; asked for {:.0}.\n", most * SHARE)?;
        writeln!(
            f,
            "| part | requests/s | p50, ms | p99, ms | instances | MiB of one | connections |\n|--:|--:|--:|--:|--:|--:|--:|"
        )?;
        for (number, Part { driven, instances, memory_of_instance_mib, connections, .. }) in
            self.parts.iter().enumerate()
        {
            let LoadStats { per_second, p50_ms, p99_ms, .. } = driven;
            writeln!(
                f,
                "| {} | {per_second:.0} | {p50_ms:.1} | {p99_ms:.1} | {instances} | {memory_of_instance_mib:.1} | {connections} |",
                number + 1
            )?;
        }
        writeln!(
            f,
            "\nAn instance grows by {:.0} bytes a call. {} requests failed. {} trades and lines of log were acknowledged, {} are there. `verify` found {} differences.",
            self.growth(),
            self.errors.len(),
            self.acknowledged,
            self.stored,
            self.differences.len()
        )
    }
}

/// # Errors
///
/// The stack cannot be prepared; what fails under load is in the report.
pub async fn measure(environment: &Environment<'_>, size: Size) -> Result<Report> {
    let stack = environment.stack(Size::CALLERS).await?;
    let admin = connect(&environment.database.admin_url).await?;
    let traffic = Arc::new(Traffic::prepare(environment, &stack, &admin, size).await?);

    let warm = drive(Size::CALLERS, size.warm_up, async |n| traffic.send(n).await).await?.requests;
    let probed = drive(Size::CALLERS, size.probe, async |n| traffic.send(warm + n).await).await?;
    environment.tell(format!("load       {:.0} requests/s at most", probed.per_second));
    let gap = Duration::from_secs_f64(1.0 / (probed.per_second * SHARE));

    let line = Arc::new(Semaphore::new(Size::CALLERS));
    let (mut parts, mut errors, mut next) = (Vec::new(), Vec::new(), warm + probed.requests);
    for number in 1..=size.parts {
        let (begun, called) = (Instant::now(), traffic.calls.load(Ordering::Relaxed));
        let mut under_way = JoinSet::new();
        while begun.elapsed() < size.part {
            // They come when they come, whether earlier ones are answered or not, and wait in line where all callers are busy: that
            // counts as their time too.
            let due = begun + gap * u32::try_from(under_way.len()).unwrap_or(u32::MAX);
            sleep_until(due.into()).await;
            let (traffic, line) = (traffic.clone(), line.clone());
            let n = next;
            under_way.spawn(async move {
                let _turn = line.acquire_owned().await;
                traffic.send(n).await.map(|()| milliseconds(due.elapsed()))
            });
            next += 1;
        }
        let (mut waited, mut failed) = (Vec::new(), Vec::new());
        let outcomes = under_way.join_all().await;
        let took = begun.elapsed();
        for outcome in outcomes {
            match outcome {
                Ok(milliseconds) => waited.push(milliseconds),
                Err(error) => failed.push(error.to_string()),
            }
        }
        let calls = traffic.calls.load(Ordering::Relaxed) - called;
        let part = look(environment, &stack, &admin, LoadStats::of(waited, took), calls).await?;
        environment.tell(format!(
            "load       part {number} of {}: p99 {:.1} ms, {} failed",
            size.parts,
            part.driven.p99_ms,
            failed.len()
        ));
        if let Some(error) = failed.first() {
            environment.tell(format!("load       such as: {error}"));
        }
        parts.push(part);
        errors.append(&mut failed);
    }
    stack.stop().await;

    let acknowledged = traffic.acknowledged.load(Ordering::Relaxed);
    let count = "select
        (select count(*) from public.trades where exchange_order_id like 'load-%' or metadata ? 'freqtrade')
        + (select count(*) from public.logs where message = 'Bot heartbeat')";
    let stored = admin.query_typed_one(count, &[]).await.map_err(|error| unreadable(&error))?.get(0);
    let verified =
        verify_migrations(environment.postgres, &environment.migrations_url, &environment.workspace.join("migrations"))
            .await?;
    let differences = verified.differences.iter().map(ToString::to_string).collect();
    Ok(Report { most_per_second: probed.per_second, parts, errors, acknowledged, stored, differences })
}

async fn look(
    environment: &Environment<'_>,
    stack: &Stack,
    admin: &Client,
    driven: LoadStats,
    calls: usize,
) -> Result<Part> {
    let ids: Vec<u32> = environment
        .template
        .functions
        .iter()
        .filter_map(|function| stack.fleet(&function.name))
        .flat_map(Fleet::instances)
        .collect();
    let count = "select count(*) from pg_stat_activity where usename in ('nofomo_api', 'nofomo_jobs') and datname = current_database()";
    let connections = admin.query_typed_one(count, &[]).await.map_err(|error| unreadable(&error))?.get(0);
    let memory_of_instance_mib = Processes::of(&ids).resident_mib() / ids.len().max(1) as f64;
    Ok(Part { driven, calls, instances: ids.len(), memory_of_instance_mib, connections })
}

/// What the nth request is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Portfolio,
    Trade,
    Webhook,
    Log,
    Pause,
}

impl Kind {
    /// Of a hundred requests, as apps and bots send them.
    fn of(n: usize) -> Self {
        // In no order that has a rhythm.
        match n.wrapping_mul(61) % 100 {
            0..30 => Self::Portfolio,
            30..65 => Self::Trade,
            65..80 => Self::Webhook,
            80..95 => Self::Log,
            _ => Self::Pause,
        }
    }
}

/// Everybody, and what each of them asks.
struct Traffic {
    client: reqwest::Client,
    url: String,
    traders: Vec<[Call; 7]>,
    calls: AtomicUsize,
    /// Trades and lines of log.
    acknowledged: AtomicI64,
}

impl Traffic {
    /// Signs everybody up, with a bot that has traded, runs and has a token.
    async fn prepare(environment: &Environment<'_>, stack: &Stack, admin: &Client, size: Size) -> Result<Self> {
        let emails = admin.query_typed(include_str!("load/traders.sql"), &[(&size.traders, Type::INT8)]).await;
        let emails = emails.map_err(|error| unreadable(&error))?;
        // Their profiles are there when the statement before has ended.
        let on_pro = "update public.users set subscription_plan = 'pro' where email like 'trader-%'";
        admin.batch_execute(on_pro).await.map_err(|error| unreadable(&error))?;
        environment.tell(format!("load       {} people, each with a bot of {} trades", size.traders, size.history));
        let mut traders = Vec::new();
        let before: Value = (0..size.history).map(|number| trade_before(number, size.history)).collect();
        for row in emails {
            let user = stack.auth().token_for(row.get(0)).await?;
            let call = |method, path: String, body: &Value| Call::new(&user, method, path, body);
            let made =
                ask(environment, stack, &call("POST", "/bots".to_owned(), &bot("Swing", "binance", true))).await?;
            let id = made.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            ask(environment, stack, &call("POST", format!("/bots/{id}/start"), &json!({}))).await?;
            ask(environment, stack, &call("POST", format!("/bots/{id}/trades"), &before)).await?;
            let issued = ask(environment, stack, &call("POST", format!("/bots/{id}/token"), &json!({}))).await?;
            let token = issued.get("token").and_then(Value::as_str).unwrap_or_default().to_owned();
            let [entry_time, exit_time] = [6, 2].map(|hours| Utc::now() - chrono::Duration::hours(hours));
            let trade = json!({
                "exchange_order_id": format!("load-{NTH}"), "side": "buy", "order_type": "limit", "status": "closed",
                "amount": "0.25", "price": "61250.5", "fee": "0.61", "entry_time": entry_time,
                "exit_time": exit_time, "exit_price": "61420",
            });
            let entry = json!({
                "type": "entry_fill", "trade_id": NTH, "exchange": "Binance", "pair": "ETH/USDT", "direction": "Long",
                "open_rate": "3120.4", "order_type": "limit", "amount": "1.0", "open_date": entry_time,
            });
            // What is opened is closed: an open trade is in every portfolio, and no bot has ever more of them.
            let exit = json!({
                "type": "exit_fill", "trade_id": NTH, "exchange": "Binance", "pair": "ETH/USDT", "direction": "Long",
                "open_rate": "3120.4", "close_rate": "3141.2", "order_type": "limit", "amount": "1.0", "gain": "profit",
                "profit_amount": "14.54", "profit_ratio": "0.004659", "open_date": entry_time, "close_date": exit_time,
                "is_final_exit": "True",
            });
            let entry = Call::new(&token, "POST", format!("/freqtrade/{token}"), &entry);
            let exit = Call::new(&token, "POST", format!("/freqtrade/{token}"), &exit).about(&entry);
            let log = json!([{ "log_level": "info", "message": "Bot heartbeat", "context": { "state": "RUNNING" } }]);
            traders.push([
                portfolio(&user),
                Call::new(&token, "POST", format!("/bots/{id}/trades"), &trade),
                entry,
                exit,
                Call::new(&token, "POST", format!("/bots/{id}/logs"), &log),
                Call::new(&user, "POST", format!("/bots/{id}/pause"), &json!({})),
                Call::new(&user, "POST", format!("/bots/{id}/start"), &json!({})),
            ]);
        }
        let client = client("nofomo-bench", PATIENCE)?;
        Ok(Self {
            client,
            url: stack.url(),
            traders,
            calls: AtomicUsize::default(),
            acknowledged: AtomicI64::default(),
        })
    }

    async fn send(&self, n: usize) -> Result<()> {
        // Each of them asks everything, in time.
        let trader = self.traders.get((n + n / 100) % self.traders.len().max(1));
        let Some([portfolio, trade, entry, exit, log, pause, start]) = trader else { return Ok(()) };
        let kind = Kind::of(n);
        let calls: &[&Call] = match kind {
            Kind::Portfolio => &[portfolio],
            Kind::Trade => &[trade],
            Kind::Webhook => &[entry, exit],
            Kind::Log => &[log],
            Kind::Pause => &[pause, start],
        };
        for call in calls {
            call.send(&self.client, &self.url, n).await?;
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        if matches!(kind, Kind::Trade | Kind::Webhook | Kind::Log) {
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// One of so many in thirty days, two of three of which won.
fn trade_before(number: i32, count: i32) -> Value {
    let exit_time = Utc::now() - chrono::Duration::days(30) * number / count.max(1);
    json!({
        "exchange_order_id": format!("before-{number}"), "side": "buy", "order_type": "limit", "status": "closed", "amount": "0.25",
        "price": "60000", "exit_price": if number % 3 == 0 { "59800" } else { "60150" }, "fee": "0.6",
        "entry_time": exit_time - chrono::Duration::hours(3), "exit_time": exit_time,
    })
}

fn unreadable(error: &tokio_postgres::Error) -> Error {
    Error::new(format!("the database refused: {}", describe_error(error)), "see bench/src/load")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(p99_ms: f64, memory_of_instance_mib: f64, connections: i64) -> Part {
        let driven = LoadStats { requests: 8_000, per_second: 100.0, p50_ms: 1.0, p99_ms };
        Part { driven, calls: 10_000, instances: 4, memory_of_instance_mib, connections }
    }

    fn clean() -> Report {
        Report {
            most_per_second: 125.0,
            parts: vec![part(10.0, 10.0, 4), part(11.0, 10.4, 4), part(12.0, 10.9, 4)],
            errors: Vec::new(),
            acknowledged: 7,
            stored: 7,
            differences: Vec::new(),
        }
    }

    #[test]
    fn whatever_fails_grows_or_is_lost_is_told() {
        assert_eq!(clean().missed(), Vec::<String>::new());
        let last = |last| Report { parts: vec![part(10.0, 10.0, 4), part(10.0, 10.0, 4), last], ..clean() };
        for broken in [
            Report { errors: vec!["503".into()], ..clean() },
            Report { stored: 6, ..clean() },
            Report { stored: 8, ..clean() },
            Report { differences: vec!["trigger x: missing".into()], ..clean() },
            last(part(10.0, 11.1, 4)), // 231 bytes a call
            last(part(10.0, 10.0, 5)),
            last(part(31.0, 10.0, 4)),
        ] {
            assert_eq!(broken.missed().len(), 1, "{broken:?}");
        }
    }

    #[test]
    fn a_hundred_requests_are_of_every_kind() {
        let count = |kind| (500..600).filter(|n| Kind::of(*n) == kind).count();
        let counts = [Kind::Portfolio, Kind::Trade, Kind::Webhook, Kind::Log, Kind::Pause].map(count);
        assert_eq!(counts, [30, 35, 15, 15, 5]);
    }
}
