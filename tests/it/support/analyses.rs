//! Analyses, and the bots and trades that they analyse.

use std::collections::BTreeMap;

use serde_json::Value;

use super::database::{ENTERPRISE, Session, workspace};
use super::world::{World, new_bot};

/// Text of a file in `shared/analytics/fixtures`.
pub(crate) fn analytics_fixture(file: &str) -> String {
    std::fs::read_to_string(workspace().join("shared/analytics/fixtures").join(file)).unwrap()
}

/// World in which a bot of the sample user `enterprise`, with 1,000 USDT, has made the trades of a reference set.
/// Returns the world, the user's access token and the bot's id.
pub(crate) async fn world_with_trades(set: &str) -> (World, String, String) {
    world_with_trades_and_settings(set, BTreeMap::new()).await
}

/// Same as [`world_with_trades`], with these settings for the functions.
pub(crate) async fn world_with_trades_and_settings(
    set: &str,
    settings: BTreeMap<String, String>,
) -> (World, String, String) {
    let world = World::with_settings(settings).await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let bot = world.post("/bots", &token, &new_bot("Secret name")).await.json()["id"].as_str().unwrap().to_owned();
    let csv = analytics_fixture(&format!("trades-{set}.csv"));
    let rows: Vec<String> = csv
        .lines()
        .skip(1)
        .map(|line| {
            let [entry, exit, side, pair, amount, price, fee, profit, _] =
                <[&str; 9]>::try_from(line.split(',').collect::<Vec<_>>()).unwrap();
            closed_trade_row(&bot, ENTERPRISE, pair, side, &format!("{amount}, {price}, {fee}, {profit}"), entry, exit)
        })
        .collect();
    insert_trades(&world.database.owner().await, &rows).await;
    (world, token, bot)
}

/// SQL row of a closed trade, for `insert_trades`; `figures` are its amount, price, fee and profit, comma-separated.
pub(crate) fn closed_trade_row(
    bot: &str,
    user: &str,
    pair: &str,
    side: &str,
    figures: &str,
    entry: &str,
    exit: &str,
) -> String {
    format!("('{bot}', '{user}', 'binance', '{pair}', '{side}', 'market', {figures}, 'closed', '{entry}', '{exit}')")
}

/// Inserts rows into the table of trades.
pub(crate) async fn insert_trades(owner: &Session, rows: &[String]) {
    if !rows.is_empty() {
        let columns = "bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, fee, profit, status, entry_time, exit_time";
        owner.run(&format!("insert into public.trades ({columns}) values {}", rows.join(","))).await.unwrap();
    }
}

/// Runs an analysis, which must succeed.
pub(crate) async fn run_analysis(world: &World, token: &str, body: Value) -> Value {
    let answer = world.post("/analyses", token, &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let analysis = answer.json();
    assert_eq!(answer.headers["location"], format!("/analyses/{}", analysis["id"].as_str().unwrap()));
    analysis
}

/// Results of the only currency of an analysis.
pub(crate) fn only_block(analysis: &Value) -> &Value {
    let blocks = analysis["results"]["blocks"].as_array().unwrap();
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    &blocks[0]
}

/// Inserts a backtest with the trades of the bot at slightly other prices, without every sixteenth trade.
pub(crate) async fn insert_similar_backtest(world: &World, bot: &str) {
    let owner = world.database.owner().await;
    owner
        .run(&format!(
            "with backtest as (
                 insert into public.backtest_results (
                     strategy_id, user_id, trading_pair, timeframe, start_date, end_date, initial_balance, final_balance, total_return,
                     total_return_percentage, max_drawdown, win_rate, total_trades, winning_trades, losing_trades, best_trade,
                     worst_trade, avg_trade
                 )
                 select strategies.id, bots.user_id, bots.trading_pair, '1h', '2026-01-01', '2026-06-29', 1000, 1000, 0, 0, 0, 0, 0,
                     0, 0, 0, 0, 0
                 from public.bots
                 inner join public.strategies on strategies.name = bots.strategy and strategies.user_id = bots.user_id
                 where bots.id = '{bot}'
                 returning backtest_results.id
             )
             insert into private.backtest_trades (
                 backtest_id, position, trading_pair, side, amount, price, exit_price, fee, profit, entry_time, exit_time
             )
             select backtest.id, trades.position, trades.trading_pair, trades.side,
                 trades.amount, trades.price * 0.9995, trades.price * 1.001, trades.fee, trades.profit + 0.05, trades.entry_time,
                 trades.exit_time
             from backtest
             cross join (
                 select trades.*, row_number() over (order by trades.entry_time, trades.id) - 1 as position
                 from public.trades
                 where trades.bot_id = '{bot}'
             ) as trades
             -- The backtest lacks some trades of the bot.
             where trades.position % 16 <> 7"
        ))
        .await
        .unwrap();
}
