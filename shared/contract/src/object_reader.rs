//! Reads a JSON object field by field and collects the errors of all fields.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use nofomo_json::{array_elements, object_members};
use serde_json::value::RawValue;

use crate::{FieldError, FieldValue, RequestBody};

/// Maximum number of errors in one response.
const MAX_ERRORS: usize = 100;

/// Maximum length of a field name in an error, in characters: an unknown name can be as long as the body.
const MAX_NAME_LENGTH: usize = 64;

/// Fields of a JSON object, read one by one.
///
/// A field with an error yields a placeholder, so that the other fields are still read. The placeholder never leaves
/// the reader: [`ObjectReader::finish`] returns the value only if there were no errors.
#[derive(Debug)]
pub struct ObjectReader<'a> {
    /// JSON pointer of the object.
    pointer: String,
    /// Members that have not been read yet.
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    errors: Vec<FieldError>,
}

/// Body that is one object or an array of objects.
#[derive(Debug)]
pub enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T: RequestBody> OneOrMany<T> {
    /// Reads an object, or an array whose length is in `size`.
    ///
    /// # Errors
    ///
    /// The errors of all elements, at most 100.
    pub fn read(body: &RawValue, size: &RangeInclusive<usize>) -> Result<Self, Vec<FieldError>> {
        let Ok(elements) = array_elements(body, *size.end()) else {
            return read_body(body).map(Self::One);
        };
        if !size.contains(&elements.len()) {
            let detail = format!("must have {} to {} elements", size.start(), size.end());
            return Err(vec![FieldError::at("", detail)]);
        }
        let (mut values, mut errors) = (Vec::with_capacity(elements.len()), Vec::new());
        for (index, element) in elements.into_iter().enumerate() {
            match ObjectReader::new(element, format!("/{index}")).and_then(read_object) {
                Ok(value) => values.push(value),
                Err(more) => errors.extend(more),
            }
        }
        errors.truncate(MAX_ERRORS);
        if errors.is_empty() { Ok(Self::Many(values)) } else { Err(errors) }
    }
}

/// Reads a body that is one object.
///
/// # Errors
///
/// The errors of all fields, at most 100.
pub fn read_body<T: RequestBody>(body: &RawValue) -> Result<T, Vec<FieldError>> {
    ObjectReader::new(body, String::new()).and_then(read_object)
}

