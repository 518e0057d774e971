//! `POST /bots`: creates a bot, which is stopped at first.
//!
//! SQL: `migrations/008_create_bot.sql`.

use std::ops::RangeInclusive;

use nofomo_lambda::{
    Answer, App, Fields, Problem, Request, decimal, flag, integer, object, one_of, text, trading_pair,
};
use rust_decimal::Decimal;
use rust_decimal::dec;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// Above zero, and what `decimal(20, 8)` holds.
const AMOUNT: RangeInclusive<Decimal> = dec!(0.00000001)..=dec!(999999999999.99999999);

/// What the caller sends, checked.
#[derive(Serialize)]
struct NewBot {
    id: Uuid,
    name: String,
    exchange: &'static str,
    trading_pair: String,
    timeframe: &'static str,
    strategy: String,
    initial_balance: Decimal,
    stake_amount: Decimal,
    max_open_trades: i32,
    stop_loss: Option<Decimal>,
    take_profit: Option<Decimal>,
    risk_percentage: Decimal,
    is_paper_trade: bool,
    metadata: Option<Box<RawValue>>,
}

/// Outcome of `private.create_bot`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Created(Box<RawValue>),
    Existing(Box<RawValue>),
    PlanLimit { limit: i64, plan: String },
    CredentialsMissing { exchange: String },
    UnsafeStrategy { strategy: String, findings: Option<u32> },
    KeyReused,
}

pub async fn handle(app: &'static App, request: Request) -> Result<Answer, Problem> {
    let user = app.user(&request).await?;
    let id = request.row_id("create-bot", &user)?;
    let new_bot = parse(id, request.fields()?)?;
    let location = format!("/bots/{id}");
    match app.db.command(user.claims(), "create_bot", &new_bot).await? {
        Outcome::Created(bot) => Ok(Answer::created(bot).with_location(location)),
        Outcome::Existing(bot) => Ok(Answer::ok(bot).with_location(location)),
        Outcome::PlanLimit { limit, plan } => Err(Problem::PlanLimit { things: "bots", limit, plan }),
        Outcome::CredentialsMissing { exchange } => Err(Problem::Conflict {
            kind: "credentials-missing",
            detail: format!("Live trading needs API keys. Save them for {exchange} first, or use paper trading."),
        }),
        Outcome::UnsafeStrategy { strategy, findings } => Err(Problem::unsafe_strategy(&strategy, findings)),
        Outcome::KeyReused => Err(Problem::Conflict {
            kind: "key-reused",
            detail: "This Idempotency-Key was used with another body. Use a new key for another bot.".into(),
        }),
    }
}

fn parse(id: Uuid, mut fields: Fields<'_>) -> Result<NewBot, Problem> {
    let new_bot = NewBot {
        id,
        name: fields.required("name", text(1..=255)),
        exchange: fields.required("exchange", one_of(&["binance", "bybit"])),
        trading_pair: fields.required("trading_pair", trading_pair),
        timeframe: fields.required("timeframe", one_of(&["1m", "5m", "15m", "30m", "1h", "4h", "1d"])),
        strategy: fields.required("strategy", text(1..=255)),
        initial_balance: fields.required("initial_balance", decimal(AMOUNT, 8)),
        stake_amount: fields.required("stake_amount", decimal(AMOUNT, 8)),
        max_open_trades: fields.optional("max_open_trades", integer(1..=1000)).unwrap_or(1),
        stop_loss: fields.optional("stop_loss", decimal(dec!(0.0001)..=dec!(100), 4)),
        take_profit: fields.optional("take_profit", decimal(dec!(0.0001)..=dec!(1000), 4)),
        risk_percentage: fields.optional("risk_percentage", decimal(dec!(0.01)..=dec!(100), 2)).unwrap_or(dec!(2)),
        is_paper_trade: fields.optional("is_paper_trade", flag).unwrap_or(true),
        metadata: fields.optional("metadata", object(4096)),
    };
    fields.rule(
        new_bot.stake_amount <= new_bot.initial_balance,
        "stake_amount",
        &["initial_balance"],
        "must be at most initial_balance",
    );
    fields.finish(new_bot)
}
