//! Reports of trades.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ObjectReader;
use crate::request::request;
use crate::values::declare::word_values;
use crate::values::{Amount, JsonObject, Name, NotNegative, Signed, SignedPercentage};

request! {
    /// A trade as a bot reports it. Exchange, pair and paper flag are the bot's.
    ///
    /// Which trade it is: `id`, else what `exchange_order_id` makes of it, else the `Idempotency-Key`, else a new one. A closed one needs
    /// `exit_time`, and `exit_price` or `profit`; one that is not closed has none of these.
    pub struct NewTrade {
        pub id: Option<Uuid>,
        pub side: Side,
        pub order_type: OrderType,
        pub amount: Amount,
        /// Of the entry.
        pub price: Amount,
        pub status: TradeStatus = TradeStatus::Open,
        pub entry_time: DateTime<Utc>,
        /// Not before `entry_time`.
        pub exit_time: Option<DateTime<Utc>>,
        pub exit_price: Option<Amount>,
        pub fee: NotNegative = NotNegative::ZERO,
        /// Computed unless given: `(exit_price - price) * amount - fee` of a buy, the mirror image of a sell.
        pub profit: Option<Signed>,
        /// Computed unless given: profit in percent of `price * amount`.
        pub profit_percentage: Option<SignedPercentage>,
        pub exchange_order_id: Option<Name>,
        pub exchange_trade_id: Option<Name>,
        pub signal_price: Option<Amount>,
        pub stop_loss_price: Option<Amount>,
        pub take_profit_price: Option<Amount>,
        /// Yours to use.
        pub metadata: Option<JsonObject<{ 8 * 1024 }>>,
    }
    check NewTrade::check_fields
}

impl NewTrade {
    fn check_fields(&self, reader: &mut ObjectReader<'_>) {
        if self.status == TradeStatus::Closed {
            reader.rule(self.exit_time.is_some(), "exit_time", &["status"], "is required of a closed trade");
            let is_in_order = self.exit_time.is_none_or(|exit_time| exit_time >= self.entry_time);
            reader.rule(is_in_order, "exit_time", &["entry_time"], "must not be before entry_time");
            let has_result = self.exit_price.is_some() || self.profit.is_some();
            reader.rule(has_result, "exit_price", &["status", "profit"], "or profit is required of a closed trade");
        } else {
            for (name, is_given) in [
                ("exit_time", self.exit_time.is_some()),
                ("exit_price", self.exit_price.is_some()),
                ("profit", self.profit.is_some()),
                ("profit_percentage", self.profit_percentage.is_some()),
            ] {
                reader.rule(!is_given, name, &["status"], "is for a closed trade");
            }
        }
    }
}

word_values! {
    /// Which way a trade goes.
    Side {
        Buy = "buy",
        Sell = "sell",
    }
    /// How it was entered.
    OrderType {
        Market = "market",
        Limit = "limit",
    }
    /// open becomes closed or cancelled; a closed trade stays as it is.
    TradeStatus {
        Open = "open",
        Closed = "closed",
        Cancelled = "cancelled",
    }
}
