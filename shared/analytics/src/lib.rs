//! Metrics of closed trades, the statistical confidence in them, and the stored analysis.
//!
//! - [`Record`] is built from trades and [`Settings`]. It computes everything else on demand: [`Metrics`],
//!   [`Confidence`], [`Slice`]s, [`Series`] for charts, [`Halves`], [`Stress`] scenarios and [`Excursions`].
//! - [`TrialMatrix`] estimates the probability of backtest overfitting from the returns of all configurations tried.
//! - [`Analysis`] is the row of `ai_analyses`: run-analysis writes it and show-report reads it. With the feature
//!   `openapi`, its schema is part of the API document.
//!
//! The metrics are documented on the fields of [`TradeMetrics`], [`BalanceMetrics`], [`DailyMetrics`], [`MonteCarlo`]
//! and [`Evidence`], each with its formula, unit, source, and the condition under which it is null.
//!
//! All functions are pure: they read no clock and do no I/O.
//!
//! ```
//! use nofomo_analytics::{Record, Settings, Side, Trade};
//! use rust_decimal::dec;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let trades = [Trade {
//!     entry_time: "2026-01-01T09:00:00Z".parse()?,
//!     exit_time: "2026-01-01T13:00:00Z".parse()?,
//!     side: Side::Buy,
//!     pair: "BTC/USDT",
//!     amount: dec!(0.0016),
//!     price: dec!(62500),
//!     fee: dec!(0.202),
//!     profit: dec!(1.798),
//!     range: None,
//! }];
//! let metrics = Record::new(&trades, Settings::new(dec!(1000)))?.metrics();
//! assert_eq!(metrics.historical.balance.final_balance, dec!(1001.798));
//! assert_eq!(metrics.historical.daily.sharpe, None); // One day has no deviation, see `notes`.
//! # Ok(())
//! # }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed assumption fails the test"))]

mod analysis;
mod analysis_type;
mod balance_metrics;
mod comparison;
mod confidence;
mod daily_metrics;
mod downsample;
mod drawdown;
mod excursions;
mod halves;
mod metric_values;
mod metrics;
mod monte_carlo;
#[cfg(feature = "openapi")]
mod openapi;
mod overfitting;
mod record;
mod sample;
mod series;
mod significance;
mod simulation;
mod slices;
mod stress;
mod tolerant;
mod trade;
mod trade_metrics;

pub use analysis::{Analysis, AnalysisInput, AnalysisResults, CurrencyAnalysis, Narrative, NoteCode};
pub use analysis_type::AnalysisType;
pub use balance_metrics::BalanceMetrics;
pub use comparison::{ComparedBacktest, Comparison, Pairing, PairingOutcome, Slippage};
pub use confidence::{Confidence, ConfidenceLevel, Evidence, Reason, TrackRecord};
pub use daily_metrics::DailyMetrics;
pub use drawdown::Drawdown;
pub use excursions::{Excursion, Excursions, StopLoss};
pub use halves::{Half, Halves};
pub use metric_values::MetricValues;
pub use metrics::{HistoricalMetrics, Metrics, Note};
pub use monte_carlo::MonteCarlo;
pub use overfitting::{Overfitting, TrialMatrix};
pub use record::Record;
pub use series::{Band, Dot, Histogram, Month, Point, Series, Year};
pub use significance::{SharpeEstimate, expected_maximum};
pub use slices::{Dimension, Slice, SliceVerdict};
pub use stress::{Scenario, Stress};
pub use tolerant::parse_time_or_day;
pub use trade::{ASSUMED_MAX_LOSS, InvalidInput, PriceRange, Settings, Side, Trade, Trials};
pub use trade_metrics::TradeMetrics;
