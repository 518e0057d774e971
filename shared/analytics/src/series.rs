//! Series for charts.

use chrono::{DateTime, Datelike, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::balance_metrics::DAYS_PER_YEAR;
use crate::daily_metrics::sharpe;
use crate::downsample::downsample;
use crate::drawdown::{Drawdown, worst_drawdowns};
use crate::record::{MICROSECONDS, Record, float, midnight};
use crate::sample::{Sample, quantile, sorted};
use crate::tolerant::{or_default, readable_elements};
use crate::trade::{Side, Trade};
use crate::trade_metrics::duration;

/// Series for charts, with at most 2,000 points each. A series is empty, or null, if the record is too short for it.
///
/// Amounts are plain numbers in the account's currency, because they are only drawn. A longer curve is reduced to the
/// lowest and the highest point of each stretch: averaging would hide drawdowns.
#[cfg_attr(feature = "openapi", serde_with::apply(usize => #[schema(value_type = u64)]))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Series {
    /// Balance after each closed trade, with the initial balance first. Empty below 2 trades.
    #[serde(deserialize_with = "readable_elements")]
    pub equity: Vec<Point>,
    /// Monte Carlo cone: quantiles of the simulated balances, to be drawn over `equity`. Empty below 2 trades.
    #[serde(deserialize_with = "readable_elements")]
    pub cone: Vec<Band>,
    /// Underwater curve: drawdown after each closed trade, as a fraction of 0 or less. Empty below 2 trades.
    #[serde(deserialize_with = "readable_elements")]
    pub underwater: Vec<Point>,
    /// Worst drawdowns, the deepest first; at most five.
    #[serde(deserialize_with = "readable_elements")]
    pub worst_drawdowns: Vec<Drawdown>,
    /// Return of each month with a daily return. Empty below 2 months.
    #[serde(deserialize_with = "readable_elements")]
    pub months: Vec<Month>,
    /// Return of each year with a daily return. Empty below 2 months.
    #[serde(deserialize_with = "readable_elements")]
    pub years: Vec<Year>,
    /// Daily returns, as fractions. Empty below 7 days.
    #[serde(deserialize_with = "readable_elements")]
    pub daily_returns: Vec<Point>,
    /// Distribution of the returns per trade (profit / notional, after fees), as fractions. Null below 20 trades.
    #[serde(deserialize_with = "or_default")]
    pub profits: Option<Histogram>,
    /// Trades, each at its exit.
    #[serde(deserialize_with = "readable_elements")]
    pub trades: Vec<Dot>,
    /// Window of `rolling_sharpe` and `rolling_volatility`, in days: 30, or 90 if there are at least 365 daily returns.
    #[serde(deserialize_with = "or_default")]
    pub rolling_days: usize,
    /// Annualised Sharpe ratio of the window that ends with the day; null if all its returns are equal. Empty below 60
    /// days.
    #[serde(deserialize_with = "readable_elements")]
    pub rolling_sharpe: Vec<Point>,
    /// Annualised volatility of the window that ends with the day, as a fraction. Empty below 60 days.
    #[serde(deserialize_with = "readable_elements")]
    pub rolling_volatility: Vec<Point>,
    /// Distribution of the maximum drawdowns of the simulated paths, as fractions. Null below 20 trades.
    #[serde(deserialize_with = "or_default")]
    pub simulated_drawdowns: Option<Histogram>,
}

/// Point of a curve.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Time; midnight in UTC if the point belongs to a day.
    pub at: DateTime<Utc>,
    /// Value in the unit of the curve. Null if it is undefined.
    pub value: Option<f64>,
}

/// Simulated balances after a number of trades, in the account's currency.
#[cfg_attr(feature = "openapi", serde_with::apply(usize => #[schema(value_type = u64)]))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// Number of trades drawn so far.
    pub trades: usize,
    /// Exit of the last of these trades.
    pub at: DateTime<Utc>,
    /// 5 % quantile.
    pub p05: f64,
    /// Median.
    pub p50: f64,
    /// 95 % quantile.
    pub p95: f64,
}

