//! Trades as a bot reports them.

use serde_json::{Value, json};

use super::world::{World, new_bot};

/// Creates a bot without trades; returns its owner's access token and its id.
pub(crate) async fn create_empty_bot(world: &World) -> (String, String) {
    let token = world.sign_in("enterprise@nofomo.test").await;
    let mut bot = new_bot("reporter");
    bot["initial_balance"] = json!("100000");
    let bot = world.post("/bots", &token, &bot).await.json();
    (token, bot["id"].as_str().unwrap().to_owned())
}

/// Report of an open trade.
pub(crate) fn open_trade() -> Value {
    json!({"side": "buy", "order_type": "limit", "amount": "2", "price": "100", "entry_time": "2026-01-01T00:00:00Z"})
}

/// Report of the same trade, closed at this price.
pub(crate) fn closed_trade(exit_price: &str) -> Value {
    let mut trade = open_trade();
    trade["status"] = json!("closed");
    trade["exit_time"] = json!("2026-01-01T05:30:00Z");
    trade["exit_price"] = json!(exit_price);
    trade
}

/// Object with these fields changed or added.
pub(crate) fn with_fields(mut object: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

/// Number of a bot's trades.
pub(crate) async fn count_trades(world: &World, bot: &str) -> String {
    world.database.owner().await.text(&format!("select count(*) from public.trades where bot_id = '{bot}'")).await
}
