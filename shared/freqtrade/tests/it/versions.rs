//! Fields that other versions write differently or not at all.

use chrono::TimeDelta;
use nofomo_freqtrade::TradingMode;
use rust_decimal::dec;
use serde_json::{Value, json};

use crate::support::{export, probe, read};

fn without(object: &mut Value, keys: &[&str]) {
    for key in keys {
        object.as_object_mut().unwrap().remove(*key).unwrap();
    }
}

#[test]
fn an_export_of_2021_has_neither_shorts_nor_leverage_nor_orders() {
    let mut export = export();
    let probe = probe(&mut export);
    without(probe, &["trading_mode", "timeframe_detail", "freqaimodel"]);
    for trade in probe["trades"].as_array_mut().unwrap() {
        let reason = trade["exit_reason"].take();
        without(
            trade,
            &["is_short", "leverage", "orders", "max_stake_amount", "funding_fees", "exit_reason", "enter_tag"],
        );
        (trade["sell_reason"], trade["buy_tag"]) = (reason, json!("dip"));
        (trade["open_timestamp"], trade["is_open"]) = (json!(1_767_400_000_000.0), json!(true));
    }
    let backtest = read(&export).unwrap();
    assert_eq!(backtest.trading_mode, TradingMode::Spot);
    let trade = &backtest.trades[0];
    assert_eq!((trade.is_short, trade.leverage), (false, dec!(1)));
    assert_eq!((trade.stake_amount, trade.max_stake_amount), (dec!(100), dec!(100)));
    assert_eq!((trade.funding_fees, trade.orders.len()), (dec!(0), 0));
    assert_eq!((trade.exit_reason.as_str(), trade.enter_tag.as_deref()), ("roi", Some("dip")));
    assert_eq!(trade.recomputed_profit(), None);
}

#[test]
fn null_counts_as_absent_for_optional_fields() {
    let mut export = export();
    let optional =
        ["is_short", "leverage", "orders", "max_stake_amount", "funding_fees", "enter_tag", "min_rate", "max_rate"];
    for key in optional {
        probe(&mut export)["trades"][0][key] = json!(null);
    }
    for key in ["trading_mode", "timeframe_detail", "backtest_run_start_ts", "backtest_run_end_ts", "total_trades"] {
        probe(&mut export)[key] = json!(null);
    }
    let backtest = read(&export).unwrap();
    let trade = &backtest.trades[0];
    assert_eq!((trade.leverage, trade.min_rate, trade.enter_tag.as_deref()), (dec!(1), None, None));
    assert_eq!((backtest.run_start, backtest.run_time()), (None, None));
}

#[test]
fn the_new_name_of_a_key_takes_precedence() {
    let mut export = export();
    let trade = &mut probe(&mut export)["trades"][0];
    (trade["sell_reason"], trade["buy_tag"]) = (json!("old"), json!("old"));
    let first = read(&export).unwrap().trades.remove(0);
    assert_eq!((first.exit_reason.as_str(), first.enter_tag.as_deref()), ("roi", Some("dip")));
    probe(&mut export)["trades"][0]["enter_tag"] = json!(null);
    assert_eq!(read(&export).unwrap().trades[0].enter_tag.as_deref(), Some("old"));
}

#[test]
fn an_empty_tag_and_a_zero_price_are_none() {
    let mut export = export();
    let trade = &mut probe(&mut export)["trades"][0];
    (trade["enter_tag"], trade["min_rate"], trade["exit_reason"]) = (json!(""), json!(0), json!(""));
    let first = read(&export).unwrap().trades.remove(0);
    assert_eq!((first.enter_tag, first.min_rate, first.max_rate), (None, None, Some(dec!(120))));
    assert_eq!(first.exit_reason, "");
}

#[test]
fn the_stake_may_be_unlimited_and_numbers_may_be_whole() {
    let mut export = export();
    let probe = probe(&mut export);
    (probe["stake_amount"], probe["final_balance"], probe["starting_balance"]) =
        (json!("unlimited"), json!(-5), json!(1000.0));
    (probe["trades"][0]["close_rate"], probe["trades"][0]["profit_abs"]) = (json!(110), json!(0));
    let backtest = read(&export).unwrap();
    assert_eq!(backtest.figures["stake_amount"], "unlimited");
    assert_eq!((backtest.final_balance, backtest.starting_balance), (dec!(-5), dec!(1000)));
    assert_eq!((backtest.trades[0].close_rate, backtest.trades[0].profit_abs), (dec!(110), dec!(0)));
}

