//! `POST /strategies/{strategy_id}/backtests`: the stored figures and trades.

use chrono::{DateTime, Utc};
use nofomo_analytics::{HistoricalMetrics, Record, Settings, Side, Trade};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::support::backtests::{
    FUTURES, NO_TRADES, OLD_JSON, ONE_TRADE, SPOT, export, import, import_as, json_text, one_trade, only_error,
};
use crate::support::database::Session;
use crate::support::strategies::{EMA_CROSS, OVERSOLD_RSI};
use crate::support::world::World;

const EXPORTS: [(&str, &str); 6] = [
    (SPOT, "ProbeSpot"),
    (NO_TRADES, "ProbeNone"),
    (ONE_TRADE, "ProbeSpot"),
    (FUTURES, "ProbeFutures"),
    (FUTURES, "ProbeScalper"),
    (OLD_JSON, "ProbeDetail"),
];

/// Decimal number, which is text in a response.
fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap_or_else(|| panic!("{value}")).parse().unwrap()
}

/// Asserts that a response has this number, rounded to these digits.
fn assert_rounded(value: &Value, expected: impl Into<Option<f64>>, digits: usize) {
    let expected = expected.into().map(|number| format!("{number:.digits$}"));
    assert_eq!(value.as_str(), expected.as_deref());
}

/// Computes the metrics of a backtest from its stored trades.
async fn compute_metrics(owner: &Session, id: &str) -> HistoricalMetrics {
    let period = "select initial_balance::text, to_jsonb(start_date) #>> '{}', to_jsonb(greatest(end_date, max(exit_time))) #>> '{}'
        from public.backtest_results left join private.backtest_trades on backtest_id = id where id = $1::uuid group by id";
    let period = owner.rows(period, &[&id]).await.unwrap();
    let time = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
    let rows = "select trading_pair::text, side::text, amount::text, price::text, fee::text, profit::text,
        to_jsonb(entry_time) #>> '{}', to_jsonb(exit_time) #>> '{}' from private.backtest_trades where backtest_id = $1::uuid order by position";
    let rows = owner.rows(rows, &[&id]).await.unwrap();
    let trades: Vec<Trade<'_>> = rows
        .iter()
        .map(|row| {
            let number = |column: usize| row.get::<_, &str>(column).parse().unwrap();
            Trade {
                pair: row.get(0),
                side: if row.get::<_, &str>(1) == "buy" { Side::Buy } else { Side::Sell },
                amount: number(2),
                price: number(3),
                fee: number(4),
                profit: number(5),
                entry_time: time(row.get(6)),
                exit_time: time(row.get(7)),
                range: None,
            }
        })
        .collect();
    let settings = Settings {
        period_start: Some(time(period[0].get(1))),
        period_end: Some(time(period[0].get(2))),
        ..Settings::new(period[0].get::<_, &str>(0).parse().unwrap())
    };
    Record::new(&trades, settings).unwrap().metrics().historical
}

