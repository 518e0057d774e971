//! One order of a trade.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::ExportError;
use crate::fields::Fields;
use crate::values::{flag, milliseconds, positive};

/// Of freqtrade from 2022.6 on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportedOrder {
    pub is_entry: bool,
    /// In the base currency.
    pub amount: Decimal,
    /// What it was filled at.
    pub safe_price: Decimal,
    /// None if the backtest ended before it was filled: it bought and sold nothing.
    pub filled_at: Option<DateTime<Utc>>,
}

/// Freqtrade writes seven.
const MAX_KEYS: usize = 50;

impl ExportedOrder {
    pub(crate) fn read(order: &RawValue) -> Result<Self, ExportError> {
        let fields = Fields::of(order.get(), MAX_KEYS)?;
        Ok(Self {
            is_entry: fields.required("ft_is_entry", flag)?,
            amount: fields.required("amount", positive)?,
            safe_price: fields.required("safe_price", positive)?,
            filled_at: fields.optional("order_filled_timestamp", milliseconds)?,
        })
    }
}