#[test]
fn a_fee_may_be_a_rebate() {
    let mut export = export();
    probe(&mut export)["trades"][0]["fee_open"] = json!(-0.0001);
    let first = read(&export).unwrap().trades.remove(0);
    // A rebate of 0.01 instead of a fee of 0.1.
    assert_eq!((first.fee_open, first.recomputed_profit()), (dec!(-0.0001), Some(dec!(9.90))));
}

#[test]
fn a_time_may_be_written_in_several_ways() {
    let mut export = export();
    let opened = read(&export).unwrap().trades[0].open_date;
    for text in
        ["2026-01-03 00:00:00", "2026-01-03T00:00:00Z", "2026-01-03T01:00:00.000+01:00", "2026-01-03 00:00:00.000"]
    {
        probe(&mut export)["trades"][0]["open_date"] = json!(text);
        assert_eq!(read(&export).unwrap().trades[0].open_date, opened, "{text}");
    }
}

#[test]
fn run_times_may_be_text_and_a_negative_duration_is_none() {
    let mut export = export();
    let run_time = |export: &mut Value, start: Value, end: Value| {
        (probe(export)["backtest_run_start_ts"], probe(export)["backtest_run_end_ts"]) = (start, end);
        read(export).unwrap().run_time()
    };
    let start = "2020-10-01 18:00:00+00:00";
    let minute = run_time(&mut export, json!(start), json!("2020-10-01 18:01:00+00:00"));
    assert_eq!(minute, Some(TimeDelta::minutes(1)));
    assert_eq!(run_time(&mut export, json!(1_700_000_000.9), json!(1_700_000_002)), Some(TimeDelta::seconds(2)));
    assert_eq!(run_time(&mut export, json!(1_700_000_000), json!(1_700_000_000)), Some(TimeDelta::zero()));
    assert_eq!(run_time(&mut export, json!(1_700_000_001), json!(1_700_000_000)), None);
    assert_eq!(run_time(&mut export, json!(1_700_000_001), json!(null)), None);
}

#[test]
fn unknown_keys_are_ignored() {
    let mut export = export();
    export["metadata"] = json!({"Probe": {"notes": "x"}});
    probe(&mut export)["wallet_stats"] = json!({"sharpe": 1});
    probe(&mut export)["trades"][0]["weekday"] = json!(6);
    probe(&mut export)["trades"][0]["orders"][0]["cost"] = json!(1);
    assert_eq!(read(&export).unwrap().trades, read(&crate::support::export()).unwrap().trades);
}

#[test]
fn figures_are_short_scalars_that_can_be_stored() {
    let mut export = export();
    let probe = probe(&mut export);
    probe["notes"] = json!("x".repeat(498));
    probe["too_long"] = json!("x".repeat(499));
    probe["nul"] = json!("\0");
    probe["nul\0"] = json!(1);
    probe["x".repeat(501)] = json!(1);
    probe["list"] = json!([1]);
    probe["object"] = json!({"a": 1});
    let mut figures = read(&export).unwrap().figures;
    for (key, value) in [("sharpe", json!(1.5)), ("freqaimodel", json!(null)), ("notes", json!("x".repeat(498)))] {
        assert_eq!(figures.remove(key), Some(value), "{key}");
    }
    for key in ["too_long", "nul", "nul\0", "list", "object", "trades"] {
        assert_eq!(figures.get(key), None, "{key}");
    }
    assert!(figures.keys().all(|key| key.len() < 50));
    let text = crate::support::export().to_string().replacen(r#""sharpe":1.5"#, r#""sharpe":1e400"#, 1);
    let error = crate::support::read_text(&text).unwrap_err();
    assert_eq!(error.to_string(), "strategy.Probe.sharpe must be a number or text");
}
