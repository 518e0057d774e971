//! Taking an export's objects and lists apart, a bounded number of members at a time.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::ExportError;
use crate::error::quoted;

/// An object's members, of which nobody has to know all.
pub(crate) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// So many, and if there are more, one of those as well.
struct Members(usize);
struct Elements(usize);

/// Borrowed from the text unless something in it is escaped.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Fields<'a> {
    /// A place in an error is relative to the object's.
    pub(crate) fn of(object: &'a str, most: usize) -> Result<Self, ExportError> {
        let mut json = serde_json::Deserializer::from_str(object);
        let members = json.deserialize_map(Members(most)).and_then(|members| json.end().map(|()| members));
        let members = members.map_err(|_| ExportError::value("", "must be an object"))?;
        if members.len() > most {
            return Err(ExportError::value("", format!("must have at most {most} keys")));
        }
        for (index, (name, _)) in members.iter().enumerate() {
            if members.iter().take(index).any(|(other, _)| other == name) {
                return Err(ExportError::value("", format!("has a key twice: {}", quoted(name))));
            }
        }
        Ok(Self(members))
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.members().find(|(member, _)| *member == name).map(|(_, value)| value)
    }

    pub(crate) fn required<T>(
        &self,
        name: &str,
        read: impl FnOnce(&RawValue) -> Result<T, String>,
    ) -> Result<T, ExportError> {
        let value = self.get(name).ok_or_else(|| ExportError::value(name, "is missing"))?;
        read(value).map_err(|wrong| ExportError::value(name, wrong))
    }

    /// `null` is as good as absent.
    pub(crate) fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&RawValue) -> Result<T, String>,
    ) -> Result<Option<T>, ExportError> {
        match self.get(name) {
            Some(value) if value.get() != "null" => {
                read(value).map(Some).map_err(|wrong| ExportError::value(name, wrong))
            }
            _ => Ok(None),
        }
    }
}

pub(crate) fn elements(list: &RawValue, most: usize) -> Result<Vec<&RawValue>, String> {
    let mut json = serde_json::Deserializer::from_str(list.get());
    let elements = json.deserialize_seq(Elements(most)).map_err(|_| "must be a list")?;
    if elements.len() > most { Err(format!("must have at most {most} elements")) } else { Ok(elements) }
}

impl<'a> Visitor<'a> for Members {
    type Value = Vec<(Cow<'a, str>, &'a RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while members.len() <= self.0 {
            match object.next_entry::<Name<'a>, &RawValue>()? {
                Some((name, value)) => members.push((name.0, value)),
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
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while elements.len() <= self.0 {
            match list.next_element()? {
                Some(element) => elements.push(element),
                None => return Ok(elements),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(elements)
    }
}
