//! Taking single fields out of Tripay's JSON, where numbers may be text, text may be a number, and much may be missing.

use std::fmt::Display;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde_json::{Error, Map, Value};

/// From 2001 to 9999. Zero, a duration and milliseconds are no time.
const SECONDS: RangeInclusive<i64> = 1_000_000_000..=253_402_300_799;

/// What is missing, null or blank is None. An error names the field, and does not quote it.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a Map<String, Value>);

impl Fields<'_> {
    pub(crate) fn text(self, name: &str) -> Result<Option<String>, Error> {
        let text = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            // PostgreSQL holds no text with U+0000.
            Some(Value::String(text)) if !text.contains('\0') => text.clone(),
            // With a fraction, or too large for the type, it has already lost digits.
            Some(Value::Number(number)) if number.is_u64() || number.is_i64() => number.to_string(),
            Some(_) => return Err(unexpected(name, "text")),
        };
        Ok((!text.trim().is_empty()).then_some(text))
    }

    /// Such as an amount in rupiah. A fraction of zeros is none.
    pub(crate) fn whole(self, name: &str) -> Result<Option<i64>, Error> {
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

    pub(crate) fn flag(self, name: &str) -> Result<Option<bool>, Error> {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            _ => match self.text(name)?.as_deref() {
                None => Ok(None),
                Some("1" | "true") => Ok(Some(true)),
                Some("0" | "false") => Ok(Some(false)),
                Some(_) => Err(unexpected(name, "true or false")),
            },
        }
    }

    /// What is no time counts as none: nothing is decided by it.
    pub(crate) fn time(self, name: &str) -> Option<DateTime<Utc>> {
        let seconds = self.whole(name).ok()?.filter(|seconds| SECONDS.contains(seconds))?;
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
        object.insert("it".into(), value);
        read(Fields(&object))
    }

    #[test]
    fn what_is_missing_null_or_blank_is_none() {
        assert_eq!(Fields(&Map::new()).text("it").unwrap(), None);
        assert_eq!(Fields(&Map::new()).whole("it").unwrap(), None);
        assert_eq!(Fields(&Map::new()).flag("it").unwrap(), None);
        assert_eq!(Fields(&Map::new()).time("it"), None);
        for nothing in [json!(null), json!(""), json!("  ")] {
            assert_eq!(with(nothing.clone(), |fields| fields.text("it")).unwrap(), None);
            assert_eq!(with(nothing.clone(), |fields| fields.whole("it")).unwrap(), None);
            assert_eq!(with(nothing.clone(), |fields| fields.flag("it")).unwrap(), None);
            assert_eq!(with(nothing, |fields| fields.time("it")), None);
        }
    }

    #[test]
    fn text_may_come_as_a_number_that_has_kept_all_its_digits() {
        for (value, text) in [
            (json!("0012"), "0012"),
            (json!(578_912_345_678_901_u64), "578912345678901"),
            (json!(u64::MAX), "18446744073709551615"),
        ] {
            assert_eq!(with(value, |fields| fields.text("it")).unwrap().as_deref(), Some(text));
        }
        for value in [json!(1e20), json!(1.5), json!(true), json!(["a"]), json!({}), json!("a\0")] {
            let error = with(value, |fields| fields.text("it")).unwrap_err();
            assert_eq!(error.to_string(), "`it` is not text");
        }
    }

    #[test]
    fn a_whole_number_may_come_as_text_and_is_exact() {
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
            assert_eq!(with(value, |fields| fields.whole("it")).unwrap(), Some(number));
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
            let error = with(value.clone(), |fields| fields.whole("it")).expect_err(&value.to_string());
            assert_eq!(error.to_string(), "`it` is not a whole number");
        }
    }

    #[test]
    fn a_flag_may_come_as_one_or_zero() {
        for (value, flag) in [
            (json!(true), true),
            (json!(1), true),
            (json!("1"), true),
            (json!("true"), true),
            (json!(false), false),
            (json!(0), false),
            (json!("0"), false),
            (json!("false"), false),
        ] {
            assert_eq!(with(value, |fields| fields.flag("it")).unwrap(), Some(flag));
        }
        for value in [json!(2), json!("yes"), json!(1.0), json!([])] {
            assert!(with(value.clone(), |fields| fields.flag("it")).is_err(), "{value}");
        }
    }

    #[test]
    fn a_time_is_unix_seconds_and_anything_else_is_none() {
        let time: DateTime<Utc> = "2025-11-18T07:53:31Z".parse().unwrap();
        for value in [json!(1_763_452_411), json!("1763452411")] {
            assert_eq!(with(value, |fields| fields.time("it")), Some(time));
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
            assert_eq!(with(value.clone(), |fields| fields.time("it")), None, "{value}");
        }
    }
}
