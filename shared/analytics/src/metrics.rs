//! All metrics of a record, and notes on undefined ones.

use serde::{Deserialize, Serialize};

use crate::balance_metrics::BalanceMetrics;
use crate::confidence::Confidence;
use crate::daily_metrics::{DailyMetrics, MIN_DAYS_FOR_TAILS};
use crate::monte_carlo::MonteCarlo;
use crate::record::Record;
use crate::sample::Sample;
use crate::trade_metrics::TradeMetrics;

/// All metrics of a record; one flat object in JSON.
///
/// Fractions are not percentages (0.05 is 5 %). Money is in the account's currency, and a string in JSON. Times are in
/// UTC, durations in seconds. An undefined metric is null, and a [`Note`] gives the reason.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    #[serde(flatten)]
    pub historical: HistoricalMetrics,
    /// Probability that the balance ever falls to half of the initial balance, from 0 to 1. The balance is approximated
    /// by a Brownian motion that starts at the final balance: exp(-2 m B / s^2), with the mean m and the variance s^2
    /// of the profits per trade, and the distance B = E_end - E_0 / 2. 1 unless m is positive. Null below two trades.
    pub risk_of_ruin: Option<f64>,
    /// Monte Carlo simulation. Null below two trades.
    pub monte_carlo: Option<MonteCarlo>,
    pub confidence: Confidence,
}

/// Metrics of the trades themselves, without any simulation.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistoricalMetrics {
    #[serde(flatten)]
    pub trades: TradeMetrics,
    #[serde(flatten)]
    pub balance: BalanceMetrics,
    #[serde(flatten)]
    pub daily: DailyMetrics,
    pub notes: Vec<Note>,
}

/// Reason why metrics are null or of little value.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// There are no closed trades: metrics per trade are null.
    NoTrades,
    /// No trade has lost: ratios to losses are null.
    NoLosses,
    /// The period is shorter than 30 days: annualised metrics exaggerate the results of a few days.
    #[serde(rename = "annualised_from_under_30_days")]
    AnnualisedFromUnder30Days,
    /// The balance was 0 or less at the end of a day. The daily returns end with that day.
    Ruined,
    /// There is only one daily return: metrics that need a deviation are null.
    OneDay,
    /// All daily returns are equal: ratios to their deviation are null.
    ZeroVariance,
    /// There are fewer than 20 daily returns: value at risk, expected shortfall and tail ratio are null.
    #[serde(rename = "under_20_days_no_tail_metrics")]
    Under20DaysNoTailMetrics,
}

const MIN_DAYS_TO_ANNUALISE: usize = 30;

impl Record<'_> {
    /// Computes the metrics that need no simulation, in a few passes over the trades and the days.
    pub fn historical_metrics(&self) -> HistoricalMetrics {
        let trades = TradeMetrics::of(self);
        let balance = BalanceMetrics::of(self);
        let daily = DailyMetrics::of(self, balance.cagr);
        let notes = notes(self, &trades);
        HistoricalMetrics { trades, balance, daily, notes }
    }

    /// Computes all metrics. The Monte Carlo simulation takes longer than everything else together.
    pub fn metrics(&self) -> Metrics {
        Metrics {
            historical: self.historical_metrics(),
            risk_of_ruin: self.risk_of_ruin(),
            monte_carlo: self.monte_carlo(),
            confidence: self.confidence(),
        }
    }
}

fn notes(record: &Record<'_>, trades: &TradeMetrics) -> Vec<Note> {
    let returns = record.returns.len();
    let applicable = [
        (trades.trades == 0, Note::NoTrades),
        (trades.trades > 0 && trades.losses == 0, Note::NoLosses),
        ((1..MIN_DAYS_TO_ANNUALISE).contains(&record.days), Note::AnnualisedFromUnder30Days),
        (record.ruined, Note::Ruined),
        (returns == 1, Note::OneDay),
        (returns > 1 && Sample::of(&record.returns).is_flat(), Note::ZeroVariance),
        ((1..MIN_DAYS_FOR_TAILS).contains(&returns), Note::Under20DaysNoTailMetrics),
    ];
    applicable.into_iter().filter(|(applies, _)| *applies).map(|(_, note)| note).collect()
}
