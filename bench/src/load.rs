//! Ten minutes of mixed traffic at 80 % of the maximum throughput: no request may fail, no data may be lost, and memory
//! may hardly grow.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::Utc;
use dev::{client::client, runtime::Fleet, stack::Stack};
use local_database::{Error, Result, connect, describe_error};
use ops::verify::verify_migrations;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet, time::sleep_until};
use tokio_postgres::{Client, types::Type};

use crate::{
    environment::Environment,
    load_generator::{LoadStats, median, milliseconds, run_load},
    requests::{Call, UNIQUE_DIGITS, bot, portfolio, send},
    usage::Processes,
};

/// Share of the maximum throughput.
const LOAD_SHARE: f64 = 0.8;
/// Maximum growth of an instance's memory with each invocation, in bytes. The measured growth is 166: lambda_runtime
/// sets each trace id as an environment variable, and glibc never frees the old values.
const MAX_GROWTH: f64 = 200.0;
/// Time limit of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum p99 of a part, as a multiple of the median p99.
const MAX_SLOWDOWN: f64 = 3.0;

#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub traders: i64,
    /// Trades of each trader in the previous thirty days.
    pub history: i32,
    /// Duration of full load before the maximum throughput is measured.
    pub warm_up: Duration,
    /// Duration of full load while the maximum throughput is measured.
    pub probe: Duration,
    /// Number of parts into which the measurement is divided.
    pub parts: usize,
    /// Duration of each part.
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

    /// Concurrent callers, and maximum instances of a function.
    const CALLERS: usize = 8;
}

/// Figures at the end of a part.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    #[serde(flatten)]
    pub load: LoadStats,
    /// Invocations of functions. Some requests of the mix are two invocations: a pause and a start, an entry and an
    /// exit.
    pub calls: usize,
    pub instances: usize,
    pub memory_of_instance_mib: f64,
    pub connections: i64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Maximum throughput, in requests per second.
    pub max_per_second: f64,
    pub parts: Vec<Part>,
    /// Error of each failed request.
    pub errors: Vec<String>,
    /// Trades and log entries that were acknowledged, and those that are stored.
    pub acknowledged: i64,
    pub stored: i64,
    /// Differences that `cargo ops verify` finds afterwards.
    pub differences: Vec<String>,
}

impl Report {
    /// Everything that failed, grew or was lost, as sentences.
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        if let Some(first) = self.errors.first() {
            missed.push(format!("{} requests failed, such as: {first}", self.errors.len()));
        }
        if self.stored != self.acknowledged {
            missed.push(format!(
                "{} trades and log entries were acknowledged, but {} are stored",
                self.acknowledged, self.stored
            ));
        }
        missed.extend(self.differences.iter().cloned());
        if let Some(last) = self.parts.last() {
            let growth = self.growth();
            if growth > MAX_GROWTH {
                missed.push(format!(
                    "an instance grows by {growth:.0} bytes with each invocation, above the limit of {MAX_GROWTH}"
                ));
            }
            let max_connections = i64::try_from(last.instances).unwrap_or(i64::MAX);
            if last.connections > max_connections {
                missed.push(format!(
                    "{max_connections} instances hold {} connections, above the limit of one each",
                    last.connections
                ));
            }
        }
        let median_p99 = median(self.parts.iter().map(|part| part.load.p99_ms).collect());
        for (number, part) in
            self.parts.iter().enumerate().filter(|(_, part)| part.load.p99_ms > median_p99 * MAX_SLOWDOWN)
        {
            missed.push(format!(
                "p99 was {:.1} ms in part {}, above {MAX_SLOWDOWN} times the median of {median_p99:.1} ms",
                part.load.p99_ms,
                number + 1
            ));
        }
        missed
    }

    /// Growth of an instance's memory with each invocation after the first part, in bytes.
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
        let maximum = self.max_per_second;
        writeln!(f, "Maximum {maximum:.0} requests/s; load {:.0} requests/s.\n", maximum * LOAD_SHARE)?;
        writeln!(
            f,
            "| part | requests/s | p50, ms | p99, ms | instances | memory of an instance, MiB | connections |\n|--:|--:|--:|--:|--:|--:|--:|"
        )?;
        for (number, Part { load, instances, memory_of_instance_mib, connections, .. }) in self.parts.iter().enumerate()
        {
            let LoadStats { per_second, p50_ms, p99_ms, .. } = load;
            writeln!(
                f,
                "| {} | {per_second:.0} | {p50_ms:.1} | {p99_ms:.1} | {instances} | {memory_of_instance_mib:.1} | {connections} |",
                number + 1
            )?;
        }
        let differences = match self.differences.len() {
            0 => "no difference".to_owned(),
            1 => "1 difference".to_owned(),
            many => format!("{many} differences"),
        };
        writeln!(
            f,
            "\n{} requests failed. {} trades and log entries were acknowledged, and {} are in the database. `verify` \
             reported {differences}.\n\nAn instance grows by {:.0} bytes with each invocation.",
            self.errors.len(),
            self.acknowledged,
            self.stored,
            self.growth(),
        )
    }
}

