//! Parse rules of values. Each function returns the value, or a phrase that says what the value must be.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Utc};
use nofomo_json::typed;
use rust_decimal::Decimal;
use serde_json::Value;
use serde_json::value::RawValue;

/// Accepted years of a time. PostgreSQL formats later years differently.
pub(crate) const YEARS: RangeInclusive<i32> = 1970..=9999;

/// Parses single-line text that is not blank. `length` is in characters.
pub(crate) fn single_line(json: &RawValue, length: RangeInclusive<usize>) -> Result<String, String> {
    not_blank(nofomo_json::single_line_text(json, length)?)
}

/// Parses multi-line text that is not blank. `length` is in characters.
pub(crate) fn multiline(json: &RawValue, length: RangeInclusive<usize>) -> Result<String, String> {
    not_blank(nofomo_json::multiline_text(json, length)?)
}

fn not_blank(text: String) -> Result<String, String> {
    if text.trim().is_empty() { Err("must not be blank".into()) } else { Ok(text) }
}

/// Parses text of ASCII characters from `class`, which is written as in a regular expression: `A-Z0-9_`. The text may
/// begin with `prefix`. Returns `detail` for any other text.
pub(crate) fn code(
    json: &RawValue,
    length: RangeInclusive<usize>,
    prefix: &str,
    class: &str,
    detail: &str,
) -> Result<String, String> {
    let text: String = typed(json, detail)?;
    let characters = text.strip_prefix(prefix).unwrap_or(&text);
    let is_code = length.contains(&text.len()) && characters.bytes().all(|byte| is_in_class(class.as_bytes(), byte));
    if is_code && !characters.is_empty() { Ok(text) } else { Err(detail.into()) }
}

fn is_in_class(class: &[u8], byte: u8) -> bool {
    match class {
        [first, b'-', last, rest @ ..] => (*first..=*last).contains(&byte) || is_in_class(rest, byte),
        [one, rest @ ..] => *one == byte || is_in_class(rest, byte),
        [] => false,
    }
}

/// Parses a word. Returns its position in `words`.
pub(crate) fn word(json: &RawValue, words: &[&str]) -> Result<usize, String> {
    let text: String = typed(json, "must be text")?;
    words.iter().position(|word| *word == text).ok_or_else(|| format!("must be one of {}", words.join(", ")))
}

/// Parses a decimal number exactly, from a JSON string or number. It must be in `range` and have at most `scale`
/// decimal places.
pub(crate) fn decimal(json: &RawValue, range: &RangeInclusive<Decimal>, scale: u32) -> Result<Decimal, String> {
    const NOT_A_DECIMAL: &str = "must be a decimal number, such as \"12.5\"";
    let string: String;
    let digits = if json.get().starts_with('"') {
        string = typed(json, NOT_A_DECIMAL)?;
        string.as_str()
    } else {
        json.get()
    };
    let is_number = digits.starts_with(|first: char| first.is_ascii_digit() || first == '-');
    if !is_number || !digits.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c)) {
        return Err(NOT_A_DECIMAL.into());
    }
    // A `Decimal` holds 28 digits. A number with more digits does not fit into any column.
    let parsed =
        if digits.contains(['e', 'E']) { Decimal::from_scientific(digits) } else { Decimal::from_str_exact(digits) };
    let (min, max) = (range.start(), range.end());
    let out_of_range = || format!("must be from {min} to {max}, with at most {scale} decimal places");
    let number = parsed.map_err(|_| out_of_range())?.normalize();
    if range.contains(&number) && number.scale() <= scale { Ok(number) } else { Err(out_of_range()) }
}

/// Parses a time (RFC 3339).
pub(crate) fn time(json: &RawValue) -> Result<DateTime<Utc>, String> {
    const NOT_A_TIME: &str = "must be a time such as \"2026-01-31T12:00:00Z\"";
    let text: String = typed(json, NOT_A_TIME)?;
    let time = DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc()).map_err(|_| NOT_A_TIME)?;
    if YEARS.contains(&time.year()) { Ok(time) } else { Err(NOT_A_TIME.into()) }
}

/// Parses a trading pair in freqtrade's notation: base and quote currency, and for futures the settlement currency.
pub(crate) fn trading_pair(json: &RawValue, length: RangeInclusive<usize>) -> Result<String, String> {
    let pair = single_line(json, length)?;
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

/// Parses a whole number in `range`.
pub(crate) fn integer(json: &RawValue, range: &RangeInclusive<i32>) -> Result<i32, String> {
    let detail = || format!("must be a whole number from {} to {}", range.start(), range.end());
    let number: i32 = typed(json, &detail())?;
    if range.contains(&number) { Ok(number) } else { Err(detail()) }
}

/// Parses a JSON object of at most `max_bytes` bytes that PostgreSQL can store as `jsonb`.
pub(crate) fn object(json: &RawValue, max_bytes: usize) -> Result<Box<RawValue>, String> {
    if json.get().len() > max_bytes {
        return Err(format!("must have at most {max_bytes} bytes"));
    }
    let parsed: Value = serde_json::from_str(json.get()).map_err(|error| format!("cannot be read: {error}"))?;
    if !parsed.is_object() {
        return Err("must be an object".into());
    }
    if has_nul(&parsed) {
        return Err("must not have the character U+0000".into());
    }
    Ok(json.to_owned())
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, member)| name.contains('\0') || has_nul(member)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
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
        let parse = |json: &RawValue| decimal(json, &(dec!(0.00000001)..=dec!(999999999999.99999999)), 8);
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
        let parse = |json: &RawValue| single_line(json, 1..=3);
        assert_eq!(parse(&raw(r#""🤖🤖🤖""#)), Ok("🤖🤖🤖".into()));
        for json in
            [r#""""#, r#""    ""#, r#""  ""#, r#""a\u0000""#, r#""a\n""#, r#""\u0085""#, r#""\ud800""#, "1", "null"]
        {
            assert!(parse(&raw(json)).is_err(), "{json}");
        }
    }

    #[test]
    fn an_object_that_postgres_cannot_store_is_refused() {
        assert!(object(&raw(r#"{"a": {"b": [1, "x"]}}"#), 1024).is_ok());
        let deep = format!(r#"{{"a": {}{}}}"#, "[".repeat(200), "]".repeat(200));
        for json in [r#"{"a": {"b": ["\u0000"]}}"#, r#"{"\u0000": 1}"#, "[]", "\"x\"", r#"{"a": 1e400}"#, &deep] {
            assert!(object(&raw(json), 1024).is_err(), "{json}");
        }
    }
}
