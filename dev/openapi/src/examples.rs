//! Example requests, which work with the sample data as `pro@nofomo.test`.

use serde_json::{Value, json};

/// Ids of a bot, a strategy and an analysis of `pro@nofomo.test`.
pub(crate) const BOT: &str = "0190f000-0000-7000-8000-000000000002";
pub(crate) const STRATEGY: &str = "0190e000-0000-7000-8000-000000000001";
pub(crate) const ANALYSIS: &str = "01911000-0000-7000-8000-000000000001";

pub(crate) fn bot() -> Value {
    json!({ "paper": {
        "name": "My first bot", "exchange": "binance", "trading_pair": "BTC/USDT", "timeframe": "1h", "strategy": "EMA cross",
        "initial_balance": "1000", "stake_amount": "100", "stop_loss": "5", "take_profit": "10",
    } })
}

pub(crate) fn trades() -> Value {
    let open = json!({
        "side": "buy", "order_type": "market", "amount": "0.0015", "price": "60000", "fee": "0.09",
        "entry_time": "2026-01-31T12:00:00Z", "exchange_order_id": "28",
    });
    let mut closed = open.clone();
    closed["status"] = "closed".into();
    closed["exit_time"] = "2026-01-31T18:30:00Z".into();
    closed["exit_price"] = "61200".into();
    json!({ "open": open, "closed": closed, "several": [closed] })
}

pub(crate) fn logs() -> Value {
    let log = json!({ "log_level": "info", "message": "Started", "context": { "version": "2026.9" } });
    json!({ "one": log, "several": [log, { "log_level": "warning", "message": "Slow responses" }] })
}

pub(crate) fn credentials() -> Value {
    let key = |letter: &str| letter.repeat(64);
    json!({ "binance": { "api_key": key("k"), "api_secret": key("s") } })
}

pub(crate) fn freqtrade() -> Value {
    json!({ "status": { "value": { "type": "status", "status": "running" } }, "entry_fill": { "value": {
        "type": "entry_fill", "trade_id": "1", "pair": "BTC/USDT", "direction": "Long", "leverage": "1.0", "order_type": "limit",
        "amount": "0.0015", "open_rate": "60000.0", "stake_amount": "90.0", "stake_currency": "USDT",
        "open_date": "2026-01-31 12:00:00+00:00", "enter_tag": "None", "sub_trade": "False",
    } } })
}

const STRATEGY_SOURCE: &str = "from freqtrade.strategy import IStrategy\n\n\nclass RisingClose(IStrategy):\n    timeframe = \"1h\"\n    stoploss = -0.1\n\n    def populate_indicators(self, dataframe, metadata):\n        return dataframe\n\n    def populate_entry_trend(self, dataframe, metadata):\n        dataframe.loc[dataframe[\"close\"] > dataframe[\"close\"].shift(1), \"enter_long\"] = 1\n        return dataframe\n\n    def populate_exit_trend(self, dataframe, metadata):\n        return dataframe\n";

pub(crate) fn strategy() -> Value {
    json!({ "custom": {
        "name": "Rising close", "content": STRATEGY_SOURCE, "tags": ["momentum"], "category": "trend", "risk_level": "high",
    } })
}

pub(crate) fn source() -> Value {
    json!({ "source": { "content": STRATEGY_SOURCE } })
}

pub(crate) fn generation() -> Value {
    json!({
        "template": { "template": "ema_cross", "pair": "BTC/USDT", "timeframe": "1h", "risk_level": "low" },
        "prompt": { "prompt": "Buy when oversold", "pair": "BTC/USDT", "timeframe": "1h" },
    })
}

pub(crate) fn analysis() -> Value {
    json!({ "all": { "analysis_type": "risk" }, "bot": { "analysis_type": "performance", "bot_id": BOT } })
}

pub(crate) fn invoice() -> Value {
    json!({ "qris": { "plan": "enterprise", "period": "monthly", "method": "QRIS" } })
}

pub(crate) fn payment() -> Value {
    json!({ "paid": {
        "reference": "T0001000000000000006", "merchant_ref": "INV-1", "payment_method": "QRIS", "payment_method_code": "QRIS",
        "total_amount": 149_000, "fee_merchant": 1793, "fee_customer": 0, "total_fee": 1793, "amount_received": 147_207,
        "is_closed_payment": 1, "status": "PAID", "paid_at": 1_608_133_017, "note": null,
    } })
}
