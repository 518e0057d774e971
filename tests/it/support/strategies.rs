//! Strategies of the sample data, sources whose check result is known, and the requests that store them.

use reqwest::Method;
use serde_json::{Value, json};

use super::world::{HttpResponse, World};

/// Strategy of the sample user `pro`.
pub(crate) const OVERSOLD_RSI: &str = "0190e000-0000-7000-8000-000000000001";
/// Strategy of the sample user `enterprise`, published in the marketplace.
pub(crate) const EMA_CROSS: &str = "0190e000-0000-7000-8000-000000000002";

/// Source of a strategy whose check has no findings.
pub(crate) fn clean_source(class_name: &str) -> String {
    strategy_source(class_name, "dataframe[\"mean\"] = dataframe[\"close\"].rolling(20).mean()")
}

/// Source of a strategy with look-ahead bias: it reads the next candle.
pub(crate) fn look_ahead_source() -> String {
    strategy_source("Ahead", "dataframe[\"mean\"] = dataframe[\"close\"].shift(-1)")
}

/// Source of a strategy with this line as its only indicator.
pub(crate) fn strategy_source(class_name: &str, indicator: &str) -> String {
    format!(
        "from freqtrade.strategy import IStrategy


class {class_name}(IStrategy):
    timeframe = \"1h\"
    stoploss = -0.1

    def populate_indicators(self, dataframe, metadata):
        {indicator}
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe[\"close\"] > dataframe[\"mean\"], \"enter_long\"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe[\"close\"] < dataframe[\"mean\"], \"exit_long\"] = 1
        return dataframe
"
    )
}

/// Stores a new strategy, which must succeed.
pub(crate) async fn create_strategy(world: &World, token: &str, name: &str, content: &str) -> Value {
    let answer = world.post("/strategies", token, &json!({ "name": name, "content": content })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

/// Replaces the source of a strategy.
pub(crate) async fn replace_source(world: &World, token: &str, id: &str, content: &str) -> HttpResponse {
    let headers = [("authorization", &*format!("Bearer {token}")), ("content-type", "application/json")];
    let body = json!({ "content": content }).to_string();
    world.send(Method::PUT, &format!("/strategies/{id}"), &headers, &body).await
}

/// Number of the user's strategies.
pub(crate) async fn count_strategies(world: &World, user: &str) -> String {
    let count = format!("select count(*) from public.strategies where user_id = '{user}'");
    world.database.owner().await.text(&count).await
}
