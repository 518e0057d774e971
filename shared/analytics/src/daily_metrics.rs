//! Metrics of daily returns: risk, and all ratios of return to risk.

use serde::Serialize;

use crate::balance_metrics::DAYS_PER_YEAR;
use crate::record::Record;
use crate::sample::{Sample, finite, normal_quantile, quantile, sorted};

/// Metrics of the daily returns r of n days; the return of a day without a trade is 0. Annualised with 365 days, at a
/// risk-free rate of 0. Quantiles are interpolated linearly (Hyndman and Fan's type 7).
///
/// Splitting every order in two changes none of them.
#[cfg_attr(feature = "openapi", serde_with::apply(usize => #[schema(value_type = u64)]))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DailyMetrics {
    /// Calendar days of the period, in UTC.
    pub days: usize,
    /// `true` if the balance was 0 or less at the end of a day. The return of that day is -1, and the returns end with
    /// it.
    pub ruined: bool,
    /// Number n of days with a return. Equals `days` unless the account is ruined.
    pub return_days: usize,
    /// Maximum drawdown between ends of days, the initial balance included, as a fraction. Null without a day.
    pub max_drawdown_daily: Option<f64>,
    /// Ulcer index: sqrt(mean(drawdown^2)) over the ends of days, as a fraction (Martin and McCann 1989). Null without
    /// a day.
    pub ulcer_index: Option<f64>,
    /// Best daily return: max(r), as a fraction. Null without a day.
    pub best_day: Option<f64>,
    /// Worst daily return: min(r), as a fraction. Null without a day.
    pub worst_day: Option<f64>,
    /// Number of days with r > 0.
    pub positive_days: usize,
    /// Number of days with r < 0.
    pub negative_days: usize,
    /// Mean daily return: mean(r), as a fraction per day. Null without a day.
    pub daily_mean: Option<f64>,
    /// Sample standard deviation of r, as a fraction per day. Null below two days.
    pub daily_std: Option<f64>,
    /// Annualised volatility: `daily_std` * sqrt(365), as a fraction per year. Null below two days.
    pub volatility: Option<f64>,
    /// Annualised Sharpe ratio: mean(r) / sd(r) * sqrt(365) (Sharpe 1994). Null below two days, or if all returns are
    /// equal.
    pub sharpe: Option<f64>,
    /// Annualised downside deviation: sqrt(mean(min(r, 0)^2)) over all days * sqrt(365), as a fraction per year. Null
    /// without a day.
    pub downside_deviation: Option<f64>,
    /// Annualised Sortino ratio: mean(r) * 365 / `downside_deviation` (Sortino and Price 1994). Null below two days, or
    /// without a losing day.
    pub sortino: Option<f64>,
    /// Calmar ratio: cagr / `max_drawdown_daily` (Young 1991). Null without a daily drawdown, or if cagr is null.
    pub calmar: Option<f64>,
    /// Martin ratio, also called ulcer performance index: cagr / `ulcer_index` (Martin and McCann 1989). Null without a
    /// daily drawdown, or if cagr is null.
    pub martin: Option<f64>,
    /// Omega ratio at threshold 0: sum of the positive r / |sum of the negative r| (Keating and Shadwick 2002). Null
    /// without a losing day.
    pub omega: Option<f64>,
    /// Gain-to-pain ratio: sum of all r / |sum of the negative r|, which is omega - 1 (Schwager 2012). Null without a
    /// losing day.
    pub gain_to_pain: Option<f64>,
    /// Bias-adjusted skewness G1 of r (Joanes and Gill 1998). Null below three days, or if all returns are equal.
    pub skew: Option<f64>,
    /// Bias-adjusted excess kurtosis G2 of r (Joanes and Gill 1998); 0 for a normal distribution. Null below four days,
    /// or if all returns are equal.
    pub kurtosis_excess: Option<f64>,
    /// Lag-1 autocorrelation of r: sum((r_t - mean)(r_(t+1) - mean)) / sum((r_t - mean)^2). Null below two days, or if
    /// all returns are equal.
    pub lag1_autocorrelation: Option<f64>,
    /// Historical value at risk: 5 % quantile of r, as a fraction per day; a loss is negative. Null below 20 days.
    pub var_95: Option<f64>,
    /// Historical expected shortfall: mean of the worst floor(0.05 (n - 1)) + 1 returns, as a fraction per day; a loss
    /// is negative. Null below 20 days.
    pub cvar_95: Option<f64>,
    /// Tail ratio: |95 % quantile of r| / |5 % quantile of r|. Null below 20 days, or if the 5 % quantile is 0.
    pub tail_ratio: Option<f64>,
    /// Kelly multiple of the current position size: mean(r) / var(r) (Thorp 2006). Null if `sharpe` is null.
    pub kelly_continuous: Option<f64>,
    /// Kelly multiple at the lower bound of the one-sided 95 % confidence interval of the mean: (mean(r) - 1.645 sd(r)
    /// / sqrt(n)) / var(r). Null if `sharpe` is null.
    pub kelly_continuous_lower95: Option<f64>,
}

