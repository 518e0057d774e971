//! Parsers of single values.

use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// Parses a value as `T`.
///
/// # Errors
///
/// `detail`, if the value is not a `T`.
pub fn typed<T: DeserializeOwned>(json: &RawValue, detail: &str) -> Result<T, String> {
    serde_json::from_str(json.get()).map_err(|_| detail.into())
}

/// Parses true or false.
///
/// # Errors
///
/// "must be true or false".
pub fn boolean(json: &RawValue) -> Result<bool, String> {
    typed(json, "must be true or false")
}

/// Parses single-line text, which has no control characters. `length` is in characters.
///
/// # Errors
///
/// Says what the text must be.
pub fn single_line_text(json: &RawValue, length: RangeInclusive<usize>) -> Result<String, String> {
    let text: String = typed(json, "must be text")?;
    check_single_line(&text, &length)?;
    Ok(text)
}

/// Parses multi-line text, whose only control characters are `\n`, `\r` and `\t`. `length` is in characters.
///
/// # Errors
///
/// Says what the text must be.
pub fn multiline_text(json: &RawValue, length: RangeInclusive<usize>) -> Result<String, String> {
    let text: String = typed(json, "must be text")?;
    check(&text, &length, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))?;
    Ok(text)
}

/// Checks that a text has no control characters and that its length, in characters, is in `length`.
///
/// # Errors
///
/// Says what the text must be.
pub fn check_single_line(text: &str, length: &RangeInclusive<usize>) -> Result<(), String> {
    check(text, length, char::is_control)
}

fn check(text: &str, length: &RangeInclusive<usize>, is_refused: fn(char) -> bool) -> Result<(), String> {
    if !length.contains(&text.chars().count()) {
        return Err(format!("must have {} to {} characters", length.start(), length.end()));
    }
    if text.chars().any(is_refused) {
        return Err("must not have control characters".into());
    }
    Ok(())
}
