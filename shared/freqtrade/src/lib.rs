//! Reader of freqtrade's backtest exports: bytes in, typed values out.
//!
//! ```text
//! let export = Export::open(upload)?;      // a .zip (since freqtrade 2025.1) or a .json, recognised by its content
//! let backtest = export.backtest(None)?;   // the only strategy, or a named one
//! backtest.identity()                      // equal for the same run, in either file format
//! ```
//!
//! Uploads are untrusted. Only the JSON of an archive is unpacked, up to [`MAX_EXPORT_BYTES`]; pickles and source code
//! stay packed. Content that no version of freqtrade writes is an [`ExportError`], with a message for the person who
//! uploaded it. Amounts of money are parsed from the file's digits to decimals, without a float in between.

mod archive;
mod backtest;
mod error;
mod export;
mod fields;
mod identity;
mod order;
mod syntax;
mod trade;
mod values;

pub use archive::MAX_EXPORT_BYTES;
pub use backtest::{Backtest, TradingMode};
pub use error::ExportError;
pub use export::Export;
pub use order::ExportedOrder;
pub use trade::ExportedTrade;
