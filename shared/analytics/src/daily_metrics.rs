//! Metrics on the daily clock: everything that is a ratio of return to risk.

use serde::Serialize;

use crate::balance_metrics::YEAR;
use crate::record::Record;
use crate::sample::{Sample, finite, normal_quantile, quantile, sorted};

/// Of the daily returns r of n days, days without a trade included as 0. Annualised with 365 days, risk-free rate 0. Cutting orders
/// in two changes none of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DailyMetrics {
    /// Calendar days of the period, in UTC.
    pub days: usize,
    /// The balance was 0 or less at the end of a day. The return of that day is -1 and the last.
    pub ruined: bool,
    /// n: as many as `days`, unless ruined.
    pub return_days: usize,
    /// max((peak - E) / peak) over the ends of days, the initial balance included; fraction. None without a day.
    pub max_drawdown_daily: Option<f64>,
    /// sqrt(mean(drawdown^2)) over the ends of days, fraction (Martin and McCann). None without a day.
    pub ulcer_index: Option<f64>,
    /// max(r).
    pub best_day: Option<f64>,
    /// min(r).
    pub worst_day: Option<f64>,
    /// Days with r > 0.
    pub positive_days: usize,
    /// Days with r < 0.
    pub negative_days: usize,
    /// mean(r).
    pub daily_mean: Option<f64>,
    /// Sample standard deviation of r. None below two days.
    pub daily_std: Option<f64>,
    /// `daily_std` * sqrt(365), fraction a year. None below two days.
    pub volatility: Option<f64>,
    /// mean(r) / sd(r) * sqrt(365) (Sharpe 1994). None below two days, or if all are the same.
    pub sharpe: Option<f64>,
    /// sqrt(mean(min(r, 0)^2)) over all days * sqrt(365), fraction a year. None without a day.
    pub downside_deviation: Option<f64>,
    /// mean(r) * 365 / `downside_deviation` (Sortino and Price 1994). None below two days, or without a losing one.
    pub sortino: Option<f64>,
    /// cagr / `max_drawdown_daily` (Young 1991). None without a fall.
    pub calmar: Option<f64>,
    /// cagr / `ulcer_index`, also known as the ulcer performance index. None without a fall.
    pub martin: Option<f64>,
    /// Sum of r > 0 / |sum of r < 0|: Keating and Shadwick's omega at threshold 0. None without a losing day.
    pub omega: Option<f64>,
    /// Sum of r / |sum of r < 0| = omega - 1 (Schwager). None without a losing day.
    pub gain_to_pain: Option<f64>,
    /// Bias-adjusted skewness G1 of r. None below three days, or if all are the same.
    pub skew: Option<f64>,
    /// Bias-adjusted excess kurtosis G2 of r; 0 for a normal distribution. None below four days, or if all are the same.
    pub kurtosis_excess: Option<f64>,
    /// Correlation of r with r of the day before. None below two days, or if all are the same.
    pub lag1_autocorrelation: Option<f64>,
    /// Historical value at risk: the 5 % quantile of r, negative. None below 20 days.
    pub var_95: Option<f64>,
    /// Historical expected shortfall: mean of the worst floor((n - 1) * 0.05) + 1 days, negative. None below 20 days.
    pub cvar_95: Option<f64>,
    /// |95 % quantile| / |5 % quantile| of r. None below 20 days, or if the latter is 0.
    pub tail_ratio: Option<f64>,
    /// mean(r) / var(r): the multiple of the present size that Kelly would take. None as `sharpe`.
    pub kelly_continuous: Option<f64>,
    /// (mean(r) - 1.645 sd(r) / sqrt(n)) / var(r): the same for the lower bound of the mean. None as `sharpe`.
    pub kelly_continuous_lower95: Option<f64>,
}

/// Below this many days a tail has no member.
pub(crate) const MIN_DAYS_FOR_TAILS: usize = 20;

