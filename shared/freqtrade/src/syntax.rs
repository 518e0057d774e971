//! Location and cause of syntax errors in JSON.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_path_to_error::Segment;

use crate::ExportError;

/// Values that Python writes as numbers and JSON does not allow.
const NON_JSON_NUMBERS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// Returns the first syntax error with its path, like other errors; serde_json reports only line and column.
pub(crate) fn locate_error(text: &str) -> ExportError {
    let mut json = serde_json::Deserializer::from_str(text);
    let Err(error) = serde_path_to_error::deserialize::<_, AnyValue>(&mut json) else {
        // The first value is complete.
        return ExportError::value("the JSON", "continues after its end");
    };
    // If the error is within a key, the last segment of the path is unknown.
    let known = error.path().iter().take_while(|segment| !matches!(segment, Segment::Unknown));
    let path = known.fold(String::new(), |path, segment| match segment {
        Segment::Map { key } if !path.is_empty() => format!("{path}.{key}"),
        segment => format!("{path}{segment}"),
    });
    let path = if path.is_empty() { "the JSON".into() } else { path };
    let error = error.into_inner();
    if error.is_eof() {
        return ExportError::value(path, "is truncated");
    }
    let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    match token(line, error.column()) {
        Some(token) if NON_JSON_NUMBERS.contains(&token) => {
            ExportError::value(path, format!("is {token}, which is not a JSON number"))
        }
        _ => ExportError::value(path, format!("is not JSON: {error}")),
    }
}

/// Token around a column, up to the nearest separators.
fn token(line: &str, column: usize) -> Option<&str> {
    let separates = |c: char| matches!(c, ',' | ':' | '[' | ']' | '{' | '}') || c.is_whitespace();
    let before = line.get(..column)?;
    let start = before.trim_end_matches(separates).rfind(separates).map_or(0, |at| at + 1);
    line.get(start..)?.split(separates).next()
}

/// Any JSON value, discarded. Unlike `IgnoredAny`, it visits every value, so that the path of an error is known.
struct AnyValue;

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for AnyValue {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self, A::Error> {
        while elements.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<String, Self>()?.is_some() {}
        Ok(self)
    }
}
