//! Bots, their tokens, their logs and their exchange keys.

use chrono::{DateTime, Utc};
use nofomo_contract::bots::MAX_LOG_ENTRIES;
use nofomo_contract::values::{AnyObject, BotToken, Decimal, Exchange, Scope, Timeframe};
use utoipa::ToSchema;
use uuid::Uuid;

/// Status of a bot.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum BotStatus {
    Running,
    Stopped,
    Paused,
    Error,
}

/// Trading bot. Amounts are in the quote currency of its trading pair.
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
    /// Reason of the failure, while the status is `error`.
    pub error_message: Option<String>,
    pub metadata: AnyObject,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

// The attribute below takes only a literal.
const _: () = assert!(MAX_LOG_ENTRIES == 500, "`recorded` is at most this");

/// Result of recording log entries.
#[derive(ToSchema)]
pub struct RecordedLogs {
    /// Number of new entries.
    #[schema(minimum = 0, maximum = 500)]
    pub recorded: u32,
}

/// Token of a bot. It is shown only in this response.
#[derive(ToSchema)]
pub struct IssuedToken {
    pub token: BotToken,
    pub scopes: Vec<Scope>,
    pub created_at: DateTime<Utc>,
}

/// Saved exchange API keys, without the keys themselves.
#[derive(ToSchema)]
pub struct SavedCredentials {
    pub exchange: Exchange,
    /// Last 4 characters of the API key.
    pub key_hint: Option<String>,
    pub saved_at: DateTime<Utc>,
}

/// Result of deleting exchange API keys.
#[derive(ToSchema)]
pub struct DeletedCredentials {
    pub exchange: Exchange,
    /// Live bots that were stopped because they need the keys.
    pub stopped_bots: Vec<Uuid>,
}

/// Exchange API keys of a running live bot.
#[derive(ToSchema)]
pub struct OpenedCredentials {
    pub exchange: Exchange,
    pub api_key: String,
    pub api_secret: String,
}
