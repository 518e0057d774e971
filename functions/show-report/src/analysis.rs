//! The row that a report shows, as far as it can be read: what an older analysis lacks is left out, and what cannot be read is taken as
//! not there.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_with::{DefaultOnError, VecSkipError, serde_as};
use uuid::Uuid;

use crate::figures::Figures;

/// A row of `ai_analyses`, with the name of the bot or the strategy that it is about.
#[serde_as]
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Analysis {
    pub(crate) id: Uuid,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) analysis_type: AnalysisType,
    pub(crate) subject: Option<String>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) created_at: Option<DateTime<Utc>>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) input_data: AnalysisInput,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) results: Results,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) recommendations: Vec<String>,
    pub(crate) model_used: Option<String>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) processing_time_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AnalysisType {
    #[default]
    Performance,
    Risk,
    Optimization,
    Backtest,
}

/// What was asked, and of how much.
#[serde_as]
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AnalysisInput {
    /// A time, or a day.
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) from: Option<String>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) to: Option<String>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) trades: Option<u64>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) bots: Option<u64>,
    /// Of the trades, by which anybody can tell whether he has the same.
    #[serde_as(deserialize_as = "DefaultOnError")]
    #[serde(alias = "trades_hash", alias = "hash")]
    pub(crate) trades_sha256: Option<String>,
}

#[serde_as]
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Results {
    #[serde_as(deserialize_as = "DefaultOnError<VecSkipError<_>>")]
    pub(crate) blocks: Vec<CurrencyAnalysis>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) comparison: Option<Comparison>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) narrative: Option<Narrative>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) narrative_error: Option<String>,
    /// It came with the database, to have something to look at.
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) sample: bool,
}

/// All that is said of the trades in one currency.
#[serde_as]
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CurrencyAnalysis {
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) currency: String,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) initial_balance: Option<Decimal>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) metrics: Figures,
    #[serde_as(deserialize_as = "DefaultOnError<VecSkipError<_>>")]
    pub(crate) notes: Vec<String>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) confidence: Figures,
    #[serde_as(deserialize_as = "DefaultOnError<VecSkipError<_>>")]
    pub(crate) slices: Vec<Slice>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    series: Series,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) halves: Option<Halves>,
    #[serde_as(deserialize_as = "DefaultOnError<VecSkipError<_>>")]
    pub(crate) stress: Vec<Stress>,
}

impl CurrencyAnalysis {
    /// None for a kind of analysis that draws nothing: wherever something is drawn, it is known how long a window is.
    pub(crate) fn series(&self) -> Option<&Series> {
        Some(&self.series).filter(|series| series.rolling_days > 0)
    }
}

/// The trades that have one thing in common.
#[derive(Debug, Deserialize)]
pub(crate) struct Slice {
    pub(crate) by: String,
    pub(crate) key: String,
    pub(crate) trades: u64,
    pub(crate) win_rate: Option<f64>,
    pub(crate) net_profit: Option<Decimal>,
    pub(crate) p_value_two_sided: Option<f64>,
    pub(crate) verdict: String,
}

/// What the plots are drawn from.
#[serde_as]
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Series {
    #[serde_as(deserialize_as = "DefaultOnError<VecSkipError<_>>")]
    pub(crate) equity: Vec<Point>,
    #[serde_as(deserialize_as = "DefaultOnError<VecSkipError<_>>")]
    pub(crate) cone: Vec<Band>,
    #[serde_as(deserialize_as = "DefaultOnError<VecSkipError<_>>")]
    pub(crate) underwater: Vec<Point>,
    #[serde_as(deserialize_as = "DefaultOnError<VecSkipError<_>>")]
    pub(crate) worst_drawdowns: Vec<Drawdown>,
    #[serde_as(deserialize_as = "DefaultOnError<VecSkipError<_>>")]
    pub(crate) months: Vec<Month>,
    #[serde_as(deserialize_as = "DefaultOnError<VecSkipError<_>>")]
    pub(crate) years: Vec<Year>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) profits: Option<Histogram>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) rolling_days: u64,
    #[serde_as(deserialize_as = "DefaultOnError<VecSkipError<_>>")]
    pub(crate) rolling_sharpe: Vec<Point>,
    #[serde_as(deserialize_as = "DefaultOnError<VecSkipError<_>>")]
    pub(crate) rolling_volatility: Vec<Point>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Point {
    pub(crate) at: DateTime<Utc>,
    pub(crate) value: Option<f64>,
}

