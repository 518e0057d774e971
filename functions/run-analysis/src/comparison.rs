//! A live bot against a backtest of its strategy, trade by trade.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use nofomo_analytics::{Confidence, Record, Settings, Side, Trade, Trials};
use nofomo_db::{Claims, Db, Row};
use nofomo_lambda::{Problem, ProblemKind};
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::Reserved;
use crate::currency_analysis::only;
use crate::request::AnalysisRequest;
use crate::trade_set::{PairNames, TradeSet, trade};

/// What the live trades are compared with.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Backtest {
    id: Uuid,
    /// Its name.
    pub(crate) strategy: String,
    pair: String,
    timeframe: String,
    start_date: DateTime<Utc>,
    end_date: DateTime<Utc>,
    initial_balance: Decimal,
    imported_at: DateTime<Utc>,
    /// Of the strategy: this one may be the best of so many.
    pub(crate) runs: u32,
    /// Whether one of the compared bots may still trade.
    #[serde(skip_serializing)]
    is_running: bool,
}

/// Of the time that both cover: from the first live entry or the start of the window, to the last live exit or, while a bot runs, the
/// window's end; within the backtest's.
#[derive(Serialize)]
pub(crate) struct Comparison {
    pub(crate) backtest: Backtest,
    /// Same pair and side, entered within the same candle of the backtest's timeframe.
    pub(crate) matched: usize,
    /// In the backtest only.
    pub(crate) missing: usize,
    /// Live only.
    pub(crate) extra: usize,
    pub(crate) entry_slippage: Option<Slippage>,
    exit_slippage: Option<Slippage>,
    /// Live less backtest, of what is matched.
    pub(crate) profit_difference: Decimal,
    /// Of all compared trades, whether the other side has them or not.
    live: Map<String, Value>,
    backtest_metrics: Map<String, Value>,
    /// The backtest's, taken as the best of so many runs.
    pub(crate) backtest_confidence: Confidence,
    /// Whether the sum of the live trades' returns lies between the 5 % and the 95 % quantile of as many of the backtest's, drawn with
    /// replacement. None without two trades of the backtest and one live.
    pub(crate) inside_band: Option<bool>,
    /// By entry.
    trades: Vec<Pairing>,
    #[serde(skip)]
    pub(crate) currency: String,
}

/// Fractions of the backtest's price; above 0 is worse than in the backtest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Slippage {
    pub(crate) mean: f64,
    pub(crate) median: f64,
    pub(crate) worst: f64,
}

/// A trade of the one, and what became of it in the other.
#[derive(Serialize)]
struct Pairing {
    pair: &'static str,
    side: Side,
    entry_time: DateTime<Utc>,
    outcome: Outcome,
    live_profit: Option<Decimal>,
    backtest_profit: Option<Decimal>,
    entry_slippage: Option<f64>,
    exit_slippage: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Matched,
    Missing,
    Extra,
}

