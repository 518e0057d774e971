//! Whether what is asked costs the same when there is a thousand times as much.

use std::{fmt, time::Duration};

use axum::body::Bytes;
use chrono::Utc;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use tokio_postgres::{
    Client,
    types::{ToSql, Type},
};

use crate::{
    environment::{Environment, fleet},
    load_generator::{drive, median, milliseconds},
    plot,
    requests::{READER, USER, new_bots, outcome, portfolio, trades},
    usage::Processes,
};
use dev::runtime::Fleet;
use local_database::{Error, Result, connect, describe_error};

/// Of the quickest, for a trade on the bot with the longest history.
const BUDGET: f64 = 1.2;
/// A portfolio with one bot, to a trade: whatever trades others have, in the same table.
const PORTFOLIO_BUDGET: f64 = 5.0;

#[derive(Clone, Debug)]
pub struct Size {
    pub during: Duration,
    /// Trades that a bot has when another one is recorded.
    pub trades: Vec<i64>,
    /// Subscriptions that are due.
    pub subscriptions: Vec<i64>,
    /// Bots of one user.
    pub bots: Vec<i64>,
    /// Strategies on offer, and backtests of all of them together.
    pub marketplaces: Vec<(i64, i64)>,
}

impl Size {
    pub fn full() -> Self {
        Self {
            during: Duration::from_secs(5),
            trades: vec![10, 10_000, 1_000_000, 10_000_000],
            subscriptions: vec![1_000, 100_000, 1_000_000],
            bots: vec![1, 100, 1_000],
            marketplaces: vec![(100, 10_000), (10_000, 1_000_000)],
        }
    }
}

/// How long a request takes where there is so much.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub count: i64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// A run, or several where one has not the time.
#[derive(Clone, Debug, Serialize)]
pub struct Ending {
    pub due: i64,
    pub runs: usize,
    pub seconds: f64,
    pub microseconds_each: f64,
    pub memory_mib: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub record_trade: Vec<Figures>,
    pub expire_subscriptions: Vec<Ending>,
    pub get_portfolio: Vec<Figures>,
    /// The first twenty on offer, the newest or those with the best average return, by the number of strategies.
    pub newest_on_offer: Vec<Figures>,
    pub best_on_offer: Vec<Figures>,
}

impl Report {
    /// Whether a longer history makes a trade dearer, or that of others a portfolio, in words.
    pub fn missed(&self) -> Vec<String> {
        let least = self.record_trade.iter().map(|figures| figures.p50_ms).fold(f64::INFINITY, f64::min);
        let dear = self.record_trade.iter().filter(|figures| figures.p50_ms > least * BUDGET);
        let words = dear.map(|Figures { count, p50_ms, .. }| {
            let times = p50_ms / least;
            format!("a trade of a bot with {count} takes {times:.2} times as long as the quickest, and may {BUDGET}")
        });
        let small = self.get_portfolio.iter().min_by_key(|figures| figures.count);
        let dear = small.map(|figures| figures.p50_ms / least).filter(|times| *times > PORTFOLIO_BUDGET);
        let of_others = dear.map(|times| {
            format!("a small portfolio takes {times:.0} times as long as a trade, and may {PORTFOLIO_BUDGET}")
        });
        words.chain(of_others).collect()
    }

    pub fn plot(&self) -> Result<String> {
        let points = self.record_trade.iter().map(|figures| ((figures.count as f64).log10(), figures.p50_ms));
        plot::lines(
            "record-trade by its bot's history",
            "trades of the bot, as a power of ten",
            "median, ms",
            &[("one more trade", points.collect())],
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, of, figures) in [
            ("record-trade", "trades of the bot", &self.record_trade),
            ("get-portfolio", "bots of the user", &self.get_portfolio),
            ("marketplace, the newest 20", "strategies on offer", &self.newest_on_offer),
            ("marketplace, the best 20", "strategies on offer", &self.best_on_offer),
        ] {
            writeln!(f, "| {what}: {of} | p50, ms | p99, ms |\n|--:|--:|--:|")?;
            for Figures { count, p50_ms, p99_ms } in figures {
                writeln!(f, "| {count} | {p50_ms:.2} | {p99_ms:.2} |")?;
            }
            writeln!(f)?;
        }
        writeln!(f, "| expire-subscriptions: due | runs | seconds | µs each | memory, MiB |\n|--:|--:|--:|--:|--:|")?;
        for Ending { due, runs, seconds, microseconds_each, memory_mib } in &self.expire_subscriptions {
            writeln!(f, "| {due} | {runs} | {seconds:.1} | {microseconds_each:.0} | {memory_mib:.1} |")?;
        }
        Ok(())
    }
}

/// # Errors
///
/// A request that is refused.
pub async fn measure(environment: &Environment<'_>, size: &Size) -> Result<Report> {
    let filler = Filler::new(environment).await?;
    // First of all: what the others leave behind is cleaned up while this would be measured.
    let record_trade = record_trade(environment, size, &filler).await?;
    let get_portfolio = get_portfolio(environment, size, &filler).await?;
    let [newest_on_offer, best_on_offer] = marketplace(environment, size, &filler).await?;
    let expire_subscriptions = expire_subscriptions(environment, size, &filler).await?;
    Ok(Report { record_trade, expire_subscriptions, get_portfolio, newest_on_offer, best_on_offer })
}

