//! What became of the balance: return, growth, drawdown.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;

use crate::drawdown::{Drawdown, each_drawdown};
use crate::record::{Record, float, ratio};
use crate::sample::finite;

/// Days of a year. Crypto trades on every one of them, and the daily series holds every one of them.
pub(crate) const YEAR: f64 = 365.0;

/// Of the balance E, which begins with E_0 and ends with E_end after n days. Drawdowns are positive fractions of the peak before.
///
/// Only closed trades are in it: an open loss is in no drawdown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BalanceMetrics {
    /// E_end, in the account's currency.
    pub final_balance: Decimal,
    /// E_end / E_0 - 1, fraction.
    pub total_return: f64,
    /// (E_end / E_0)^(365 / n) - 1, fraction a year. None below zero and where no number can hold it; -1 with nothing left.
    pub cagr: Option<f64>,
    /// max((peak - E) / peak) over all trades, E_0 included; fraction. Above 1 if E fell below 0.
    pub max_drawdown: f64,
    /// max(peak - E) over all trades, in the account's currency. Need not be the same fall.
    pub max_drawdown_abs: Decimal,
    /// When E was last at the peak of `max_drawdown`: an exit, or midnight of the first day. None without a fall.
    pub max_drawdown_peak: Option<DateTime<Utc>>,
    /// When E was lowest in it.
    pub max_drawdown_trough: Option<DateTime<Utc>>,
    /// When E was back at the peak. None while it is not.
    pub max_drawdown_recovery: Option<DateTime<Utc>>,
    /// The longest time from a peak to its recovery, or to the last exit.
    pub longest_underwater_s: f64,
    /// (peak - E_end) / peak, fraction.
    pub current_drawdown: f64,
    /// In the account's currency, E_0 included.
    pub min_balance: Decimal,
    /// In the account's currency, E_0 included.
    pub max_balance: Decimal,
    /// net profit / `max_drawdown_abs`, with the profit's sign. None without a fall.
    pub recovery_factor: Option<f64>,
}

impl BalanceMetrics {
    pub(crate) fn of(record: &Record<'_>) -> Self {
        let initial = record.settings.initial_balance;
        let (mut min_balance, mut max_balance) = (initial, initial);
        for (_, balance) in record.balances() {
            min_balance = min_balance.min(balance);
            max_balance = max_balance.max(balance);
        }
        let mut deepest: Option<Drawdown> = None;
        let mut max_drawdown_abs = Decimal::ZERO;
        let mut longest_underwater_s: f64 = 0.0;
        each_drawdown(record, |drawdown| {
            if deepest.is_none_or(|other| drawdown.depth > other.depth) {
                deepest = Some(drawdown);
            }
            max_drawdown_abs = max_drawdown_abs.max(drawdown.depth_abs);
            longest_underwater_s = longest_underwater_s.max(drawdown.underwater_s);
        });
        let net_profit = record.final_balance - initial;
        Self {
            final_balance: record.final_balance,
            total_return: float(net_profit) / float(initial),
            cagr: growth_a_year(record),
            max_drawdown: deepest.map_or(0.0, |drawdown| drawdown.depth),
            max_drawdown_abs,
            max_drawdown_peak: deepest.map(|drawdown| drawdown.peak),
            max_drawdown_trough: deepest.map(|drawdown| drawdown.trough),
            max_drawdown_recovery: deepest.and_then(|drawdown| drawdown.recovery),
            longest_underwater_s,
            current_drawdown: float(max_balance - record.final_balance) / float(max_balance),
            min_balance,
            max_balance,
            recovery_factor: ratio(net_profit, max_drawdown_abs),
        }
    }
}

fn growth_a_year(record: &Record<'_>) -> Option<f64> {
    let left = float(record.final_balance) / record.initial_balance();
    (record.days > 0 && left >= 0.0).then(|| left.powf(YEAR / record.days as f64) - 1.0).and_then(finite)
}
