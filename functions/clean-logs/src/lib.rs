//! Daily: removes logs, and what else is kept for a time. Its SQL is `migrations/029_clean_logs.sql`.
//!
//! Each batch is a transaction. A run that ends early, or is ended, leaves the rest to the next one.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use nofomo_lambda::{Error, Job, Run};
use serde::{Deserialize, Serialize};

/// So few that whoever waits for a row of them hardly notices.
const BATCH: u64 = 5_000;

/// What one more batch may need: the longest that a statement is waited for.
const RESERVE: Duration = Duration::from_secs(15);

/// What is removed, the setting that says after how many days, and how many those are without it.
const KINDS: [(&str, &str, u32); 7] = [
    ("debug", "DEBUG_LOG_DAYS", 7),
    ("info", "INFO_LOG_DAYS", 30),
    ("warning", "WARNING_LOG_DAYS", 90),
    ("error", "ERROR_LOG_DAYS", 90),
    ("notifications", "READ_NOTIFICATION_DAYS", 90),
    ("freqtrade_events", "FREQTRADE_EVENT_DAYS", 90),
    ("payment_events", "PAYMENT_EVENT_DAYS", 730),
];

/// Further back than anything here reaches.
const MOST_DAYS: u32 = 36_500;

/// After how many days each kind is removed.
pub struct Retention(Vec<(&'static str, TimeDelta)>);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` must be a number of days, 1 to {MOST_DAYS}")]
pub struct RetentionError(&'static str);

impl Retention {
    /// # Errors
    ///
    /// A setting that is no number of days.
    pub fn read(setting: &dyn Fn(&str) -> Option<String>) -> Result<Self, RetentionError> {
        let days = |(kind, name, usual): (&'static str, &'static str, u32)| {
            let days = setting(name).map_or(Ok(usual), |days| days.parse()).unwrap_or_default();
            let is_possible = (1..=MOST_DAYS).contains(&days);
            is_possible.then(|| (kind, TimeDelta::days(days.into()))).ok_or(RetentionError(name))
        };
        KINDS.into_iter().map(days).collect::<Result<_, _>>().map(Self)
    }
}

#[derive(Serialize)]
struct Batch {
    category: &'static str,
    before: DateTime<Utc>,
    limit: u64,
    after: Option<DateTime<Utc>>,
}

/// What `private.clean_logs` did with one batch.
#[derive(Deserialize)]
struct Cleaned {
    removed: u64,
    after: Option<DateTime<Utc>>,
}

/// What a run removed.
#[derive(Serialize)]
pub struct Counts {
    #[serde(flatten)]
    pub removed: BTreeMap<&'static str, u64>,
    /// False if time ran out.
    pub is_complete: bool,
}

pub async fn run(job: &'static Job, retention: &'static Retention, run: Run) -> Result<Counts, Error> {
    let removed = KINDS.iter().map(|(kind, ..)| (*kind, 0)).collect();
    let mut counts = Counts { removed, is_complete: false };
    // A time to come makes nothing older.
    let now = run.time.min(Utc::now());
    for (kind, age) in &retention.0 {
        let mut batch = Batch { category: kind, before: now - *age, limit: BATCH, after: None };
        loop {
            if !run.has_time_left(RESERVE) {
                return Ok(counts);
            }
            let cleaned: Cleaned = job.db.job("clean_logs", &batch).await?;
            *counts.removed.entry(*kind).or_default() += cleaned.removed;
            if cleaned.removed < BATCH {
                break;
            }
            batch.after = cleaned.after;
        }
    }
    counts.is_complete = true;
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_number_of_days_or_refused_by_its_name() {
        let read = |text: &'static str| Retention::read(&move |name| (name == "INFO_LOG_DAYS").then(|| text.into()));
        assert!(read("400").unwrap().0.contains(&("info", TimeDelta::days(400))));
        assert!(Retention::read(&|_| None).unwrap().0.contains(&("info", TimeDelta::days(30))));
        for text in ["0", "-1", "36501", "30 days", "1.5", ""] {
            assert_eq!(read(text).err().unwrap().to_string(), "`INFO_LOG_DAYS` must be a number of days, 1 to 36500");
        }
    }
}
