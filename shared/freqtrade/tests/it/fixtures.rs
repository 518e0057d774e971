//! Exports written by freqtrade 2026.9 and 2024.10.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use nofomo_freqtrade::{Export, ExportError, ExportedOrder, ExportedTrade, TradingMode};
use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};

use crate::support::{
    FIXTURES, FUTURES, Members, NO_TRADES, OLD, ONE_TRADE, SPOT, backtests, backtests_and_members, json_of, json_text,
    upload,
};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn an_archive_and_its_json_give_the_same_backtests() {
    for stem in FIXTURES {
        let (packed, plain) = (upload(stem), json_text(stem));
        let (packed, plain) = (Export::open(&packed).unwrap(), Export::open(plain.as_bytes()).unwrap());
        assert_eq!(packed.strategies(), plain.strategies());
        for name in packed.strategies() {
            assert_eq!(packed.backtest(Some(name)), plain.backtest(Some(name)));
        }
    }
}

#[test]
fn a_backtest_has_strategy_settings_and_times() {
    let spot = backtests(SPOT).remove(0);
    assert_eq!((spot.strategy.as_str(), spot.timeframe.as_str()), ("ProbeSpot", "15m"));
    assert_eq!((spot.stake_currency.as_str(), spot.trading_mode), ("USDT", TradingMode::Spot));
    assert_eq!((spot.starting_balance, spot.final_balance), (dec!(1000), dec!(364.94017624)));
    assert_eq!((spot.start, spot.end), (time("2026-01-02T00:00:00Z"), time("2026-05-30T23:45:00Z")));
    assert_eq!(spot.run_start, DateTime::from_timestamp(1_795_343_335, 0));
    assert_eq!(spot.run_time(), Some(TimeDelta::seconds(6)));
    assert_eq!(spot.trades.len(), 455);

    let none = backtests(NO_TRADES).remove(0);
    assert_eq!((none.trades.len(), none.final_balance), (0, dec!(1000)));
    let scalper = backtests(FUTURES).remove(1);
    assert_eq!((scalper.strategy.as_str(), scalper.trading_mode), ("ProbeScalper", TradingMode::Futures));
}

#[test]
fn a_trade_is_read_with_every_digit() {
    let one = backtests(ONE_TRADE).remove(0);
    let order = |is_entry, safe_price, filled_at: &str| ExportedOrder {
        is_entry,
        amount: dec!(0.00324),
        safe_price,
        filled_at: Some(time(filled_at)),
    };
    let trade = ExportedTrade {
        pair: "BTC/USDT".into(),
        is_short: false,
        amount: dec!(0.00324),
        stake_amount: dec!(299.4913116),
        max_stake_amount: dec!(299.4913116),
        leverage: dec!(1),
        open_rate: dec!(92435.59),
        close_rate: dec!(92620.65),
        fee_open: dec!(0.001),
        fee_close: dec!(0.001),
        open_date: time("2026-01-05T09:15:00Z"),
        close_date: time("2026-01-05T22:00:00Z"),
        profit_abs: dec!(0.00001218),
        profit_ratio: dec!(0.00000004062833109523892),
        min_rate: Some(dec!(90918.63)),
        max_rate: Some(dec!(92865.3)),
        funding_fees: dec!(0),
        exit_reason: "roi".into(),
        enter_tag: Some("ema_cross".into()),
        orders: vec![
            order(true, dec!(92435.59), "2026-01-05T09:15:00Z"),
            order(false, dec!(92620.65), "2026-01-05T22:00:00Z"),
        ],
    };
    assert_eq!(one.trades, [trade]);
}

/// Compares every trade with the JSON of the file: no digit is lost and the order is kept.
#[test]
fn every_trade_matches_the_file() {
    let number = |decimal: Decimal| decimal.to_string().parse::<f64>().unwrap();
    for (backtest, json) in FIXTURES.into_iter().flat_map(backtests_and_members) {
        let trades: Vec<Members> = serde_json::from_str(json["trades"].get()).unwrap();
        assert_eq!(backtest.trades.len(), trades.len());
        for (trade, json) in backtest.trades.iter().zip(trades) {
            let json_of_key = |key: &str| json[key].get();
            let text = |text: &str| json!(text).to_string();
            assert_eq!(text(&trade.pair), json_of_key("pair"));
            assert_eq!(text(&trade.exit_reason), json_of_key("exit_reason"));
            assert_eq!(trade.enter_tag.as_deref().map(text).as_deref(), Some(json_of_key("enter_tag")));
            assert_eq!(trade.is_short.to_string(), json_of_key("is_short"));
            assert_eq!(trade.open_date.timestamp_millis().to_string(), json_of_key("open_timestamp"));
            assert_eq!(trade.close_date.timestamp_millis().to_string(), json_of_key("close_timestamp"));
            let numbers = [
                ("amount", trade.amount),
                ("stake_amount", trade.stake_amount),
                ("max_stake_amount", trade.max_stake_amount),
                ("leverage", trade.leverage),
                ("open_rate", trade.open_rate),
                ("close_rate", trade.close_rate),
                ("fee_open", trade.fee_open),
                ("fee_close", trade.fee_close),
                ("profit_abs", trade.profit_abs),
                ("profit_ratio", trade.profit_ratio),
                ("min_rate", trade.min_rate.unwrap()),
                ("max_rate", trade.max_rate.unwrap()),
            ];
            for (key, decimal) in numbers {
                assert_eq!(number(decimal), json_of_key(key).parse::<f64>().unwrap(), "{key} of {json:?}");
            }
            let funding = json.get("funding_fees").map_or(0.0, |fees| fees.get().parse().unwrap());
            assert_eq!(number(trade.funding_fees), funding);
            let orders: Vec<Members> = serde_json::from_str(json_of_key("orders")).unwrap();
            assert_eq!(trade.orders.len(), orders.len());
            for (order, json) in trade.orders.iter().zip(orders) {
                assert_eq!(order.is_entry.to_string(), json["ft_is_entry"].get());
                assert_eq!(number(order.amount), json["amount"].get().parse::<f64>().unwrap());
                assert_eq!(number(order.safe_price), json["safe_price"].get().parse::<f64>().unwrap());
                let filled_at = order.filled_at.unwrap().timestamp_millis();
                assert_eq!(filled_at.to_string(), json["order_filled_timestamp"].get());
            }
        }
    }
}

