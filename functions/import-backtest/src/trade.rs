//! Trade of a backtest in the form of live trades: all entries combined and all exits combined.

use chrono::{DateTime, Utc};
use nofomo_analytics::{Side, Trade};
use nofomo_freqtrade::{ExportedOrder, ExportedTrade};
use rust_decimal::Decimal;
use serde::Serialize;

/// Row of `private.backtest_trades`.
#[derive(Serialize)]
pub(crate) struct BacktestTrade<'a> {
    trading_pair: &'a str,
    side: Side,
    amount: Decimal,
    price: Decimal,
    exit_price: Decimal,
    /// Fee of all orders, in the stake currency.
    fee: Decimal,
    profit: Decimal,
    entry_time: DateTime<Utc>,
    exit_time: DateTime<Utc>,
}

/// Combined fills of all entries or all exits of a trade.
struct CombinedFills {
    amount: Decimal,
    value: Decimal,
    price: Decimal,
}

impl<'a> BacktestTrade<'a> {
    pub(crate) fn from_export(trade: &'a ExportedTrade) -> Self {
        let single_fill = |price| CombinedFills { amount: trade.amount, value: trade.amount * price, price };
        let entries = CombinedFills::from_orders(trade, true).unwrap_or_else(|| single_fill(trade.open_rate));
        let exits = CombinedFills::from_orders(trade, false).unwrap_or_else(|| single_fill(trade.close_rate));
        Self {
            trading_pair: &trade.pair,
            side: if trade.is_short { Side::Sell } else { Side::Buy },
            amount: entries.amount,
            price: entries.price,
            exit_price: exits.price,
            fee: (entries.value * trade.fee_open + exits.value * trade.fee_close).normalize(),
            profit: trade.profit_abs,
            entry_time: trade.open_date,
            exit_time: trade.close_date,
        }
    }

    pub(crate) fn pair(&self) -> &'a str {
        self.trading_pair
    }

    pub(crate) fn to_analytics(&self) -> Trade<'a> {
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

impl CombinedFills {
    /// Combines the filled orders. `None` if there are none, as in exports of old versions, or if the sum overflows.
    fn from_orders(trade: &ExportedTrade, entries: bool) -> Option<Self> {
        let is_matching = |order: &&ExportedOrder| order.is_entry == entries && order.filled_at.is_some();
        let mut fills = trade.orders.iter().filter(is_matching);
        let first = fills.next()?;
        let mut sum =
            Self { amount: first.amount, value: first.amount.checked_mul(first.safe_price)?, price: first.safe_price };
        for order in fills {
            sum.amount = sum.amount.checked_add(order.amount)?;
            sum.value = sum.value.checked_add(order.amount.checked_mul(order.safe_price)?)?;
            sum.price = sum.value.checked_div(sum.amount)?;
        }
        Some(sum)
    }
}
