//! Reading freqtrade's backtest exports: bytes in, values out.
//!
//! ```text
//! let export = Export::open(upload)?;      a .zip (since 2025.1) or a .json, told apart by content
//! let backtest = export.backtest(None)?;   the one strategy in it, or the one that is named
//! backtest.identity()                      the same for the same run, whichever of the two files it came in
//! ```
//!
//! An upload is hostile until it is read. Of an archive nothing is unpacked but the JSON, and of that no more than [`MAX_EXPORT_BYTES`]:
//! pickles and source code stay packed. What no version of freqtrade writes is refused, in words for the person who sent it.
//! Money goes from the file's digits to decimals and is never a float in between.

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
