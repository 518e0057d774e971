//! Values of fields: a function accepts what the schema allows.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that meets what it did not expect ends there; clippy knows test functions, not their helpers"
)]

use std::collections::BTreeSet;

use jsonschema::Validator;
use nofomo_contract::FieldValue;
use nofomo_contract::analyses::AnalysisType;
use nofomo_contract::billing::Period;
use nofomo_contract::bots::LogLevel;
use nofomo_contract::schema::FieldSchema;
use nofomo_contract::strategies::Template;
use nofomo_contract::trades::{OrderType, Side, TradeStatus};
use nofomo_contract::values::{
    Amount, ApiKey, ApiSecret, Category, ChannelCode, Exchange, JsonObject, MaxOpenTrades, Message, Name,
    NonNegativeAmount, PhoneNumber, PlanName, Prompt, RiskLevel, RiskPercentage, Scope, Scopes, SignedAmount,
    SignedPercentage, Source, StopLoss, Tag, Tags, TakeProfit, Timeframe, TradingPair,
};
use openapi::document;
use serde_json::value::RawValue;
use serde_json::{Value, json};

type Time = chrono::DateTime<chrono::Utc>;

/// Value type, with its parse rule and its schema.
struct ValueType {
    /// Name of the schema, or of the type if the schema is part of the field.
    name: String,
    schema: Value,
    validator: Validator,
    parse: fn(&RawValue) -> Result<(), String>,
}

impl ValueType {
    fn new<V: FieldValue + FieldSchema>(type_name: &str, document: &Value) -> Self {
        let field_schema = V::field_schema();
        let path = field_schema["$ref"].as_str().map(|reference| reference.trim_start_matches('#'));
        let schema = path.map_or(&field_schema, |path| document.pointer(path).unwrap()).clone();
        let name = path.map_or(type_name, |path| path.rsplit('/').next().unwrap()).to_owned();
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        Self { name, schema, validator, parse: |json| V::parse(json).map(|_| ()) }
    }

    #[track_caller]
    fn assert_accepted(&self, json: &str) {
        assert!(self.is_allowed(json), "{}: the schema refuses {json:.100}", self.name);
        assert_eq!(self.parse(json), Ok(()), "{}: {json:.100}", self.name);
    }

    #[track_caller]
    fn assert_refused(&self, json: &str) {
        assert!(!self.is_allowed(json), "{}: the schema allows {json:.100}", self.name);
        assert!(self.parse(json).is_err(), "{}: {json:.100} was accepted", self.name);
    }

    /// Asserts that the parse rule accepts a value if and only if the schema allows it.
    #[track_caller]
    fn assert_agreement(&self, json: &str) {
        assert_eq!(self.parse(json).is_ok(), self.is_allowed(json), "{}: {json:.100}", self.name);
    }

    fn is_allowed(&self, json: &str) -> bool {
        self.validator.is_valid(&serde_json::from_str(json).unwrap())
    }

    fn parse(&self, json: &str) -> Result<(), String> {
        (self.parse)(&RawValue::from_string(json.to_owned()).unwrap())
    }
}

macro_rules! value_types {
    ($document:ident: $($type:ty),+ $(,)?) => {
        vec![$(ValueType::new::<$type>(stringify!($type), &$document)),+]
    };
}

/// All types of fields, except lists of named types.
fn value_types() -> Vec<ValueType> {
    let document = document();
    value_types![document:
        Amount, AnalysisType, ApiKey, ApiSecret, Category, ChannelCode, Exchange, JsonObject<64>, LogLevel,
        MaxOpenTrades, Message, Name, NonNegativeAmount, OrderType, Period, PhoneNumber, PlanName, Prompt, RiskLevel,
        RiskPercentage, Scope, Side, SignedAmount, SignedPercentage, Source, StopLoss, Tag, TakeProfit, Template, Time,
        Timeframe, TradeStatus, TradingPair, bool, uuid::Uuid,
    ]
}