/// A trade, and the price of its exit.
type ClosedTrade = (Trade<'static>, Decimal);

/// More would nobody read.
const MAX_PAIRINGS: usize = 200;

/// What tells two records of different size apart.
const COMPARED_METRICS: [&str; 12] = [
    "trades",
    "days",
    "trades_per_day",
    "win_rate",
    "profit_factor",
    "net_profit",
    "total_return",
    "sharpe",
    "sortino",
    "max_drawdown",
    "avg_duration_s",
    "fee_share_of_gross",
];

#[derive(Serialize)]
struct ComparedTradesInput {
    backtest_id: Uuid,
}

pub(crate) async fn compare(
    db: &Db,
    claims: &Claims,
    request: &AnalysisRequest,
    reserved: &Reserved,
    backtest: &Backtest,
    trade_set: &TradeSet,
) -> Result<Comparison, Problem> {
    let (mut tested, mut currency, mut pairs) = (Vec::new(), String::new(), PairNames::default());
    let take = |row: &Row| {
        tested.push((trade(row, &mut pairs)?, row.try_get("exit_price")?));
        if currency.is_empty() {
            currency = row.try_get("currency")?;
        }
        Ok(())
    };
    db.stream_rows(claims, "compared_backtest_trades", &ComparedTradesInput { backtest_id: backtest.id }, take).await?;
    let live: Vec<ClosedTrade> = match trade_set.book(&currency) {
        Some(book) => book.compared.iter().filter_map(|(at, exit)| Some((*book.trades.get(*at)?, *exit))).collect(),
        None => Vec::new(),
    };
    let account = reserved.accounts.iter().find(|account| account.currency == currency);
    let trades: Vec<Trade<'_>> = live.iter().map(|(trade, _)| *trade).collect();
    let live_record = account.and_then(|account| Record::new(&trades, account.settings(request)).ok());
    let trades: Vec<Trade<'_>> = tested.iter().map(|(trade, _)| *trade).collect();
    let tested_record = backtest.record(&trades).ok_or_else(|| {
        let detail = "The backtest has trades that contradict each other. Import it again.";
        Problem::conflict(ProblemKind::NotAnalysable, detail)
    })?;

    let pairings = paired(&live, &tested, backtest, request);
    let count = |outcome| pairings.iter().filter(|pairing| pairing.outcome == outcome).count();
    let difference = |pairing: &Pairing| Some(pairing.live_profit? - pairing.backtest_profit?);
    Ok(Comparison {
        backtest: backtest.clone(),
        matched: count(Outcome::Matched),
        missing: count(Outcome::Missing),
        extra: count(Outcome::Extra),
        entry_slippage: Slippage::of(pairings.iter().filter_map(|pairing| pairing.entry_slippage)),
        exit_slippage: Slippage::of(pairings.iter().filter_map(|pairing| pairing.exit_slippage)),
        profit_difference: pairings.iter().filter_map(difference).sum(),
        live: match live_record {
            Some(record) => only(&record.historical_metrics(), |name| COMPARED_METRICS.contains(&name))?,
            None => Map::new(),
        },
        backtest_metrics: only(&tested_record.historical_metrics(), |name| COMPARED_METRICS.contains(&name))?,
        backtest_confidence: tested_record.confidence(),
        inside_band: is_inside_band(&live, &tested),
        trades: pairings.into_iter().take(MAX_PAIRINGS).collect(),
        currency,
    })
}

impl Comparison {
    /// What a model is told of it.
    pub(crate) fn without_names(&self) -> Value {
        json!({
            "backtest_runs": self.backtest.runs,
            "matched": self.matched,
            "missing": self.missing,
            "extra": self.extra,
            "entry_slippage": self.entry_slippage,
            "exit_slippage": self.exit_slippage,
            "profit_difference": self.profit_difference,
            "live": self.live,
            "backtest_metrics": self.backtest_metrics,
            "backtest_confidence": self.backtest_confidence,
            "inside_band": self.inside_band,
        })
    }
}

impl Backtest {
    /// Over the time it ran, unless a trade was closed after it.
    fn record<'a>(&self, trades: &'a [Trade<'a>]) -> Option<Record<'a>> {
        let any_time = Settings {
            trials: Trials { runs: self.runs.max(1), ..Trials::default() },
            ..Settings::new(self.initial_balance)
        };
        let its_time =
            Settings { period_start: Some(self.start_date), period_end: Some(self.end_date), ..any_time.clone() };
        Record::new(trades, its_time).or_else(|_| Record::new(trades, any_time)).ok()
    }

    /// Which candle a time lies in; those of a week begin on Monday, the others count from 1970.
    fn candle(&self, time: DateTime<Utc>) -> i64 {
        const MINUTE: i64 = 60;
        const THURSDAY_TO_MONDAY: i64 = 4 * 24 * 60 * MINUTE;
        let unit = match self.timeframe.chars().last() {
            Some('h') => 60 * MINUTE,
            Some('d') => 24 * 60 * MINUTE,
            Some('w') => 7 * 24 * 60 * MINUTE,
            _ => MINUTE,
        };
        let digits = self.timeframe.trim_end_matches(|c: char| !c.is_ascii_digit());
        let length = digits.parse().unwrap_or(1).clamp(1, 1_000) * unit;
        let offset = if self.timeframe.ends_with('w') { THURSDAY_TO_MONDAY } else { 0 };
        (time.timestamp() - offset).div_euclid(length)
    }
}

/// Every trade of the time that both cover, by entry.
fn paired(
    live: &[ClosedTrade],
    tested: &[ClosedTrade],
    backtest: &Backtest,
    request: &AnalysisRequest,
) -> Vec<Pairing> {
    let Some((first, last)) = common_time(live, backtest, request) else { return Vec::new() };
    let is_common = |trade: &Trade<'_>| {
        let candle = backtest.candle(trade.entry_time);
        backtest.candle(first) <= candle && candle <= backtest.candle(last)
    };
    let place = |trade: &Trade<'static>| (trade.pair, trade.side, backtest.candle(trade.entry_time));

    // Several bots may have made the same trade: each is matched with one of the backtest's.
    let mut waiting: BTreeMap<_, VecDeque<&ClosedTrade>> = BTreeMap::new();
    for closed in live.iter().filter(|(trade, _)| is_common(trade)) {
        waiting.entry(place(&closed.0)).or_default().push_back(closed);
    }
    let mut pairings = Vec::new();
    for closed in tested.iter().filter(|(trade, _)| is_common(trade)) {
        let found = waiting.get_mut(&place(&closed.0)).and_then(VecDeque::pop_front);
        pairings.push(found.map_or_else(|| Pairing::missing(closed), |live| Pairing::matched(live, closed)));
    }
    pairings.extend(waiting.into_values().flatten().map(Pairing::extra));
    pairings.sort_by(|one, other| (one.entry_time, one.pair).cmp(&(other.entry_time, other.pair)));
    pairings
}

fn common_time(
    live: &[ClosedTrade],
    backtest: &Backtest,
    request: &AnalysisRequest,
) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let first = request.body.from.or_else(|| live.iter().map(|(trade, _)| trade.entry_time).min())?;
    let last_exit = || live.iter().map(|(trade, _)| trade.exit_time).max();
    let last = request.body.to.or_else(|| if backtest.is_running { Some(Utc::now()) } else { last_exit() })?;
    Some((first.max(backtest.start_date), last.min(backtest.end_date)))
}

