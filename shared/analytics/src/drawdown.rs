//! Falls of the balance below what it has been, on the trade clock.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;

use crate::record::{MICROSECONDS, Record, float};

/// One fall below a peak, from that peak until the balance is back at it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Drawdown {
    /// When the balance was last at the peak. The initial balance is one, at midnight of the first day.
    pub peak: DateTime<Utc>,
    /// When it was lowest.
    pub trough: DateTime<Utc>,
    /// When it was back at the peak. None while it is not.
    pub recovery: Option<DateTime<Utc>>,
    /// (peak - lowest) / peak, fraction; above 1 if the balance fell below 0.
    pub depth: f64,
    /// peak - lowest, in the account's currency.
    pub depth_abs: Decimal,
    /// From the peak to the recovery, or to the last exit.
    pub underwater_s: f64,
}

/// Calls `seen` for every fall, in the order in which they begin.
pub(crate) fn each_drawdown(record: &Record<'_>, mut seen: impl FnMut(Drawdown)) {
    let Some(start) = record.start() else { return };
    let (mut peak, mut peak_time) = (record.settings.initial_balance, start);
    let (mut trough, mut trough_time) = (peak, start);
    let mut last = start;
    let fall = |peak: Decimal, peak_time, trough: Decimal, trough_time, recovery, until: DateTime<Utc>| {
        let underwater = until.timestamp_micros() - DateTime::timestamp_micros(&peak_time);
        let depth = float(peak - trough) / float(peak);
        let underwater_s = underwater as f64 / MICROSECONDS;
        Drawdown { peak: peak_time, trough: trough_time, recovery, depth, depth_abs: peak - trough, underwater_s }
    };
    for (time, balance) in record.balances() {
        last = time;
        if balance >= peak {
            if trough < peak {
                seen(fall(peak, peak_time, trough, trough_time, Some(time), time));
            }
            (peak, peak_time) = (balance, time);
            trough = balance;
        } else if balance < trough {
            (trough, trough_time) = (balance, time);
        }
    }
    if trough < peak {
        seen(fall(peak, peak_time, trough, trough_time, None, last));
    }
}

/// The deepest falls, deepest first; of equal ones the earliest first.
pub(crate) fn deepest(record: &Record<'_>, count: usize) -> Vec<Drawdown> {
    let mut deepest: Vec<Drawdown> = Vec::with_capacity(count + 1);
    each_drawdown(record, |drawdown| {
        let place = deepest.partition_point(|other| other.depth >= drawdown.depth);
        if place < count {
            deepest.insert(place, drawdown);
            deepest.truncate(count);
        }
    });
    deepest
}