/// Return of a month.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Month {
    pub year: i32,
    /// Month of the year, from 1 to 12.
    pub month: u32,
    /// Compounded daily returns: prod(1 + r) - 1, as a fraction.
    pub compounded: f64,
}

/// Return of a year.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Year {
    pub year: i32,
    /// Compounded daily returns: prod(1 + r) - 1, as a fraction.
    pub compounded: f64,
}

/// Trade in a scatter plot.
#[cfg_attr(feature = "openapi", serde_with::apply(Side => #[schema(value_type = nofomo_contract::trades::Side)]))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dot {
    /// Time of the exit.
    pub at: DateTime<Utc>,
    pub side: Side,
    /// Profit after fees, in the account's currency.
    pub profit: f64,
    /// Notional at the entry, in the account's currency.
    pub notional: f64,
    /// Holding time (exit - entry), in seconds.
    pub duration_s: f64,
}

/// Histogram with its quantiles.
#[cfg_attr(feature = "openapi", serde_with::apply(Vec<usize> => #[schema(value_type = Vec<u64>)]))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Lower bound of the first bin.
    pub from: f64,
    /// Width of a bin. The last bin includes its upper bound.
    pub width: f64,
    /// Number of values in each bin, the lowest bin first.
    pub counts: Vec<usize>,
    /// Mean of the values.
    pub mean: f64,
    /// Median of the values.
    pub median: f64,
    /// 5 % quantile.
    pub p05: f64,
    /// 95 % quantile.
    pub p95: f64,
    /// Observed value, if the values of the histogram are simulated; otherwise null.
    pub observed: Option<f64>,
}

const MIN_TRADES_FOR_CURVE: usize = 2;
const MIN_TRADES_FOR_HISTOGRAM: usize = 20;
const MIN_DAYS_FOR_BARS: usize = 7;
const MIN_DAYS_FOR_ROLLING: usize = 60;
const MIN_MONTHS_FOR_HEAT_MAP: usize = 2;
const MAX_WORST_DRAWDOWNS: usize = 5;
const BINS: usize = 40;

