//! One trade of a backtest, as live ones are told: all entries together, all exits together.

use chrono::{DateTime, Utc};
use nofomo_analytics::{Side, Trade};
use nofomo_freqtrade::{ExportedOrder, ExportedTrade};
use rust_decimal::Decimal;
use serde::Serialize;

/// A row of `private.backtest_trades`.
#[derive(Serialize)]
pub(crate) struct BacktestTrade<'a> {
    trading_pair: &'a str,
    side: Side,
    amount: Decimal,
    price: Decimal,
    exit_price: Decimal,
    /// Of all orders, in the stake currency.
    fee: Decimal,
    profit: Decimal,
    entry_time: DateTime<Utc>,
    exit_time: DateTime<Utc>,
}

/// What was bought or sold in one direction.
struct Legs {
    amount: Decimal,
    worth: Decimal,
    price: Decimal,
}

impl<'a> BacktestTrade<'a> {
    pub(crate) fn of(trade: &'a ExportedTrade) -> Self {
        let whole = |price| Legs { amount: trade.amount, worth: trade.amount * price, price };
        let entries = Legs::of(trade, true).unwrap_or_else(|| whole(trade.open_rate));
        let exits = Legs::of(trade, false).unwrap_or_else(|| whole(trade.close_rate));
        Self {
            trading_pair: &trade.pair,
            side: if trade.is_short { Side::Sell } else { Side::Buy },
            amount: entries.amount,
            price: entries.price,
            exit_price: exits.price,
            fee: (entries.worth * trade.fee_open + exits.worth * trade.fee_close).normalize(),
            profit: trade.profit_abs,
            entry_time: trade.open_date,
            exit_time: trade.close_date,
        }
    }

    pub(crate) fn pair(&self) -> &'a str {
        self.trading_pair
    }

    pub(crate) fn judged(&self) -> Trade<'a> {
        Trade {
            entry_time: self.entry_time,
            exit_time: self.exit_time,
            side: self.side,
            pair: self.trading_pair,
            amount: self.amount,
            price: self.price,
            fee: self.fee,
            profit: self.profit,
            range: None,
        }
    }
}

impl Legs {
    /// Of the orders that were filled. None if there are none, as in old versions, or if their sum is beyond all reason.
    fn of(trade: &ExportedTrade, entries: bool) -> Option<Self> {
        let is_leg = |order: &&ExportedOrder| order.is_entry == entries && order.filled_at.is_some();
        let mut legs = trade.orders.iter().filter(is_leg);
        let first = legs.next()?;
        let mut sum =
            Self { amount: first.amount, worth: first.amount.checked_mul(first.safe_price)?, price: first.safe_price };
        for order in legs {
            sum.amount = sum.amount.checked_add(order.amount)?;
            sum.worth = sum.worth.checked_add(order.amount.checked_mul(order.safe_price)?)?;
            sum.price = sum.worth.checked_div(sum.amount)?;
        }
        Some(sum)
    }
}
