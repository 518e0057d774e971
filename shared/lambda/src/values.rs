//! What the value of a field may be: each of these reads one, or says in a few words what it must be.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Utc};
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Text of so many characters, in one line: none of them a control character.
pub fn text(length: RangeInclusive<usize>) -> impl Fn(&RawValue) -> Result<String, String> {
    characters(length, char::is_control)
}

/// Text of so many characters, in any number of lines.
pub fn lines(length: RangeInclusive<usize>) -> impl Fn(&RawValue) -> Result<String, String> {
    characters(length, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn characters(
    length: RangeInclusive<usize>,
    is_refused: impl Fn(char) -> bool,
) -> impl Fn(&RawValue) -> Result<String, String> {
    move |value| {
        let text: String = typed(value, "must be text")?;
        if !length.contains(&text.chars().count()) {
            return Err(format!("must have {} to {} characters", length.start(), length.end()));
        }
        if text.chars().any(&is_refused) {
            return Err("must not have control characters".into());
        }
        if text.trim().is_empty() {
            return Err("must not be blank".into());
        }
        Ok(text)
    }
}

/// One of a few words.
pub fn one_of(words: &'static [&'static str]) -> impl Fn(&RawValue) -> Result<&'static str, String> {
    move |value| {
        let text: String = typed(value, "must be text")?;
        words.iter().copied().find(|word| *word == text).ok_or_else(|| format!("must be one of {}", words.join(", ")))
    }
}

/// A decimal within limits, as a JSON string or number, exactly, with at most `scale` digits after the point.
pub fn decimal(range: RangeInclusive<Decimal>, scale: u32) -> impl Fn(&RawValue) -> Result<Decimal, String> {
    move |value| {
        const NOT_A_DECIMAL: &str = "must be a decimal number, such as \"12.5\"";
        let string: String;
        let digits = if value.get().starts_with('"') {
            string = typed(value, NOT_A_DECIMAL)?;
            string.as_str()
        } else {
            value.get()
        };
        let is_number = digits.starts_with(|first: char| first.is_ascii_digit() || first == '-');
        if !is_number || !digits.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c)) {
            return Err(NOT_A_DECIMAL.into());
        }
        // 28 digits are all that fit; a number with more is too large or too fine for every column we have.
        let parsed = if digits.contains(['e', 'E']) {
            Decimal::from_scientific(digits)
        } else {
            Decimal::from_str_exact(digits)
        };
        let (min, max) = (range.start(), range.end());
        let outside = || format!("must be from {min} to {max}, with at most {scale} digits after the point");
        let number = parsed.map_err(|_| outside())?.normalize();
        if range.contains(&number) && number.scale() <= scale { Ok(number) } else { Err(outside()) }
    }
}

/// A point in time, RFC 3339.
pub fn time(value: &RawValue) -> Result<DateTime<Utc>, String> {
    const NOT_A_TIME: &str = "must be a time such as \"2026-01-31T12:00:00Z\"";
    let text: String = typed(value, NOT_A_TIME)?;
    let time = DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc()).map_err(|_| NOT_A_TIME)?;
    // Years that PostgreSQL writes otherwise are typing errors.
    if (1970..=9999).contains(&time.year()) { Ok(time) } else { Err(NOT_A_TIME.into()) }
}

/// Any JSON, to be read later.
///
/// # Errors
///
/// None.
pub fn raw(value: &RawValue) -> Result<Box<RawValue>, String> {
    Ok(value.to_owned())
}

pub fn uuid(value: &RawValue) -> Result<Uuid, String> {
    typed(value, "must be a UUID")
}

/// A pair as freqtrade writes it: base and quote, and for futures the settlement currency.
pub fn trading_pair(value: &RawValue) -> Result<String, String> {
    let pair = text(1..=50)(value)?;
    let is_currency =
        |code: &str| !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let (market, settlement) = pair.split_once(':').map_or((pair.as_str(), None), |(m, s)| (m, Some(s)));
    match market.split_once('/') {
        Some((base, quote)) if is_currency(base) && is_currency(quote) && settlement.is_none_or(is_currency) => {
            Ok(pair)
        }
        _ => Err("must be a pair such as BTC/USDT or BTC/USDT:USDT".into()),
    }
}

