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
    /// What a bot is made of.
    pub struct NewBot {
        pub name: Name,
        pub exchange: Exchange,
        pub trading_pair: TradingPair,
        pub timeframe: Timeframe,
        /// The strategy's name. A live bot runs a strategy of its owner's with this name, whose check is clean.
        pub strategy: Name,
        pub initial_balance: Amount,
        /// At most `initial_balance`.
        pub stake_amount: Amount,
        pub max_open_trades: MaxOpenTrades = MaxOpenTrades::MIN,
        pub stop_loss: Option<StopLoss>,
        pub take_profit: Option<TakeProfit>,
        pub risk_percentage: RiskPercentage = RiskPercentage::DEFAULT,
        /// Live trading needs saved credentials for the exchange.
        pub is_paper_trade: bool = true,
        /// Yours to use.
        pub metadata: Option<JsonObject<4096>>,
    }
    check NewBot::check_fields
}

impl NewBot {
    fn check_fields(&self, reader: &mut ObjectReader<'_>) {
        let is_affordable = self.stake_amount <= self.initial_balance;
        reader.rule(is_affordable, "stake_amount", &["initial_balance"], "must be at most initial_balance");
    }
}

request! {
    /// Why a bot failed.
    pub struct NewFailure {
        pub message: Message,
    }
}

request! {
    /// One row of a bot's log.
    pub struct NewLog {
        pub log_level: LogLevel,
        pub message: Message,
        pub context: Option<JsonObject<{ 16 * 1024 }>>,
        /// Now unless given.
        pub created_at: Option<DateTime<Utc>>,
    }
}

word_values! {
    /// How much a row of a log matters.
    LogLevel {
        Info = "info",
        Warning = "warning",
        Error = "error",
        Debug = "debug",
    }
}

request! {
    /// What a bot's token is to be good for.
    pub struct NewToken {
        /// With `trade` the runner also gets the exchange keys.
        pub scopes: Scopes = Scopes::report_only(),
    }
}

request! {
    /// Exchange keys, sealed before they reach the database. Give them no right to withdraw.
    pub struct NewCredentials {
        pub api_key: ApiKey,
        pub api_secret: ApiSecret,
    }
    check NewCredentials::check_fields
}

impl NewCredentials {
    fn check_fields(&self, reader: &mut ObjectReader<'_>) {
        let differ = self.api_key.as_str() != self.api_secret.as_str();
        reader.rule(differ, "api_secret", &["api_key"], "must differ from api_key");
    }

    /// Checks that the key and the secret have the lengths that the exchange gives them.
    pub fn check_exchange(&self, exchange: Exchange, reader: &mut ObjectReader<'_>) {
        // Binance: 64 and 64. Bybit: 18 and 36 today; older ones, and those of its brokers, differ.
        if exchange == Exchange::Binance {
            for (name, value) in [("api_key", self.api_key.as_str()), ("api_secret", self.api_secret.as_str())] {
                let detail = "must be 64 letters and digits for Binance";
                reader.rule(value.len() == 64, name, &[], detail);
            }
        }
    }
}
