//! Strategies, their checks and their backtests.

use chrono::{DateTime, Utc};
use nofomo_contract::values::{AnyObject, Decimal, RiskLevel};
use utoipa::ToSchema;
use uuid::Uuid;

/// A strategy, with what a check found in its source.
#[derive(ToSchema)]
pub struct Strategy {
    pub id: Uuid,
    pub user_id: Uuid,
    pub name: String,
    pub description: Option<String>,
    pub strategy_type: StrategyType,
    pub content: Option<String>,
    pub parameters: AnyObject,
    pub performance: AnyObject,
    pub is_public: bool,
    pub is_verified: bool,
    pub backtest_results: Option<AnyObject>,
    pub tags: Option<Vec<String>>,
    pub category: Option<String>,
    pub risk_level: Option<RiskLevel>,
    /// The language model or template that wrote it.
    pub model_used: Option<String>,
    pub tokens_used: Option<i32>,
    /// Null if this source was never checked.
    pub check: Option<StrategyCheck>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Where a strategy is from.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum StrategyType {
    Custom,
    AiGenerated,
    Marketplace,
}

/// What was found in a source by reading it.
#[derive(ToSchema)]
pub struct StrategyCheck {
    pub verdict: CheckVerdict,
    pub findings: Vec<Finding>,
    pub class_name: String,
    pub interface_version: i32,
    pub timeframe: String,
    pub can_short: bool,
}

/// Clean without findings; only such a strategy trades live or is published.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum CheckVerdict {
    Clean,
    Unproved,
    Refused,
}

/// Something that keeps a strategy from being verified.
#[derive(ToSchema)]
pub struct Finding {
    pub rule: Rule,
    pub verdict: FindingVerdict,
    /// From 1.
    #[schema(minimum = 1)]
    pub line: i32,
    /// From 1.
    #[schema(minimum = 1)]
    pub column: i32,
    pub why: String,
}

/// A module that is not needed, code made of text, files and network, changing what other code relies on, using a candle before
/// it is there.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Rule {
    Import,
    DynamicCode,
    OutsideAccess,
    Tampering,
    LookAhead,
}

/// The rule is broken, or reading cannot tell.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum FindingVerdict {
    Refused,
    Unproved,
}

/// A backtest of a strategy, as freqtrade exported it.
#[derive(ToSchema)]
pub struct BacktestResult {
    pub id: Uuid,
    pub strategy_id: Uuid,
    /// `4 pairs` if there are several.
    pub trading_pair: String,
    pub timeframe: String,
    pub start_date: DateTime<Utc>,
    pub end_date: DateTime<Utc>,
    pub initial_balance: Decimal,
    pub final_balance: Decimal,
    pub total_return: Decimal,
    pub total_return_percentage: Decimal,
    /// Percent.
    pub max_drawdown: Decimal,
    pub sharpe_ratio: Option<Decimal>,
    pub sortino_ratio: Option<Decimal>,
    pub calmar_ratio: Option<Decimal>,
    pub profit_factor: Option<Decimal>,
    /// Percent.
    pub win_rate: Decimal,
    pub total_trades: i32,
    pub winning_trades: i32,
    pub losing_trades: i32,
    pub best_trade: Decimal,
    pub worst_trade: Decimal,
    pub avg_trade: Option<Decimal>,
    pub max_consecutive_wins: Option<i32>,
    pub max_consecutive_losses: Option<i32>,
    /// Freqtrade's own figures, and what else the export says.
    pub metadata: AnyObject,
    pub created_at: DateTime<Utc>,
}
