//! Parsers of the values of an export. Each returns the value, or a phrase that says what the value must be.

use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Utc};
use nofomo_json::{single_line_text, typed};
use rust_decimal::{Decimal, dec};
use serde_json::value::RawValue;

/// Maximum absolute value: the sum over the maximum number of trades still fits a decimal.
const MAX_NUMBER: Decimal = dec!(1_000_000_000_000);

/// Maximum number of characters of a number; Python writes at most 24.
const MAX_NUMBER_LENGTH: usize = 64;

/// Seconds since 1970 from 2001 to 9999, which excludes times in milliseconds.
const SECONDS: RangeInclusive<i64> = 1_000_000_000..=253_402_300_799;

/// Number between -10^12 and 10^12.
pub(crate) fn number(value: &RawValue) -> Result<Decimal, String> {
    let number = decimal(value).ok_or("must be a number")?;
    if number.abs() <= MAX_NUMBER { Ok(number) } else { Err("must be between -10^12 and 10^12".into()) }
}

/// Number above zero and at most 10^12.
pub(crate) fn positive(value: &RawValue) -> Result<Decimal, String> {
    match number(value) {
        Ok(number) if number > Decimal::ZERO => Ok(number),
        Err(wrong) if decimal(value).is_some_and(|number| number > Decimal::ZERO) => Err(wrong),
        _ => Err("must be a positive number".into()),
    }
}

/// Price, or `None` if it was not observed, which some versions write as 0 and others as null.
pub(crate) fn price(value: &RawValue) -> Result<Option<Decimal>, String> {
    if decimal(value).is_some_and(|number| number.is_zero()) { Ok(None) } else { positive(value).map(Some) }
}

/// Fee as a fraction; a rebate is negative.
pub(crate) fn fee(value: &RawValue) -> Result<Decimal, String> {
    let fee = decimal(value).filter(|fee| fee.abs() < Decimal::ONE);
    fee.ok_or_else(|| "must be a fraction, such as 0.001".into())
}

/// JSON number, read from its digits and rounded to 28 decimal places.
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

/// Whole number.
pub(crate) fn count(value: &RawValue) -> Result<usize, String> {
    typed(value, "must be a whole number")
}

/// Text in one line. `length` is in characters.
pub(crate) fn text(length: RangeInclusive<usize>) -> impl Fn(&RawValue) -> Result<String, String> {
    move |value| single_line_text(value, length.clone())
}

/// Tag of an entry or exit, of at most 1,000 characters: some strategies list all their signals in it.
pub(crate) fn tag(value: &RawValue) -> Result<String, String> {
    text(0..=1_000)(value)
}

/// Time in UTC, with or without an offset.
pub(crate) fn time(value: &RawValue) -> Result<DateTime<Utc>, String> {
    const NOT_A_TIME: &str = "must be a time such as \"2026-01-31 12:00:00+00:00\"";
    let text: String = typed(value, NOT_A_TIME)?;
    let naive = || NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").map(|time| time.and_utc());
    let time = text.parse().or_else(|_| naive()).map_err(|_| NOT_A_TIME)?;
    if (1970..=9999).contains(&DateTime::year(&time)) { Ok(time) } else { Err(NOT_A_TIME.into()) }
}

/// Timestamp in seconds since 1970, or a time as text.
pub(crate) fn timestamp(value: &RawValue) -> Result<DateTime<Utc>, String> {
    if value.get().starts_with('"') {
        return time(value);
    }
    let seconds: Option<i64> = decimal(value).and_then(|seconds| seconds.trunc().try_into().ok());
    let moment = seconds.filter(|seconds| SECONDS.contains(seconds)).and_then(|at| DateTime::from_timestamp(at, 0));
    moment.ok_or_else(|| "must be a time in seconds since 1970".into())
}

/// Time in milliseconds since 1970; older versions write a float.
pub(crate) fn milliseconds(value: &RawValue) -> Result<DateTime<Utc>, String> {
    let milliseconds: Option<i64> = decimal(value).and_then(|milliseconds| milliseconds.trunc().try_into().ok());
    let moment = milliseconds.and_then(DateTime::from_timestamp_millis);
    let moment = moment.filter(|moment| SECONDS.contains(&moment.timestamp()));
    moment.ok_or_else(|| "must be a time in milliseconds since 1970".into())
}

/// Timeframe as freqtrade writes it, with the length of a candle.
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
