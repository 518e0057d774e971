//! Metrics of the balance curve: return, annual growth, drawdowns.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;

use crate::drawdown::{Drawdown, each_drawdown};
use crate::record::{Record, float, ratio};
use crate::sample::finite;

/// Days of a year. Crypto trades every day, and the daily series contains every day.
pub(crate) const DAYS_PER_YEAR: f64 = 365.0;

/// Metrics of the balance E, from E_0 before the first trade to E_end after a period of n days. Drawdowns are positive
/// fractions of the previous peak.
///
/// Only closed trades count: an unrealised loss is in no drawdown.
#[cfg_attr(
    feature = "openapi",
    serde_with::apply(
        Decimal => #[schema(value_type = nofomo_contract::values::Decimal)],
        Option<Decimal> => #[schema(value_type = Option<nofomo_contract::values::Decimal>)],
        usize => #[schema(value_type = u64)],
    )
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BalanceMetrics {
    /// Final balance E_end, in the account's currency.
    pub final_balance: Decimal,
    /// Total return: E_end / E_0 - 1, as a fraction.
    pub total_return: f64,
    /// Compound annual growth rate: (E_end / E_0)^(365 / n) - 1, as a fraction per year; -1 if E_end is 0. Null if
    /// E_end is negative, without a day, or if the result overflows.
    pub cagr: Option<f64>,
    /// Maximum drawdown: max((peak - E) / peak) over all trades, E_0 included, as a fraction. Above 1 if E fell below
    /// 0.
    pub max_drawdown: f64,
    /// Maximum drawdown in money: max(peak - E) over all trades, in the account's currency. It can belong to another
    /// drawdown than `max_drawdown`.
    pub max_drawdown_abs: Decimal,
    /// Time of the peak before `max_drawdown`: an exit, or midnight of the first day. Null without a drawdown.
    pub max_drawdown_peak: Option<DateTime<Utc>>,
    /// Time of the lowest balance in `max_drawdown`. Null without a drawdown.
    pub max_drawdown_trough: Option<DateTime<Utc>>,
    /// Time when the balance recovered from `max_drawdown`: it was back at the peak. Null before the recovery, and
    /// without a drawdown.
    pub max_drawdown_recovery: Option<DateTime<Utc>>,
    /// Longest time under water, in seconds: from a peak to the recovery, or to the last exit. 0 without a drawdown.
    pub longest_underwater_s: f64,
    /// Current drawdown: (peak - E_end) / peak, as a fraction. 0 at the peak.
    pub current_drawdown: f64,
    /// Lowest balance, E_0 included, in the account's currency.
    pub min_balance: Decimal,
    /// Highest balance, E_0 included, in the account's currency.
    pub max_balance: Decimal,
    /// Recovery factor: net profit / `max_drawdown_abs`; negative after a loss. Null without a drawdown.
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
        let mut worst: Option<Drawdown> = None;
        let mut max_drawdown_abs = Decimal::ZERO;
        let mut longest_underwater_s: f64 = 0.0;
        each_drawdown(record, |drawdown| {
            if worst.is_none_or(|other| drawdown.depth > other.depth) {
                worst = Some(drawdown);
            }
            max_drawdown_abs = max_drawdown_abs.max(drawdown.depth_abs);
            longest_underwater_s = longest_underwater_s.max(drawdown.underwater_s);
        });
        let net_profit = record.final_balance - initial;
        Self {
            final_balance: record.final_balance,
            total_return: float(net_profit) / float(initial),
            cagr: annual_growth(record),
            max_drawdown: worst.map_or(0.0, |drawdown| drawdown.depth),
            max_drawdown_abs,
            max_drawdown_peak: worst.map(|drawdown| drawdown.peak),
            max_drawdown_trough: worst.map(|drawdown| drawdown.trough),
            max_drawdown_recovery: worst.and_then(|drawdown| drawdown.recovery),
            longest_underwater_s,
            current_drawdown: float(max_balance - record.final_balance) / float(max_balance),
            min_balance,
            max_balance,
            recovery_factor: ratio(net_profit, max_drawdown_abs),
        }
    }
}

fn annual_growth(record: &Record<'_>) -> Option<f64> {
    let ratio = float(record.final_balance) / record.initial_balance();
    (record.days > 0 && ratio >= 0.0).then(|| ratio.powf(DAYS_PER_YEAR / record.days as f64) - 1.0).and_then(finite)
}