impl Record<'_> {
    /// Computes all series for charts except excursions.
    pub fn series(&self) -> Series {
        let (months, years) = self.calendar();
        let rolling_days = if (self.returns.len() as f64) < DAYS_PER_YEAR { 30 } else { 90 };
        let curve = self.trades.len() >= MIN_TRADES_FOR_CURVE;
        Series {
            equity: if curve { self.equity() } else { Vec::new() },
            cone: self.cone(),
            underwater: if curve { self.underwater() } else { Vec::new() },
            worst_drawdowns: worst_drawdowns(self, MAX_WORST_DRAWDOWNS),
            months,
            years,
            daily_returns: self.daily_return_points(),
            profits: self.profit_histogram(),
            trades: downsample(self.closed().map(dot), self.trades.len(), |dot| Some(dot.profit)),
            rolling_days,
            rolling_sharpe: self
                .rolling(rolling_days, |window| sharpe(&Sample::of(window)).map(|daily| daily * DAYS_PER_YEAR.sqrt())),
            rolling_volatility: self
                .rolling(rolling_days, |window| Sample::of(window).deviation().map(|sd| sd * DAYS_PER_YEAR.sqrt())),
            simulated_drawdowns: self.drawdown_histogram(),
        }
    }

    /// Balance curve, with the initial balance first.
    fn curve(&self) -> impl Iterator<Item = (DateTime<Utc>, Decimal)> {
        self.start().map(|start| (start, self.settings.initial_balance)).into_iter().chain(self.balances())
    }

    fn equity(&self) -> Vec<Point> {
        let points = self.curve().map(|(at, balance)| Point { at, value: Some(float(balance)) });
        downsample(points, self.trades.len() + 1, |point| point.value)
    }

    fn underwater(&self) -> Vec<Point> {
        let points = self.curve().scan(Decimal::ZERO, |peak, (at, balance)| {
            *peak = balance.max(*peak);
            Some(Point { at, value: Some(float(balance - *peak) / float(*peak)) })
        });
        downsample(points, self.trades.len() + 1, |point| point.value)
    }

    fn cone(&self) -> Vec<Band> {
        let Some(simulation) = self.simulation() else { return Vec::new() };
        let mut exits = (1..).zip(self.closed().map(|trade| trade.exit_time));
        let bands = simulation.cone.iter().filter_map(|section| {
            let (_, at) = exits.find(|(closed, _)| *closed == section.trades)?;
            Some(Band { trades: section.trades, at, p05: section.p05, p50: section.p50, p95: section.p95 })
        });
        bands.collect()
    }

    fn calendar(&self) -> (Vec<Month>, Vec<Year>) {
        let (mut months, mut years): (Vec<Month>, Vec<Year>) = (Vec::new(), Vec::new());
        for (day, r) in self.daily_returns() {
            match months.last_mut().filter(|last| (last.year, last.month) == (day.year(), day.month())) {
                Some(month) => month.compounded = (1.0 + month.compounded) * (1.0 + r) - 1.0,
                None => months.push(Month { year: day.year(), month: day.month(), compounded: r }),
            }
            match years.last_mut().filter(|last| last.year == day.year()) {
                Some(year) => year.compounded = (1.0 + year.compounded) * (1.0 + r) - 1.0,
                None => years.push(Year { year: day.year(), compounded: r }),
            }
        }
        if months.len() < MIN_MONTHS_FOR_HEAT_MAP { (Vec::new(), Vec::new()) } else { (months, years) }
    }

    fn daily_return_points(&self) -> Vec<Point> {
        if self.returns.len() < MIN_DAYS_FOR_BARS {
            return Vec::new();
        }
        let points = self.daily_returns().map(|(day, r)| Point { at: midnight(day), value: Some(r) });
        downsample(points, self.returns.len(), |point| point.value)
    }

    fn rolling(&self, days: usize, figure: impl Fn(&[f64]) -> Option<f64>) -> Vec<Point> {
        if self.returns.len() < MIN_DAYS_FOR_ROLLING {
            return Vec::new();
        }
        let ends = self.daily_returns().skip(days - 1).map(|(day, _)| midnight(day));
        let points = ends.zip(self.returns.windows(days)).map(|(at, window)| Point { at, value: figure(window) });
        downsample(points, self.returns.len() + 1 - days, |point| point.value)
    }

    fn profit_histogram(&self) -> Option<Histogram> {
        let fractions = self.closed().map(|trade| float(trade.profit) / float(trade.notional()));
        (self.trades.len() >= MIN_TRADES_FOR_HISTOGRAM).then(|| histogram(sorted(fractions.collect()), None)).flatten()
    }

    fn drawdown_histogram(&self) -> Option<Histogram> {
        if self.trades.len() < MIN_TRADES_FOR_HISTOGRAM {
            return None;
        }
        let observed = worst_drawdowns(self, 1).first().map_or(0.0, |drawdown| drawdown.depth);
        histogram(self.simulation()?.drawdowns.clone(), Some(observed))
    }
}

fn dot(trade: &Trade<'_>) -> Dot {
    Dot {
        at: trade.exit_time,
        side: trade.side,
        profit: float(trade.profit),
        notional: float(trade.notional()),
        duration_s: duration(trade) as f64 / MICROSECONDS,
    }
}

fn histogram(sorted: Vec<f64>, observed: Option<f64>) -> Option<Histogram> {
    let (from, to) = (*sorted.first()?, *sorted.last()?);
    let bins = if to > from { BINS } else { 1 };
    let width = (to - from) / bins as f64;
    let mut counts = vec![0; bins];
    for value in &sorted {
        let bin = if width > 0.0 { ((value - from) / width) as usize } else { 0 };
        if let Some(count) = counts.get_mut(bin.min(bins - 1)) {
            *count += 1;
        }
    }
    Some(Histogram {
        from,
        width,
        counts,
        mean: Sample::of(&sorted).mean,
        median: quantile(&sorted, 0.50)?,
        p05: quantile(&sorted, 0.05)?,
        p95: quantile(&sorted, 0.95)?,
        observed,
    })
}
