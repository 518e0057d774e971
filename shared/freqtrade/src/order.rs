//! Orders of a trade.

use chrono::{DateTime, Utc};
use nofomo_json::boolean;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::ExportError;
use crate::fields::Fields;
use crate::values::{milliseconds, positive};

/// Order of a trade, exported by freqtrade since 2022.6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportedOrder {
    pub is_entry: bool,
    /// Amount in the base currency.
    pub amount: Decimal,
    /// Price at which the order was filled.
    pub safe_price: Decimal,
    /// `None` if the backtest ended before the order was filled.
    pub filled_at: Option<DateTime<Utc>>,
}

/// Maximum number of keys of an order. Freqtrade writes seven.
const MAX_KEYS: usize = 50;

impl ExportedOrder {
    pub(crate) fn read(order: &RawValue) -> Result<Self, ExportError> {
        let fields = Fields::read(order.get(), MAX_KEYS)?;
        Ok(Self {
            is_entry: fields.required("ft_is_entry", boolean)?,
            amount: fields.required("amount", positive)?,
            safe_price: fields.required("safe_price", positive)?,
            filled_at: fields.optional("order_filled_timestamp", milliseconds)?,
        })
    }
}