async fn record_trade(environment: &Environment<'_>, size: &Size, filler: &Filler) -> Result<Vec<Figures>> {
    let stack = environment.stack(1).await?;
    let token = stack.auth().token_for(USER).await?;
    let fleet = fleet(&stack, "record-trade")?;
    let bots = new_bots(environment, &stack, &token, size.trades.len()).await?;
    // All in one table before any is measured: in one that is all but empty PostgreSQL plans otherwise.
    for (bot, count) in bots.iter().zip(&size.trades) {
        filler.add(include_str!("scale/trades.sql"), &[(&uuid(bot)?, Type::UUID), (count, Type::INT8)]).await?;
        environment.tell(format!("scale      a bot has {count} trades"));
    }
    filler.settle("public.trades, public.bots").await?;
    let mut measured = Vec::new();
    for (bot, &count) in bots.iter().zip(&size.trades) {
        let (_, events) = trades(&token, bot, 1).events(environment)?;
        measured
            .push(timed(environment, size, "record-trade", count, async |n| invoke(fleet, events.nth(n)).await).await?);
    }
    stack.stop().await;
    Ok(measured)
}

async fn get_portfolio(environment: &Environment<'_>, size: &Size, filler: &Filler) -> Result<Vec<Figures>> {
    let stack = environment.stack(1).await?;
    let fleet = fleet(&stack, "get-portfolio")?;
    let (_, events) = portfolio(&stack.auth().token_for(READER).await?).events(environment)?;
    let mut measured = Vec::new();
    for &count in &size.bots {
        filler
            .add(
                "delete from public.bots where user_id = (select id from public.users where email = $1)",
                &[(&READER, Type::TEXT)],
            )
            .await?;
        filler.add(include_str!("scale/bots.sql"), &[(&READER, Type::TEXT), (&count, Type::INT8)]).await?;
        filler.settle("public.bots").await?;
        measured.push(
            timed(environment, size, "get-portfolio", count, async |n| invoke(fleet, events.nth(n)).await).await?,
        );
    }
    stack.stop().await;
    Ok(measured)
}

/// As an app asks it through PostgREST: as the user, under the policies.
async fn marketplace(environment: &Environment<'_>, size: &Size, filler: &Filler) -> Result<[Vec<Figures>; 2]> {
    const FIRST_PAGE: &str = "select id, name, author_name, avg_return_percentage, backtest_count
        from public.strategy_marketplace";
    let app = connect(&environment.database.api_url).await?;
    let sub = format!(
        "select set_config('request.jwt.claims', json_build_object('sub', id, 'role', 'authenticated')::text, false)
        from public.users where email = '{READER}'"
    );
    let claims: String = filler.0.query_typed_one(&sub, &[]).await.map_err(|error| failed(&error))?.get(0);
    let claims: &(dyn ToSql + Sync) = &claims;
    let become_user = "select set_config('request.jwt.claims', $1, false), set_config('role', 'authenticated', false)";
    app.query_typed_one(become_user, &[(claims, Type::TEXT)]).await.map_err(|error| failed(&error))?;
    let mut measured = [Vec::new(), Vec::new()];
    for &(strategies, backtests) in &size.marketplaces {
        filler.add("delete from public.backtest_results", &[]).await?;
        filler.add("delete from public.strategies", &[]).await?;
        let counts: [(&(dyn ToSql + Sync), Type); 2] = [(&strategies, Type::INT8), (&backtests, Type::INT8)];
        filler.add(include_str!("scale/marketplace.sql"), &counts).await?;
        filler.settle("public.strategies, public.backtest_results").await?;
        for (order, figures) in ["created_at desc, id", "avg_return_percentage desc, id"].into_iter().zip(&mut measured)
        {
            let page = format!("{FIRST_PAGE} order by {order} limit 20");
            let ask = async |_| {
                let page = app.query_typed(&page, &[]).await.map_err(|error| failed(&error))?;
                let is_whole = page.len() == 20.min(usize::try_from(strategies).unwrap_or(20));
                if is_whole { Ok(()) } else { Err(Error::new("the marketplace is not whole", "see its policies")) }
            };
            figures.push(timed(environment, size, &format!("marketplace by {order}"), strategies, ask).await?);
        }
    }
    Ok(measured)
}

