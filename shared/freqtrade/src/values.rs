//! What a value of an export may be: each of these reads one, or says in a few words what it must be.

use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, dec};
use serde_json::value::RawValue;

/// Up to here a sum of as many trades as an export may have is still a decimal.
const MAX_NUMBER: Decimal = dec!(1_000_000_000_000);

/// Python writes no number with more characters than 24.
const MAX_NUMBER_LENGTH: usize = 64;

/// From 2001 to 9999; milliseconds are no seconds.
const SECONDS: RangeInclusive<i64> = 1_000_000_000..=253_402_300_799;

pub(crate) fn number(value: &RawValue) -> Result<Decimal, String> {
    let number = decimal(value).ok_or("must be a number")?;
    if number.abs() <= MAX_NUMBER { Ok(number) } else { Err("must be within 10^12".into()) }
}

pub(crate) fn positive(value: &RawValue) -> Result<Decimal, String> {
    match number(value) {
        Ok(number) if number > Decimal::ZERO => Ok(number),
        Err(wrong) if decimal(value).is_some_and(|number| number > Decimal::ZERO) => Err(wrong),
        _ => Err("must be a positive number".into()),
    }
}

/// A price that was not observed is 0 in some versions, and null in others.
pub(crate) fn price(value: &RawValue) -> Result<Option<Decimal>, String> {
    if decimal(value).is_some_and(|number| number.is_zero()) { Ok(None) } else { positive(value).map(Some) }
}

/// Negative for a rebate.
pub(crate) fn fee(value: &RawValue) -> Result<Decimal, String> {
    let fee = decimal(value).filter(|fee| fee.abs() < Decimal::ONE);
    fee.ok_or_else(|| "must be a fraction, such as 0.001".into())
}

/// A JSON number by its digits. What is smaller than a decimal can be is rounded, in the 28th place.
fn decimal(value: &RawValue) -> Option<Decimal> {
    let text = value.get();
    if text.len() > MAX_NUMBER_LENGTH || !text.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
        return None;
    }
    let number = match text.split_once(['e', 'E']) {
        None => Decimal::from_str(text).ok()?,
        Some((_, exponent)) => match Decimal::from_scientific_lossy(text) {
            Ok(number) => number,
            Err(_) if exponent.starts_with('-') => Decimal::ZERO,
            Err(_) => return None,
        },
    };
    Some(number.normalize())
}

pub(crate) fn flag(value: &RawValue) -> Result<bool, String> {
    serde_json::from_str(value.get()).map_err(|_| "must be true or false".into())
}

pub(crate) fn count(value: &RawValue) -> Result<usize, String> {
    serde_json::from_str(value.get()).map_err(|_| "must be a whole number".into())
}

/// Text of so many characters, in one line: none of them a control character.
pub(crate) fn text(length: RangeInclusive<usize>) -> impl Fn(&RawValue) -> Result<String, String> {
    move |value| {
        let text: String = serde_json::from_str(value.get()).map_err(|_| "must be text")?;
        in_one_line(&text, &length)?;
        Ok(text)
    }
}

pub(crate) fn in_one_line(text: &str, length: &RangeInclusive<usize>) -> Result<(), String> {
    if !length.contains(&text.chars().count()) {
        return Err(format!("must have {} to {} characters", length.start(), length.end()));
    }
    if text.chars().any(char::is_control) {
        return Err("must not have control characters".into());
    }
    Ok(())
}

/// A strategy's own words for why it entered or left. Some strategies list all signals in them.
pub(crate) fn tag(value: &RawValue) -> Result<String, String> {
    text(0..=1_000)(value)
}

/// Freqtrade writes UTC, in some places without saying so.
pub(crate) fn time(value: &RawValue) -> Result<DateTime<Utc>, String> {
    const NOT_A_TIME: &str = "must be a time such as \"2026-01-31 12:00:00+00:00\"";
    let text: String = serde_json::from_str(value.get()).map_err(|_| NOT_A_TIME)?;
    let naive = || NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").map(|time| time.and_utc());
    let time = text.parse().or_else(|_| naive()).map_err(|_| NOT_A_TIME)?;
    if (1970..=9999).contains(&DateTime::year(&time)) { Ok(time) } else { Err(NOT_A_TIME.into()) }
}

/// Seconds since 1970, or a time as text.
pub(crate) fn moment(value: &RawValue) -> Result<DateTime<Utc>, String> {
    if value.get().starts_with('"') {
        return time(value);
    }
    let seconds: Option<i64> = decimal(value).and_then(|seconds| seconds.trunc().try_into().ok());
    let moment = seconds.filter(|seconds| SECONDS.contains(seconds)).and_then(|at| DateTime::from_timestamp(at, 0));
    moment.ok_or_else(|| "must be a time in seconds since 1970".into())
}

/// Milliseconds since 1970; older versions write them as floats.
pub(crate) fn milliseconds(value: &RawValue) -> Result<DateTime<Utc>, String> {
    let milliseconds: Option<i64> = decimal(value).and_then(|milliseconds| milliseconds.trunc().try_into().ok());
    let moment = milliseconds.and_then(DateTime::from_timestamp_millis);
    let moment = moment.filter(|moment| SECONDS.contains(&moment.timestamp()));
    moment.ok_or_else(|| "must be a time in milliseconds since 1970".into())
}

/// How long a candle is, and how freqtrade writes that.
pub(crate) fn timeframe(value: &RawValue) -> Result<(String, TimeDelta), String> {
    const NOT_A_TIMEFRAME: &str = "must be the length of a candle, such as \"15m\"";
    let text = text(2..=10)(value).map_err(|_| NOT_A_TIMEFRAME)?;
    match length(&text) {
        Some(length) if length > TimeDelta::zero() && length <= TimeDelta::days(366) => Ok((text, length)),
        _ => Err(NOT_A_TIMEFRAME.into()),
    }
}

fn length(timeframe: &str) -> Option<TimeDelta> {
    let unit = timeframe.chars().next_back()?;
    let count: u32 = timeframe.strip_suffix(unit)?.parse().ok()?;
    let one = match unit {
        's' => TimeDelta::seconds(1),
        'm' => TimeDelta::minutes(1),
        'h' => TimeDelta::hours(1),
        'd' => TimeDelta::days(1),
        'w' => TimeDelta::weeks(1),
        'M' => TimeDelta::days(31),
        'y' => TimeDelta::days(366),
        _ => return None,
    };
    one.checked_mul(i32::try_from(count).ok()?)
}