/// Measures the maximum throughput, and then sends mixed traffic.
///
/// # Errors
///
/// The traffic cannot be prepared. Requests that fail under load are in the report.
pub async fn measure(environment: &Environment<'_>, size: Size) -> Result<Report> {
    let stack = environment.stack(Size::CALLERS).await?;
    let admin = connect(&environment.database.admin_url).await?;
    let traffic = Arc::new(Traffic::prepare(environment, &stack, &admin, size).await?);

    let warmed_up = run_load(Size::CALLERS, size.warm_up, async |n| traffic.send(n).await).await?.requests;
    let probed = run_load(Size::CALLERS, size.probe, async |n| traffic.send(warmed_up + n).await).await?;
    environment.report_progress(format!("load       maximum: {:.0} requests/s", probed.per_second));
    let interval = Duration::from_secs_f64(1.0 / (probed.per_second * LOAD_SHARE));

    let callers = Arc::new(Semaphore::new(Size::CALLERS));
    let (mut parts, mut errors, mut next) = (Vec::new(), Vec::new(), warmed_up + probed.requests);
    for number in 1..=size.parts {
        let (started_at, calls_before) = (Instant::now(), traffic.calls.load(Ordering::Relaxed));
        let mut requests = JoinSet::new();
        while started_at.elapsed() < size.part {
            // Requests are sent at fixed times, whether earlier ones have completed or not. If all callers are busy
            // they wait, and the wait counts as latency.
            let due = started_at + interval * u32::try_from(requests.len()).unwrap_or(u32::MAX);
            sleep_until(due.into()).await;
            let (traffic, callers) = (traffic.clone(), callers.clone());
            let n = next;
            requests.spawn(async move {
                let _caller = callers.acquire_owned().await;
                traffic.send(n).await.map(|()| milliseconds(due.elapsed()))
            });
            next += 1;
        }
        let (mut latencies, mut failed) = (Vec::new(), Vec::new());
        let outcomes = requests.join_all().await;
        let duration = started_at.elapsed();
        for outcome in outcomes {
            match outcome {
                Ok(milliseconds) => latencies.push(milliseconds),
                Err(error) => failed.push(error.to_string()),
            }
        }
        let calls = traffic.calls.load(Ordering::Relaxed) - calls_before;
        let part = measure_part(environment, &stack, &admin, LoadStats::of(latencies, duration), calls).await?;
        environment.report_progress(format!(
            "load       part {number} of {}: p99 {:.1} ms, {} requests failed",
            size.parts,
            part.load.p99_ms,
            failed.len()
        ));
        if let Some(error) = failed.first() {
            environment.report_progress(format!("load       first failure: {error}"));
        }
        parts.push(part);
        errors.append(&mut failed);
    }
    stack.stop().await;

    let acknowledged = traffic.acknowledged.load(Ordering::Relaxed);
    let count = "select
        (select count(*) from public.trades where exchange_order_id like 'load-%' or metadata ? 'freqtrade')
        + (select count(*) from public.logs where message = 'Bot heartbeat')";
    let stored = admin.query_typed_one(count, &[]).await.map_err(|error| failed_query(&error))?.get(0);
    let verified =
        verify_migrations(environment.postgres, &environment.migrations_url, &environment.workspace.join("migrations"))
            .await?;
    let differences = verified.differences.iter().map(ToString::to_string).collect();
    Ok(Report { max_per_second: probed.per_second, parts, errors, acknowledged, stored, differences })
}

