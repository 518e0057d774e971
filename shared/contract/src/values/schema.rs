//! JSON Schemas of values, built from the limits of their parse rules.

use std::ops::RangeInclusive;

use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Pattern of a single line that is not blank.
const SINGLE_LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
/// Pattern of lines of which at least one is not blank.
const MULTILINE: &str =
    r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$";

pub(crate) fn single_line(length: RangeInclusive<usize>, example: &[&str]) -> Value {
    text(&length, SINGLE_LINE, example.first().copied())
}

pub(crate) fn multiline(length: RangeInclusive<usize>, example: &[&str]) -> Value {
    text(&length, MULTILINE, example.first().copied())
}

pub(crate) fn trading_pair(length: RangeInclusive<usize>, example: &[&str]) -> Value {
    text(&length, "^[A-Z0-9]+/[A-Z0-9]+(:[A-Z0-9]+)?$", example.first().copied())
}

pub(crate) fn code(length: RangeInclusive<usize>, prefix: &str, class: &str, example: &str) -> Value {
    let prefix = if prefix.is_empty() { String::new() } else { format!(r"\{prefix}?") };
    text(&length, &format!("^{prefix}[{class}]+$"), Some(example).filter(|example| !example.is_empty()))
}

fn text(length: &RangeInclusive<usize>, pattern: &str, example: Option<&str>) -> Value {
    let mut schema =
        json!({ "type": "string", "minLength": length.start(), "maxLength": length.end(), "pattern": pattern });
    if let Some(example) = example {
        schema["example"] = example.into();
    }
    schema
}

/// Returns the schema of a decimal in a request, which is a string or a number.
pub(crate) fn decimal(range: &RangeInclusive<Decimal>, scale: u32, example: &str) -> Value {
    let (min, max) = (range.start(), range.end());
    // The maximum is either 10^n or a number of nines, and the minimum its negative, zero or the smallest positive
    // number.
    let integer = max.trunc().to_string();
    let places = format!(r"(\.[0-9]{{1,{scale}}})?");
    let digits = if integer.starts_with('1') {
        format!(r"([0-9]{{1,{}}}{places}|{integer}(\.0{{1,{scale}}})?)", integer.len() - 1)
    } else {
        format!("[0-9]{{1,{}}}{places}", integer.len())
    };
    let sign = match min {
        min if min.is_sign_negative() && !min.is_zero() => "-?",
        min if min.is_zero() => "",
        _ => "(?=[0.]*[1-9])",
    };
    let number = |decimal: Decimal| serde_json::from_str::<f64>(&decimal.to_string()).unwrap_or_default();
    json!({
        "oneOf": [
            { "type": "string", "pattern": format!("^{sign}{digits}$") },
            {
                "type": "number",
                "minimum": if min.is_sign_negative() { number(min.trunc()) } else { number(*min) },
                "maximum": number(max.trunc()),
                "multipleOf": number(Decimal::new(1, scale)),
            },
        ],
        "example": example,
    })
}
