//! JSON in: a body's fields are taken one by one, and all that is wrong with them is told at once.

use std::fmt;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

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

/// A body that is one object, or an array of them.
#[derive(Debug)]
pub enum Batch<'a> {
    One(Fields<'a>),
    Many(Vec<Fields<'a>>),
}

/// More would help nobody.
const MOST_ERRORS: usize = 100;

impl<'a> Batch<'a> {
    pub(crate) fn of(body: &'a RawValue, size: &RangeInclusive<usize>) -> Result<Self, Problem> {
        let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(body.get()) else {
            return Fields::of(body, String::new()).map(Self::One);
        };
        if !size.contains(&elements.len()) {
            let detail = format!("must have {} to {} elements", size.start(), size.end());
            return Err(Problem::Invalid(vec![FieldError::at("", detail)]));
        }
        let elements = elements.into_iter().enumerate();
        collect(elements.map(|(index, element)| Fields::of(element, format!("/{index}")))).map(Self::Many)
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

/// Text of so many characters, in one line: none of them a control character.
pub fn text(length: RangeInclusive<usize>) -> impl Fn(&RawValue) -> Result<String, String> {
    characters(length, char::is_control)
}

/// Text of so many characters, in any number of lines.
pub fn lines(length: RangeInclusive<usize>) -> impl Fn(&RawValue) -> Result<String, String> {
    characters(length, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn characters(
    length: RangeInclusive<usize>,
    is_refused: impl Fn(char) -> bool,
) -> impl Fn(&RawValue) -> Result<String, String> {
    move |value| {
        let text: String = typed(value, "must be text")?;
        if !length.contains(&text.chars().count()) {
            return Err(format!("must have {} to {} characters", length.start(), length.end()));
        }
        if text.chars().any(&is_refused) {
            return Err("must not have control characters".into());
        }
        if text.trim().is_empty() {
            return Err("must not be blank".into());
        }
        Ok(text)
    }
}

/// One of a few words.
pub fn one_of(words: &'static [&'static str]) -> impl Fn(&RawValue) -> Result<&'static str, String> {
    move |value| {
        let text: String = typed(value, "must be text")?;
        words.iter().copied().find(|word| *word == text).ok_or_else(|| format!("must be one of {}", words.join(", ")))
    }
}

/// A decimal within limits, as a JSON string or number, exactly, with at most `scale` digits after the point.
pub fn decimal(range: RangeInclusive<Decimal>, scale: u32) -> impl Fn(&RawValue) -> Result<Decimal, String> {
    move |value| {
        const NOT_A_DECIMAL: &str = "must be a decimal number, such as \"12.5\"";
        let string: String;
        let digits = if value.get().starts_with('"') {
            string = typed(value, NOT_A_DECIMAL)?;
            string.as_str()
        } else {
            value.get()
        };
        let is_number = digits.starts_with(|first: char| first.is_ascii_digit() || first == '-');
        if !is_number || !digits.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c)) {
            return Err(NOT_A_DECIMAL.into());
        }
        // 28 digits are all that fit; a number with more is too large or too fine for every column we have.
        let parsed = if digits.contains(['e', 'E']) {
            Decimal::from_scientific(digits)
        } else {
            Decimal::from_str_exact(digits)
        };
        let (min, max) = (range.start(), range.end());
        let outside = || format!("must be from {min} to {max}, with at most {scale} digits after the point");
        let number = parsed.map_err(|_| outside())?.normalize();
        if range.contains(&number) && number.scale() <= scale { Ok(number) } else { Err(outside()) }
    }
}

/// A point in time, RFC 3339.
pub fn time(value: &RawValue) -> Result<DateTime<Utc>, String> {
    const NOT_A_TIME: &str = "must be a time such as \"2026-01-31T12:00:00Z\"";
    let text: String = typed(value, NOT_A_TIME)?;
    DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc()).map_err(|_| NOT_A_TIME.into())
}

pub fn uuid(value: &RawValue) -> Result<Uuid, String> {
    typed(value, "must be a UUID")
}

/// A whole number within limits.
pub fn integer(range: RangeInclusive<i32>) -> impl Fn(&RawValue) -> Result<i32, String> {
    move |value| {
        let wrong = || format!("must be a whole number from {} to {}", range.start(), range.end());
        let number: i32 = typed(value, &wrong())?;
        if range.contains(&number) { Ok(number) } else { Err(wrong()) }
    }
}

/// True or false.
pub fn flag(value: &RawValue) -> Result<bool, String> {
    typed(value, "must be true or false")
}

/// Any JSON object that PostgreSQL can hold, of so many bytes at most.
pub fn object(most: usize) -> impl Fn(&RawValue) -> Result<Box<RawValue>, String> {
    move |value| {
        if value.get().len() > most {
            return Err(format!("must have at most {most} bytes"));
        }
        object_of_any_size(value)
    }
}

fn object_of_any_size(value: &RawValue) -> Result<Box<RawValue>, String> {
    let parsed: Value = serde_json::from_str(value.get()).map_err(|error| format!("cannot be read: {error}"))?;
    if !parsed.is_object() {
        return Err("must be an object".into());
    }
    if has_nul(&parsed) {
        return Err("must not have the character U+0000".into());
    }
    Ok(value.to_owned())
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, member)| name.contains('\0') || has_nul(member)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn typed<T: DeserializeOwned>(value: &RawValue, otherwise: &str) -> Result<T, String> {
    serde_json::from_str(value.get()).map_err(|_| otherwise.into())
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;
    use serde_json::json;

    use super::*;

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

    #[test]
    fn a_decimal_is_read_exactly_from_string_and_number() {
        let parse = decimal(dec!(0.00000001)..=dec!(999999999999.99999999), 8);
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
        let parse = text(1..=3);
        assert_eq!(parse(&raw(r#""🤖🤖🤖""#)), Ok("🤖🤖🤖".into()));
        for json in
            [r#""""#, r#""    ""#, r#""  ""#, r#""a\u0000""#, r#""a\n""#, r#""\u0085""#, r#""\ud800""#, "1", "null"]
        {
            assert!(parse(&raw(json)).is_err(), "{json}");
        }
    }

    #[test]
    fn an_object_that_postgres_cannot_hold_is_refused() {
        assert!(object(1024)(&raw(r#"{"a": {"b": [1, "x"]}}"#)).is_ok());
        let deep = format!(r#"{{"a": {}{}}}"#, "[".repeat(200), "]".repeat(200));
        for json in [r#"{"a": {"b": ["\u0000"]}}"#, r#"{"\u0000": 1}"#, "[]", "\"x\"", r#"{"a": 1e400}"#, &deep] {
            assert!(object(1024)(&raw(json)).is_err(), "{json}");
        }
    }
}
