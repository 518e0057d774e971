//! `POST /analyses` with the type `backtest`: live trades compared with a backtest.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::analyses::{closed_trade_row, insert_trades, only_block, run_analysis};
use crate::support::database::{ENTERPRISE, Session};
use crate::support::world::{World, new_bot};

/// Bot of the sample user `pro`.
const BTC_SWING: &str = "0190f000-0000-7000-8000-000000000002";

/// Inserts a backtest of the sample strategy "EMA cross" as an import stores it; returns its id.
async fn insert_backtest(
    owner: &Session,
    pair: &str,
    created_at: &str,
    trades: &[(&str, &str, &str, &str, &str)],
) -> String {
    let id = Uuid::new_v4().to_string();
    owner
        .run(&format!(
            "insert into public.backtest_results (id, strategy_id, user_id, trading_pair, timeframe, start_date, end_date, initial_balance,
                 final_balance, total_return, total_return_percentage, max_drawdown, win_rate, total_trades, winning_trades, losing_trades,
                 best_trade, worst_trade, avg_trade, created_at)
             values ('{id}', '0190e000-0000-7000-8000-000000000002', '{ENTERPRISE}', '{pair}', '1h', '2026-05-01', '2026-05-31', 1000, 1000,
                 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{created_at}')"
        ))
        .await
        .unwrap();
    for (position, (side, prices, profit, entry, exit)) in trades.iter().enumerate() {
        owner
            .run(&format!(
                "insert into private.backtest_trades (backtest_id, position, trading_pair, side, amount, price, exit_price, fee, profit,
                     entry_time, exit_time)
                 values ('{id}', {position}, 'BTC/USDT', '{side}', 0.01, {prices}, 0.1, {profit}, '{entry}', '{exit}')"
            ))
            .await
            .unwrap();
    }
    id
}

