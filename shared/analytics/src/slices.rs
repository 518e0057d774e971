//! The same trades by pair, side, weekday, hour and duration, with a verdict only where one is due.

use std::collections::BTreeMap;

use chrono::{Datelike, Timelike};
use rust_decimal::Decimal;
use serde::Serialize;

use crate::record::{MICROSECONDS, Record, float};
use crate::sample::two_sided_p;
use crate::trade::{Side, Trade};
use crate::trade_metrics::duration;

/// The trades that have one thing in common.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slice {
    pub by: Dimension,
    /// `BTC/USDT`, `buy`, `monday`, `09`, `under_15_minutes`. Weekday and hour are those of the entry, in UTC.
    pub key: String,
    pub trades: usize,
    /// wins / trades, fraction.
    pub win_rate: f64,
    /// In the account's currency.
    pub net_profit: Decimal,
    /// That the mean profit is 0, by Student's t test. None with fewer than 30 trades, or if all are the same.
    pub p_value_two_sided: Option<f64>,
    pub verdict: Verdict,
}

/// What the trades of a slice have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    Pair,
    Side,
    Weekday,
    Hour,
    Duration,
}

/// What may be said of a slice. Among fifty slices of trades without any edge, two or three look significant by themselves: a verdict
/// holds after Benjamini and Hochberg, with a false discovery rate of 10 % over all slices shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Fewer than 30.
    TooFewTrades,
    /// Not different from chance.
    NotShown,
    Earns,
    Loses,
}

const MIN_TRADES_FOR_VERDICT: usize = 30;
const FALSE_DISCOVERY_RATE: f64 = 0.10;

const WEEKDAY_KEYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Shorter than so many seconds.
const DURATION_KEYS: [(f64, &str); 6] = [
    (900.0, "under_15_minutes"),
    (3_600.0, "15_minutes_to_1_hour"),
    (14_400.0, "1_to_4_hours"),
    (86_400.0, "4_to_24_hours"),
    (604_800.0, "1_to_7_days"),
    (f64::INFINITY, "over_7_days"),
];

impl Record<'_> {
    /// Every slice that has a trade: by dimension, and within it by key, weekdays and durations in their own order.
    pub fn slices(&self) -> Vec<Slice> {
        let mut tallies: BTreeMap<(Dimension, u32, &str), Tally> = BTreeMap::new();
        for trade in self.closed() {
            for place in places(trade) {
                tallies.entry(place).or_default().add(trade);
            }
        }
        let mut slices: Vec<Slice> =
            tallies.iter().map(|(&(by, place, key), tally)| tally.slice(by, place, key)).collect();
        judge(&mut slices);
        slices
    }
}

/// Where a trade belongs, in each dimension: place in the order, and key.
fn places<'a>(trade: &Trade<'a>) -> [(Dimension, u32, &'a str); 5] {
    let weekday = trade.entry_time.weekday().num_days_from_monday();
    let seconds = duration(trade) as f64 / MICROSECONDS;
    let length = (0..).zip(DURATION_KEYS).find(|(_, (most, _))| seconds < *most);
    let (length, name) = length.map_or((0, ""), |(place, (_, name))| (place, name));
    let side = match trade.side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    };
    [
        (Dimension::Pair, 0, trade.pair),
        (Dimension::Side, 0, side),
        (Dimension::Weekday, weekday, WEEKDAY_KEYS.get(weekday as usize).copied().unwrap_or_default()),
        (Dimension::Hour, trade.entry_time.hour(), ""),
        (Dimension::Duration, length, name),
    ]
}

/// Mean and squared deviations as they come in (Welford).
#[derive(Default)]
struct Tally {
    trades: usize,
    wins: usize,
    net_profit: Decimal,
    mean: f64,
    squares: f64,
}

impl Tally {
    fn add(&mut self, trade: &Trade<'_>) {
        self.trades += 1;
        self.wins += usize::from(trade.profit > Decimal::ZERO);
        self.net_profit += trade.profit;
        let profit = float(trade.profit);
        let deviation = profit - self.mean;
        self.mean += deviation / self.trades as f64;
        self.squares += deviation * (profit - self.mean);
    }

    fn slice(&self, by: Dimension, place: u32, key: &str) -> Slice {
        Slice {
            by,
            key: if by == Dimension::Hour { format!("{place:02}") } else { key.to_owned() },
            trades: self.trades,
            win_rate: self.wins as f64 / self.trades as f64,
            net_profit: self.net_profit,
            p_value_two_sided: self.p_value(),
            verdict: if self.trades < MIN_TRADES_FOR_VERDICT { Verdict::TooFewTrades } else { Verdict::NotShown },
        }
    }

    fn p_value(&self) -> Option<f64> {
        let n = self.trades as f64;
        let error = (self.squares / (n - 1.0) / n).sqrt();
        let measurable = self.trades >= MIN_TRADES_FOR_VERDICT && error > 1e-9 * self.mean.abs();
        measurable.then(|| two_sided_p(self.mean / error, n - 1.0)).flatten()
    }
}

/// Slices too small to be tested are shown, so they count among the tests; that only makes the verdicts harder to earn.
fn judge(slices: &mut [Slice]) {
    let shown = slices.len() as f64;
    let mut by_p: Vec<(f64, &mut Slice)> =
        slices.iter_mut().filter_map(|slice| Some((slice.p_value_two_sided?, slice))).collect();
    by_p.sort_by(|one, other| one.0.total_cmp(&other.0));
    let discovered = (1..).zip(&by_p).filter(|(rank, (p, _))| *p <= FALSE_DISCOVERY_RATE * f64::from(*rank) / shown);
    let discovered = discovered.map(|(rank, _)| rank).last().unwrap_or(0);
    for (_, slice) in by_p.into_iter().take(discovered as usize) {
        slice.verdict = if slice.net_profit > Decimal::ZERO { Verdict::Earns } else { Verdict::Loses };
    }
}
