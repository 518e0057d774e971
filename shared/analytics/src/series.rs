//! What a page of charts is drawn from. No series has more than 2,000 points.

use chrono::{DateTime, Datelike, Utc};
use rust_decimal::Decimal;
use serde::Serialize;

use crate::balance_metrics::YEAR;
use crate::daily_metrics::sharpe;
use crate::downsample::downsample;
use crate::drawdown::{Drawdown, deepest};
use crate::record::{MICROSECONDS, Record, float, midnight};
use crate::sample::{Sample, quantile, sorted};
use crate::trade::{Side, Trade};
use crate::trade_metrics::duration;

/// A series is empty where the record is too short to show it. Amounts are plain numbers in the account's currency, for drawing.
///
/// Long curves keep the lowest and the highest point of each stretch: a mean would hide the drawdown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// The balance after each closed trade, with the initial one. From 2 trades.
    pub equity: Vec<Point>,
    /// What the Monte Carlo simulation makes of the balance, beside `equity`. From 2 trades.
    pub cone: Vec<Band>,
    /// Minus the drawdown after each closed trade, fraction. From 2 trades.
    pub underwater: Vec<Point>,
    /// The five deepest.
    pub worst_drawdowns: Vec<Drawdown>,
    /// Compounded daily returns of each month that has a day. From 2 months.
    pub months: Vec<Month>,
    /// The same of each year.
    pub years: Vec<Year>,
    /// r, fraction. From 7 days.
    pub daily_returns: Vec<Point>,
    /// Profits as fractions of their notional. From 20 trades.
    pub profits: Option<Histogram>,
    /// Every trade at its exit. From 1 trade.
    pub trades: Vec<Dot>,
    /// Days of the windows of the two series that follow: 30, and 90 from one year on.
    pub rolling_days: usize,
    /// Annualised, of the window that ends with that day; null where all of its days are the same. From 60 days.
    pub rolling_sharpe: Vec<Point>,
    /// Annualised, of the window that ends with that day. From 60 days.
    pub rolling_volatility: Vec<Point>,
    /// Deepest falls of the simulated paths, fractions. From 20 trades.
    pub simulated_drawdowns: Option<Histogram>,
}

/// At midnight of the day where it belongs to a day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    pub at: DateTime<Utc>,
    pub value: Option<f64>,
}

/// Simulated balances after a number of trades.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Band {
    pub trades: usize,
    /// When as many trades were closed.
    pub at: DateTime<Utc>,
    /// 5 % quantile.
    pub p05: f64,
    /// Median.
    pub p50: f64,
    /// 95 % quantile.
    pub p95: f64,
}

/// One cell of the heat map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Month {
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// prod(1 + r) - 1, fraction.
    pub compounded: f64,
}

/// The total of one row of the heat map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Year {
    pub year: i32,
    /// prod(1 + r) - 1, fraction.
    pub compounded: f64,
}

/// One trade.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Dot {
    /// Its exit.
    pub at: DateTime<Utc>,
    pub side: Side,
    /// Net, in the account's currency.
    pub profit: f64,
    /// At the entry, in the account's currency.
    pub notional: f64,
    /// Exit - entry.
    pub duration_s: f64,
}

/// How often values of each size occur.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histogram {
    /// Where the first bin begins.
    pub from: f64,
    /// Of each bin; the last includes its upper end.
    pub width: f64,
    pub counts: Vec<usize>,
    pub mean: f64,
    pub median: f64,
    /// 5 % quantile.
    pub p05: f64,
    /// 95 % quantile.
    pub p95: f64,
    /// What really happened, where the values are simulated.
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
    /// Everything that is drawn, but for slices and excursions.
    pub fn series(&self) -> Series {
        let (months, years) = self.calendar();
        let rolling_days = if (self.returns.len() as f64) < YEAR { 30 } else { 90 };
        let curve = self.trades.len() >= MIN_TRADES_FOR_CURVE;
        Series {
            equity: if curve { self.equity() } else { Vec::new() },
            cone: self.cone(),
            underwater: if curve { self.underwater() } else { Vec::new() },
            worst_drawdowns: deepest(self, MAX_WORST_DRAWDOWNS),
            months,
            years,
            daily_returns: self.daily_returns(),
            profits: self.profit_histogram(),
            trades: downsample(self.closed().map(dot), self.trades.len(), |dot| Some(dot.profit)),
            rolling_days,
            rolling_sharpe: self
                .rolling(rolling_days, |window| sharpe(&Sample::of(window)).map(|daily| daily * YEAR.sqrt())),
            rolling_volatility: self
                .rolling(rolling_days, |window| Sample::of(window).deviation().map(|sd| sd * YEAR.sqrt())),
            simulated_drawdowns: self.drawdown_histogram(),
        }
    }

    /// The balance from its start on.
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
        for (day, r) in self.daily() {
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

    fn daily_returns(&self) -> Vec<Point> {
        if self.returns.len() < MIN_DAYS_FOR_BARS {
            return Vec::new();
        }
        let points = self.daily().map(|(day, r)| Point { at: midnight(day), value: Some(r) });
        downsample(points, self.returns.len(), |point| point.value)
    }

    fn rolling(&self, days: usize, figure: impl Fn(&[f64]) -> Option<f64>) -> Vec<Point> {
        if self.returns.len() < MIN_DAYS_FOR_ROLLING {
            return Vec::new();
        }
        let ends = self.daily().skip(days - 1).map(|(day, _)| midnight(day));
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
        let observed = deepest(self, 1).first().map_or(0.0, |drawdown| drawdown.depth);
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