#[tokio::test]
async fn a_live_bot_is_compared_trade_by_trade_with_the_newest_backtest_of_its_strategy() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let owner = world.database.owner().await;
    let bot = world.post("/bots", &token, &new_bot("live")).await.json()["id"].as_str().unwrap().to_owned();
    let body = json!({"analysis_type": "backtest", "bot_id": bot});
    let answer = world.post("/analyses", &token, &body).await;
    assert_eq!(answer.status_and_problem(), (409, "no-backtest".into()), "the sample backtests have no trades");

    let live = |side: &str, figures: &str, entry: &str, exit: &str| {
        let time = |time: &str| format!("2026-05-{time}Z");
        closed_trade_row(&bot, ENTERPRISE, "BTC/USDT", side, figures, &time(entry), &time(exit))
    };
    insert_trades(
        &owner,
        &[
            // Closed before the backtest begins, so not compared.
            live("buy", "0.01, 50000, 0.1, 3.0", "01T00:00:00", "01T03:00:00").replace("2026-05-01", "2026-04-30"),
            live("buy", "0.01, 50050, 0.1, 4.0", "02T10:00:07", "02T15:30:00"),
            live("sell", "0.01, 49950, 0.1, 5.0", "03T10:59:59", "03T15:00:00"),
            // Opened one candle after the backtest's trade, so not a match.
            live("buy", "0.01, 50000, 0.1, -2.0", "04T11:00:00", "04T12:00:00"),
            live("buy", "0.01, 50000, 0.1, 1.0", "09T01:00:00", "09T02:00:00"),
        ],
    )
    .await;
    owner
        .run(&format!("update public.trades set exit_price = 50440 where bot_id = '{bot}' and price = 50050"))
        .await
        .unwrap();
    let trades = [
        ("buy", "50000, 50500", "4.9", "2026-05-02T10:00:00Z", "2026-05-02T15:00:00Z"),
        ("sell", "50000, 49000", "9.9", "2026-05-03T10:00:00Z", "2026-05-03T15:00:00Z"),
        ("buy", "50000, 49900", "-1.1", "2026-05-04T10:00:00Z", "2026-05-04T12:00:00Z"),
        ("buy", "50000, 49900", "-1.1", "2026-05-05T10:00:00Z", "2026-05-05T12:00:00Z"),
        // Opened after the last live trade, so not compared.
        ("buy", "50000, 50100", "0.9", "2026-05-20T10:00:00Z", "2026-05-20T12:00:00Z"),
    ];
    insert_backtest(&owner, "BTC/USDT", "2026-06-01", &trades[..1]).await;
    let newest = insert_backtest(&owner, "BTC/USDT", "2026-06-02", &trades).await;
    insert_backtest(&owner, "ETH/USDT", "2026-06-03", &trades[..1]).await;

    let analysis = run_analysis(&world, &token, body).await;
    let comparison = &analysis["results"]["comparison"];
    let backtest = &comparison["backtest"];
    assert_eq!(
        (&backtest["id"], &backtest["strategy"], &backtest["pair"]),
        (&json!(newest), &json!("EMA cross"), &json!("BTC/USDT"))
    );
    assert_eq!(backtest["runs"], 5, "the two of the sample data are counted as trials too");
    assert_eq!(comparison["backtest_confidence"]["trials"], 5);
    assert_eq!(
        (&comparison["matched"], &comparison["missing"], &comparison["extra"]),
        (&json!(2), &json!(2), &json!(2))
    );
    assert_eq!(comparison["profit_difference"], "-5.80000000");
    let near = |value: &Value, expected: f64| {
        assert!((value.as_f64().unwrap() - expected).abs() < 1e-12, "{value} is not {expected}");
    };
    // Entries: bought 50 higher, sold 50 lower. Exits: sold 60 lower, bought back at 49950 - 5.1 / 0.01.
    near(&comparison["entry_slippage"]["mean"], 0.001);
    near(&comparison["entry_slippage"]["worst"], 0.001);
    near(&comparison["exit_slippage"]["worst"], (49440.0 - 49000.0) / 49000.0);
    near(&comparison["exit_slippage"]["median"], f64::midpoint(60.0 / 50500.0, 440.0 / 49000.0));
    assert_eq!((&comparison["live"]["trades"], &comparison["backtest_metrics"]["trades"]), (&json!(5), &json!(5)));
    assert_eq!(comparison["backtest_metrics"]["net_profit"].as_str().unwrap().parse::<f64>().unwrap(), 13.5);
    assert_eq!(comparison["inside_band"], true);
    let outcomes: Vec<_> =
        comparison["trades"].as_array().unwrap().iter().map(|trade| trade["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["matched", "matched", "missing", "extra", "missing", "extra"]);
    assert_eq!(comparison["trades"][3]["live_profit"], "-2.00000000");
    assert_eq!(comparison["trades"][3]["backtest_profit"], Value::Null);
    let block = only_block(&analysis);
    assert_eq!((block["stress"].as_array().unwrap().len(), &block["halves"]["first"]["days"]), (3, &json!(5)));
    let advice = analysis["recommendations"].to_string();
    assert!(advice.contains("2 trades match, 2 are missing live, 2 are live only"), "{advice}");

    // Live results are now outside the range that the backtest predicts.
    owner.run(&format!("update public.trades set profit = -40 where bot_id = '{bot}'")).await.unwrap();
    let analysis = run_analysis(&world, &token, json!({"analysis_type": "backtest", "bot_id": bot})).await;
    assert_eq!(analysis["results"]["comparison"]["inside_band"], false);

    // Another user's bot with a strategy of the same name is not compared with this backtest.
    let pro = world.sign_in("pro@nofomo.test").await;
    let answer = world.post("/analyses", &pro, &json!({"analysis_type": "backtest", "bot_id": BTC_SWING})).await;
    assert_eq!(answer.status_and_problem(), (409, "no-backtest".into()));
}
