//! Trades.

use chrono::{DateTime, Utc};
use nofomo_contract::trades::{OrderType, Side, TradeStatus};
use nofomo_contract::values::{AnyObject, Decimal, Exchange};
use utoipa::ToSchema;
use uuid::Uuid;

/// Trade of a bot.
#[derive(ToSchema)]
pub struct Trade {
    pub id: Uuid,
    pub bot_id: Uuid,
    pub exchange: Exchange,
    pub trading_pair: String,
    pub side: Side,
    pub order_type: OrderType,
    pub status: TradeStatus,
    pub is_paper_trade: bool,
    pub amount: Decimal,
    pub price: Decimal,
    pub exit_price: Option<Decimal>,
    pub fee: Decimal,
    pub profit: Decimal,
    pub profit_percentage: Decimal,
    pub entry_time: DateTime<Utc>,
    pub exit_time: Option<DateTime<Utc>>,
    pub holding_seconds: Option<i64>,
    pub exchange_order_id: Option<String>,
    pub exchange_trade_id: Option<String>,
    pub signal_price: Option<Decimal>,
    pub stop_loss_price: Option<Decimal>,
    pub take_profit_price: Option<Decimal>,
    pub metadata: AnyObject,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Results of several trades, in the order of the request.
#[derive(ToSchema)]
pub struct TradeResults {
    pub results: Vec<TradeResult>,
}

/// Result of one trade.
#[derive(ToSchema)]
pub struct TradeResult {
    pub id: Uuid,
    pub outcome: TradeOutcome,
}

/// Effect of a report: a new trade, a change of an existing one, or no change.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum TradeOutcome {
    Created,
    Updated,
    Unchanged,
}