async fn expire_subscriptions(environment: &Environment<'_>, size: &Size, filler: &Filler) -> Result<Vec<Ending>> {
    const FUNCTION: &str = "expire-subscriptions";
    let schedule = environment.template.functions.iter().find(|function| function.name == FUNCTION);
    let schedule = schedule.and_then(|function| function.schedules.first());
    let schedule = schedule.ok_or_else(|| Error::new(format!("{FUNCTION} has no schedule"), "see template.yaml"))?;
    let mut measured = Vec::new();
    for &due in &size.subscriptions {
        filler
            .add(
                "delete from public.subscriptions using public.users where users.id = user_id and email like 'payer-%'",
                &[],
            )
            .await?;
        filler.add("delete from public.users where email like 'payer-%'", &[]).await?;
        filler.add(include_str!("scale/subscriptions.sql"), &[(&due, Type::INT8)]).await?;
        filler.settle("public.subscriptions, public.users").await?;
        let stack = environment.stack(1).await?;
        let fleet = fleet(&stack, FUNCTION)?;
        let (begun, mut runs, mut ended) = (Instant::now(), 0, 0);
        loop {
            let answer = fleet.invoke(schedule.event(Utc::now()).into()).await;
            let answer = answer.map_err(|error| Error::new(error.to_string(), "see its log with `cargo dev`"))?;
            let counts: Value = serde_json::from_slice(&answer).unwrap_or_default();
            runs += 1;
            ended += counts.get("subscriptions").and_then(Value::as_i64).unwrap_or_default();
            if counts.get("is_complete").and_then(Value::as_bool) == Some(true) || runs > 100 {
                break;
            }
        }
        if ended != due {
            return Err(Error::new(
                format!("{ended} of {due} subscriptions were ended"),
                "see its log with `cargo dev`",
            ));
        }
        let seconds = begun.elapsed().as_secs_f64();
        let memory_mib = Processes::of(&fleet.instances()).resident_mib();
        stack.stop().await;
        environment.tell(format!("scale      {FUNCTION} of {due}: {seconds:.1} s"));
        measured.push(Ending { due, runs, seconds, microseconds_each: seconds * 1e6 / due as f64, memory_mib });
    }
    Ok(measured)
}

/// One caller, after as many requests as make caches warm.
async fn timed(
    environment: &Environment<'_>,
    size: &Size,
    what: &str,
    count: i64,
    ask: impl AsyncFn(usize) -> Result<()>,
) -> Result<Figures> {
    const WARM_UP: usize = 20;
    let mut waited = Vec::new();
    for n in 0..WARM_UP {
        let begun = Instant::now();
        ask(n).await?;
        waited.push(milliseconds(begun.elapsed()));
    }
    let driven = drive(1, size.during, async |n| ask(WARM_UP + n).await).await?;
    environment.tell(format!(
        "scale      {what} with {count}: {:.2} ms, {:.2} ms at first",
        driven.p50_ms,
        median(waited)
    ));
    Ok(Figures { count, p50_ms: driven.p50_ms, p99_ms: driven.p99_ms })
}

async fn invoke(fleet: &Fleet, event: Bytes) -> Result<()> {
    let answer = fleet.invoke(event).await;
    outcome(&answer.map_err(|error| Error::new(error.to_string(), "see its log with `cargo dev`"))?).map(|_| ())
}

/// A connection that adds rows as a restored backup would: no trigger runs.
struct Filler(Client);

impl Filler {
    async fn new(environment: &Environment<'_>) -> Result<Self> {
        let admin = connect(&environment.database.admin_url).await?;
        let quick = "set session_replication_role = replica; set maintenance_work_mem = '256MB'";
        admin.batch_execute(quick).await.map_err(|error| failed(&error))?;
        Ok(Self(admin))
    }

    async fn add(&self, statement: &str, parameters: &[(&(dyn ToSql + Sync), Type)]) -> Result<()> {
        self.0.query_typed(statement, parameters).await.map(|_| ()).map_err(|error| failed(&error))
    }

    /// What the server would do by itself, sooner or later, is done now and not while it is measured.
    async fn settle(&self, tables: &str) -> Result<()> {
        let settle = async {
            self.0.batch_execute(&format!("vacuum analyze {tables}")).await?;
            self.0.batch_execute("checkpoint").await
        };
        settle.await.map_err(|error| failed(&error))
    }
}

fn uuid(text: &str) -> Result<uuid::Uuid> {
    text.parse().map_err(|_| Error::new(format!("{text} is no id"), "see what create-bot answers"))
}

fn failed(error: &tokio_postgres::Error) -> Error {
    Error::new(format!("the database refused: {}", describe_error(error)), "see bench/src/scale")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_history_may_make_a_trade_a_fifth_dearer_and_that_of_others_no_portfolio() {
        let figures = |count, p50_ms| Figures { count, p50_ms, p99_ms: 9.0 };
        let report = |record_trade| Report {
            record_trade,
            expire_subscriptions: Vec::new(),
            get_portfolio: vec![figures(1_000, 90.0), figures(1, 4.5)],
            newest_on_offer: Vec::new(),
            best_on_offer: Vec::new(),
        };
        assert!(report(vec![figures(10, 1.0), figures(1_000, 1.19)]).missed().is_empty());
        assert_eq!(
            report(vec![figures(10, 1.0), figures(1_000, 1.25)]).missed(),
            ["a trade of a bot with 1000 takes 1.25 times as long as the quickest, and may 1.2"]
        );
        assert_eq!(
            report(vec![figures(10, 0.5)]).missed(),
            ["a small portfolio takes 9 times as long as a trade, and may 5"]
        );
    }
}
