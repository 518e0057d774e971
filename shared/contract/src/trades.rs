//! Reports of trades.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ObjectReader;
use crate::request::request;
use crate::values::declare::word_values;
use crate::values::{Amount, JsonObject, Name, NonNegativeAmount, SignedAmount, SignedPercentage};

/// Maximum number of trades in one report.
pub const MAX_TRADES: usize = 1000;

request! {
    /// Trade as a bot reports it. Exchange, trading pair and paper or live trading are those of the bot.
    ///
    /// The trade is identified by `id`, or else by `exchange_order_id`, or else by the `Idempotency-Key`; without any
    /// of them it is a new trade. A closed trade needs `exit_time`, and `exit_price` or `profit`. A trade that is not
    /// closed has none of these.
    pub struct NewTrade {
        pub id: Option<Uuid>,
        pub side: Side,
        pub order_type: OrderType,
        /// Amount in the base currency.
        pub amount: Amount,
        /// Entry price.
        pub price: Amount,
        pub status: TradeStatus = TradeStatus::Open,
        pub entry_time: DateTime<Utc>,
        /// Time of the exit, not before `entry_time`.
        pub exit_time: Option<DateTime<Utc>>,
        pub exit_price: Option<Amount>,
        /// Fees of entry and exit, in the quote currency.
        pub fee: NonNegativeAmount = NonNegativeAmount::ZERO,
        /// Net profit in the quote currency. Default: `(exit_price - price) * amount - fee`; with `side` `sell`,
        /// `(price - exit_price) * amount - fee`.
        pub profit: Option<SignedAmount>,
        /// Net profit as a percentage of `price * amount`. Default: computed from `profit`.
        pub profit_percentage: Option<SignedPercentage>,
        pub exchange_order_id: Option<Name>,
        pub exchange_trade_id: Option<Name>,
        pub signal_price: Option<Amount>,
        pub stop_loss_price: Option<Amount>,
        pub take_profit_price: Option<Amount>,
        /// Free-form data of the client.
        pub metadata: Option<JsonObject<{ 8 * 1024 }>>,
    }
    check NewTrade::check_fields
}

impl NewTrade {
    fn check_fields(&self, reader: &mut ObjectReader<'_>) {
        if self.status == TradeStatus::Closed {
            reader.check_rule(self.exit_time.is_some(), "exit_time", &["status"], "is required for a closed trade");
            let is_in_order = self.exit_time.is_none_or(|exit_time| exit_time >= self.entry_time);
            reader.check_rule(is_in_order, "exit_time", &["entry_time"], "must not be before entry_time");
            let has_result = self.exit_price.is_some() || self.profit.is_some();
            reader.check_rule(
                has_result,
                "exit_price",
                &["status", "profit"],
                "is required for a closed trade, unless profit is given",
            );
        } else {
            for (name, is_given) in [
                ("exit_time", self.exit_time.is_some()),
                ("exit_price", self.exit_price.is_some()),
                ("profit", self.profit.is_some()),
                ("profit_percentage", self.profit_percentage.is_some()),
            ] {
                reader.check_rule(!is_given, name, &["status"], "is only for a closed trade");
            }
        }
    }
}

word_values! {
    /// Side of the entry: `buy` is long, `sell` is short.
    Side {
        Buy = "buy",
        Sell = "sell",
    }
    /// Type of the entry order.
    OrderType {
        Market = "market",
        Limit = "limit",
    }
    /// Status of a trade. An open trade can become cancelled or closed, a cancelled one closed. A closed trade does not
    /// change.
    TradeStatus {
        Open = "open",
        Closed = "closed",
        Cancelled = "cancelled",
    }
}
