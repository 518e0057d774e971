//! Typed access to the fields of Tripay's JSON, where numbers may be text, text may be a number, and fields may be
//! missing.

use std::fmt::Display;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde_json::{Error, Map, Value};

/// Accepted Unix times in seconds, from 2001 to 9999. Excludes zero, durations and milliseconds.
const UNIX_SECONDS: RangeInclusive<i64> = 1_000_000_000..=253_402_300_799;

/// Fields of a JSON object. A missing, null or blank field is `None`. An error names the field without quoting its
/// value.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a Map<String, Value>);

impl Fields<'_> {
    pub(crate) fn text(self, name: &str) -> Result<Option<String>, Error> {
        let text = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            // PostgreSQL text cannot hold U+0000.
            Some(Value::String(text)) if !text.contains('\0') => text.clone(),
            // A number with a fraction, or too large for an integer type, has already lost digits.
            Some(Value::Number(number)) if number.is_u64() || number.is_i64() => number.to_string(),
            Some(_) => return Err(unexpected(name, "text")),
        };
        Ok((!text.trim().is_empty()).then_some(text))
    }

    /// Whole number, such as an amount in rupiah. A fraction of zeros is accepted.
    pub(crate) fn integer(self, name: &str) -> Result<Option<i64>, Error> {
        let text = match self.0.get(name) {
            Some(Value::Number(number)) => number.to_string(),
            _ => match self.text(name).map_err(|_| unexpected(name, "a whole number"))? {
                Some(text) => text.trim().to_owned(),
                None => return Ok(None),
            },
        };
        let (digits, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let number = digits.parse().ok().filter(|_| fraction.bytes().all(|digit| digit == b'0'));
        number.map(Some).ok_or_else(|| unexpected(name, "a whole number"))
    }

    pub(crate) fn boolean(self, name: &str) -> Result<Option<bool>, Error> {
        match self.0.get(name) {
            Some(Value::Bool(value)) => Ok(Some(*value)),
            _ => match self.text(name)?.as_deref() {
                None => Ok(None),
                Some("1" | "true") => Ok(Some(true)),
                Some("0" | "false") => Ok(Some(false)),
                Some(_) => Err(unexpected(name, "true or false")),
            },
        }
    }

    /// Time given in Unix seconds. An invalid time is `None`, as no decision depends on it.
    pub(crate) fn time(self, name: &str) -> Option<DateTime<Utc>> {
        let seconds = self.integer(name).ok()?.filter(|seconds| UNIX_SECONDS.contains(seconds))?;
        DateTime::from_timestamp(seconds, 0)
    }
}

fn unexpected(name: &str, expected: impl Display) -> Error {
    Error::custom(format!("`{name}` is not {expected}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with<T>(value: Value, read: impl Fn(Fields<'_>) -> T) -> T {
        let mut object = Map::new();
        object.insert("field".into(), value);
        read(Fields(&object))
    }

    #[test]
    fn a_missing_null_or_blank_field_is_none() {
        assert_eq!(Fields(&Map::new()).text("field").unwrap(), None);
        assert_eq!(Fields(&Map::new()).integer("field").unwrap(), None);
        assert_eq!(Fields(&Map::new()).boolean("field").unwrap(), None);
        assert_eq!(Fields(&Map::new()).time("field"), None);
        for blank in [json!(null), json!(""), json!("  ")] {
            assert_eq!(with(blank.clone(), |fields| fields.text("field")).unwrap(), None);
            assert_eq!(with(blank.clone(), |fields| fields.integer("field")).unwrap(), None);
            assert_eq!(with(blank.clone(), |fields| fields.boolean("field")).unwrap(), None);
            assert_eq!(with(blank, |fields| fields.time("field")), None);
        }
    }

    #[test]
    fn text_may_be_given_as_an_exact_number() {
        for (value, text) in [
            (json!("0012"), "0012"),
            (json!(578_912_345_678_901_u64), "578912345678901"),
            (json!(u64::MAX), "18446744073709551615"),
        ] {
            assert_eq!(with(value, |fields| fields.text("field")).unwrap().as_deref(), Some(text));
        }
        for value in [json!(1e20), json!(1.5), json!(true), json!(["a"]), json!({}), json!("a\0")] {
            let error = with(value, |fields| fields.text("field")).unwrap_err();
            assert_eq!(error.to_string(), "`field` is not text");
        }
    }

    #[test]
    fn an_integer_may_be_given_as_text() {
        for (value, number) in [
            (json!(4250), 4250),
            (json!("4250"), 4250),
            (json!(" 4250 "), 4250),
            (json!("4250.00"), 4250),
            (json!(4250.0), 4250),
            (json!(0), 0),
            (json!("-1"), -1),
            (json!(i64::MAX), i64::MAX),
        ] {
            assert_eq!(with(value, |fields| fields.integer("field")).unwrap(), Some(number));
        }
        for value in [
            json!(4250.5),
            json!("4250.50"),
            json!("4.250,00"),
            json!("4.250.000"),
            json!("1e3"),
            json!(1e30),
            json!(u64::MAX),
            json!("Rp 4250"),
            json!("."),
            json!(true),
            json!([1]),
        ] {
            let error = with(value.clone(), |fields| fields.integer("field")).expect_err(&value.to_string());
            assert_eq!(error.to_string(), "`field` is not a whole number");
        }
    }

    #[test]
    fn a_boolean_may_be_given_as_one_or_zero() {
        for (value, expected) in [
            (json!(true), true),
            (json!(1), true),
            (json!("1"), true),
            (json!("true"), true),
            (json!(false), false),
            (json!(0), false),
            (json!("0"), false),
            (json!("false"), false),
        ] {
            assert_eq!(with(value, |fields| fields.boolean("field")).unwrap(), Some(expected));
        }
        for value in [json!(2), json!("yes"), json!(1.0), json!([])] {
            assert!(with(value.clone(), |fields| fields.boolean("field")).is_err(), "{value}");
        }
    }

    #[test]
    fn a_time_is_in_unix_seconds_and_an_invalid_one_is_none() {
        let time: DateTime<Utc> = "2025-11-18T07:53:31Z".parse().unwrap();
        for value in [json!(1_763_452_411), json!("1763452411")] {
            assert_eq!(with(value, |fields| fields.time("field")), Some(time));
        }
        for value in [
            json!(0),
            json!(-1),
            json!(86400),
            json!(999_999_999),
            json!(1_763_452_411_000_u64),
            json!(253_402_300_800_u64),
            json!(i64::MAX),
            json!("2025-11-18 07:53:31"),
            json!(true),
        ] {
            assert_eq!(with(value.clone(), |fields| fields.time("field")), None, "{value}");
        }
    }
}