/// A whole number within limits.
pub fn integer(range: RangeInclusive<i32>) -> impl Fn(&RawValue) -> Result<i32, String> {
    move |value| {
        let wrong = || format!("must be a whole number from {} to {}", range.start(), range.end());
        let number: i32 = typed(value, &wrong())?;
        if range.contains(&number) { Ok(number) } else { Err(wrong()) }
    }
}

/// True or false.
pub fn flag(value: &RawValue) -> Result<bool, String> {
    typed(value, "must be true or false")
}

/// Any JSON object that PostgreSQL can hold, of so many bytes at most.
pub fn object(most: usize) -> impl Fn(&RawValue) -> Result<Box<RawValue>, String> {
    move |value| {
        if value.get().len() > most {
            return Err(format!("must have at most {most} bytes"));
        }
        object_of_any_size(value)
    }
}

fn object_of_any_size(value: &RawValue) -> Result<Box<RawValue>, String> {
    let parsed: Value = serde_json::from_str(value.get()).map_err(|error| format!("cannot be read: {error}"))?;
    if !parsed.is_object() {
        return Err("must be an object".into());
    }
    if has_nul(&parsed) {
        return Err("must not have the character U+0000".into());
    }
    Ok(value.to_owned())
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, member)| name.contains('\0') || has_nul(member)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn typed<T: DeserializeOwned>(value: &RawValue, otherwise: &str) -> Result<T, String> {
    serde_json::from_str(value.get()).map_err(|_| otherwise.into())
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.into()).unwrap()
    }

    #[test]
    fn a_decimal_is_read_exactly_from_string_and_number() {
        let parse = decimal(dec!(0.00000001)..=dec!(999999999999.99999999), 8);
        for (json, expected) in [
            ("0.1", dec!(0.1)),
            ("\"0.10\"", dec!(0.1)),
            ("123456789012.12345678", dec!(123456789012.12345678)),
            ("1e3", dec!(1000)),
            ("\"999999999999.99999999\"", dec!(999999999999.99999999)),
            ("0.00000001", dec!(0.00000001)),
        ] {
            assert_eq!(parse(&raw(json)), Ok(expected), "{json}");
        }
        for json in [
            "0",
            "-0.0",
            "-1",
            "1e400",
            "1e-400",
            "0.000000001",
            "1000000000000",
            "1234567890123456789012345",
            "\"NaN\"",
            "\"Infinity\"",
            "\"\"",
            "\" 1\"",
            "\"1,5\"",
            "true",
            "[1]",
            "{}",
            "\"0x10\"",
            "\"1_000\"",
            "\"1e\"",
            "\"--1\"",
        ] {
            assert!(parse(&raw(json)).is_err(), "{json}");
        }
    }

    #[test]
    fn text_is_counted_in_characters_and_has_no_control_characters() {
        let parse = text(1..=3);
        assert_eq!(parse(&raw(r#""🤖🤖🤖""#)), Ok("🤖🤖🤖".into()));
        for json in
            [r#""""#, r#""    ""#, r#""  ""#, r#""a\u0000""#, r#""a\n""#, r#""\u0085""#, r#""\ud800""#, "1", "null"]
        {
            assert!(parse(&raw(json)).is_err(), "{json}");
        }
    }

    #[test]
    fn an_object_that_postgres_cannot_hold_is_refused() {
        assert!(object(1024)(&raw(r#"{"a": {"b": [1, "x"]}}"#)).is_ok());
        let deep = format!(r#"{{"a": {}{}}}"#, "[".repeat(200), "]".repeat(200));
        for json in [r#"{"a": {"b": ["\u0000"]}}"#, r#"{"\u0000": 1}"#, "[]", "\"x\"", r#"{"a": 1e400}"#, &deep] {
            assert!(object(1024)(&raw(json)).is_err(), "{json}");
        }
    }
}
