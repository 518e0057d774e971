//! Tables of the page. The first cell of each row is its heading.

use rust_decimal::Decimal;

use crate::format::{Formatted, MoneyFormat, Sign, percent, ratio};

pub(crate) struct Table {
    pub(crate) caption: String,
    pub(crate) head: Vec<&'static str>,
    pub(crate) rows: Vec<TableRow>,
}

pub(crate) struct TableRow {
    pub(crate) heading: String,
    pub(crate) cells: Vec<Formatted>,
    /// `true` if the row has too few observations for a verdict.
    pub(crate) is_faint: bool,
}

/// Maximum number of rows of a table that is shown unfolded.
const MAX_UNFOLDED_ROWS: usize = 12;

impl Table {
    pub(crate) fn is_folded(&self) -> bool {
        self.rows.len() > MAX_UNFOLDED_ROWS
    }
}

impl TableRow {
    pub(crate) fn new(heading: impl Into<String>, cells: Vec<Formatted>) -> Self {
        Self { heading: heading.into(), cells, is_faint: false }
    }
}

/// Formats a value, or returns the text of an undefined one.
pub(crate) fn or_undefined<T>(value: Option<T>, format: impl FnOnce(T) -> Formatted) -> Formatted {
    value.map_or_else(Formatted::undefined, format)
}

/// Formats a profit or a loss, with its sign.
pub(crate) fn gain(format: MoneyFormat, amount: Option<Decimal>) -> Formatted {
    or_undefined(amount, |amount| format.money(amount, Sign::Always))
}

/// Formats a return in percent, with its sign.
pub(crate) fn change(fraction: Option<f64>) -> Formatted {
    or_undefined(fraction, |fraction| percent(fraction, Sign::Always))
}

/// Formats a share in percent.
pub(crate) fn share(fraction: Option<f64>) -> Formatted {
    or_undefined(fraction, |fraction| percent(fraction, Sign::OnlyMinus))
}

pub(crate) fn plain_ratio(value: Option<f64>) -> Formatted {
    or_undefined(value, |value| ratio(value, Sign::OnlyMinus))
}
