//! What a single value may be, named for what it is.

use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A value's schema as JSON Schema has it, under the type's name.
macro_rules! values {
    ($($(#[doc = $doc:literal])+ $name:ident = $schema:expr;)+) => {$(
        $(#[doc = $doc])+
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                described($schema, concat!($($doc, "\n"),+))
            }
        }

        impl ToSchema for $name {}
    )+};
}

fn described(mut schema: Value, description: &str) -> RefOr<Schema> {
    let lines: Vec<&str> = description.lines().map(str::trim).collect();
    schema["description"] = lines.join(" ").trim().into();
    // What utoipa does not know is no schema of ours: it would be dropped, and the test of the file would show it.
    serde_json::from_value(schema).map_or_else(|_| RefOr::T(Schema::default()), RefOr::T)
}

/// One line that is not blank.
const LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
/// Lines, of which one is not blank.
const LINES: &str =
    r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$";

fn line(most: u32) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": most, "pattern": LINE })
}

fn lines(most: u32) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": most, "pattern": LINES })
}

fn words(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// A decimal of a request: a string, read exactly, or a number.
fn decimal(pattern: &str, minimum: f64, maximum: f64, step: f64, example: &str) -> Value {
    json!({
        "oneOf": [
            { "type": "string", "pattern": pattern },
            { "type": "number", "minimum": minimum, "maximum": maximum, "multipleOf": step },
        ],
        "example": example,
    })
}

values! {
    /// A decimal, exactly, at its column's scale.
    Decimal = json!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "example": "0.00150000" });
    /// Above zero, with at most 12 digits before the point and 8 after it. As a string it is read exactly.
    Amount = decimal(
        r"^(?=[0.]*[1-9])[0-9]{1,12}(\.[0-9]{1,8})?$", 0.000_000_01, 999_999_999_999.0, 0.000_000_01, "100"
    );
    /// Zero or more, with at most 12 digits before the point and 8 after it.
    NotNegative = decimal(r"^[0-9]{1,12}(\.[0-9]{1,8})?$", 0.0, 999_999_999_999.0, 0.000_000_01, "0.1");
    /// Also below zero, with at most 12 digits before the point and 8 after it.
    Signed = decimal(
        r"^-?[0-9]{1,12}(\.[0-9]{1,8})?$", -999_999_999_999.0, 999_999_999_999.0, 0.000_000_01, "-1.5"
    );
    /// Percent, also below zero, with at most 6 digits before the point and 4 after it.
    SignedPercentage = decimal(r"^-?[0-9]{1,6}(\.[0-9]{1,4})?$", -999_999.0, 999_999.0, 0.0001, "1.5");
    /// Percent of the entry price, above 0 and up to 100, with at most 4 digits after the point.
    StopLoss = decimal(
        r"^(?=[0.]*[1-9])([0-9]{1,2}(\.[0-9]{1,4})?|100(\.0{1,4})?)$", 0.0001, 100.0, 0.0001, "5"
    );
    /// Percent of the entry price, above 0 and up to 1000, with at most 4 digits after the point.
    TakeProfit = decimal(
        r"^(?=[0.]*[1-9])([0-9]{1,3}(\.[0-9]{1,4})?|1000(\.0{1,4})?)$", 0.0001, 1000.0, 0.0001, "10"
    );
    /// Percent of the balance, above 0 and up to 100, with at most 2 digits after the point.
    RiskPercentage = decimal(
        r"^(?=[0.]*[1-9])([0-9]{1,2}(\.[0-9]{1,2})?|100(\.0{1,2})?)$", 0.01, 100.0, 0.01, "2"
    );
    /// A point in time, RFC 3339, in the years 1970 to 9999.
    Time = json!({
        "type": "string", "format": "date-time", "example": "2026-01-31T12:00:00Z",
        "pattern": "^(19[789][0-9]|[2-9][0-9]{3})-"
    });
    /// One line of 1 to 255 characters, not blank.
    Name = line(255);
    /// One line of 1 to 100 characters, not blank.
    Category = line(100);
    /// One line of 1 to 50 characters, not blank.
    Tag = line(50);
    /// 1 to 10,000 characters in any number of lines, not blank.
    Message = lines(10_000);
    /// What to write, in 1 to 2,000 characters.
    Prompt = lines(2000);
    /// Python for freqtrade, up to 256 KiB. It is parsed, never run.
    Source = lines(262_144);
    /// As freqtrade writes it: base and quote, and for futures the settlement currency.
    TradingPair = json!({
        "type": "string", "minLength": 3, "maxLength": 50, "pattern": "^[A-Z0-9]+/[A-Z0-9]+(:[A-Z0-9]+)?$",
        "example": "BTC/USDT"
    });
    /// The length of a candle.
    Timeframe = words(&["1m", "5m", "15m", "30m", "1h", "4h", "1d"]);
    /// Where a bot trades.
    Exchange = words(&["binance", "bybit"]);
    /// How much risk is wanted.
    RiskLevel = words(&["low", "medium", "high"]);
    /// Letters and digits, as the exchange gives them: 64 of Binance, 16 to 64 of Bybit.
    ApiKey = json!({ "type": "string", "minLength": 16, "maxLength": 64, "pattern": "^[A-Za-z0-9]+$" });
    /// Letters and digits, as the exchange gives them: 64 of Binance, 32 to 128 of Bybit. Not the key itself.
    ApiSecret = json!({ "type": "string", "minLength": 32, "maxLength": 128, "pattern": "^[A-Za-z0-9]+$" });
    /// A bot's own token.
    BotToken = json!({ "type": "string", "pattern": "^nofomo_bot_[A-Za-z0-9_-]{43}$" });
    /// What a bot's token may do beside reporting.
    Scope = words(&["report", "trade"]);
    /// A plan's name, in any case.
    PlanName = json!({ "type": "string", "minLength": 1, "maxLength": 100, "pattern": LINE, "example": "pro" });
    /// A channel code of Tripay's.
    ChannelCode = json!({
        "type": "string", "minLength": 2, "maxLength": 40, "pattern": "^[A-Z0-9_]+$", "example": "QRIS"
    });
    /// With or without the country's code; e-wallets (DANA, OVO, SHOPEEPAY) need it.
    PhoneNumber = json!({
        "type": "string", "minLength": 8, "maxLength": 16, "pattern": r"^\+?[0-9]+$", "example": "081200000000"
    });
    /// Any JSON object, without the character U+0000.
    AnyObject = json!({ "type": "object", "additionalProperties": true });
}
