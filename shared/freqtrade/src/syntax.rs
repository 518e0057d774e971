//! Where text stops being JSON, and why.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_path_to_error::Segment;

use crate::ExportError;

/// What Python writes for what JSON has no number for.
const NON_JSON_NUMBERS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// The place as a path, like all other places; serde_json knows only line and column.
pub(crate) fn locate_error(text: &str) -> ExportError {
    let mut json = serde_json::Deserializer::from_str(text);
    let Err(error) = serde_path_to_error::deserialize::<_, AnyValue>(&mut json) else {
        // The first value is whole.
        return ExportError::value("the JSON", "goes on after its end");
    };
    // Within a key, the last segment is not known.
    let known = error.path().iter().take_while(|segment| !matches!(segment, Segment::Unknown));
    let place = known.fold(String::new(), |place, segment| match segment {
        Segment::Map { key } if !place.is_empty() => format!("{place}.{key}"),
        segment => format!("{place}{segment}"),
    });
    let place = if place.is_empty() { "the JSON".into() } else { place };
    let error = error.into_inner();
    if error.is_eof() {
        return ExportError::value(place, "is cut off");
    }
    let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    match token(line, error.column()) {
        Some(token) if NON_JSON_NUMBERS.contains(&token) => {
            ExportError::value(place, format!("is {token}, which is no number"))
        }
        _ => ExportError::value(place, format!("is not JSON: {error}")),
    }
}

/// What stands around a column, up to what may separate values.
fn token(line: &str, column: usize) -> Option<&str> {
    let separates = |c: char| matches!(c, ',' | ':' | '[' | ']' | '{' | '}') || c.is_whitespace();
    let before = line.get(..column)?;
    let start = before.trim_end_matches(separates).rfind(separates).map_or(0, |at| at + 1);
    line.get(start..)?.split(separates).next()
}

/// Any JSON, of which nothing is kept. Other than `IgnoredAny` it is visited, so that its path is known.
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
