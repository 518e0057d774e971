//! Metrics that each type of analysis shows.

use serde::{Deserialize, Serialize};

/// Type of an analysis. Every type shows the confidence and the notes. In addition:
///
/// | type | shows |
/// |---|---|
/// | performance | metrics of trades and growth, slices, series |
/// | risk | metrics of risk, series |
/// | optimization | metrics of position size and costs, slices with their verdicts |
/// | backtest | metrics of performance and risk, series, halves, stress scenarios, comparison with a backtest |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnalysisType {
    #[default]
    Performance,
    Risk,
    Optimization,
    Backtest,
}

impl AnalysisType {
    /// `true` if this type shows the metric of this name.
    pub fn shows(self, metric: &str) -> bool {
        let is_in = |names: &[&str]| names.contains(&metric);
        match self {
            Self::Performance => is_in(TRADES) || is_in(GROWTH),
            Self::Risk => is_in(RISK),
            Self::Optimization => is_in(SIZE),
            Self::Backtest => is_in(TRADES) || is_in(GROWTH) || is_in(RISK),
        }
    }
}

const TRADES: &[&str] = &[
    "trades",
    "wins",
    "losses",
    "draws",
    "gross_profit",
    "gross_loss",
    "net_profit",
    "fees",
    "fee_share_of_gross",
    "fee_break_even_multiple",
    "win_rate",
    "profit_factor",
    "avg_win",
    "avg_loss",
    "payoff_ratio",
    "expectancy",
    "expectancy_r",
    "median_trade",
    "best_trade",
    "worst_trade",
    "std_trade",
    "sqn",
    "sqn_100",
    "p_value_two_sided",
    "profit_share_of_best_5pct",
    "max_consecutive_wins",
    "max_consecutive_losses",
    "avg_duration_s",
    "median_duration_s",
    "trades_per_day",
    "time_in_market",
    "avg_open_trades",
    "kelly_trade",
    "days",
];

const GROWTH: &[&str] = &["final_balance", "total_return", "cagr", "sharpe", "sortino", "calmar", "omega"];

const RISK: &[&str] = &[
    "max_drawdown",
    "max_drawdown_abs",
    "max_drawdown_peak",
    "max_drawdown_trough",
    "max_drawdown_recovery",
    "max_drawdown_daily",
    "longest_underwater_s",
    "current_drawdown",
    "min_balance",
    "max_balance",
    "recovery_factor",
    "ulcer_index",
    "martin",
    "daily_mean",
    "daily_std",
    "volatility",
    "downside_deviation",
    "skew",
    "kurtosis_excess",
    "lag1_autocorrelation",
    "var_95",
    "cvar_95",
    "tail_ratio",
    "best_day",
    "worst_day",
    "positive_days",
    "negative_days",
    "gain_to_pain",
    "max_consecutive_wins",
    "max_consecutive_losses",
    "time_in_market",
    "avg_open_trades",
    "ruined",
    "days",
    "return_days",
    "risk_of_ruin",
    "monte_carlo",
];

const SIZE: &[&str] = &[
    "trades",
    "days",
    "net_profit",
    "fees",
    "fee_share_of_gross",
    "fee_break_even_multiple",
    "kelly_continuous_lower95",
    "kelly_continuous",
    "kelly_trade",
];
