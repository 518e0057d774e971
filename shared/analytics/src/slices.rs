//! Slices: the trades of one pair, side, weekday, hour or duration, with a verdict corrected for multiple tests.

use std::collections::BTreeMap;

use chrono::{Datelike, Timelike};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::record::{MICROSECONDS, Record, float};
use crate::sample::two_sided_p;
use crate::trade::{Side, Trade};
use crate::trade_metrics::duration;

/// Closed trades that share a property, with a verdict on their profit.
#[cfg_attr(
    feature = "openapi",
    serde_with::apply(
        Decimal => #[schema(value_type = nofomo_contract::values::Decimal)],
        usize => #[schema(value_type = u64)],
    )
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Property that the trades share.
    pub by: Dimension,
    /// Value of the property: `BTC/USDT`, `buy`, `monday`, `09`, `under_15_minutes`. Weekday and hour are those of the
    /// entry, in UTC.
    pub key: String,
    /// Number of closed trades.
    pub trades: usize,
    /// Win rate: wins / trades, as a fraction.
    pub win_rate: f64,
    /// Net profit, in the account's currency.
    pub net_profit: Decimal,
    /// Two-sided p-value of Student's t test that the mean profit is 0, from 0 to 1. Null below 30 trades, or if all
    /// profits are equal.
    pub p_value_two_sided: Option<f64>,
    pub verdict: SliceVerdict,
}

/// Property that the trades of a slice share.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    Pair,
    Side,
    Weekday,
    Hour,
    Duration,
}

/// Verdict on a slice, after Benjamini and Hochberg's correction at a false discovery rate of 10 % over all slices.
/// Without it, two or three of fifty slices of a bot without an edge would look significant at the 5 % level.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SliceVerdict {
    /// Fewer than 30 trades.
    TooFewTrades,
    /// Not distinguishable from chance.
    NotShown,
    /// Significant profit.
    Earns,
    /// Significant loss.
    Loses,
}

const MIN_TRADES_FOR_VERDICT: usize = 30;
const FALSE_DISCOVERY_RATE: f64 = 0.10;

const WEEKDAY_KEYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Upper bounds in seconds, exclusive, and the keys of the durations below them.
const DURATION_KEYS: [(f64, &str); 6] = [
    (900.0, "under_15_minutes"),
    (3_600.0, "15_minutes_to_1_hour"),
    (14_400.0, "1_to_4_hours"),
    (86_400.0, "4_to_24_hours"),
    (604_800.0, "1_to_7_days"),
    (f64::INFINITY, "over_7_days"),
];

impl Record<'_> {
    /// Returns all slices with a trade, by dimension and then by key; weekdays and durations are in their natural
    /// order.
    pub fn slices(&self) -> Vec<Slice> {
        let mut tallies: BTreeMap<(Dimension, u32, &str), Tally> = BTreeMap::new();
        for trade in self.closed() {
            for slice in slices_of(trade) {
                tallies.entry(slice).or_default().add(trade);
            }
        }
        let mut slices: Vec<Slice> =
            tallies.iter().map(|(&(by, position, key), tally)| tally.slice(by, position, key)).collect();
        set_verdicts(&mut slices);
        slices
    }
}

/// Returns the slice of a trade in each dimension: dimension, position in the order of keys, and key.
fn slices_of<'a>(trade: &Trade<'a>) -> [(Dimension, u32, &'a str); 5] {
    let weekday = trade.entry_time.weekday().num_days_from_monday();
    let seconds = duration(trade) as f64 / MICROSECONDS;
    let length = (0..).zip(DURATION_KEYS).find(|(_, (limit, _))| seconds < *limit);
    let (length, name) = length.map_or((0, ""), |(position, (_, name))| (position, name));
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

/// Sums over the trades of a slice, with the running mean and sum of squared deviations (Welford 1962).
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

    fn slice(&self, by: Dimension, position: u32, key: &str) -> Slice {
        Slice {
            by,
            key: if by == Dimension::Hour { format!("{position:02}") } else { key.to_owned() },
            trades: self.trades,
            win_rate: self.wins as f64 / self.trades as f64,
            net_profit: self.net_profit,
            p_value_two_sided: self.p_value(),
            verdict: if self.trades < MIN_TRADES_FOR_VERDICT {
                SliceVerdict::TooFewTrades
            } else {
                SliceVerdict::NotShown
            },
        }
    }

    fn p_value(&self) -> Option<f64> {
        let n = self.trades as f64;
        let error = (self.squares / (n - 1.0) / n).sqrt();
        let measurable = self.trades >= MIN_TRADES_FOR_VERDICT && error > 1e-9 * self.mean.abs();
        measurable.then(|| two_sided_p(self.mean / error, n - 1.0)).flatten()
    }
}

/// Sets the verdicts. Slices that are too small to test still count as tests, because they are shown; this only makes
/// the verdicts stricter.
fn set_verdicts(slices: &mut [Slice]) {
    let shown = slices.len() as f64;
    let mut by_p: Vec<(f64, &mut Slice)> =
        slices.iter_mut().filter_map(|slice| Some((slice.p_value_two_sided?, slice))).collect();
    by_p.sort_by(|one, other| one.0.total_cmp(&other.0));
    let discovered = (1..).zip(&by_p).filter(|(rank, (p, _))| *p <= FALSE_DISCOVERY_RATE * f64::from(*rank) / shown);
    let discovered = discovered.map(|(rank, _)| rank).last().unwrap_or(0);
    for (_, slice) in by_p.into_iter().take(discovered as usize) {
        slice.verdict = if slice.net_profit > Decimal::ZERO { SliceVerdict::Earns } else { SliceVerdict::Loses };
    }
}
