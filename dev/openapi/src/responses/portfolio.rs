//! Portfolio of a user.

use chrono::{DateTime, Utc};
use nofomo_contract::values::{AnyObject, Decimal};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::responses::billing::{Invoice, Subscription};
use crate::responses::bots::{Bot, SavedCredentials};
use crate::responses::trades::Trade;

/// Portfolio of the signed-in user: the data of an app's home screen.
#[derive(ToSchema)]
pub struct Portfolio {
    pub user: PortfolioUser,
    pub subscription: Option<Subscription>,
    #[schema(max_items = 1000)]
    pub bots: Vec<Bot>,
    #[schema(max_items = 50)]
    pub open_trades: Vec<Trade>,
    #[schema(max_items = 20)]
    pub recent_trades: Vec<Trade>,
    pub performance: TradingPerformance,
    pub exchanges: Vec<SavedCredentials>,
    /// Pending invoices.
    #[schema(max_items = 20)]
    pub invoices: Vec<Invoice>,
    /// Unread notifications.
    #[schema(max_items = 20)]
    pub notifications: Vec<Notification>,
}

/// Signed-in user.
#[derive(ToSchema)]
pub struct PortfolioUser {
    pub id: Uuid,
    pub email: String,
    pub full_name: Option<String>,
    /// Name of the plan in force.
    pub plan: String,
    pub usage: PlanUsage,
}

/// Usage and limits of the plan in force. A limit of -1 means unlimited.
#[derive(ToSchema)]
pub struct PlanUsage {
    pub bots: i64,
    pub max_bots: i32,
    pub strategies: i64,
    pub max_strategies: i32,
    /// Number of analyses and generated strategies in this month.
    pub ai_requests: i64,
    /// Maximum number of analyses and generated strategies in a month.
    pub ai_requests_per_month: i32,
}

/// Performance of the trades closed in the last 30 days. Amounts in different currencies are not added: if there are
/// several currencies, `currency` and all amounts except `profit_by_currency` are null.
#[derive(ToSchema)]
pub struct TradingPerformance {
    pub days: i32,
    pub total_trades: i64,
    pub winning_trades: i64,
    pub losing_trades: i64,
    pub win_rate_percentage: Option<Decimal>,
    pub currency: Option<String>,
    pub total_profit: Option<Decimal>,
    pub average_profit: Option<Decimal>,
    pub best_trade: Option<Decimal>,
    pub worst_trade: Option<Decimal>,
    pub profit_factor: Option<Decimal>,
    pub average_holding_seconds: Option<i64>,
    pub profit_by_currency: Option<AnyObject>,
}

/// Notification for the user.
#[derive(ToSchema)]
pub struct Notification {
    pub id: Uuid,
    pub kind: String,
    pub title: String,
    pub body: String,
    pub context: AnyObject,
    pub created_at: DateTime<Utc>,
}
