//! Readers of the members of an object and of the elements of an array, up to a limit.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Returns the members of a JSON object in their order, repeated keys included.
///
/// Returns at most `limit` + 1 members; the extra one shows the caller that there are more than `limit`.
///
/// # Errors
///
/// The text is not JSON, or not an object.
pub fn object_members(json: &str, limit: usize) -> serde_json::Result<Vec<(Cow<'_, str>, &RawValue)>> {
    let mut json = serde_json::Deserializer::from_str(json);
    let members = json.deserialize_map(Members { limit })?;
    json.end()?;
    Ok(members)
}

/// Returns the elements of a JSON array, at most `limit` + 1, like [`object_members`].
///
/// # Errors
///
/// The value is not an array.
pub fn array_elements(json: &RawValue, limit: usize) -> serde_json::Result<Vec<&RawValue>> {
    serde_json::Deserializer::from_str(json.get()).deserialize_seq(Elements { limit })
}

struct Members {
    limit: usize,
}

struct Elements {
    limit: usize,
}

/// Key of a member, borrowed from the text unless it has an escape sequence.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Visitor<'a> for Members {
    type Value = Vec<(Cow<'a, str>, &'a RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while members.len() <= self.limit {
            match object.next_entry::<Key<'a>, &RawValue>()? {
                Some((key, value)) => members.push((key.0, value)),
                None => return Ok(members),
            }
        }
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(members)
    }
}

impl<'a> Visitor<'a> for Elements {
    type Value = Vec<&'a RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while elements.len() <= self.limit {
            match array.next_element()? {
                Some(element) => elements.push(element),
                None => return Ok(elements),
            }
        }
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(elements)
    }
}
