//! `POST /freqtrade/{bot_token}`: records an event of freqtrade's webhook.
//!
//! Freqtrade sends JSON or a form in which every value is text, with `None` for a missing value. It retries only if
//! `retries` is configured, and a refused event is lost. Therefore no event with a known bot token is refused because it
//! is not understood: it gets a 200 and is written to the bot's log.
//!
//! SQL: `migrations/011_record_freqtrade_event.sql`.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use nofomo_lambda::{App, BotToken, Problem, Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// Maximum length of a trade's field, in bytes; a longer one counts as missing. Freqtrade's own are shorter.
const MAX_VALUE_LENGTH: usize = 255;

/// Input of `private.record_freqtrade_event`.
#[derive(Serialize)]
struct RecordEventInput<'a> {
    kind: &'a str,
    /// SHA-256 of the body in hexadecimal. A repeated event has the same bytes.
    body_hash: String,
    /// `true` if the event is about a trade, which `trade_id`, `open_date` and `pair` identify.
    is_trade: bool,
    event: TradeEvent,
    log: Option<LogMessage>,
    body: String,
}

/// Fields of a trade event.
#[derive(Default, Serialize)]
struct TradeEvent {
    trade_id: Option<String>,
    pair: Option<String>,
    open_date: Option<String>,
    direction: Option<String>,
    order_type: Option<String>,
    amount: Option<String>,
    open_rate: Option<String>,
    close_rate: Option<String>,
    close_date: Option<String>,
    profit_amount: Option<String>,
    profit_ratio: Option<String>,
    cumulative_profit: Option<String>,
    final_profit_ratio: Option<String>,
    is_final_exit: bool,
    leverage: Option<String>,
    stake_currency: Option<String>,
    enter_tag: Option<String>,
    exit_reason: Option<String>,
}

/// Message for the bot's log, which its owner reads.
#[derive(Serialize)]
struct LogMessage {
    level: &'static str,
    message: String,
}

/// Outcome of `private.record_freqtrade_event`. Freqtrade gets the same response for each.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Recorded,
    Duplicate,
    Ignored,
    Logged,
}

pub(crate) async fn handle(app: &'static App, request: Request) -> Result<Response, Problem> {
    let token = request.path_parameter("bot_token").and_then(|token| BotToken::parse(&token));
    let token = token.ok_or(Problem::NotFound)?;
    let body = request.body()?;
    let fields = Fields::read(request.content_type(), body);
    let kind = fields.kind();
    let trade_event = fields.trade_event(&kind);
    let (is_trade, log) = match kind.as_str() {
        "entry_fill" | "exit_fill" => match trade_event.missing(&kind) {
            None => (true, None),
            Some(missing) => (false, Some(LogMessage::not_understood(&format!("{kind} without {missing}")))),
        },
        "entry" | "entry_cancel" | "exit" | "exit_cancel" => (trade_event.has_key(), None),
        "whitelist" | "analyzed_df" | "new_candle" => (false, None),
        "status" | "startup" => (false, Some(fields.log("info", &kind, "status"))),
        "warning" => (false, Some(fields.log("warning", &kind, "status"))),
        "exception" => (false, Some(fields.log("error", &kind, "status"))),
        "strategy_msg" => (false, Some(fields.log("info", &kind, "msg"))),
        "protection_trigger" | "protection_trigger_global" => (false, Some(fields.log("warning", &kind, "reason"))),
        "liquidation_warning" => (false, Some(fields.log("warning", &kind, "pair"))),
        _ => (false, Some(LogMessage::not_understood("its `type` is unknown"))),
    };
    let input = RecordEventInput {
        kind: &kind,
        body_hash: hex::encode(Sha256::digest(body)),
        is_trade,
        event: trade_event,
        log,
        // jsonb cannot store U+0000.
        body: String::from_utf8_lossy(body).replace('\0', "\u{fffd}"),
    };
    match app.db.command(&token.claims(), "record_freqtrade_event", &input).await.map_err(Problem::from) {
        Ok(Outcome::Recorded | Outcome::Duplicate | Outcome::Ignored | Outcome::Logged) => Ok(Response::empty()),
        // The token is part of the path, so an unknown token is a path that does not exist.
        Err(Problem::Unauthenticated(_)) => Err(Problem::NotFound),
        Err(problem) => Err(problem),
    }
}

/// Values of an event by name. Missing values are left out.
struct Fields(BTreeMap<String, String>);

impl Fields {
    fn read(content_type: &str, body: &[u8]) -> Self {
        let fields: BTreeMap<String, String> = if content_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        {
            form_urlencoded::parse(body).into_owned().collect()
        } else {
            let members: BTreeMap<String, &RawValue> = serde_json::from_slice(body).unwrap_or_default();
            members.into_iter().map(|(name, value)| (name, as_text(value))).collect()
        };
        let present = fields.into_iter().filter(|(_, value)| {
            let is_missing = ["", "none", "null", "nan", "inf", "-inf"].contains(&value.to_ascii_lowercase().as_str());
            !is_missing
        });
        Self(present.collect())
    }