/// Reads a body that is one object, and applies `check`, a rule that needs more than the body.
///
/// # Errors
///
/// The errors of all fields, at most 100.
pub fn read_body_with<T: RequestBody>(
    body: &RawValue,
    check: impl FnOnce(&T, &mut ObjectReader<'_>),
) -> Result<T, Vec<FieldError>> {
    let mut reader = ObjectReader::new(body, String::new())?;
    let value = T::read(&mut reader);
    value.check(&mut reader);
    check(&value, &mut reader);
    reader.finish(value)
}

fn read_object<T: RequestBody>(mut reader: ObjectReader<'_>) -> Result<T, Vec<FieldError>> {
    let value = T::read(&mut reader);
    value.check(&mut reader);
    reader.finish(value)
}

impl<'a> ObjectReader<'a> {
    /// Creates a reader of the object at the JSON pointer `pointer`, which is empty for the whole body.
    ///
    /// # Errors
    ///
    /// The value is not an object.
    pub fn new(json: &'a RawValue, pointer: String) -> Result<Self, Vec<FieldError>> {
        match object_members(json.get(), usize::MAX) {
            Ok(members) => Ok(Self { pointer, members, errors: Vec::new() }),
            Err(_) => Err(vec![FieldError::at(pointer, "must be a JSON object")]),
        }
    }

    /// Reads a required field.
    pub fn required<V: FieldValue>(&mut self, name: &str) -> V {
        match self.take(name) {
            Some(json) => self.parse(name, json),
            None => {
                self.add_error(name, "is required");
                V::placeholder()
            }
        }
    }

    /// Reads an optional field; `null` is the same as absent.
    pub fn optional<V: FieldValue>(&mut self, name: &str) -> Option<V> {
        self.take(name).map(|json| self.parse(name, json))
    }

    /// Adds an error to the field `name` if a rule between fields does not hold. Has no effect if `name` or one of
    /// `others` already has an error.
    pub fn check_rule(&mut self, holds: bool, name: &str, others: &[&str], detail: &str) {
        let has_error = [name].iter().chain(others).any(|name| {
            let pointer = self.pointer_to(name);
            self.errors.iter().any(|error| error.pointer() == Some(&pointer))
        });
        if !holds && !has_error {
            self.add_error(name, detail);
        }
    }

    /// Returns the value if there were no errors. A field that was not read is unknown, and therefore an error.
    ///
    /// # Errors
    ///
    /// The errors of all fields, at most 100.
    pub fn finish<T>(mut self, value: T) -> Result<T, Vec<FieldError>> {
        for (name, _) in std::mem::take(&mut self.members) {
            self.add_error(&name, "is not a known field");
        }
        if self.errors.is_empty() { Ok(value) } else { Err(self.errors) }
    }

    fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let mut values = Vec::new();
        self.members.retain(|(member, value)| {
            let is_other = member != name;
            if !is_other {
                values.push(*value);
            }
            is_other
        });
        if values.len() > 1 {
            self.add_error(name, "is given more than once");
        }
        values.first().copied().filter(|value| value.get() != "null")
    }

    fn parse<V: FieldValue>(&mut self, name: &str, json: &RawValue) -> V {
        V::parse(json).unwrap_or_else(|detail| {
            self.add_error(name, &detail);
            V::placeholder()
        })
    }

    fn add_error(&mut self, name: &str, detail: &str) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(FieldError::at(self.pointer_to(name), detail));
        }
    }

    fn pointer_to(&self, name: &str) -> String {
        let name: String = name.chars().take(MAX_NAME_LENGTH).collect();
        format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::values::{Amount, Name, RiskPercentage};

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.into()).unwrap()
    }

    #[test]
    fn all_errors_are_returned_at_once() {
        let body = raw(r#"{"name": 7, "size": "0", "nmae": 1, "on": "yes", "on": true}"#);
        let mut reader = ObjectReader::new(&body, String::new()).unwrap();
        reader.required::<Name>("name");
        reader.required::<Amount>("size");
        reader.optional::<bool>("on");
        reader.required::<Name>("pair");
        let errors = reader.finish(()).unwrap_err();
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer().unwrap()).collect();
        assert_eq!(pointers, ["/name", "/size", "/on", "/on", "/pair", "/nmae"]);
    }

    #[test]
    fn at_most_100_errors_are_returned() {
        let body = raw(&format!("{{{}}}", vec!["\"\": 1"; 150_000].join(",")));
        let reader = ObjectReader::new(&body, String::new()).unwrap();
        assert_eq!(reader.finish(()).unwrap_err().len(), MAX_ERRORS);
    }

    #[test]
    fn a_rule_between_fields_is_checked_only_if_each_of_them_is_valid() {
        for (body, expected) in [
            (r#"{"a": "1", "b": "2"}"#, json!([{"pointer": "/a", "detail": "must be at least b"}])),
            (
                r#"{"a": "1", "b": "x"}"#,
                json!([{"pointer": "/b", "detail": "must be a decimal number, such as \"12.5\""}]),
            ),
        ] {
            let body = raw(body);
            let mut reader = ObjectReader::new(&body, String::new()).unwrap();
            let a: RiskPercentage = reader.required("a");
            let b: RiskPercentage = reader.required("b");
            reader.check_rule(a >= b, "a", &["b"], "must be at least b");
            assert_eq!(json!(reader.finish(()).unwrap_err()), expected);
        }
    }

    #[test]
    fn an_absent_field_and_null_are_the_same() {
        let body = raw(r#"{"size": null}"#);
        let mut reader = ObjectReader::new(&body, String::new()).unwrap();
        assert_eq!(reader.optional::<bool>("size"), None);
        assert_eq!(reader.optional::<bool>("other"), None);
        reader.finish(()).unwrap();
    }
}