/// Simulated balances after so many trades.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Band {
    pub(crate) trades: u64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) p05: f64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Drawdown {
    pub(crate) peak: DateTime<Utc>,
    pub(crate) trough: DateTime<Utc>,
    pub(crate) recovery: Option<DateTime<Utc>>,
    pub(crate) depth: f64,
    pub(crate) depth_abs: Decimal,
    pub(crate) underwater_s: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Month {
    pub(crate) year: i32,
    /// 1 to 12.
    pub(crate) month: u32,
    pub(crate) compounded: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Year {
    pub(crate) year: i32,
    pub(crate) compounded: f64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Histogram {
    pub(crate) from: f64,
    pub(crate) width: f64,
    pub(crate) counts: Vec<u64>,
    pub(crate) mean: f64,
    pub(crate) median: f64,
    pub(crate) p05: f64,
    pub(crate) p95: f64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Halves {
    pub(crate) first: Half,
    pub(crate) second: Half,
    pub(crate) t: Option<f64>,
    pub(crate) p_value_two_sided: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Half {
    pub(crate) days: u64,
    pub(crate) compounded: f64,
    pub(crate) daily_mean: f64,
    pub(crate) sharpe: Option<f64>,
}

/// What would be left at higher costs.
#[derive(Debug, Deserialize)]
pub(crate) struct Stress {
    pub(crate) scenario: String,
    pub(crate) net_profit: Option<Decimal>,
    pub(crate) total_return: Option<f64>,
    pub(crate) sharpe: Option<f64>,
    pub(crate) max_drawdown: Option<f64>,
    pub(crate) score: Option<f64>,
}

/// A live bot against a backtest of its strategy.
#[serde_as]
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Comparison {
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) currency: Option<String>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) backtest: Backtest,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) matched: u64,
    /// In the backtest only.
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) missing: u64,
    /// Live only.
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) extra: u64,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) entry_slippage: Option<Slippage>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) exit_slippage: Option<Slippage>,
    /// Live less backtest, of what is matched.
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) profit_difference: Option<Decimal>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) live: Figures,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) backtest_metrics: Figures,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) backtest_confidence: Figures,
    /// Whether the live record lies within what the simulation makes of the backtest.
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) inside_band: Option<bool>,
    #[serde_as(deserialize_as = "DefaultOnError<VecSkipError<_>>")]
    pub(crate) trades: Vec<Pairing>,
}

#[serde_as]
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Backtest {
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) strategy: Option<String>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) pair: Option<String>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) timeframe: Option<String>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) start_date: Option<DateTime<Utc>>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) end_date: Option<DateTime<Utc>>,
    #[serde_as(deserialize_as = "DefaultOnError")]
    pub(crate) imported_at: Option<DateTime<Utc>>,
}

/// Fractions of the price; above 0 is worse than in the backtest.
#[derive(Debug, Deserialize)]
pub(crate) struct Slippage {
    pub(crate) mean: Option<f64>,
    pub(crate) median: Option<f64>,
    pub(crate) worst: Option<f64>,
}

/// A trade of the one, and what became of it in the other.
#[derive(Debug, Deserialize)]
pub(crate) struct Pairing {
    pub(crate) pair: String,
    pub(crate) side: String,
    pub(crate) entry_time: DateTime<Utc>,
    pub(crate) outcome: String,
    pub(crate) live_profit: Option<Decimal>,
    pub(crate) backtest_profit: Option<Decimal>,
    pub(crate) entry_slippage: Option<f64>,
    pub(crate) exit_slippage: Option<f64>,
}

/// What a language model has written about the figures.
#[derive(Debug, Deserialize)]
pub(crate) struct Narrative {
    pub(crate) text: String,
    pub(crate) model: Option<String>,
}
