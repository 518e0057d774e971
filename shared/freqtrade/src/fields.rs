//! Fields of an export's objects, of which at most a given number are read.

use std::borrow::Cow;

use nofomo_json::{array_elements, object_members};
use serde_json::value::RawValue;

use crate::ExportError;
use crate::error::quoted;

/// Members of an object. Unknown members are ignored: every version of freqtrade adds some.
pub(crate) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Reads an object with at most `max_keys` members. Paths in errors are relative to the object.
    ///
    /// # Errors
    ///
    /// The text is not an object, has too many members, or has a key twice.
    pub(crate) fn read(object: &'a str, max_keys: usize) -> Result<Self, ExportError> {
        let members = object_members(object, max_keys).map_err(|_| ExportError::value("", "must be an object"))?;
        if members.len() > max_keys {
            return Err(ExportError::value("", format!("must have at most {max_keys} keys")));
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

    /// Reads a required field.
    pub(crate) fn required<T>(
        &self,
        name: &str,
        read: impl FnOnce(&RawValue) -> Result<T, String>,
    ) -> Result<T, ExportError> {
        let value = self.get(name).ok_or_else(|| ExportError::value(name, "is missing"))?;
        read(value).map_err(|detail| ExportError::value(name, detail))
    }

    /// Reads an optional field; `null` is the same as absent.
    pub(crate) fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&RawValue) -> Result<T, String>,
    ) -> Result<Option<T>, ExportError> {
        match self.get(name) {
            Some(value) if value.get() != "null" => {
                read(value).map(Some).map_err(|detail| ExportError::value(name, detail))
            }
            _ => Ok(None),
        }
    }
}

/// Reads an array of at most `max_elements` elements.
///
/// # Errors
///
/// Says what the value must be.
pub(crate) fn elements(array: &RawValue, max_elements: usize) -> Result<Vec<&RawValue>, String> {
    let elements = array_elements(array, max_elements).map_err(|_| "must be a list")?;
    if elements.len() > max_elements { Err(format!("must have at most {max_elements} elements")) } else { Ok(elements) }
}