impl DailyMetrics {
    pub(crate) fn of(record: &Record<'_>, cagr: Option<f64>) -> Self {
        let returns = &record.returns;
        let sample = Sample::of(returns);
        let n = sample.size();
        let some = !returns.is_empty();
        let gains: f64 = returns.iter().filter(|day| **day > 0.0).sum();
        let losses: f64 = -returns.iter().filter(|day| **day < 0.0).sum::<f64>();
        let semivariance = returns.iter().map(|day| day.min(0.0).powi(2)).sum::<f64>() / n;
        let ranked = sorted(returns.clone());
        let (low, high) = if returns.len() < MIN_DAYS_FOR_TAILS {
            (None, None)
        } else {
            (quantile(&ranked, 0.05), quantile(&ranked, 0.95))
        };
        let (deepest, ulcer) = falls(record);
        let lost = (losses > 0.0).then_some(losses);
        let shape = sample.spread().zip(sample.variance());
        Self {
            days: record.days,
            ruined: record.ruined,
            return_days: returns.len(),
            max_drawdown_daily: some.then_some(deepest),
            ulcer_index: some.then_some(ulcer),
            best_day: ranked.last().copied(),
            worst_day: ranked.first().copied(),
            positive_days: returns.iter().filter(|day| **day > 0.0).count(),
            negative_days: returns.iter().filter(|day| **day < 0.0).count(),
            daily_mean: some.then_some(sample.mean),
            daily_std: sample.deviation(),
            volatility: sample.deviation().map(|sd| sd * YEAR.sqrt()),
            sharpe: sharpe(&sample).map(|daily| daily * YEAR.sqrt()),
            downside_deviation: some.then(|| (semivariance * YEAR).sqrt()),
            sortino: lost
                .filter(|_| returns.len() >= 2)
                .and_then(|_| finite(sample.mean / semivariance.sqrt() * YEAR.sqrt())),
            calmar: cagr.and_then(|cagr| finite(cagr / deepest)),
            martin: cagr.and_then(|cagr| finite(cagr / ulcer)),
            omega: lost.and_then(|lost| finite(gains / lost)),
            gain_to_pain: lost.and_then(|lost| finite((gains - lost) / lost)),
            skew: sample.skew(),
            kurtosis_excess: sample.kurtosis_excess(),
            lag1_autocorrelation: sample.lag1_autocorrelation(returns),
            var_95: low,
            cvar_95: low.map(|_| {
                let worst = ((n - 1.0) * 0.05).floor() as usize + 1;
                ranked.iter().take(worst).sum::<f64>() / worst as f64
            }),
            tail_ratio: high.zip(low).and_then(|(high, low)| finite((high / low).abs())),
            kelly_continuous: shape.and_then(|(_, variance)| finite(sample.mean / variance)),
            kelly_continuous_lower95: shape
                .and_then(|(sd, variance)| finite((sample.mean - normal_quantile(0.95) * sd / n.sqrt()) / variance)),
        }
    }

    /// The multiple of the present size that the record supports: the lesser of half of Kelly's and of its lower bound, and never
    /// below 0.
    pub fn supported_size(&self) -> Option<f64> {
        let (kelly, lower) = self.kelly_continuous.zip(self.kelly_continuous_lower95)?;
        Some((kelly / 2.0).min(lower).max(0.0))
    }
}

/// For each day, not annualised.
pub(crate) fn sharpe(sample: &Sample) -> Option<f64> {
    sample.spread().and_then(|sd| finite(sample.mean / sd))
}

/// The deepest fall between the ends of days, and the ulcer index.
fn falls(record: &Record<'_>) -> (f64, f64) {
    let mut peak = record.initial_balance();
    let (mut deepest, mut squares) = (0.0_f64, 0.0);
    for &balance in &record.daily_balances {
        peak = peak.max(balance);
        let fall = (peak - balance) / peak;
        deepest = deepest.max(fall);
        squares += fall * fall;
    }
    (deepest, (squares / record.daily_balances.len().max(1) as f64).sqrt())
}
