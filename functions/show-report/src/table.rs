//! A table as the page shows it: the first cell of each row says what the row is about.

use rust_decimal::Decimal;

use crate::format::{Formatted, MoneyFormat, Sign, percent, ratio};

pub(crate) struct Table {
    pub(crate) caption: String,
    pub(crate) head: Vec<&'static str>,
    pub(crate) rows: Vec<TableRow>,
}

pub(crate) struct TableRow {
    pub(crate) about: String,
    pub(crate) cells: Vec<Formatted>,
    /// Too little to say anything.
    pub(crate) faint: bool,
}

/// A longer one is shown to whoever asks for it.
const MAX_UNFOLDED_ROWS: usize = 12;

impl Table {
    pub(crate) fn folded(&self) -> bool {
        self.rows.len() > MAX_UNFOLDED_ROWS
    }
}

impl TableRow {
    pub(crate) fn new(about: impl Into<String>, cells: Vec<Formatted>) -> Self {
        Self { about: about.into(), cells, faint: false }
    }
}

pub(crate) fn or_undefined<T>(value: Option<T>, write: impl FnOnce(T) -> Formatted) -> Formatted {
    value.map_or_else(Formatted::undefined, write)
}

pub(crate) fn gain(cents: MoneyFormat, amount: Option<Decimal>) -> Formatted {
    or_undefined(amount, |amount| cents.money(amount, Sign::Always))
}

pub(crate) fn change(fraction: Option<f64>) -> Formatted {
    or_undefined(fraction, |fraction| percent(fraction, Sign::Always))
}

pub(crate) fn share(fraction: Option<f64>) -> Formatted {
    or_undefined(fraction, |fraction| percent(fraction, Sign::OnlyMinus))
}

pub(crate) fn plain(value: Option<f64>) -> Formatted {
    or_undefined(value, |value| ratio(value, Sign::OnlyMinus))
}
