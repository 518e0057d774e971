//! JSON in: a body's fields are taken one by one, and all that is wrong with them is told at once.

use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{FieldError, Problem};

/// A field that is wrong yields its type's default, which never leaves here: [`Fields::finish`] gives the value only when
/// nothing was wrong.
#[derive(Debug)]
pub struct Fields<'a> {
    /// Where in the body the object is.
    place: String,
    rest: Vec<(String, &'a RawValue)>,
    errors: Vec<FieldError>,
}

/// A body that is one object, or an array of what should be objects.
#[derive(Debug)]
pub enum Batch<'a> {
    One(Fields<'a>),
    Many(Vec<Result<Fields<'a>, Problem>>),
}

/// More would help nobody.
const MOST_ERRORS: usize = 100;

impl<'a> Batch<'a> {
    /// # Errors
    ///
    /// 422 for what is neither, and for another number of elements.
    pub fn of(body: &'a RawValue, size: &RangeInclusive<usize>) -> Result<Self, Problem> {
        let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(body.get()) else {
            return Fields::of(body, String::new()).map(Self::One);
        };
        if !size.contains(&elements.len()) {
            let detail = format!("must have {} to {} elements", size.start(), size.end());
            return Err(Problem::Invalid(vec![FieldError::at("", detail)]));
        }
        let elements = elements.into_iter().enumerate();
        Ok(Self::Many(elements.map(|(index, element)| Fields::of(element, format!("/{index}"))).collect()))
    }
}

/// All values, or all that is wrong with any of them.
///
/// # Errors
///
/// 422 with the errors of every element, up to a number that somebody may still read.
pub fn collect<T>(results: impl Iterator<Item = Result<T, Problem>>) -> Result<Vec<T>, Problem> {
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(Problem::Invalid(more)) => errors.extend(more),
            Err(problem) => return Err(problem),
        }
    }
    errors.truncate(MOST_ERRORS);
    if errors.is_empty() { Ok(values) } else { Err(Problem::Invalid(errors)) }
}

impl<'a> Fields<'a> {
    pub(crate) fn of(body: &'a RawValue, place: String) -> Result<Self, Problem> {
        let mut json = serde_json::Deserializer::from_str(body.get());
        match json.deserialize_map(Members) {
            Ok(rest) => Ok(Self { place, rest, errors: Vec::new() }),
            Err(_) => Err(Problem::Invalid(vec![FieldError::at(place, "must be a JSON object")])),
        }
    }

    pub fn required<T: Default>(&mut self, name: &str, parse: impl FnOnce(&RawValue) -> Result<T, String>) -> T {
        match self.take(name) {
            Some(value) => self.parsed(name, parse(value)),
            None => {
                self.wrong(name, "is required");
                T::default()
            }
        }
    }

    /// `null` is as good as absent.
    pub fn optional<T: Default>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&RawValue) -> Result<T, String>,
    ) -> Option<T> {
        self.take(name).map(|value| self.parsed(name, parse(value)))
    }

    /// A rule between fields; judged only if each of them is right in itself.
    pub fn rule(&mut self, holds: bool, name: &str, others: &[&str], detail: &str) {
        let all_right = [name].iter().chain(others).all(|name| {
            let pointer = self.pointer_to(name);
            !self.errors.iter().any(|error| error.pointer() == Some(&pointer))
        });
        if all_right && !holds {
            self.wrong(name, detail);
        }
    }

    /// The value, unless something was wrong; a field nobody took is unknown, most likely a typing error.
    ///
    /// # Errors
    ///
    /// 422 with every error.
    pub fn finish<T>(mut self, value: T) -> Result<T, Problem> {
        for (name, _) in std::mem::take(&mut self.rest) {
            self.wrong(&name, "is not a known field");
        }
        if self.errors.is_empty() { Ok(value) } else { Err(Problem::Invalid(self.errors)) }
    }

    fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let mut values = Vec::new();
        self.rest.retain(|(member, value)| {
            let is_other = member != name;
            if !is_other {
                values.push(*value);
            }
            is_other
        });
        if values.len() > 1 {
            self.wrong(name, "is given more than once");
        }
        values.first().copied().filter(|value| value.get() != "null")
    }

    fn parsed<T: Default>(&mut self, name: &str, result: Result<T, String>) -> T {
        result.unwrap_or_else(|detail| {
            self.wrong(name, &detail);
            T::default()
        })
    }

    fn wrong(&mut self, name: &str, detail: &str) {
        if self.errors.len() < MOST_ERRORS {
            self.errors.push(FieldError::at(self.pointer_to(name), detail));
        }
    }

    fn pointer_to(&self, name: &str) -> String {
        // An unknown name can be as long as the body.
        let name: String = name.chars().take(64).collect();
        format!("{}/{}", self.place, name.replace('~', "~0").replace('/', "~1"))
    }
}

/// A JSON object's members in their order, each once for every time it is given.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;
    use serde_json::{Value, json};

    use super::*;
    use crate::{decimal, flag, text};

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.into()).unwrap()
    }

    fn errors(problem: Problem) -> Value {
        match problem {
            Problem::Invalid(errors) => json!(errors),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_error_is_told_at_once() {
        let body = raw(r#"{"name": 7, "size": "0", "nmae": 1, "on": "yes", "on": true}"#);
        let mut fields = Fields::of(&body, String::new()).unwrap();
        fields.required("name", text(1..=3));
        fields.required("size", decimal(dec!(0.01)..=dec!(10), 2));
        fields.optional("on", flag);
        fields.required("pair", text(1..=3));
        let pointers: Vec<Value> =
            errors(fields.finish(()).unwrap_err()).as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
        assert_eq!(json!(pointers), json!(["/name", "/size", "/on", "/on", "/pair", "/nmae"]));
    }

    #[test]
    fn no_more_errors_are_told_than_somebody_may_read() {
        let body = raw(&format!("{{{}}}", vec!["\"\": 1"; 150_000].join(",")));
        let fields = Fields::of(&body, String::new()).unwrap();
        assert_eq!(errors(fields.finish(()).unwrap_err()).as_array().unwrap().len(), MOST_ERRORS);
    }

    #[test]
    fn a_rule_between_fields_is_judged_only_where_they_are_right_in_themselves() {
        for (body, expected) in [
            (r#"{"a": "1", "b": "2"}"#, json!([{"pointer": "/a", "detail": "must be at least b"}])),
            (
                r#"{"a": "1", "b": "x"}"#,
                json!([{"pointer": "/b", "detail": "must be a decimal number, such as \"12.5\""}]),
            ),
        ] {
            let body = raw(body);
            let mut fields = Fields::of(&body, String::new()).unwrap();
            let a = fields.required("a", decimal(dec!(0.01)..=dec!(10), 2));
            let b = fields.required("b", decimal(dec!(0.01)..=dec!(10), 2));
            fields.rule(a >= b, "a", &["b"], "must be at least b");
            assert_eq!(errors(fields.finish(()).unwrap_err()), expected);
        }
    }

    #[test]
    fn an_absent_field_and_null_are_the_same() {
        let body = raw(r#"{"size": null}"#);
        let mut fields = Fields::of(&body, String::new()).unwrap();
        assert_eq!(fields.optional("size", flag), None);
        assert_eq!(fields.optional("other", flag), None);
        fields.finish(()).unwrap();
    }
}