#[test]
fn the_types_of_all_request_fields_are_tested_here() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut referred = BTreeSet::new();
    for (_, request) in schemas.iter().filter(|(name, _)| name.starts_with("New")) {
        let mut values: Vec<&Value> = request["properties"].as_object().unwrap().values().collect();
        while let Some(value) = values.pop() {
            referred.extend(value["$ref"].as_str().map(|path| path.rsplit('/').next().unwrap().to_owned()));
            values.extend(value["oneOf"].as_array().into_iter().flatten());
            values.extend(value.get("items"));
        }
    }
    let named = value_types().into_iter().map(|value| value.name);
    let known: BTreeSet<String> = named.filter(|name| schemas.contains_key(name)).collect();
    assert_eq!(referred, known);
}

#[test]
fn the_example_of_every_schema_is_accepted() {
    for value in value_types() {
        if let Some(example) = value.schema.get("example") {
            value.assert_accepted(&example.to_string());
        }
    }
}

#[test]
fn every_word_is_accepted_and_no_other() {
    for value in value_types() {
        for word in value.schema["enum"].as_array().into_iter().flatten() {
            value.assert_accepted(&word.to_string());
            value.assert_refused(&json!(word.as_str().unwrap().to_uppercase() + "x").to_string());
        }
    }
}

/// Returns texts of this length that the schema allows. Empty if it allows none.
fn texts_of_length(length: usize, value: &ValueType) -> Vec<String> {
    let repeated = ["a", "A", "0", "🤖"].map(|character| character.repeat(length));
    let pair = length.checked_sub(2).map(|rest| format!("{}/B", "A".repeat(rest)));
    let texts = repeated.into_iter().chain(pair).map(|text| json!(text).to_string());
    texts.filter(|text| value.is_allowed(text)).collect()
}

#[test]
fn texts_have_the_same_limits_in_schema_and_parse_rule() {
    let mut names = Vec::new();
    for value in value_types() {
        let limit = |name: &str| value.schema[name].as_u64().map(|limit| usize::try_from(limit).unwrap());
        let Some((min, max)) = limit("minLength").zip(limit("maxLength")) else { continue };
        for length in [min, min + 1, max - 1, max] {
            let texts = texts_of_length(length, &value);
            assert!(!texts.is_empty(), "{}: no text of {length} characters", value.name);
            for text in texts {
                value.assert_accepted(&text);
            }
        }
        for length in [min - 1, max + 1] {
            let pair = length.checked_sub(2).map(|rest| format!("{}/B", "A".repeat(rest)));
            for text in ["a", "A", "0"].map(|character| character.repeat(length)).into_iter().chain(pair) {
                value.assert_refused(&json!(text).to_string());
            }
        }
        let characters = [" ", "\u{0}", "\n", "\t", "\u{7f}", "\u{85}", "\u{a0}", "\u{2028}", "+", "/", "-", "_", "é"];
        for character in characters {
            for text in [character.repeat(min), format!("{character}{}", "0".repeat(min)), "A".repeat(min) + character]
            {
                value.assert_agreement(&json!(text).to_string());
            }
        }
        for json in ["1", "null", "true", "[]"] {
            value.assert_refused(json);
        }
        names.push(value.name);
    }
    let expected = [
        "ApiKey",
        "ApiSecret",
        "Category",
        "ChannelCode",
        "Message",
        "Name",
        "PhoneNumber",
        "PlanName",
        "Prompt",
        "Source",
        "Tag",
        "TradingPair",
    ];
    assert_eq!(names, expected);
}

#[test]
fn descriptions_name_the_maximum_lengths_of_texts() {
    for value in value_types() {
        let Some(max) = value.schema["maxLength"].as_u64() else { continue };
        let max = if max < 1000 { max.to_string() } else { format!("{},{:03}", max / 1000, max % 1000) };
        let description = value.schema["description"].as_str().unwrap();
        assert!(description.contains(&max), "{}: {max}: {description}", value.name);
    }
}

