//! Requests about bots, their tokens, their logs and their exchange keys.

use chrono::{DateTime, Utc};

use crate::ObjectReader;
use crate::request::request;
use crate::values::declare::word_values;
use crate::values::{
    Amount, ApiKey, ApiSecret, Exchange, JsonObject, MaxOpenTrades, Message, Name, RiskPercentage, Scopes, StopLoss,
    TakeProfit, Timeframe, TradingPair,
};

request! {
    /// Settings of a new bot.
    pub struct NewBot {
        pub name: Name,
        pub exchange: Exchange,
        pub trading_pair: TradingPair,
        pub timeframe: Timeframe,
        /// Name of the strategy. A live bot needs a strategy of its owner or of the marketplace whose check has no
        /// findings.
        pub strategy: Name,
        /// Balance at the start, in the quote currency.
        pub initial_balance: Amount,
        /// Amount per trade, in the quote currency. At most `initial_balance`.
        pub stake_amount: Amount,
        /// Maximum number of trades open at the same time.
        pub max_open_trades: MaxOpenTrades = MaxOpenTrades::MIN,
        pub stop_loss: Option<StopLoss>,
        pub take_profit: Option<TakeProfit>,
        /// Percentage of the balance to risk per trade.
        pub risk_percentage: RiskPercentage = RiskPercentage::DEFAULT,
        /// Trade on paper, without real orders. Live trading needs saved API keys for the exchange.
        pub is_paper_trade: bool = true,
        /// Free-form data of the client.
        pub metadata: Option<JsonObject<4096>>,
    }
    check NewBot::check_fields
}

impl NewBot {
    fn check_fields(&self, reader: &mut ObjectReader<'_>) {
        let is_affordable = self.stake_amount <= self.initial_balance;
        reader.check_rule(is_affordable, "stake_amount", &["initial_balance"], "must be at most initial_balance");
    }
}

request! {
    /// Report that a bot failed.
    pub struct NewFailure {
        /// Reason of the failure.
        pub message: Message,
    }
}

/// Maximum number of log entries in one request.
pub const MAX_LOG_ENTRIES: usize = 500;

request! {
    /// Entry of a bot's log.
    pub struct NewLog {
        pub log_level: LogLevel,
        pub message: Message,
        /// Additional data.
        pub context: Option<JsonObject<{ 16 * 1024 }>>,
        /// Time of the event. Default: the time of the request.
        pub created_at: Option<DateTime<Utc>>,
    }
}

word_values! {
    /// Severity of a log entry.
    LogLevel {
        Info = "info",
        Warning = "warning",
        Error = "error",
        Debug = "debug",
    }
}

request! {
    /// Scopes of a new token.
    pub struct NewToken {
        /// Permissions of the token. `report` is required; `trade` allows the bot's runner to read the exchange API
        /// keys.
        pub scopes: Scopes = Scopes::report_only(),
    }
}

request! {
    /// Exchange API keys. They are encrypted before they are stored. Do not use keys with permission to withdraw.
    pub struct NewCredentials {
        pub api_key: ApiKey,
        pub api_secret: ApiSecret,
    }
    check NewCredentials::check_fields
}

impl NewCredentials {
    fn check_fields(&self, reader: &mut ObjectReader<'_>) {
        let differ = self.api_key.as_str() != self.api_secret.as_str();
        reader.check_rule(differ, "api_secret", &["api_key"], "must differ from api_key");
    }

    /// Checks that the key and the secret have the lengths that the exchange gives them.
    pub fn check_exchange(&self, exchange: Exchange, reader: &mut ObjectReader<'_>) {
        // Bybit issues 18 and 36 characters today. Its older keys, and those of its brokers, have other lengths.
        if exchange == Exchange::Binance {
            for (name, value) in [("api_key", self.api_key.as_str()), ("api_secret", self.api_secret.as_str())] {
                let detail = "must be 64 letters and digits for Binance";
                reader.check_rule(value.len() == 64, name, &[], detail);
            }
        }
    }
}