/// Figures of a part that has ended.
async fn measure_part(
    environment: &Environment<'_>,
    stack: &Stack,
    admin: &Client,
    load: LoadStats,
    calls: usize,
) -> Result<Part> {
    let ids: Vec<u32> = environment
        .template
        .functions
        .iter()
        .filter_map(|function| stack.fleet(&function.name))
        .flat_map(Fleet::process_ids)
        .collect();
    let count = "select count(*) from pg_stat_activity where usename in ('nofomo_api', 'nofomo_jobs') and datname = current_database()";
    let connections = admin.query_typed_one(count, &[]).await.map_err(|error| failed_query(&error))?.get(0);
    let memory_of_instance_mib = Processes::of(&ids).resident_mib() / ids.len().max(1) as f64;
    Ok(Part { load, calls, instances: ids.len(), memory_of_instance_mib, connections })
}

/// Kind of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum RequestKind {
    Portfolio,
    Trade,
    Webhook,
    Log,
    Pause,
}

impl RequestKind {
    /// Kind of request number `n`, in a mix like that of apps and bots.
    fn of(n: usize) -> Self {
        // In an irregular order.
        match n.wrapping_mul(61) % 100 {
            0..30 => Self::Portfolio,
            30..65 => Self::Trade,
            65..80 => Self::Webhook,
            80..95 => Self::Log,
            _ => Self::Pause,
        }
    }
}

/// The traders and their requests.
struct Traffic {
    client: reqwest::Client,
    url: String,
    traders: Vec<[Call; 7]>,
    calls: AtomicUsize,
    /// Trades and log entries that were acknowledged.
    acknowledged: AtomicI64,
}