impl Pairing {
    fn matched((live, live_exit): &ClosedTrade, (tested, tested_exit): &ClosedTrade) -> Self {
        // Buying dearer is worse, and so is selling cheaper.
        let dearer = |live: Decimal, tested: Decimal| ((live - tested).checked_div(tested))?.to_f64();
        let sign = if tested.side == Side::Buy { 1.0 } else { -1.0 };
        Self {
            pair: tested.pair,
            side: tested.side,
            entry_time: tested.entry_time,
            outcome: Outcome::Matched,
            live_profit: Some(live.profit),
            backtest_profit: Some(tested.profit),
            entry_slippage: dearer(live.price, tested.price).map(|part| sign * part),
            exit_slippage: dearer(*live_exit, *tested_exit).map(|part| -sign * part),
        }
    }

    fn missing((tested, _): &ClosedTrade) -> Self {
        Self { backtest_profit: Some(tested.profit), ..Self::alone(tested, Outcome::Missing) }
    }

    fn extra((live, _): &ClosedTrade) -> Self {
        Self { live_profit: Some(live.profit), ..Self::alone(live, Outcome::Extra) }
    }

    fn alone(trade: &Trade<'static>, outcome: Outcome) -> Self {
        Self {
            pair: trade.pair,
            side: trade.side,
            entry_time: trade.entry_time,
            outcome,
            live_profit: None,
            backtest_profit: None,
            entry_slippage: None,
            exit_slippage: None,
        }
    }
}

impl Slippage {
    fn of(parts: impl Iterator<Item = f64>) -> Option<Self> {
        let mut parts: Vec<f64> = parts.collect();
        parts.sort_by(f64::total_cmp);
        let middle = parts.len() / 2;
        let upper = *parts.get(middle)?;
        let lower = if parts.len().is_multiple_of(2) { *parts.get(middle.checked_sub(1)?)? } else { upper };
        Some(Self {
            mean: parts.iter().sum::<f64>() / parts.len() as f64,
            median: f64::midpoint(lower, upper),
            worst: *parts.last()?,
        })
    }
}

/// In returns on the stake, because the stakes need not be the same.
fn is_inside_band(live: &[ClosedTrade], tested: &[ClosedTrade]) -> Option<bool> {
    const SEED: u64 = 42;
    const MAX_DRAWS: usize = 20_000_000;
    let stake_return = |(trade, _): &ClosedTrade| trade.profit.checked_div(trade.amount * trade.price)?.to_f64();
    let live: Vec<f64> = live.iter().filter_map(stake_return).collect();
    let tested: Vec<f64> = tested.iter().filter_map(stake_return).collect();
    if live.is_empty() || tested.len() < 2 {
        return None;
    }
    let paths = (MAX_DRAWS / live.len()).clamp(20, 1_000);
    let mut random = SplitMix64::seed_from_u64(SEED);
    let mut draw = || {
        let place = (u128::from(random.next_u64()) * tested.len() as u128) >> 64;
        tested.get(place as usize).copied().unwrap_or_default()
    };
    let mut sums: Vec<f64> = (0..paths).map(|_| live.iter().map(|_| draw()).sum()).collect();
    sums.sort_by(f64::total_cmp);
    let at = |share: f64| sums.get((share * (paths - 1) as f64).round() as usize).copied();
    let earned: f64 = live.iter().sum();
    Some(at(0.05)? <= earned && earned <= at(0.95)?)
}