#[tokio::test]
async fn the_figures_of_each_export_are_computed_and_agree_with_freqtrade() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let owner = world.database.owner().await;
    for (file, strategy) in EXPORTS {
        let path = format!("/strategies/{EMA_CROSS}/backtests?strategy={strategy}");
        let content_type = if file == OLD_JSON { "application/json" } else { "application/zip" };
        let answer = import_as(&world, &token, &path, content_type, export(file)).await;
        assert_eq!(answer.status, 201, "{strategy}: {answer:?}");
        let row = answer.json();
        let id = row["id"].as_str().unwrap();
        assert_eq!(answer.headers["location"], format!("/backtests/{id}"));
        assert_eq!(row["strategy_id"], EMA_CROSS);

        let file: Value = serde_json::from_str(&json_text(file)).unwrap();
        let theirs = &file["strategy"][strategy];
        let number = |key: &str| theirs[key].as_f64().unwrap();
        assert_rounded(&row["initial_balance"], number("starting_balance"), 8);
        assert_rounded(&row["final_balance"], number("final_balance"), 8);
        assert_rounded(&row["total_return"], number("profit_total_abs"), 8);
        assert_rounded(&row["total_return_percentage"], number("profit_total") * 100.0, 4);
        // Until 2025 freqtrade ignored a drawdown from the initial balance.
        if strategy != "ProbeDetail" {
            assert_rounded(&row["max_drawdown"], number("max_relative_drawdown") * 100.0, 4);
        }
        assert_rounded(&row["win_rate"], number("winrate") * 100.0, 2);
        for (column, key) in [
            ("total_trades", "total_trades"),
            ("winning_trades", "wins"),
            ("losing_trades", "losses"),
            ("timeframe", "timeframe"),
        ] {
            assert_eq!(row[column], theirs[key], "{strategy}: {column}");
        }
        for (column, key) in [("start_date", "backtest_start_ts"), ("end_date", "backtest_end_ts")] {
            let time: DateTime<Utc> = row[column].as_str().unwrap().parse().unwrap();
            assert_eq!(time.timestamp_millis(), theirs[key].as_i64().unwrap(), "{strategy}: {column}");
        }

        let ours = compute_metrics(&owner, id).await;
        assert_rounded(&row["sharpe_ratio"], ours.daily.sharpe, 4);
        assert_rounded(&row["sortino_ratio"], ours.daily.sortino, 4);
        assert_rounded(&row["calmar_ratio"], ours.daily.calmar, 4);
        assert_rounded(&row["profit_factor"], ours.trades.profit_factor, 4);
        assert_rounded(&row["max_drawdown"], ours.balance.max_drawdown * 100.0, 4);
        for (column, expected) in [
            ("final_balance", Some(ours.balance.final_balance)),
            ("total_return", Some(ours.trades.net_profit)),
            ("best_trade", Some(ours.trades.best_trade.unwrap_or_default())),
            ("worst_trade", Some(ours.trades.worst_trade.unwrap_or_default())),
        ] {
            assert_eq!(Some(decimal(&row[column])), expected.map(|number| number.round_dp(8)), "{strategy}: {column}");
        }
        // These are not compared with freqtrade, which does not always count in the order of the exits.
        assert_eq!(row["max_consecutive_wins"], ours.trades.max_consecutive_wins);
        assert_eq!(row["max_consecutive_losses"], ours.trades.max_consecutive_losses);
        let mean = ours.trades.expectancy.map(|mean| format!("{:.8}", mean.round_dp(8)));
        assert_eq!(row["avg_trade"].as_str(), mean.as_deref());

        let metadata = &row["metadata"];
        assert_eq!((&metadata["strategy"], &metadata["stake_currency"]), (&json!(strategy), &theirs["stake_currency"]));
        assert_eq!(metadata["trading_mode"], theirs["trading_mode"]);
        assert_eq!(metadata["notes"], json!(ours.notes));
        let scalars = theirs.as_object().unwrap().iter().filter(|(_, value)| !value.is_array() && !value.is_object());
        let stored = metadata["freqtrade"].as_object().unwrap();
        assert_eq!(stored.len(), scalars.clone().count());
        for (key, value) in scalars {
            match value.as_f64() {
                Some(number) => {
                    assert!((stored[key].as_f64().unwrap() - number).abs() <= number.abs() * 1e-15, "{key}");
                }
                None => assert_eq!(&stored[key], value, "{key}"),
            }
        }
    }
}

#[tokio::test]
async fn every_trade_is_stored_exactly() {
    let world = World::new().await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let owner = world.database.owner().await;
    for (file, strategy) in EXPORTS {
        let path = format!("/strategies/{EMA_CROSS}/backtests?strategy={strategy}");
        let answer = import_as(&world, &token, &path, "application/octet-stream", export(file)).await.json();
        let id = answer["id"].as_str().unwrap();
        // PostgreSQL parses the numbers of the file, so nothing is rounded on the way.
        let same = "select
                count(*),
                coalesce(bool_and(
                    stored.profit = (trade ->> 'profit_abs')::numeric
                    and stored.trading_pair = trade ->> 'pair'
                    and stored.side = case when (trade ->> 'is_short')::boolean then 'sell' else 'buy' end
                    and stored.entry_time = (trade ->> 'open_date')::timestamptz
                    and stored.exit_time = (trade ->> 'close_date')::timestamptz
                    and abs(stored.amount * stored.price - entries.worth) < 1e-12
                    and stored.amount = entries.amount
                    and abs(stored.exit_price - exits.worth / exits.amount) < 1e-12
                    and abs(stored.fee - entries.worth * (trade ->> 'fee_open')::numeric
                        - exits.worth * (trade ->> 'fee_close')::numeric) < 1e-12
                ), true)::text
            from jsonb_array_elements($2::jsonb -> 'strategy' -> $3 -> 'trades') with ordinality as file (trade, position)
            cross join lateral (
                select
                    sum((leg ->> 'amount')::numeric) as amount,
                    sum((leg ->> 'amount')::numeric * (leg ->> 'safe_price')::numeric) as worth
                from jsonb_array_elements(trade -> 'orders') as leg where (leg ->> 'ft_is_entry')::boolean
            ) as entries
            cross join lateral (
                select
                    sum((leg ->> 'amount')::numeric) as amount,
                    sum((leg ->> 'amount')::numeric * (leg ->> 'safe_price')::numeric) as worth
                from jsonb_array_elements(trade -> 'orders') as leg where not (leg ->> 'ft_is_entry')::boolean
            ) as exits
            full join private.backtest_trades as stored on stored.position = file.position and stored.backtest_id = $1::uuid
            where trade is not null or stored.backtest_id = $1::uuid";
        let rows = owner.rows(same, &[&id, &json_text(file), &strategy]).await.unwrap();
        let (count, is_same): (i64, &str) = (rows[0].get(0), rows[0].get(1));
        assert_eq!((Some(count), is_same), (answer["total_trades"].as_i64(), "true"), "{strategy}");
    }
}

