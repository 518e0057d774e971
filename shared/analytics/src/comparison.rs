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

/// Comparison of live trades with the newest backtest of their strategy. A backtest on the pair of one of the bots
/// takes precedence.
///
/// The trades entered in the period that both cover are matched. This period starts at the requested `from`, or at the
/// first live entry, and ends at the requested `to`, or at the last live exit (while a bot is running, at the current
/// time); it is limited to the period of the backtest.
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
    /// Number of trades in both: same pair, same side, entered within the same candle.
    #[serde(deserialize_with = "or_default")]
    pub matched: usize,
    /// Number of trades in the backtest only.
    #[serde(deserialize_with = "or_default")]
    pub missing: usize,
    /// Number of live trades that the backtest does not have.
    #[serde(deserialize_with = "or_default")]
    pub extra: usize,
    /// Slippage of the entries of the matched trades. Null if no trade matches.
    #[serde(deserialize_with = "or_default")]
    pub entry_slippage: Option<Slippage>,
    /// Slippage of the exits of the matched trades. Null if no trade matches.
    #[serde(deserialize_with = "or_default")]
    pub exit_slippage: Option<Slippage>,
    /// Live profit minus backtest profit of the matched trades, in the currency of the backtest.
    #[serde(deserialize_with = "or_default")]
    pub profit_difference: Decimal,
    /// Metrics of all live trades of the strategy, matched or not.
    #[serde(deserialize_with = "or_default")]
    pub live: MetricValues,
    /// Metrics of all trades of the backtest, matched or not.
    #[serde(deserialize_with = "or_default")]
    pub backtest_metrics: MetricValues,
    /// Confidence in the backtest, as the best of its `runs`.
    #[serde(deserialize_with = "or_default")]
    pub backtest_confidence: Option<Confidence>,
    /// `true` if the sum of the live returns per trade is within the middle 90 % of simulated sums: as many returns are
    /// drawn with replacement from the backtest. Null below two trades in the backtest, or without a live trade.
    #[serde(deserialize_with = "or_default")]
    pub inside_band: Option<bool>,
    /// Matched and unmatched trades, in order of entry; at most 200.
    #[serde(deserialize_with = "readable_elements")]
    pub trades: Vec<Pairing>,
    /// Currency of the backtest. Not stored by this version.
    #[serde(deserialize_with = "or_default", skip_serializing)]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub currency: Option<String>,
}

/// Backtest that the live trades are compared with.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ComparedBacktest {
    pub id: Uuid,
    /// Name of the strategy.
    pub strategy: String,
    pub pair: String,
    pub timeframe: String,
    /// Start of the backtested period.
    pub start_date: DateTime<Utc>,
    /// End of the backtested period.
    pub end_date: DateTime<Utc>,
    /// Balance before the first trade of the backtest.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = nofomo_contract::values::Decimal, required = true))]
    pub initial_balance: Decimal,
    pub imported_at: DateTime<Utc>,
    /// Number of imported backtests of the strategy, from which this one may have been selected as the best.
    pub runs: u32,
}

/// Slippage of live prices, as fractions of the backtest's prices. A positive value is worse than in the backtest.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slippage {
    /// Mean slippage.
    pub mean: f64,
    /// Median slippage.
    pub median: f64,
    /// Largest slippage.
    pub worst: f64,
}

/// Trade of the live bot or of the backtest, with its match in the other, if any.
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
    /// Entry in the backtest, or the live entry if the outcome is `extra`.
    pub entry_time: DateTime<Utc>,
    pub outcome: PairingOutcome,
    /// Profit of the live trade, after fees. Null if the outcome is `missing`.
    pub live_profit: Option<Decimal>,
    /// Profit of the trade in the backtest, after fees. Null if the outcome is `extra`.
    pub backtest_profit: Option<Decimal>,
    /// Slippage of the entry, as a fraction of the backtest's price; positive is worse. Null unless matched.
    pub entry_slippage: Option<f64>,
    /// Slippage of the exit, as a fraction of the backtest's price; positive is worse. Null unless matched.
    pub exit_slippage: Option<f64>,
}

/// Outcome of matching a trade.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairingOutcome {
    /// In both.
    Matched,
    /// In the backtest only.
    Missing,
    /// Live only.
    Extra,
}
