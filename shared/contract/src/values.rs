//! Values of fields. Each is declared once: its type, its parse rule and its OpenAPI schema.

pub(crate) mod declare;
pub(crate) mod parse;
#[cfg(feature = "openapi")]
mod schema;

use nofomo_json::array_elements;
use rust_decimal::dec;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::FieldValue;
use crate::values::declare::{code_values, decimal_values, text_values, word_values};

text_values! {
    /// One line of 1 to 255 characters, not blank.
    Name = single_line(1..=255);
    /// One line of 1 to 100 characters, not blank.
    Category = single_line(1..=100);
    /// One line of 1 to 50 characters, not blank.
    Tag = single_line(1..=50);
    /// Text of 1 to 10,000 characters in one or more lines, not blank.
    Message = multiline(1..=10_000);
    /// Description of the strategy to write, 1 to 2,000 characters.
    Prompt = multiline(1..=2000);
    /// Python source of a freqtrade strategy, 1 to 262,144 characters. It is parsed, never executed.
    Source = multiline(1..=262_144);
    /// Trading pair in freqtrade's notation, 3 to 50 characters: base and quote currency, and for futures the
    /// settlement currency.
    TradingPair = trading_pair(3..=50), example "BTC/USDT";
    /// Name of a plan, 1 to 100 characters, case-insensitive.
    PlanName = single_line(1..=100), example "pro";
}

code_values! {
    /// API key of the exchange, letters and digits: 64 characters for Binance, 16 to 64 for Bybit.
    ApiKey = code(16..=64, "", "A-Za-z0-9"), example "",
        "must be the letters and digits of the exchange's API key: 64 for Binance, 16 to 64 for Bybit";
    /// API secret of the exchange, letters and digits: 64 characters for Binance, 32 to 128 for Bybit. It must differ
    /// from the key.
    ApiSecret = code(32..=128, "", "A-Za-z0-9"), example "",
        "must be the letters and digits of the exchange's API secret: 64 for Binance, 32 to 128 for Bybit";
    /// Channel code of Tripay, 2 to 40 characters.
    ChannelCode = code(2..=40, "", "A-Z0-9_"), example "QRIS",
        "must be a Tripay channel code such as QRIS or BRIVA";
    /// Phone number of 8 to 16 characters, with or without the country code. The e-wallets DANA, OVO and SHOPEEPAY
    /// require it.
    PhoneNumber = code(8..=16, "+", "0-9"), example "081200000000",
        "must be a phone number such as 081200000000 or +6281200000000";
}

decimal_values! {
    /// Positive amount with at most 12 digits before and 8 after the decimal point. Strings and numbers are read
    /// exactly.
    Amount = decimal(dec!(0.00000001)..=dec!(999999999999.99999999), 8), example "100";
    /// Amount of zero or more, with at most 12 digits before and 8 after the decimal point.
    NonNegativeAmount = decimal(dec!(0)..=dec!(999999999999.99999999), 8), example "0.1";
    /// Positive or negative amount, with at most 12 digits before and 8 after the decimal point.
    SignedAmount = decimal(dec!(-999999999999.99999999)..=dec!(999999999999.99999999), 8), example "-1.5";
    /// Positive or negative percentage, with at most 6 digits before and 4 after the decimal point.
    SignedPercentage = decimal(dec!(-999999.9999)..=dec!(999999.9999), 4), example "1.5";
    /// Percentage of the entry price, above 0 and at most 100, with at most 4 decimal places.
    StopLoss = decimal(dec!(0.0001)..=dec!(100), 4), example "5";
    /// Percentage of the entry price, above 0 and at most 1000, with at most 4 decimal places.
    TakeProfit = decimal(dec!(0.0001)..=dec!(1000), 4), example "10";
    /// Percentage of the balance, above 0 and at most 100, with at most 2 decimal places.
    RiskPercentage = decimal(dec!(0.01)..=dec!(100), 2), example "2";
}

word_values! {
    /// Length of a candle.
    Timeframe {
        OneMinute = "1m",
        FiveMinutes = "5m",
        FifteenMinutes = "15m",
        ThirtyMinutes = "30m",
        OneHour = "1h",
        FourHours = "4h",
        OneDay = "1d",
    }
    /// Exchange on which a bot trades.
    Exchange {
        Binance = "binance",
        Bybit = "bybit",
    }
    /// Risk level of a strategy.
    RiskLevel {
        Low = "low",
        Medium = "medium",
        High = "high",
    }
    /// Permission of a bot's token. `report` allows reporting trades, log entries and failures; `trade` allows reading the
    /// exchange API keys.
    Scope {
        Report = "report",
        Trade = "trade",
    }
}

impl RiskPercentage {
    /// Default of a new bot.
    pub const DEFAULT: Self = Self(dec!(2));
}

impl NonNegativeAmount {
    pub const ZERO: Self = Self(dec!(0));
}

/// Whole number of trades from 1 to 1,000.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct MaxOpenTrades(i32);

impl MaxOpenTrades {
    pub const MIN: Self = Self(1);
    pub const MAX: Self = Self(1000);
}

impl FieldValue for MaxOpenTrades {
    fn parse(json: &RawValue) -> Result<Self, String> {
        parse::integer(json, &(Self::MIN.0..=Self::MAX.0)).map(Self)
    }

    fn placeholder() -> Self {
        Self::MIN
    }
}

/// Any JSON object of at most `MAX_BYTES` bytes that PostgreSQL can store as `jsonb`.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct JsonObject<const MAX_BYTES: usize>(Box<RawValue>);