#[tokio::test]
async fn unfilled_orders_are_ignored_and_old_exports_without_orders_are_accepted() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    let unfilled = json!({
        "amount": 7.0, "safe_price": 1.0, "ft_order_side": "buy", "ft_is_entry": true, "order_filled_timestamp": null
    });
    for (orders, start) in [(json!([]), 1_795_000_001), (json!([unfilled.clone()]), 1_795_000_002)] {
        let upload = one_trade(|probe| {
            probe["backtest_run_start_ts"] = json!(start);
            probe["backtest_run_end_ts"] = json!(start);
            probe["trades"][0]["orders"] = orders;
        });
        let answer = import(&world, &token, OVERSOLD_RSI, upload).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let stored = format!(
            "select concat_ws(' ', amount, price, exit_price, fee) from private.backtest_trades where backtest_id = '{}'",
            answer.json()["id"].as_str().unwrap()
        );
        // The value of both legs is 599.5822176, and the fee a thousandth of it.
        assert_eq!(owner.text(&stored).await, "0.00324 92435.59 92620.65 0.5995822176");
    }
    let more = one_trade(|probe| probe["trades"][0]["orders"].as_array_mut().unwrap().insert(0, unfilled));
    let answer = import(&world, &token, OVERSOLD_RSI, more).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let amounts = "select string_agg(distinct amount::text, ' ') from private.backtest_trades";
    assert_eq!(owner.text(amounts).await, "0.00324");
}

#[tokio::test]
async fn an_undefined_figure_is_null_and_a_note_gives_the_reason() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let none = import(&world, &token, OVERSOLD_RSI, export(NO_TRADES)).await.json();
    let one = import(&world, &token, OVERSOLD_RSI, export(ONE_TRADE)).await.json();
    let ratios = |row: &Value| {
        ["sharpe_ratio", "sortino_ratio", "calmar_ratio", "profit_factor"].map(|column| row[column].clone())
    };
    assert_eq!(json!(ratios(&none)), json!([null, null, null, null]));
    // Two days are enough for a standard deviation.
    assert_eq!(json!(ratios(&one)), json!(["13.5093", null, null, null]));
    let figures = |row: &Value| {
        ["win_rate", "best_trade", "worst_trade", "avg_trade", "max_drawdown"].map(|column| row[column].clone())
    };
    assert_eq!(json!(figures(&none)), json!(["0.00", "0.00000000", "0.00000000", null, "0.0000"]));
    assert_eq!(json!(figures(&one)), json!(["100.00", "0.00001218", "0.00001218", "0.00001218", "0.0000"]));
    assert_eq!(none["trading_pair"], "0 pairs");
    assert_eq!(one["trading_pair"], "BTC/USDT");
    assert!(none["metadata"]["notes"].as_array().unwrap().contains(&json!("no_trades")), "{none}");
    assert!(one["metadata"]["notes"].as_array().unwrap().contains(&json!("no_losses")), "{one}");
    let spot = import(&world, &token, OVERSOLD_RSI, export(SPOT)).await.json();
    assert_eq!((&spot["trading_pair"], &spot["metadata"]["run_seconds"]), (&json!("4 pairs"), &json!(6)));
}

#[tokio::test]
async fn a_ratio_out_of_range_is_null_and_a_balance_out_of_range_is_refused() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let two = |loss: f64| {
        one_trade(|probe| {
            let mut second = probe["trades"][0].clone();
            second["profit_abs"] = json!(loss);
            probe["trades"][0]["profit_abs"] = json!(100.0);
            probe["trades"].as_array_mut().unwrap().push(second);
            probe["total_trades"] = json!(2);
        })
    };
    let representable = import(&world, &token, OVERSOLD_RSI, two(-0.010_001)).await.json();
    assert_eq!(
        (&representable["profit_factor"], &representable["losing_trades"]),
        (&json!("9999.0001"), &json!(1)),
        "{representable}"
    );
    let beyond = import(&world, &token, OVERSOLD_RSI, two(-0.01)).await.json();
    assert_eq!((&beyond["profit_factor"], &beyond["losing_trades"]), (&Value::Null, &json!(1)), "{beyond}");
    let edge = import(&world, &token, OVERSOLD_RSI, two(-0.010_000_000_04)).await.json();
    assert_eq!((&edge["profit_factor"], &edge["losing_trades"]), (&Value::Null, &json!(1)), "{edge}");

    for (key, value) in [("starting_balance", json!(1_000_000_000_000_i64)), ("starting_balance", json!(1e-12))] {
        let answer = import(&world, &token, OVERSOLD_RSI, one_trade(|probe| probe[key] = value)).await;
        assert_eq!(only_error(&answer), "has a value that cannot be stored, such as a number out of range");
    }
    let century = one_trade(|probe| probe["backtest_end"] = json!("2226-01-06 00:00:00"));
    assert!(
        only_error(&import(&world, &token, OVERSOLD_RSI, century).await)
            .starts_with("the backtest cannot be analysed: the period")
    );
}
