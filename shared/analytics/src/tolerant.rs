//! Tolerant reading of stored analyses: an unreadable part is skipped, and the rest is still read.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads a value, or the default if it has another shape.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    Ok(T::deserialize(Value::deserialize(deserializer)?).unwrap_or_default())
}

/// Reads the elements of a list that are readable.
pub(crate) fn readable_elements<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let Value::Array(elements) = Value::deserialize(deserializer)? else { return Ok(Vec::new()) };
    Ok(elements.into_iter().filter_map(|element| T::deserialize(element).ok()).collect())
}

/// Reads a time, or a day as its midnight in UTC.
pub(crate) fn time_or_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_str().and_then(parse_time_or_day))
}

/// Parses an RFC 3339 time, or a day (`2026-01-31`) as its midnight in UTC.
pub fn parse_time_or_day(text: &str) -> Option<DateTime<Utc>> {
    let day = || text.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    text.parse().ok().or_else(day)
}
