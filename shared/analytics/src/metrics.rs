//! All metrics of a record, with the codes of what is undefined and why.

use serde::Serialize;

use crate::balance::BalanceMetrics;
use crate::confidence::Confidence;
use crate::daily_clock::{DAYS_FOR_TAILS, DailyMetrics};
use crate::monte_carlo::MonteCarlo;
use crate::record::Record;
use crate::sample::Sample;
use crate::trade_clock::TradeMetrics;

/// One flat object in JSON. Fractions, not percent; money in the account's currency, as a string; times in UTC, durations in seconds.
/// What is undefined is null, and a note says why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    #[serde(flatten)]
    pub trades: TradeMetrics,
    #[serde(flatten)]
    pub balance: BalanceMetrics,
    #[serde(flatten)]
    pub daily: DailyMetrics,
    /// The probability of ever falling to half of the initial balance, by diffusion: with mean m and variance s^2 of the trades' profits
    /// and the cushion B = E_end - E_0 / 2, exp(-2 m B / s^2), and 1 unless m > 0. None below two trades.
    pub risk_of_ruin: Option<f64>,
    /// None below two trades.
    pub monte_carlo: Option<MonteCarlo>,
    pub confidence: Confidence,
    pub notes: Vec<Note>,
}

/// Those of [`Metrics`] that nothing is simulated for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    #[serde(flatten)]
    pub trades: TradeMetrics,
    #[serde(flatten)]
    pub balance: BalanceMetrics,
    #[serde(flatten)]
    pub daily: DailyMetrics,
    pub notes: Vec<Note>,
}

/// Why a metric is null, or not worth much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    NoTrades,
    /// Nothing to divide the profits by.
    NoLosses,
    #[serde(rename = "annualised_from_under_30_days")]
    AnnualisedFromUnder30Days,
    /// The balance was 0 or less at the end of a day; the daily returns end there.
    Ruined,
    /// There is only one day of returns.
    OneDay,
    /// All daily returns are the same.
    ZeroVariance,
    #[serde(rename = "under_20_days_no_tail_metrics")]
    Under20DaysNoTailMetrics,
}

const DAYS_TO_ANNUALISE: usize = 30;

impl Record<'_> {
    /// A few passes over the trades and the days.
    pub fn figures(&self) -> Figures {
        let trades = TradeMetrics::of(self);
        let balance = BalanceMetrics::of(self);
        let daily = DailyMetrics::of(self, balance.cagr);
        let notes = notes(self, &trades);
        Figures { trades, balance, daily, notes }
    }

    /// The figures, how sure one may be, and the Monte Carlo simulation, which takes longer than all else.
    pub fn metrics(&self) -> Metrics {
        let Figures { trades, balance, daily, notes } = self.figures();
        Metrics {
            risk_of_ruin: self.risk_of_ruin(),
            monte_carlo: self.monte_carlo(),
            confidence: self.confidence(),
            trades,
            balance,
            daily,
            notes,
        }
    }
}

fn notes(record: &Record<'_>, trades: &TradeMetrics) -> Vec<Note> {
    let returns = record.returns.len();
    let said = [
        (trades.trades == 0, Note::NoTrades),
        (trades.trades > 0 && trades.losses == 0, Note::NoLosses),
        ((1..DAYS_TO_ANNUALISE).contains(&record.days), Note::AnnualisedFromUnder30Days),
        (record.ruined, Note::Ruined),
        (returns == 1, Note::OneDay),
        (returns > 1 && Sample::of(&record.returns).is_flat(), Note::ZeroVariance),
        ((1..DAYS_FOR_TAILS).contains(&returns), Note::Under20DaysNoTailMetrics),
    ];
    said.into_iter().filter(|(applies, _)| *applies).map(|(_, note)| note).collect()
}