#[test]
fn decimals_have_the_same_limits_in_schema_and_parse_rule() {
    let mut names = Vec::new();
    for value in value_types() {
        let number = &value.schema["oneOf"][1];
        let limit = |name: &str| number[name].as_f64();
        let Some(((min, max), step)) = limit("minimum").zip(limit("maximum")).zip(limit("multipleOf")) else {
            continue;
        };
        let scale = usize::try_from(-step.log10().round() as i64).unwrap();
        let (zeros, nines) = ("0".repeat(scale), "9".repeat(scale));
        // A number has the limits of a string without the decimal places, for which a float lacks the digits.
        for text in [format!("{max:.0}"), format!("{min:.scale$}"), format!("1.{}1", "0".repeat(scale - 1))] {
            value.assert_accepted(&text);
            value.assert_accepted(&json!(text).to_string());
        }
        for text in [
            format!("{max:.0}.{zeros}"),
            format!("{max:.0}.{nines}"),
            format!("{min:.0}.{nines}"),
            format!("{:.0}.{nines}", max - 1.0),
            format!("{:.0}", max + 1.0),
            format!("{:.0}", min - 1.0),
            format!("-{step}"),
            format!("1.{zeros}1"),
            "0".into(),
            "1,5".into(),
            "NaN".into(),
            "Infinity".into(),
            String::new(),
            " 1".into(),
            "0x10".into(),
            "1_000".into(),
        ] {
            value.assert_agreement(&json!(text).to_string());
        }
        for text in [format!("{:.0}", max + 1.0), format!("{:.0}", min - 1.0)] {
            value.assert_refused(&text);
        }
        for json in ["true", "[1]", "{}", "null"] {
            value.assert_refused(json);
        }
        names.push(value.name);
    }
    let expected =
        ["Amount", "NonNegativeAmount", "RiskPercentage", "SignedAmount", "SignedPercentage", "StopLoss", "TakeProfit"];
    assert_eq!(names, expected);
}

#[test]
fn other_values_have_the_same_limits_in_schema_and_parse_rule() {
    let values = value_types();
    let find = |name: &str| values.iter().find(|value| value.name == name).unwrap();
    for number in ["0", "1", "1000", "1001", "-1", "1.5", "\"1\"", "null"] {
        find("MaxOpenTrades").assert_agreement(number);
    }
    for time in [
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00.123456+07:00",
        "x",
    ] {
        find("Time").assert_agreement(&json!(time).to_string());
    }
    for json in ["{}", r#"{"a": [1]}"#, "[]", "1", "\"{}\"", "null"] {
        find("AnyObject").assert_agreement(json);
    }
    for json in ["true", "false", "1", "\"true\"", "null"] {
        find("bool").assert_agreement(json);
    }
    for id in ["0190f000-0000-7000-8000-000000000002", "0190f000", ""] {
        find("uuid::Uuid").assert_agreement(&json!(id).to_string());
    }
}

#[test]
fn an_object_has_at_most_the_bytes_that_its_description_names() {
    let object = |length: usize| RawValue::from_string(format!(r#"{{"a":"{}"}}"#, "x".repeat(length - 8))).unwrap();
    assert!(JsonObject::<64>::parse(&object(64)).is_ok());
    assert!(JsonObject::<64>::parse(&object(65)).is_err());
    assert_eq!(JsonObject::<64>::field_schema()["description"], "At most 64 bytes.");
    assert_eq!(JsonObject::<16_384>::field_schema()["description"], "At most 16,384 bytes.");
}

#[test]
fn lists_have_the_same_limits_in_schema_and_parse_rule() {
    let raw = |json: Value| RawValue::from_string(json.to_string()).unwrap();
    let max = usize::try_from(Tags::field_schema()["maxItems"].as_u64().unwrap()).unwrap();
    assert!(Tags::parse(&raw(json!(vec!["a"; max]))).is_ok());
    assert!(Tags::parse(&raw(json!(vec!["a"; max + 1]))).is_err());
    assert!(Tags::parse(&raw(json!(["a".repeat(51)]))).is_err());
    assert_eq!(Scopes::field_schema()["minItems"], 1);
    for (scopes, is_accepted) in [
        (json!(["report"]), true),
        (json!(["trade", "report", "report"]), true),
        (json!([]), false),
        (json!(["trade"]), false),
        (json!(["report", "withdraw"]), false),
        (json!("report"), false),
    ] {
        assert_eq!(Scopes::parse(&raw(scopes.clone())).is_ok(), is_accepted, "{scopes}");
    }
}
