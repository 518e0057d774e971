//! Closed trade of a backtest.

use chrono::{DateTime, Utc};
use nofomo_json::boolean;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::fields::{Fields, elements};
use crate::values::{fee, number, positive, price, tag, text, time};
use crate::{ExportError, ExportedOrder};

/// Closed trade of a backtest. Amounts of money are in the stake currency. A field that an old version does not write
/// has the value that this version implied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportedTrade {
    pub pair: String,
    pub is_short: bool,
    /// Amount in the base currency; after partial exits, the amount of the last exit.
    pub amount: Decimal,
    /// Trader's own money in `amount`: its value at `open_rate`, divided by the leverage.
    pub stake_amount: Decimal,
    /// Trader's own money in all entries. Versions before 2025 do not divide it by the leverage.
    pub max_stake_amount: Decimal,
    pub leverage: Decimal,
    /// Average price of the entries.
    pub open_rate: Decimal,
    /// Price of the last exit.
    pub close_rate: Decimal,
    /// Entry fee, as a fraction of the traded value.
    pub fee_open: Decimal,
    /// Exit fee, as a fraction of the traded value.
    pub fee_close: Decimal,
    pub open_date: DateTime<Utc>,
    pub close_date: DateTime<Utc>,
    /// Profit after fees and funding.
    pub profit_abs: Decimal,
    /// Profit as a fraction of the invested money including fees, multiplied by the leverage.
    pub profit_ratio: Decimal,
    /// Lowest price while the trade was open.
    pub min_rate: Option<Decimal>,
    /// Highest price while the trade was open.
    pub max_rate: Option<Decimal>,
    /// Funding fees received, or paid if negative. 0 in exports before 2025.4, which do not contain them.
    pub funding_fees: Decimal,
    pub exit_reason: String,
    pub enter_tag: Option<String>,
    /// Orders as they were placed; empty in exports before 2022.6.
    pub orders: Vec<ExportedOrder>,
}

/// Maximum number of keys of a trade. Freqtrade writes thirty.
const MAX_KEYS: usize = 100;

const MAX_ORDERS: usize = 10_000;

impl ExportedTrade {
    pub(crate) fn read(trade: &RawValue) -> Result<Self, ExportError> {
        let fields = Fields::read(trade.get(), MAX_KEYS)?;
        let stake_amount = fields.required("stake_amount", positive)?;
        let exit_reason = match fields.optional("sell_reason", tag)? {
            Some(reason) if fields.get("exit_reason").is_none() => reason,
            _ => fields.required("exit_reason", tag)?,
        };
        let enter_tag = match fields.optional("enter_tag", tag)? {
            None => fields.optional("buy_tag", tag)?,
            tag => tag,
        };
        let trade = Self {
            pair: fields.required("pair", text(1..=50))?,
            is_short: fields.optional("is_short", boolean)?.unwrap_or_default(),
            amount: fields.required("amount", positive)?,
            stake_amount,
            max_stake_amount: fields.optional("max_stake_amount", positive)?.unwrap_or(stake_amount),
            leverage: fields.optional("leverage", positive)?.unwrap_or(Decimal::ONE),
            open_rate: fields.required("open_rate", positive)?,
            close_rate: fields.required("close_rate", positive)?,
            fee_open: fields.required("fee_open", fee)?,
            fee_close: fields.required("fee_close", fee)?,
            open_date: fields.required("open_date", time)?,
            close_date: fields.required("close_date", time)?,
            profit_abs: fields.required("profit_abs", number)?,
            profit_ratio: fields.required("profit_ratio", number)?,
            min_rate: fields.optional("min_rate", price)?.flatten(),
            max_rate: fields.optional("max_rate", price)?.flatten(),
            funding_fees: fields.optional("funding_fees", number)?.unwrap_or_default(),
            exit_reason,
            enter_tag: enter_tag.filter(|tag| !tag.is_empty()),
            orders: orders(&fields)?,
        };
        if trade.close_date < trade.open_date {
            return Err(ExportError::value("close_date", "must not be before open_date"));
        }
        if trade.min_rate.zip(trade.max_rate).is_some_and(|(lowest, highest)| lowest > highest) {
            return Err(ExportError::value("min_rate", "must not be above max_rate"));
        }
        Ok(trade)
    }

    /// Computes `profit_abs` from the orders as freqtrade does: each exit realises its share at the average price of
    /// the entries so far, rounded to 8 digits. `None` if there are no orders, or if they do not close the position.
    ///
    /// With funding and several exits the last digit may differ, because the export does not attribute funding to
    /// exits. For futures before 2025.4 the result excludes funding.
    pub fn recomputed_profit(&self) -> Option<Decimal> {
        let sign = if self.is_short { -Decimal::ONE } else { Decimal::ONE };
        let cost_factor = Decimal::ONE + sign * self.fee_open;
        let proceeds_factor = Decimal::ONE - sign * self.fee_close;
        let mut filled = self.orders.iter().filter(|order| order.filled_at.is_some()).peekable();
        filled.peek()?;
        let (mut held, mut invested, mut profit) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
        for order in filled {
            let value = order.amount.checked_mul(order.safe_price)?;
            if order.is_entry {
                held = held.checked_add(order.amount)?;
                invested = invested.checked_add(value)?;
            } else {
                let cost = invested.checked_div(held)?.checked_mul(order.amount)?;
                let gain = value
                    .checked_mul(proceeds_factor)?
                    .checked_sub(cost.checked_mul(cost_factor)?)?
                    .checked_mul(sign)?;
                let rounded = if self.funding_fees.is_zero() { gain.round_dp(8) } else { gain };
                profit = profit.checked_add(rounded)?;
                held = held.checked_sub(order.amount)?;
                invested = invested.checked_sub(cost)?;
            }
        }
        let profit = profit.checked_add(self.funding_fees)?.round_dp(8);
        held.round_dp(8).is_zero().then_some(profit)
    }

    /// `true` if the trade was still open when the backtest ended and was closed by it.
    pub(crate) fn is_force_closed(&self) -> bool {
        matches!(self.exit_reason.as_str(), "force_exit" | "force_sell")
    }
}

fn orders(fields: &Fields<'_>) -> Result<Vec<ExportedOrder>, ExportError> {
    let Some(list) = fields.get("orders").filter(|list| list.get() != "null") else { return Ok(Vec::new()) };
    let orders = elements(list, MAX_ORDERS).map_err(|wrong| ExportError::value("orders", wrong))?;
    let orders = orders
        .into_iter()
        .enumerate()
        .map(|(index, order)| ExportedOrder::read(order).map_err(|error| error.within(&format!("orders[{index}]"))));
    orders.collect()
}