/// Minimum number of daily returns for tail metrics: below 20, the worst 5 % are less than one day.
pub(crate) const MIN_DAYS_FOR_TAILS: usize = 20;

impl DailyMetrics {
    pub(crate) fn of(record: &Record<'_>, cagr: Option<f64>) -> Self {
        let returns = &record.returns;
        let sample = Sample::of(returns);
        let n = sample.size();
        let has_days = !returns.is_empty();
        let gains: f64 = returns.iter().filter(|day| **day > 0.0).sum();
        let losses: f64 = -returns.iter().filter(|day| **day < 0.0).sum::<f64>();
        let semivariance = returns.iter().map(|day| day.min(0.0).powi(2)).sum::<f64>() / n;
        let ranked = sorted(returns.clone());
        let (low, high) = if returns.len() < MIN_DAYS_FOR_TAILS {
            (None, None)
        } else {
            (quantile(&ranked, 0.05), quantile(&ranked, 0.95))
        };
        let (worst, ulcer) = daily_drawdowns(record);
        let total_loss = (losses > 0.0).then_some(losses);
        let spread_and_variance = sample.spread().zip(sample.variance());
        Self {
            days: record.days,
            ruined: record.ruined,
            return_days: returns.len(),
            max_drawdown_daily: has_days.then_some(worst),
            ulcer_index: has_days.then_some(ulcer),
            best_day: ranked.last().copied(),
            worst_day: ranked.first().copied(),
            positive_days: returns.iter().filter(|day| **day > 0.0).count(),
            negative_days: returns.iter().filter(|day| **day < 0.0).count(),
            daily_mean: has_days.then_some(sample.mean),
            daily_std: sample.deviation(),
            volatility: sample.deviation().map(|sd| sd * DAYS_PER_YEAR.sqrt()),
            sharpe: sharpe(&sample).map(|daily| daily * DAYS_PER_YEAR.sqrt()),
            downside_deviation: has_days.then(|| (semivariance * DAYS_PER_YEAR).sqrt()),
            sortino: total_loss
                .filter(|_| returns.len() >= 2)
                .and_then(|_| finite(sample.mean / semivariance.sqrt() * DAYS_PER_YEAR.sqrt())),
            calmar: cagr.and_then(|cagr| finite(cagr / worst)),
            martin: cagr.and_then(|cagr| finite(cagr / ulcer)),
            omega: total_loss.and_then(|loss| finite(gains / loss)),
            gain_to_pain: total_loss.and_then(|loss| finite((gains - loss) / loss)),
            skew: sample.skew(),
            kurtosis_excess: sample.kurtosis_excess(),
            lag1_autocorrelation: sample.lag1_autocorrelation(returns),
            var_95: low,
            cvar_95: low.map(|_| {
                let worst = ((n - 1.0) * 0.05).floor() as usize + 1;
                ranked.iter().take(worst).sum::<f64>() / worst as f64
            }),
            tail_ratio: high.zip(low).and_then(|(high, low)| finite((high / low).abs())),
            kelly_continuous: spread_and_variance.and_then(|(_, variance)| finite(sample.mean / variance)),
            kelly_continuous_lower95: spread_and_variance
                .and_then(|(sd, variance)| finite((sample.mean - normal_quantile(0.95) * sd / n.sqrt()) / variance)),
        }
    }

    /// Supported multiple of the current position size: half of `kelly_continuous` or `kelly_continuous_lower95`,
    /// whichever is smaller, and at least 0. `None` if `sharpe` is `None`.
    pub fn supported_size(&self) -> Option<f64> {
        let (kelly, lower) = self.kelly_continuous.zip(self.kelly_continuous_lower95)?;
        Some((kelly / 2.0).min(lower).max(0.0))
    }
}

/// Daily Sharpe ratio, not annualised.
pub(crate) fn sharpe(sample: &Sample) -> Option<f64> {
    sample.spread().and_then(|sd| finite(sample.mean / sd))
}

/// Maximum drawdown between ends of days, and the ulcer index.
fn daily_drawdowns(record: &Record<'_>) -> (f64, f64) {
    let mut peak = record.initial_balance();
    let (mut worst, mut squares) = (0.0_f64, 0.0);
    for &balance in &record.daily_balances {
        peak = peak.max(balance);
        let drawdown = (peak - balance) / peak;
        worst = worst.max(drawdown);
        squares += drawdown * drawdown;
    }
    (worst, (squares / record.daily_balances.len().max(1) as f64).sqrt())
}
