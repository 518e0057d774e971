//! Bots, their tokens, their logs and their exchange keys.

use chrono::{DateTime, Utc};
use nofomo_contract::values::{AnyObject, BotToken, Decimal, Exchange, Scope, Timeframe};
use utoipa::ToSchema;
use uuid::Uuid;

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

/// How many rows were new.
#[derive(ToSchema)]
pub struct RecordedLogs {
    #[schema(minimum = 0, maximum = 500)]
    pub recorded: u32,
}

/// A bot's token, shown this once.
#[derive(ToSchema)]
pub struct IssuedToken {
    pub token: BotToken,
    pub scopes: Vec<Scope>,
    pub created_at: DateTime<Utc>,
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
