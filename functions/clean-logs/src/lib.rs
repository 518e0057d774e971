//! Runs daily: deletes log entries, events, and notifications that the user has read, when their retention has passed.
//!
//! Each batch is a transaction. A run that stops early leaves the rest to the next run.
//!
//! SQL: `migrations/029_clean_logs.sql`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use nofomo_lambda::{Error, Job, Run};
use serde::{Deserialize, Serialize};

/// Rows per batch; small, so that requests hardly wait for the locks of a batch.
const BATCH_SIZE: u64 = 5_000;

/// Time that must remain to start a batch: up to 6 s to open a connection, and the batch itself.
const TIME_RESERVE: Duration = Duration::from_secs(15);

/// Kinds of rows, with the setting for their retention and its default, in days.
const KINDS: [(&str, &str, u32); 7] = [
    ("debug", "DEBUG_LOG_DAYS", 7),
    ("info", "INFO_LOG_DAYS", 30),
    ("warning", "WARNING_LOG_DAYS", 90),
    ("error", "ERROR_LOG_DAYS", 90),
    ("notifications", "READ_NOTIFICATION_DAYS", 90),
    ("freqtrade_events", "FREQTRADE_EVENT_DAYS", 90),
    ("payment_events", "PAYMENT_EVENT_DAYS", 730),
];

/// Maximum retention: 100 years.
const MAX_DAYS: u32 = 36_500;

/// Age at which rows of each kind are deleted.
pub struct Retention(Vec<(&'static str, TimeDelta)>);

/// Invalid setting, by its name.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` must be a number of days, 1 to {MAX_DAYS}")]
pub struct RetentionError(&'static str);

impl Retention {
    /// Reads the settings. `setting` returns a setting by its name.
    ///
    /// # Errors
    ///
    /// A setting is not a number of days.
    pub fn read(setting: &dyn Fn(&str) -> Option<String>) -> Result<Self, RetentionError> {
        let days = |(kind, name, default): (&'static str, &'static str, u32)| {
            let days = setting(name).map_or(Ok(default), |days| days.parse()).unwrap_or_default();
            let is_valid = (1..=MAX_DAYS).contains(&days);
            is_valid.then(|| (kind, TimeDelta::days(days.into()))).ok_or(RetentionError(name))
        };
        KINDS.into_iter().map(days).collect::<Result<_, _>>().map(Self)
    }
}

/// Input of `private.clean_logs`.
#[derive(Serialize)]
struct CleanLogsInput {
    category: &'static str,
    before: DateTime<Utc>,
    limit: u64,
    /// Cursor that the previous batch returned.
    after: Option<DateTime<Utc>>,
}

/// Result of one batch, from `private.clean_logs`.
#[derive(Deserialize)]
struct CleanedBatch {
    removed: u64,
    /// Cursor for the next batch.
    after: Option<DateTime<Utc>>,
}

/// Result of a run.
#[derive(Serialize)]
pub struct Counts {
    /// Number of deleted rows of each kind.
    #[serde(flatten)]
    pub removed: BTreeMap<&'static str, u64>,
    /// `false` if time ran out.
    pub is_complete: bool,
}

pub async fn run(job: &'static Job, retention: &'static Retention, run: Run) -> Result<Counts, Error> {
    let removed = KINDS.iter().map(|(kind, ..)| (*kind, 0)).collect();
    let mut counts = Counts { removed, is_complete: false };
    // A run with a future time must not delete rows early.
    let now = run.time.min(Utc::now());
    for (kind, age) in &retention.0 {
        let mut input = CleanLogsInput { category: kind, before: now - *age, limit: BATCH_SIZE, after: None };
        loop {
            if !run.has_time_left(TIME_RESERVE) {
                return Ok(counts);
            }
            let cleaned: CleanedBatch = job.db.job("clean_logs", &input).await?;
            *counts.removed.entry(*kind).or_default() += cleaned.removed;
            if cleaned.removed < BATCH_SIZE {
                break;
            }
            input.after = cleaned.after;
        }
    }
    counts.is_complete = true;
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_must_be_a_number_of_days() {
        let read = |text: &'static str| Retention::read(&move |name| (name == "INFO_LOG_DAYS").then(|| text.into()));
        assert!(read("400").unwrap().0.contains(&("info", TimeDelta::days(400))));
        assert!(Retention::read(&|_| None).unwrap().0.contains(&("info", TimeDelta::days(30))));
        for text in ["0", "-1", "36501", "30 days", "1.5", ""] {
            assert_eq!(read(text).err().unwrap().to_string(), "`INFO_LOG_DAYS` must be a number of days, 1 to 36500");
        }
    }
}
