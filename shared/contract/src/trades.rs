//! Trades, and what freqtrade tells of them.

use chrono::{DateTime, Utc};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::values::{Amount, AnyObject, Decimal, Exchange, Name, NotNegative, Signed, SignedPercentage, Time};

/// A trade as a bot reports it. Exchange, pair and paper flag are the bot's.
///
/// Which trade it is: `id`, else what `exchange_order_id` makes of it, else the `Idempotency-Key`, else a new one. A closed one needs
/// `exit_time`, and `exit_price` or `profit`; one that is not closed has none of these.
#[derive(ToSchema)]
pub struct NewTrade {
    pub id: Option<Uuid>,
    pub side: Side,
    pub order_type: OrderType,
    pub amount: Amount,
    /// Of the entry.
    pub price: Amount,
    /// Open unless given.
    pub status: Option<TradeStatus>,
    pub entry_time: Time,
    /// Not before `entry_time`.
    pub exit_time: Option<Time>,
    pub exit_price: Option<Amount>,
    /// 0 unless given.
    pub fee: Option<NotNegative>,
    /// Computed unless given: `(exit_price - price) * amount - fee` of a buy, the mirror image of a sell.
    pub profit: Option<Signed>,
    /// Computed unless given: profit in percent of `price * amount`.
    pub profit_percentage: Option<SignedPercentage>,
    pub exchange_order_id: Option<Name>,
    pub exchange_trade_id: Option<Name>,
    pub signal_price: Option<Amount>,
    pub stop_loss_price: Option<Amount>,
    pub take_profit_price: Option<Amount>,
    /// Yours to use, up to 8 KiB.
    pub metadata: Option<AnyObject>,
}

/// Which way a trade goes.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Side {
    Buy,
    Sell,
}

/// How it was entered.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum OrderType {
    Market,
    Limit,
}

/// open becomes closed or cancelled; a closed trade stays as it is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum TradeStatus {
    Open,
    Closed,
    Cancelled,
}

/// A trade.
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

/// What came of each trade, in the order they were sent.
#[derive(ToSchema)]
pub struct TradeResults {
    pub results: Vec<TradeResult>,
}

/// What came of one trade.
#[derive(ToSchema)]
pub struct TradeResult {
    pub id: Uuid,
    pub outcome: TradeOutcome,
}

/// Whether a report told anything new.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum TradeOutcome {
    Created,
    Updated,
    Unchanged,
}