    /// Kind of the event: a constant in the webhook's template, or freqtrade's `{type}`. `unknown` if there is none.
    fn kind(&self) -> String {
        let kind = ["type", "event"].into_iter().find_map(|name| self.text(name));
        kind.map(|kind| kind.to_ascii_lowercase()).filter(|kind| kind.len() < 64).unwrap_or_else(|| "unknown".into())
    }

    fn text(&self, name: &str) -> Option<String> {
        let is_refused = |value: &&String| value.len() > MAX_VALUE_LENGTH || value.contains('\0');
        self.0.get(name).filter(|value| !is_refused(value)).cloned()
    }

    /// A finite number, exactly as it was sent.
    fn number(&self, name: &str) -> Option<String> {
        let digits = self.text(name)?;
        let is_number = digits.parse().is_ok_and(f64::is_finite) && !digits.starts_with('+');
        is_number.then_some(digits)
    }

    /// A number of at least 0.00000001, the smallest positive one that is stored.
    fn positive(&self, name: &str) -> Option<String> {
        self.number(name).filter(|digits| digits.parse().is_ok_and(|number: f64| number >= 0.000_000_01))
    }

    /// A time in RFC 3339. Without an offset it is UTC, as freqtrade's dates are.
    fn time(&self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        let with_offset = DateTime::parse_from_rfc3339(&text)
            .or_else(|_| DateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f%:z"))
            .map(|time| time.to_utc());
        let naive = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
        let without_offset = || naive.iter().find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok());
        let time: DateTime<Utc> = with_offset.ok().or_else(|| without_offset().map(|time| time.and_utc()))?;
        Some(time.to_rfc3339_opts(SecondsFormat::Micros, true))
    }

    fn is_true(&self, name: &str) -> Option<bool> {
        self.text(name).map(|value| value.eq_ignore_ascii_case("true"))
    }

    fn trade_event(&self, kind: &str) -> TradeEvent {
        // Older versions of freqtrade do not send is_final_exit; there, an exit with sub_trade is partial.
        let is_final = self.is_true("is_final_exit").unwrap_or_else(|| self.is_true("sub_trade") != Some(true));
        let order_rate = ["order_rate", "limit"].into_iter().find_map(|name| self.positive(name));
        TradeEvent {
            trade_id: self.text("trade_id"),
            pair: self.text("pair").filter(|pair| pair.len() <= 50),
            open_date: self.time("open_date"),
            direction: self.text("direction"),
            order_type: self.text("order_type"),
            amount: self.positive("amount"),
            // In an exit event, the order's rate is the exit's.
            open_rate: self.positive("open_rate").or_else(|| order_rate.clone().filter(|_| kind == "entry_fill")),
            close_rate: self.positive("close_rate").or(order_rate),
            close_date: self.time("close_date"),
            profit_amount: self.number("profit_amount"),
            profit_ratio: self.number("profit_ratio"),
            cumulative_profit: self.number("cumulative_profit"),
            final_profit_ratio: self.number("final_profit_ratio"),
            is_final_exit: kind == "exit_fill" && is_final,
            leverage: self.number("leverage"),
            stake_currency: self.text("stake_currency"),
            enter_tag: ["enter_tag", "buy_tag"].into_iter().find_map(|name| self.text(name)),
            exit_reason: self.text("exit_reason"),
        }
    }

    fn log(&self, level: &'static str, kind: &str, field: &str) -> LogMessage {
        let text: String = self.0.get(field).map(String::as_str).unwrap_or_default().replace('\0', "\u{fffd}");
        LogMessage { level, message: format!("Freqtrade {kind}: {}", text.chars().take(10_000).collect::<String>()) }
    }
}

impl TradeEvent {
    /// `true` if the event identifies its trade. The trade_id alone is not enough: freqtrade uses it again after a
    /// cancelled entry and in a new database.
    fn has_key(&self) -> bool {
        self.trade_id.is_some() && self.open_date.is_some() && self.pair.is_some()
    }

    /// The first missing field that an entry or exit needs.
    fn missing(&self, kind: &str) -> Option<&'static str> {
        let required = [
            ("trade_id", self.trade_id.is_some()),
            ("open_date", self.open_date.is_some()),
            ("pair", self.pair.is_some()),
            ("amount", self.amount.is_some()),
            ("open_rate", self.open_rate.is_some()),
            ("close_date", kind == "entry_fill" || self.close_date.is_some()),
            (
                "cumulative_profit or profit_amount",
                kind == "entry_fill" || self.cumulative_profit.is_some() || self.profit_amount.is_some(),
            ),
        ];
        required.into_iter().find(|(_, is_present)| !is_present).map(|(name, _)| name)
    }
}

impl LogMessage {
    fn not_understood(reason: &str) -> Self {
        Self { level: "warning", message: format!("Freqtrade event not understood: {reason}") }
    }
}

/// Returns the text of a JSON string, or any other JSON value as it was sent.
fn as_text(value: &RawValue) -> String {
    serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned())
}
