//! From a list of closed trades to one set of exact figures: what they are, what is undefined and why, and how sure one may be.
//!
//! Pure functions, without any input or output. A [`Record`] sorts the trades once; everything else is read from it, when it is asked for.
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
//! assert_eq!(metrics.balance.final_balance, dec!(1001.798));
//! assert_eq!(metrics.daily.sharpe, None); // One day has no deviation, and `metrics.notes` says so.
//! # Ok(())
//! # }
//! ```

mod analysis_type;
mod balance_metrics;
mod confidence;
mod daily_metrics;
mod downsample;
mod drawdown;
mod excursions;
mod halves;
mod metrics;
mod monte_carlo;
mod overfitting;
mod record;
mod sample;
mod series;
mod significance;
mod simulation;
mod slices;
mod stress;
mod trade;
mod trade_metrics;

pub use analysis_type::AnalysisType;
pub use balance_metrics::BalanceMetrics;
pub use confidence::{Confidence, ConfidenceLevel, Evidence, Reason, TrackRecord};
pub use daily_metrics::DailyMetrics;
pub use drawdown::Drawdown;
pub use excursions::{Excursion, Excursions, StopLoss};
pub use halves::{Half, Halves};
pub use metrics::{HistoricalMetrics, Metrics, Note};
pub use monte_carlo::MonteCarlo;
pub use overfitting::{Overfitting, TrialMatrix};
pub use record::Record;
pub use series::{Band, Dot, Histogram, Month, Point, Series, Year};
pub use significance::{SharpeEstimate, expected_maximum};
pub use slices::{Dimension, Slice, Verdict};
pub use stress::{Scenario, Stress};
pub use trade::{ASSUMED_MAX_LOSS, InvalidInput, PriceRange, Settings, Side, Trade, Trials};
pub use trade_metrics::TradeMetrics;