#[test]
fn the_futures_fixture_covers_leverage_shorts_and_funding() {
    let backtests = backtests(FUTURES);
    let trades: Vec<&ExportedTrade> = backtests.iter().flat_map(|backtest| &backtest.trades).collect();
    assert_eq!(trades.iter().map(|trade| trade.is_short).collect::<HashSet<_>>().len(), 2);
    assert!(trades.iter().all(|trade| trade.leverage == dec!(3)));
    assert!(trades.iter().any(|trade| trade.orders.len() == 6));
    assert!(trades.iter().any(|trade| trade.funding_fees > Decimal::ZERO));
    assert!(trades.iter().any(|trade| trade.funding_fees < Decimal::ZERO));
    // The last trade is still open at the end, in a pair whose candles end two days before those of the others.
    let [.., before, last] = trades.as_slice() else { panic!() };
    assert_eq!((last.exit_reason.as_str(), before.exit_reason.as_str()), ("force_exit", "force_exit"));
    assert!(last.close_date < before.close_date);
}

#[test]
fn with_a_detail_timeframe_trades_may_be_out_of_order() {
    let old = backtests(OLD).remove(0);
    let earlier = |pair: &&[ExportedTrade]| pair[1].close_date < pair[0].close_date && pair[1].exit_reason == "roi";
    assert_eq!(old.trades.windows(2).filter(earlier).count(), 2);
}

#[test]
fn the_figures_of_freqtrade_are_read_unchanged() {
    for (backtest, json) in FIXTURES.into_iter().flat_map(backtests_and_members) {
        let scalars: Vec<_> = json.iter().filter(|(_, value)| !value.get().starts_with(['{', '['])).collect();
        assert_eq!(backtest.figures.len(), scalars.len());
        for (key, value) in scalars {
            let figure = &backtest.figures[key];
            match figure.as_f64() {
                Some(number) => assert_eq!(number, value.get().parse::<f64>().unwrap(), "{key}"),
                None => assert_eq!(figure.to_string(), value.get(), "{key}"),
            }
        }
        for key in ["sharpe", "max_drawdown_account", "drawdown_start", "market_change"] {
            assert!(backtest.figures.contains_key(key), "{key}");
        }
        assert!(Value::from(backtest.figures).to_string().len() < 10_000);
    }
}

#[test]
fn one_of_several_strategies_must_be_named() {
    let bytes = upload(FUTURES);
    let export = Export::open(&bytes).unwrap();
    assert_eq!(export.strategies(), ["ProbeFutures", "ProbeScalper"]);
    assert_eq!(export.backtest(Some("ProbeScalper")).unwrap().trades.len(), 105);
    let names = r#""ProbeFutures", "ProbeScalper""#;
    assert_eq!(export.backtest(None), Err(ExportError::SeveralStrategies(names.into())));
    let error = export.backtest(Some("probescalper")).unwrap_err();
    assert_eq!(error, ExportError::UnknownStrategy(names.into()));
    assert_eq!(error.to_string(), format!("the export has no strategy of that name; it has {names}"));

    let bytes = upload(SPOT);
    let export = Export::open(&bytes).unwrap();
    assert_eq!(export.backtest(None), export.backtest(Some("ProbeSpot")));
    assert_eq!(export.backtest(Some("Other")), Err(ExportError::UnknownStrategy(r#""ProbeSpot""#.into())));
}

#[test]
fn an_error_in_one_strategy_does_not_affect_another() {
    let mut json = json_of(FUTURES);
    json["strategy"]["ProbeFutures"]["trades"][7]["close_rate"] = json!(null);
    let text = json.to_string();
    let export = Export::open(text.as_bytes()).unwrap();
    assert_eq!(export.backtest(Some("ProbeScalper")).unwrap().trades.len(), 105);
    assert_eq!(
        export.backtest(Some("ProbeFutures")).unwrap_err().to_string(),
        "strategy.ProbeFutures.trades[7].close_rate must be a positive number"
    );
}
