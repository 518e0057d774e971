//! Latency of requests with up to a million times as many rows.

use std::{fmt, time::Duration};

use axum::body::Bytes;
use chrono::Utc;
use dev::runtime::Fleet;
use local_database::{Error, Result, connect, describe_error};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use tokio_postgres::{
    Client,
    types::{ToSql, Type},
};

use crate::{
    environment::{Environment, fleet},
    load_generator::{median, milliseconds, run_load},
    plot,
    requests::{READER, USER, create_bots, outcome, portfolio, trades},
    usage::Processes,
};

/// Maximum latency of recording a trade, as a multiple of that of the fastest bot.
const BUDGET: f64 = 1.2;
/// Maximum latency of a portfolio with one bot, as a multiple of that of recording a trade: other users' trades in the
/// same table must not matter.
const PORTFOLIO_BUDGET: f64 = 5.0;

#[derive(Clone, Debug)]
pub struct Size {
    /// Duration of each measurement.
    pub duration: Duration,
    /// Trades that a bot has before another is recorded, for each bot.
    pub trades: Vec<i64>,
    /// Expired subscriptions.
    pub subscriptions: Vec<i64>,
    /// Bots of one user.
    pub bots: Vec<i64>,
    /// Published strategies, and backtests of all of them together.
    pub marketplaces: Vec<(i64, i64)>,
}

impl Size {
    pub fn full() -> Self {
        Self {
            duration: Duration::from_secs(5),
            trades: vec![10, 10_000, 1_000_000, 10_000_000],
            subscriptions: vec![1_000, 100_000, 1_000_000],
            bots: vec![1, 100, 1_000],
            marketplaces: vec![(100, 10_000), (10_000, 1_000_000)],
        }
    }
}

/// Latency with a number of rows.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub count: i64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// Figures of expire-subscriptions, which needs several runs if there is more to expire than one run can.
#[derive(Clone, Debug, Serialize)]
pub struct ExpiryFigures {
    /// Expired subscriptions.
    pub due: i64,
    pub runs: usize,
    pub seconds: f64,
    pub microseconds_per_subscription: f64,
    pub memory_mib: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub record_trade: Vec<Figures>,
    pub expire_subscriptions: Vec<ExpiryFigures>,
    pub get_portfolio: Vec<Figures>,
    /// First page of twenty strategies, the newest or those with the best average return, by the number of strategies.
    pub newest_strategies: Vec<Figures>,
    pub best_strategies: Vec<Figures>,
}

impl Report {
    /// Each missed budget, as a sentence.
    pub fn missed(&self) -> Vec<String> {
        let fastest = self.record_trade.iter().map(|figures| figures.p50_ms).fold(f64::INFINITY, f64::min);
        let slow = self.record_trade.iter().filter(|figures| figures.p50_ms > fastest * BUDGET);
        let trades = slow.map(|Figures { count, p50_ms, .. }| {
            let times = p50_ms / fastest;
            format!(
                "recording a trade of a bot with {count} trades takes {times:.2} times as long as of the fastest bot, above the limit of {BUDGET}"
            )
        });
        let small = self.get_portfolio.iter().min_by_key(|figures| figures.count);
        let slow = small.map(|figures| figures.p50_ms / fastest).filter(|times| *times > PORTFOLIO_BUDGET);
        let portfolio = slow.map(|times| {
            format!(
                "a small portfolio takes {times:.0} times as long as recording a trade, above the limit of {PORTFOLIO_BUDGET}"
            )
        });
        trades.chain(portfolio).collect()
    }