impl<const MAX_BYTES: usize> FieldValue for JsonObject<MAX_BYTES> {
    fn parse(json: &RawValue) -> Result<Self, String> {
        parse::object(json, MAX_BYTES).map(Self)
    }

    fn placeholder() -> Self {
        Self(RawValue::NULL.to_owned())
    }
}

/// Up to 20 tags.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Tags(Vec<Tag>);

impl Tags {
    pub const MAX: usize = 20;
}

impl FieldValue for Tags {
    fn parse(json: &RawValue) -> Result<Self, String> {
        let detail = || format!("must be up to {} tags of 1 to 50 characters each", Self::MAX);
        let tags = array_elements(json, Self::MAX).map_err(|_| detail())?;
        if tags.len() > Self::MAX {
            return Err(detail());
        }
        tags.into_iter().map(|tag| Tag::parse(tag).map_err(|_| detail())).collect::<Result<_, _>>().map(Self)
    }

    fn placeholder() -> Self {
        Self(Vec::new())
    }
}

/// Scopes of a bot's token, sorted and without duplicates. They always include `report`.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Scopes of a token that can only report.
    pub fn report_only() -> Self {
        Self(vec![Scope::Report])
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.0
    }
}

impl FieldValue for Scopes {
    fn parse(json: &RawValue) -> Result<Self, String> {
        let detail = || format!("must be a list of scopes ({}) that includes report", Scope::WORDS.join(", "));
        let elements: Vec<&RawValue> = serde_json::from_str(json.get()).map_err(|_| detail())?;
        let mut scopes: Vec<Scope> =
            elements.into_iter().map(|scope| Scope::parse(scope).map_err(|_| detail())).collect::<Result<_, _>>()?;
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.contains(&Scope::Report) { Ok(Self(scopes)) } else { Err(detail()) }
    }

    fn placeholder() -> Self {
        Self(Vec::new())
    }
}

#[cfg(feature = "openapi")]
mod schemas {
    //! Schemas of the values that no macro declares, and of those that only responses have.

    use chrono::{DateTime, Utc};
    use serde_json::{Value, json};
    use utoipa::openapi::{RefOr, Schema};
    use utoipa::{PartialSchema, ToSchema};

    use super::parse::YEARS;
    use super::{JsonObject, MaxOpenTrades, Scope, Scopes, Tag, Tags};
    use crate::schema::{FieldSchema, Schemas, add_named, described, reference};

    /// Pattern of a bot's token: 256 random bits in URL-safe base64 after a prefix.
    pub const BOT_TOKEN_PATTERN: &str = "^nofomo_bot_[A-Za-z0-9_-]{43}$";

    /// Schema that has no type of its own in Rust.
    macro_rules! schemas {
        ($($(#[doc = $doc:literal])+ $name:ident = $schema:expr;)+) => {$(
            $(#[doc = $doc])+
            pub struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    described($schema, &[$($doc),+])
                }
            }

            impl ToSchema for $name {}
        )+};
    }

    schemas! {
        /// Exact decimal number, as a string.
        Decimal = json!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "example": "0.00150000" });
        /// Point in time (RFC 3339) in the years 1970 to 9999.
        Time = json!({
            "type": "string", "format": "date-time", "example": "2026-01-31T12:00:00Z", "pattern": time_pattern(),
        });
        /// Token of one bot.
        BotToken = json!({ "type": "string", "pattern": BOT_TOKEN_PATTERN });
        /// JSON object with any members. Its strings must not contain the character U+0000.
        AnyObject = json!({ "type": "object", "additionalProperties": true });
    }

    /// Number below a million, with a thousands separator.
    fn with_thousands(number: usize) -> String {
        if number < 1000 { number.to_string() } else { format!("{},{:03}", number / 1000, number % 1000) }
    }

    /// Pattern of a time whose year is allowed: JSON Schema has no keyword for limits of times.
    fn time_pattern() -> &'static str {
        assert_eq!(YEARS, 1970..=9999, "the pattern allows these years");
        "^(19[789][0-9]|[2-9][0-9]{3})-"
    }

    impl FieldSchema for DateTime<Utc> {
        fn field_schema() -> Value {
            reference::<Time>()
        }

        fn add_schemas(schemas: &mut Schemas) {
            add_named::<Time>(schemas);
        }
    }

    impl FieldSchema for MaxOpenTrades {
        fn field_schema() -> Value {
            json!({ "type": "integer", "format": "int32", "minimum": Self::MIN.0, "maximum": Self::MAX.0 })
        }

        fn add_schemas(_: &mut Schemas) {}
    }

    impl<const MAX_BYTES: usize> FieldSchema for JsonObject<MAX_BYTES> {
        fn field_schema() -> Value {
            let mut schema = reference::<AnyObject>();
            schema["description"] = format!("At most {} bytes.", with_thousands(MAX_BYTES)).into();
            schema
        }

        fn add_schemas(schemas: &mut Schemas) {
            add_named::<AnyObject>(schemas);
        }
    }

    impl FieldSchema for Tags {
        fn field_schema() -> Value {
            json!({ "type": "array", "maxItems": Self::MAX, "items": reference::<Tag>() })
        }

        fn add_schemas(schemas: &mut Schemas) {
            add_named::<Tag>(schemas);
        }
    }

    impl FieldSchema for Scopes {
        fn field_schema() -> Value {
            json!({ "type": "array", "minItems": 1, "items": reference::<Scope>() })
        }

        fn add_schemas(schemas: &mut Schemas) {
            add_named::<Scope>(schemas);
        }
    }
}

#[cfg(feature = "openapi")]
pub use schemas::{AnyObject, BOT_TOKEN_PATTERN, BotToken, Decimal, Time};
