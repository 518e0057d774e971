//! Strategies, their checks and their backtests.

use chrono::{DateTime, Utc};
use nofomo_contract::values::{AnyObject, Decimal, RiskLevel};
use utoipa::ToSchema;
use uuid::Uuid;

/// Strategy, with the check of its source.
#[derive(ToSchema)]
pub struct Strategy {
    pub id: Uuid,
    pub user_id: Uuid,
    pub name: String,
    pub description: Option<String>,
    pub strategy_type: StrategyType,
    pub content: Option<String>,
    pub parameters: AnyObject,
    /// Summary of the strategy's backtests.
    pub performance: AnyObject,
    pub is_public: bool,
    pub is_verified: bool,
    /// Not set by this service; `performance` summarizes the backtests.
    pub backtest_results: Option<AnyObject>,
    pub tags: Option<Vec<String>>,
    pub category: Option<String>,
    pub risk_level: Option<RiskLevel>,
    /// Language model or template that wrote the strategy.
    pub model_used: Option<String>,
    pub tokens_used: Option<i32>,
    /// Check of the source, or null if the source was never checked.
    pub check: Option<StrategyCheck>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Origin of a strategy.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum StrategyType {
    Custom,
    AiGenerated,
    Marketplace,
}

/// Static check of a source. The source is never executed.
#[derive(ToSchema)]
pub struct StrategyCheck {
    pub verdict: CheckVerdict,
    pub findings: Vec<Finding>,
    pub class_name: String,
    pub interface_version: i32,
    pub timeframe: String,
    pub can_short: bool,
}

/// Verdict of a check: `clean` without findings, `refused` if a rule is broken, otherwise `unproved`. Only a clean
/// strategy can trade live or be published.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum CheckVerdict {
    Clean,
    Unproved,
    Refused,
}

/// Finding of a check.
#[derive(ToSchema)]
pub struct Finding {
    pub rule: Rule,
    pub verdict: FindingVerdict,
    /// Line in the source, from 1.
    #[schema(minimum = 1)]
    pub line: i32,
    /// Column in the line, from 1.
    #[schema(minimum = 1)]
    pub column: i32,
    /// Description of the problem and of its solution.
    pub why: String,
}

/// Rule of the check: `import` (import of a module or name that is not allowed), `dynamic_code` (code built from
/// strings, or names looked up at run time), `outside_access` (access to files, processes, the network, or freqtrade's
/// configuration and database), `tampering` (change of names or attributes that other code relies on) or `look_ahead`
/// (look-ahead bias: use of a candle before it is complete).
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Rule {
    Import,
    DynamicCode,
    OutsideAccess,
    Tampering,
    LookAhead,
}

/// Verdict of a finding: `refused` if the rule is broken, `unproved` if the check cannot prove that it is not.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum FindingVerdict {
    Refused,
    Unproved,
}

/// Backtest of a strategy, imported from freqtrade. Figures are computed from its trades; amounts are in the stake
/// currency.
#[derive(ToSchema)]
pub struct BacktestResult {
    pub id: Uuid,
    pub strategy_id: Uuid,
    /// Trading pair, or the number of pairs if there are several: `4 pairs`.
    pub trading_pair: String,
    pub timeframe: String,
    pub start_date: DateTime<Utc>,
    pub end_date: DateTime<Utc>,
    pub initial_balance: Decimal,
    pub final_balance: Decimal,
    /// Net profit.
    pub total_return: Decimal,
    /// Net profit as a percentage of the initial balance.
    pub total_return_percentage: Decimal,
    /// Max drawdown, in percent.
    pub max_drawdown: Decimal,
    pub sharpe_ratio: Option<Decimal>,
    pub sortino_ratio: Option<Decimal>,
    pub calmar_ratio: Option<Decimal>,
    pub profit_factor: Option<Decimal>,
    /// Win rate, in percent.
    pub win_rate: Decimal,
    pub total_trades: i32,
    pub winning_trades: i32,
    pub losing_trades: i32,
    /// Largest profit of a trade.
    pub best_trade: Decimal,
    /// Smallest profit of a trade; negative for a loss.
    pub worst_trade: Decimal,
    /// Mean profit per trade.
    pub avg_trade: Option<Decimal>,
    pub max_consecutive_wins: Option<i32>,
    pub max_consecutive_losses: Option<i32>,
    /// Figures that freqtrade computed, and other data of the export.
    pub metadata: AnyObject,
    pub created_at: DateTime<Utc>,
}
