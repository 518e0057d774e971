//! Drawdowns of the balance after each closed trade.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::record::{MICROSECONDS, Record, float};

/// Drawdown: from a peak of the balance until the balance is back at that peak.
#[cfg_attr(feature = "openapi", serde_with::apply(Decimal => #[schema(value_type = nofomo_contract::values::Decimal)]))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawdown {
    /// Time of the peak. The initial balance counts as one, at midnight of the first day.
    pub peak: DateTime<Utc>,
    /// Time of the lowest balance.
    pub trough: DateTime<Utc>,
    /// Time when the balance was back at the peak. Null before that.
    pub recovery: Option<DateTime<Utc>>,
    /// Depth: (peak - lowest balance) / peak, as a fraction; above 1 if the balance fell below 0.
    pub depth: f64,
    /// Depth in money: peak - lowest balance, in the account's currency.
    pub depth_abs: Decimal,
    /// Time from the peak to the recovery, or to the last exit, in seconds.
    pub underwater_s: f64,
}

/// Calls `visit` for every drawdown, in the order of their peaks.
pub(crate) fn each_drawdown(record: &Record<'_>, mut visit: impl FnMut(Drawdown)) {
    let Some(start) = record.start() else { return };
    let (mut peak, mut peak_time) = (record.settings.initial_balance, start);
    let (mut trough, mut trough_time) = (peak, start);
    let mut last = start;
    let drawdown = |peak: Decimal, peak_time, trough: Decimal, trough_time, recovery, until: DateTime<Utc>| {
        let underwater = until.timestamp_micros() - DateTime::timestamp_micros(&peak_time);
        let depth = float(peak - trough) / float(peak);
        let underwater_s = underwater as f64 / MICROSECONDS;
        Drawdown { peak: peak_time, trough: trough_time, recovery, depth, depth_abs: peak - trough, underwater_s }
    };
    for (time, balance) in record.balances() {
        last = time;
        if balance >= peak {
            if trough < peak {
                visit(drawdown(peak, peak_time, trough, trough_time, Some(time), time));
            }
            (peak, peak_time) = (balance, time);
            trough = balance;
        } else if balance < trough {
            (trough, trough_time) = (balance, time);
        }
    }
    if trough < peak {
        visit(drawdown(peak, peak_time, trough, trough_time, None, last));
    }
}

/// Returns the worst drawdowns, the deepest first. Of equally deep ones, the earliest comes first.
pub(crate) fn worst_drawdowns(record: &Record<'_>, count: usize) -> Vec<Drawdown> {
    let mut worst: Vec<Drawdown> = Vec::with_capacity(count + 1);
    each_drawdown(record, |drawdown| {
        let place = worst.partition_point(|other| other.depth >= drawdown.depth);
        if place < count {
            worst.insert(place, drawdown);
            worst.truncate(count);
        }
    });
    worst
}