impl Traffic {
    /// Signs up the traders, each with a running bot that has trades and a token.
    async fn prepare(environment: &Environment<'_>, stack: &Stack, admin: &Client, size: Size) -> Result<Self> {
        let emails = admin.query_typed(include_str!("load/traders.sql"), &[(&size.traders, Type::INT8)]).await;
        let emails = emails.map_err(|error| failed_query(&error))?;
        // A trigger creates the profiles when the previous statement ends.
        let on_pro = "update public.users set subscription_plan = 'pro' where email like 'trader-%'";
        admin.batch_execute(on_pro).await.map_err(|error| failed_query(&error))?;
        environment.report_progress(format!(
            "load       {} traders, each with a bot of {} trades",
            size.traders, size.history
        ));
        let mut traders = Vec::new();
        let history: Value = (0..size.history).map(|number| past_trade(number, size.history)).collect();
        for row in emails {
            let user = stack.auth().token_for(row.get(0)).await?;
            let call = |method, path: String, body: &Value| Call::new(&user, method, path, body);
            let created =
                send(environment, stack, &call("POST", "/bots".to_owned(), &bot("Swing", "binance", true))).await?;
            let id = created.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            send(environment, stack, &call("POST", format!("/bots/{id}/start"), &json!({}))).await?;
            send(environment, stack, &call("POST", format!("/bots/{id}/trades"), &history)).await?;
            let issued = send(environment, stack, &call("POST", format!("/bots/{id}/token"), &json!({}))).await?;
            let token = issued.get("token").and_then(Value::as_str).unwrap_or_default().to_owned();
            let [entry_time, exit_time] = [6, 2].map(|hours| Utc::now() - chrono::Duration::hours(hours));
            let trade = json!({
                "exchange_order_id": format!("load-{UNIQUE_DIGITS}"), "side": "buy", "order_type": "limit", "status": "closed",
                "amount": "0.25", "price": "61250.5", "fee": "0.61", "entry_time": entry_time,
                "exit_time": exit_time, "exit_price": "61420",
            });
            let entry = json!({
                "type": "entry_fill", "trade_id": UNIQUE_DIGITS, "exchange": "Binance", "pair": "ETH/USDT", "direction": "Long",
                "open_rate": "3120.4", "order_type": "limit", "amount": "1.0", "open_date": entry_time,
            });
            // Every opened trade is closed: portfolios contain the open trades, whose number must not grow.
            let exit = json!({
                "type": "exit_fill", "trade_id": UNIQUE_DIGITS, "exchange": "Binance", "pair": "ETH/USDT", "direction": "Long",
                "open_rate": "3120.4", "close_rate": "3141.2", "order_type": "limit", "amount": "1.0", "gain": "profit",
                "profit_amount": "14.54", "profit_ratio": "0.004659", "open_date": entry_time, "close_date": exit_time,
                "is_final_exit": "True",
            });
            let entry = Call::new(&token, "POST", format!("/freqtrade/{token}"), &entry);
            let exit = Call::new(&token, "POST", format!("/freqtrade/{token}"), &exit).with_digits_of(&entry);
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
        let client = client("nofomo-bench", REQUEST_TIMEOUT)?;
        Ok(Self {
            client,
            url: stack.url(),
            traders,
            calls: AtomicUsize::default(),
            acknowledged: AtomicI64::default(),
        })
    }

    async fn send(&self, n: usize) -> Result<()> {
        // Over time, each trader sends every kind of request.
        let trader = self.traders.get((n + n / 100) % self.traders.len().max(1));
        let Some([portfolio, trade, entry, exit, log, pause, start]) = trader else { return Ok(()) };
        let kind = RequestKind::of(n);
        let calls: &[&Call] = match kind {
            RequestKind::Portfolio => &[portfolio],
            RequestKind::Trade => &[trade],
            RequestKind::Webhook => &[entry, exit],
            RequestKind::Log => &[log],
            RequestKind::Pause => &[pause, start],
        };
        for call in calls {
            call.send(&self.client, &self.url, n).await?;
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        if matches!(kind, RequestKind::Trade | RequestKind::Webhook | RequestKind::Log) {
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// One of `count` trades of the past thirty days, two thirds of which are winning.
fn past_trade(number: i32, count: i32) -> Value {
    let exit_time = Utc::now() - chrono::Duration::days(30) * number / count.max(1);
    json!({
        "exchange_order_id": format!("before-{number}"), "side": "buy", "order_type": "limit", "status": "closed", "amount": "0.25",
        "price": "60000", "exit_price": if number % 3 == 0 { "59800" } else { "60150" }, "fee": "0.6",
        "entry_time": exit_time - chrono::Duration::hours(3), "exit_time": exit_time,
    })
}

fn failed_query(error: &tokio_postgres::Error) -> Error {
    Error::new(
        format!("the database rejected a statement: {}", describe_error(error)),
        "correct the SQL in bench/src/load.rs",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(p99_ms: f64, memory_of_instance_mib: f64, connections: i64) -> Part {
        let load = LoadStats { requests: 8_000, per_second: 100.0, p50_ms: 1.0, p99_ms };
        Part { load, calls: 10_000, instances: 4, memory_of_instance_mib, connections }
    }

    fn passing_report() -> Report {
        Report {
            max_per_second: 125.0,
            parts: vec![part(10.0, 10.0, 4), part(11.0, 10.4, 4), part(12.0, 10.9, 4)],
            errors: Vec::new(),
            acknowledged: 7,
            stored: 7,
            differences: Vec::new(),
        }
    }

    #[test]
    fn failures_growth_and_losses_are_reported() {
        assert_eq!(passing_report().missed(), Vec::<String>::new());
        let last = |last| Report { parts: vec![part(10.0, 10.0, 4), part(10.0, 10.0, 4), last], ..passing_report() };
        for broken in [
            Report { errors: vec!["503".into()], ..passing_report() },
            Report { stored: 6, ..passing_report() },
            Report { stored: 8, ..passing_report() },
            Report { differences: vec!["trigger x: missing".into()], ..passing_report() },
            last(part(10.0, 11.1, 4)), // 231 bytes with each invocation
            last(part(10.0, 10.0, 5)),
            last(part(31.0, 10.0, 4)),
        ] {
            assert_eq!(broken.missed().len(), 1, "{broken:?}");
        }
    }

    #[test]
    fn a_hundred_requests_include_every_kind() {
        let count = |kind| (500..600).filter(|n| RequestKind::of(*n) == kind).count();
        let counts =
            [RequestKind::Portfolio, RequestKind::Trade, RequestKind::Webhook, RequestKind::Log, RequestKind::Pause]
                .map(count);
        assert_eq!(counts, [30, 35, 15, 15, 5]);
    }
}
