//! Which kind of analysis shows which metrics.

use serde::Serialize;

/// A kind of analysis. Each one shows the confidence and the notes, too.
///
/// | | beside the metrics |
/// |---|---|
/// | performance | slices, series |
/// | risk | series |
/// | optimization | slices with their verdicts, excursions and stop-losses, overfitting of the trials |
/// | backtest | series with the cone, halves, stress |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnalysisType {
    /// What it earned, and how.
    Performance,
    /// What it may lose.
    Risk,
    /// How large it should be, and which part of it works.
    Optimization,
    /// Performance and risk of a record that nobody has traded.
    Backtest,
}

impl AnalysisType {
    /// Whether it shows the metric of that name.
    pub fn shows(self, metric: &str) -> bool {
        let of = |keys: &[&str]| keys.contains(&metric);
        match self {
            Self::Performance => of(TRADES) || of(GROWTH),
            Self::Risk => of(RISK),
            Self::Optimization => of(SIZE),
            Self::Backtest => of(TRADES) || of(GROWTH) || of(RISK),
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