    /// Plots the latency of record-trade as SVG.
    ///
    /// # Errors
    ///
    /// The plot cannot be drawn.
    pub fn plot(&self) -> Result<String> {
        let points = self.record_trade.iter().map(|figures| ((figures.count as f64).log10(), figures.p50_ms));
        plot::render_lines(
            "record-trade by the bot's number of trades",
            "trades of the bot (power of ten)",
            "p50, ms",
            &[("record-trade", points.collect())],
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (request, rows, figures) in [
            ("record-trade", "trades of the bot", &self.record_trade),
            ("get-portfolio", "bots of the user", &self.get_portfolio),
            ("marketplace, the 20 newest", "published strategies", &self.newest_strategies),
            ("marketplace, the 20 best", "published strategies", &self.best_strategies),
        ] {
            writeln!(f, "| {request}: {rows} | p50, ms | p99, ms |\n|--:|--:|--:|")?;
            for Figures { count, p50_ms, p99_ms } in figures {
                writeln!(f, "| {count} | {p50_ms:.2} | {p99_ms:.2} |")?;
            }
            writeln!(f)?;
        }
        writeln!(
            f,
            "| expire-subscriptions: expired subscriptions | runs | seconds | µs per subscription | memory, MiB |\n|--:|--:|--:|--:|--:|"
        )?;
        for ExpiryFigures { due, runs, seconds, microseconds_per_subscription, memory_mib } in
            &self.expire_subscriptions
        {
            writeln!(f, "| {due} | {runs} | {seconds:.1} | {microseconds_per_subscription:.0} | {memory_mib:.1} |")?;
        }
        Ok(())
    }
}

/// Measures the requests with growing numbers of rows.
///
/// # Errors
///
/// A request fails.
pub async fn measure(environment: &Environment<'_>, size: &Size) -> Result<Report> {
    let loader = BulkLoader::new(environment).await?;
    // Measured first: after the other measurements, the server would vacuum in the background.
    let record_trade = record_trade(environment, size, &loader).await?;
    let get_portfolio = get_portfolio(environment, size, &loader).await?;
    let [newest_strategies, best_strategies] = marketplace(environment, size, &loader).await?;
    let expire_subscriptions = expire_subscriptions(environment, size, &loader).await?;
    Ok(Report { record_trade, expire_subscriptions, get_portfolio, newest_strategies, best_strategies })
}

async fn record_trade(environment: &Environment<'_>, size: &Size, loader: &BulkLoader) -> Result<Vec<Figures>> {
    let stack = environment.stack(1).await?;
    let token = stack.auth().token_for(USER).await?;
    let fleet = fleet(&stack, "record-trade")?;
    let bots = create_bots(environment, &stack, &token, size.trades.len()).await?;
    // All trades are inserted before the measurement: PostgreSQL plans differently for an almost empty table.
    for (bot, count) in bots.iter().zip(&size.trades) {
        loader.execute(include_str!("scale/trades.sql"), &[(&uuid(bot)?, Type::UUID), (count, Type::INT8)]).await?;
        environment.report_progress(format!("scale      inserted a bot with {count} trades"));
    }
    loader.vacuum_and_checkpoint("public.trades, public.bots").await?;
    let mut measured = Vec::new();
    for (bot, &count) in bots.iter().zip(&size.trades) {
        let (_, events) = trades(&token, bot, 1).events(environment)?;
        measured.push(
            measure_latency(environment, size, "record-trade", (count, "trades"), async |n| {
                invoke(fleet, events.nth(n)).await
            })
            .await?,
        );
    }
    stack.stop().await;
    Ok(measured)
}

async fn get_portfolio(environment: &Environment<'_>, size: &Size, loader: &BulkLoader) -> Result<Vec<Figures>> {
    let stack = environment.stack(1).await?;
    let fleet = fleet(&stack, "get-portfolio")?;
    let (_, events) = portfolio(&stack.auth().token_for(READER).await?).events(environment)?;
    let mut measured = Vec::new();
    for &count in &size.bots {
        loader
            .execute(
                "delete from public.bots where user_id = (select id from public.users where email = $1)",
                &[(&READER, Type::TEXT)],
            )
            .await?;
        loader.execute(include_str!("scale/bots.sql"), &[(&READER, Type::TEXT), (&count, Type::INT8)]).await?;
        loader.vacuum_and_checkpoint("public.bots").await?;
        measured.push(
            measure_latency(environment, size, "get-portfolio", (count, "bots"), async |n| {
                invoke(fleet, events.nth(n)).await
            })
            .await?,
        );
    }
    stack.stop().await;
    Ok(measured)
}

/// Reads the marketplace as an app does through PostgREST: as the user, under the row level security policies.
async fn marketplace(environment: &Environment<'_>, size: &Size, loader: &BulkLoader) -> Result<[Vec<Figures>; 2]> {
    const FIRST_PAGE: &str = "select id, name, author_name, avg_return_percentage, backtest_count
        from public.strategy_marketplace";
    let app = connect(&environment.database.api_url).await?;
    let claims_query = format!(
        "select set_config('request.jwt.claims', json_build_object('sub', id, 'role', 'authenticated')::text, false)
        from public.users where email = '{READER}'"
    );
    let claims: String = loader.0.query_typed_one(&claims_query, &[]).await.map_err(|error| failed(&error))?.get(0);
    let claims: &(dyn ToSql + Sync) = &claims;
    let become_user = "select set_config('request.jwt.claims', $1, false), set_config('role', 'authenticated', false)";
    app.query_typed_one(become_user, &[(claims, Type::TEXT)]).await.map_err(|error| failed(&error))?;
    let mut measured = [Vec::new(), Vec::new()];
    for &(strategies, backtests) in &size.marketplaces {
        loader.execute("delete from public.backtest_results", &[]).await?;
        loader.execute("delete from public.strategies", &[]).await?;
        let counts: [(&(dyn ToSql + Sync), Type); 2] = [(&strategies, Type::INT8), (&backtests, Type::INT8)];
        loader.execute(include_str!("scale/marketplace.sql"), &counts).await?;
        loader.vacuum_and_checkpoint("public.strategies, public.backtest_results").await?;
        for (order, figures) in ["created_at desc, id", "avg_return_percentage desc, id"].into_iter().zip(&mut measured)
        {
            let page = format!("{FIRST_PAGE} order by {order} limit 20");
            let read_page = async |_| {
                let page = app.query_typed(&page, &[]).await.map_err(|error| failed(&error))?;
                let is_complete = page.len() == 20.min(usize::try_from(strategies).unwrap_or(20));
                if is_complete {
                    Ok(())
                } else {
                    Err(Error::new("strategies are missing from the marketplace", "check its policies"))
                }
            };
            figures.push(
                measure_latency(
                    environment,
                    size,
                    &format!("marketplace by {order}"),
                    (strategies, "strategies"),
                    read_page,
                )
                .await?,
            );
        }
    }
    Ok(measured)
}

async fn expire_subscriptions(
    environment: &Environment<'_>,
    size: &Size,
    loader: &BulkLoader,
) -> Result<Vec<ExpiryFigures>> {
    const FUNCTION: &str = "expire-subscriptions";
    let schedule = environment.template.functions.iter().find(|function| function.name == FUNCTION);
    let schedule = schedule.and_then(|function| function.schedules.first());
    let schedule =
        schedule.ok_or_else(|| Error::new(format!("{FUNCTION} has no schedule"), "add one in template.yaml"))?;
    let mut measured = Vec::new();
    for &due in &size.subscriptions {
        loader
            .execute(
                "delete from public.subscriptions using public.users where users.id = user_id and email like 'payer-%'",
                &[],
            )
            .await?;
        loader.execute("delete from public.users where email like 'payer-%'", &[]).await?;
        loader.execute(include_str!("scale/subscriptions.sql"), &[(&due, Type::INT8)]).await?;
        loader.vacuum_and_checkpoint("public.subscriptions, public.users").await?;
        let stack = environment.stack(1).await?;
        let fleet = fleet(&stack, FUNCTION)?;
        let (started_at, mut runs, mut expired) = (Instant::now(), 0, 0);
        loop {
            let response = fleet.invoke(schedule.event(Utc::now()).into()).await;
            let response = response.map_err(|error| {
                Error::new(error.to_string(), "invoke the function with `cargo dev` and see its log")
            })?;
            let counts: Value = serde_json::from_slice(&response).unwrap_or_default();
            runs += 1;
            expired += counts.get("subscriptions").and_then(Value::as_i64).unwrap_or_default();
            if counts.get("is_complete").and_then(Value::as_bool) == Some(true) || runs > 100 {
                break;
            }
        }
        if expired != due {
            return Err(Error::new(
                format!("{expired} of {due} subscriptions were expired"),
                "invoke the function with `cargo dev` and see its log",
            ));
        }
        let seconds = started_at.elapsed().as_secs_f64();
        let memory_mib = Processes::of(&fleet.process_ids()).resident_mib();
        stack.stop().await;
        environment.report_progress(format!("scale      {FUNCTION} with {due} subscriptions: {seconds:.1} s"));
        measured.push(ExpiryFigures {
            due,
            runs,
            seconds,
            microseconds_per_subscription: seconds * 1e6 / due as f64,
            memory_mib,
        });
    }
    Ok(measured)
}

/// Measures the latency of one caller, after requests that warm up the caches.
async fn measure_latency(
    environment: &Environment<'_>,
    size: &Size,
    request_name: &str,
    (count, rows): (i64, &str),
    request: impl AsyncFn(usize) -> Result<()>,
) -> Result<Figures> {
    const WARM_UP: usize = 20;
    let mut latencies = Vec::new();
    for n in 0..WARM_UP {
        let sent_at = Instant::now();
        request(n).await?;
        latencies.push(milliseconds(sent_at.elapsed()));
    }
    let load = run_load(1, size.duration, async |n| request(WARM_UP + n).await).await?;
    environment.report_progress(format!(
        "scale      {request_name} with {count} {rows}: p50 {:.2} ms, {:.2} ms during warm-up",
        load.p50_ms,
        median(latencies)
    ));
    Ok(Figures { count, p50_ms: load.p50_ms, p99_ms: load.p99_ms })
}

async fn invoke(fleet: &Fleet, event: Bytes) -> Result<()> {
    let response = fleet.invoke(event).await;
    outcome(
        &response
            .map_err(|error| Error::new(error.to_string(), "invoke the function with `cargo dev` and see its log"))?,
    )
    .map(|_| ())
}

/// A connection that inserts rows without running triggers, as the restore of a backup does.
struct BulkLoader(Client);

impl BulkLoader {
    async fn new(environment: &Environment<'_>) -> Result<Self> {
        let admin = connect(&environment.database.admin_url).await?;
        let settings = "set session_replication_role = replica; set maintenance_work_mem = '256MB'";
        admin.batch_execute(settings).await.map_err(|error| failed(&error))?;
        Ok(Self(admin))
    }

