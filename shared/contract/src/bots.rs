//! Bots, their tokens, their logs and their exchange keys.

use chrono::{DateTime, Utc};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::values::{
    Amount, AnyObject, ApiKey, ApiSecret, BotToken, Decimal, Exchange, Message, Name, RiskPercentage, Scope, StopLoss,
    TakeProfit, Time, Timeframe, TradingPair,
};

/// What a bot is made of.
#[derive(ToSchema)]
pub struct NewBot {
    pub name: Name,
    pub exchange: Exchange,
    pub trading_pair: TradingPair,
    pub timeframe: Timeframe,
    /// The strategy's name. A live bot runs a strategy of its owner's with this name, whose check is clean.
    pub strategy: Name,
    pub initial_balance: Amount,
    /// At most `initial_balance`.
    pub stake_amount: Amount,
    /// 1 unless given.
    #[schema(minimum = 1, maximum = 1000)]
    pub max_open_trades: Option<i32>,
    pub stop_loss: Option<StopLoss>,
    pub take_profit: Option<TakeProfit>,
    /// 2 unless given.
    pub risk_percentage: Option<RiskPercentage>,
    /// True unless given. Live trading needs saved credentials for the exchange.
    pub is_paper_trade: Option<bool>,
    /// Yours to use, up to 4,096 bytes.
    pub metadata: Option<AnyObject>,
}

/// Whether a bot runs.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum BotStatus {
    Running,
    Stopped,
    Paused,
    Error,
}

/// A bot.
#[derive(ToSchema)]
pub struct Bot {
    pub id: Uuid,
    pub user_id: Uuid,
    pub name: String,
    pub exchange: Exchange,
    pub trading_pair: String,
    pub timeframe: Timeframe,
    pub strategy: String,
    pub status: BotStatus,
    pub is_paper_trade: bool,
    pub initial_balance: Decimal,
    pub current_balance: Decimal,
    pub profit: Decimal,
    pub profit_percentage: Decimal,
    pub total_trades: i32,
    pub winning_trades: i32,
    pub losing_trades: i32,
    pub win_rate_percentage: Decimal,
    pub stake_amount: Decimal,
    pub max_open_trades: Option<i32>,
    pub stop_loss: Option<Decimal>,
    pub take_profit: Option<Decimal>,
    pub risk_percentage: Option<Decimal>,
    pub last_trade_at: Option<DateTime<Utc>>,
    /// Why it failed, while its status is `error`.
    pub error_message: Option<String>,
    pub metadata: AnyObject,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Why a bot failed.
#[derive(ToSchema)]
pub struct NewFailure {
    pub message: Message,
}

/// One row of a bot's log.
#[derive(ToSchema)]
pub struct NewLog {
    pub log_level: LogLevel,
    pub message: Message,
    /// Up to 16 KiB.
    pub context: Option<AnyObject>,
    /// Now unless given.
    pub created_at: Option<Time>,
}

/// How much a row of a log matters.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum LogLevel {
    Info,
    Warning,
    Error,
    Debug,
}

/// How many rows were new.
#[derive(ToSchema)]
pub struct RecordedLogs {
    #[schema(minimum = 0, maximum = 500)]
    pub recorded: u32,
}

/// What a bot's token is to be good for.
#[derive(ToSchema)]
pub struct NewToken {
    /// `["report"]` unless given; with `trade` the runner also gets the exchange keys.
    #[schema(min_items = 1)]
    pub scopes: Option<Vec<Scope>>,
}

/// A bot's token, shown this once.
#[derive(ToSchema)]
pub struct IssuedToken {
    pub token: BotToken,
    pub scopes: Vec<Scope>,
    pub created_at: DateTime<Utc>,
}

/// Exchange keys, sealed before they reach the database. Give them no right to withdraw.
#[derive(ToSchema)]
pub struct NewCredentials {
    pub api_key: ApiKey,
    pub api_secret: ApiSecret,
}

/// Keys that are saved, and the last characters to know them by.
#[derive(ToSchema)]
pub struct SavedCredentials {
    pub exchange: Exchange,
    pub key_hint: Option<String>,
    pub saved_at: DateTime<Utc>,
}

/// Keys that are gone, and the live bots that were stopped for it.
#[derive(ToSchema)]
pub struct DeletedCredentials {
    pub exchange: Exchange,
    pub stopped_bots: Vec<Uuid>,
}

/// The exchange keys of a live bot that is running.
#[derive(ToSchema)]
pub struct OpenedCredentials {
    pub exchange: Exchange,
    pub api_key: String,
    pub api_secret: String,
}
