//! Comparison of live trades with a backtest, as an analysis stores it.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::confidence::Confidence;
use crate::metric_values::MetricValues;
#[cfg(feature = "openapi")]
use crate::openapi;
use crate::tolerant::{or_default, readable_elements};
use crate::trade::Side;

/// Comparison of live trades with the newest backtest of their strategy.
///
/// Compared is the time that both cover: from the start of the requested time, or the first live entry, to its end, or the last live exit
/// (the present, while a bot is running); within the time of the backtest.
#[cfg_attr(
    feature = "openapi",
    serde_with::apply(
        usize => #[schema(value_type = u64)],
        Decimal => #[schema(value_type = nofomo_contract::values::Decimal)],
        MetricValues => #[schema(value_type = openapi::Metrics)],
        Option<Confidence> => #[schema(value_type = openapi::Confidence)],
        _ => #[schema(required = true)],
    )
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Comparison {
    #[serde(deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(value_type = ComparedBacktest))]
    pub backtest: Option<ComparedBacktest>,
    /// Trades in both: same pair and side, entered within the same candle.
    #[serde(deserialize_with = "or_default")]
    pub matched: usize,
    /// Trades in the backtest only.
    #[serde(deserialize_with = "or_default")]
    pub missing: usize,
    /// Live trades only.
    #[serde(deserialize_with = "or_default")]
    pub extra: usize,
    /// Slippage of the entries of the matched trades. Null without any.
    #[serde(deserialize_with = "or_default")]
    pub entry_slippage: Option<Slippage>,
    /// Slippage of the exits of the matched trades. Null without any.
    #[serde(deserialize_with = "or_default")]
    pub exit_slippage: Option<Slippage>,
    /// Live profit minus backtest profit of the matched trades, in the currency of the backtest.
    #[serde(deserialize_with = "or_default")]
    pub profit_difference: Decimal,
    /// Metrics of all compared live trades, matched or not.
    #[serde(deserialize_with = "or_default")]
    pub live: MetricValues,
    /// Metrics of all trades of the backtest, matched or not.
    #[serde(deserialize_with = "or_default")]
    pub backtest_metrics: MetricValues,
    /// Confidence of the backtest as the best of its runs.
    #[serde(deserialize_with = "or_default")]
    pub backtest_confidence: Option<Confidence>,
    /// `true` if the sum of the live returns per trade lies within the middle 90 % of sums of as many returns drawn with replacement from
    /// the backtest. Null below two trades of the backtest, or without a live one.
    #[serde(deserialize_with = "or_default")]
    pub inside_band: Option<bool>,
    /// Trades of both sides by entry, at most 200.
    #[serde(deserialize_with = "readable_elements")]
    pub trades: Vec<Pairing>,
    /// Currency of the backtest. Not stored by this version.
    #[serde(deserialize_with = "or_default", skip_serializing)]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub currency: Option<String>,
}

/// Backtest that live trades are compared with.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ComparedBacktest {
    pub id: Uuid,
    /// Name of the strategy.
    pub strategy: String,
    pub pair: String,
    pub timeframe: String,
    pub start_date: DateTime<Utc>,
    pub end_date: DateTime<Utc>,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = nofomo_contract::values::Decimal, required = true))]
    pub initial_balance: Decimal,
    pub imported_at: DateTime<Utc>,
    /// Number of backtests of the strategy: this one may be the best of them.
    pub runs: u32,
}

/// Slippage of live prices, as fractions of the backtest's price. Positive values are worse than in the backtest.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slippage {
    pub mean: f64,
    pub median: f64,
    pub worst: f64,
}

/// Trade of one side, and its match on the other side, if any.
#[cfg_attr(
    feature = "openapi",
    serde_with::apply(
        Side => #[schema(value_type = nofomo_contract::trades::Side)],
        Option<Decimal> => #[schema(value_type = Option<nofomo_contract::values::Decimal>)],
    )
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pairing {
    pub pair: String,
    pub side: Side,
    pub entry_time: DateTime<Utc>,
    pub outcome: PairingOutcome,
    pub live_profit: Option<Decimal>,
    pub backtest_profit: Option<Decimal>,
    pub entry_slippage: Option<f64>,
    pub exit_slippage: Option<f64>,
}

/// Result of matching a trade: in both, in the backtest only, or live only.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairingOutcome {
    Matched,
    Missing,
    Extra,
}