    async fn execute(&self, statement: &str, parameters: &[(&(dyn ToSql + Sync), Type)]) -> Result<()> {
        self.0.query_typed(statement, parameters).await.map(|_| ()).map_err(|error| failed(&error))
    }

    /// Does the maintenance that the server would otherwise do during the measurement.
    async fn vacuum_and_checkpoint(&self, tables: &str) -> Result<()> {
        let maintenance = async {
            self.0.batch_execute(&format!("vacuum analyze {tables}")).await?;
            self.0.batch_execute("checkpoint").await
        };
        maintenance.await.map_err(|error| failed(&error))
    }
}

fn uuid(text: &str) -> Result<uuid::Uuid> {
    text.parse().map_err(|_| Error::new(format!("{text} is not a UUID"), "check the response of create-bot"))
}

fn failed(error: &tokio_postgres::Error) -> Error {
    Error::new(
        format!("the database rejected a statement: {}", describe_error(error)),
        "correct the SQL in bench/src/scale",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recording_may_slow_by_a_fifth_and_a_small_portfolio_may_take_as_long_as_five_trades() {
        let figures = |count, p50_ms| Figures { count, p50_ms, p99_ms: 9.0 };
        let report = |record_trade| Report {
            record_trade,
            expire_subscriptions: Vec::new(),
            get_portfolio: vec![figures(1_000, 90.0), figures(1, 4.5)],
            newest_strategies: Vec::new(),
            best_strategies: Vec::new(),
        };
        assert!(report(vec![figures(10, 1.0), figures(1_000, 1.19)]).missed().is_empty());
        assert_eq!(
            report(vec![figures(10, 1.0), figures(1_000, 1.25)]).missed(),
            [
                "recording a trade of a bot with 1000 trades takes 1.25 times as long as of the fastest bot, above the limit of 1.2"
            ]
        );
        assert_eq!(
            report(vec![figures(10, 0.5)]).missed(),
            ["a small portfolio takes 9 times as long as recording a trade, above the limit of 5"]
        );
    }
}
