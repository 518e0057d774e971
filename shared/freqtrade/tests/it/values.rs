//! Values that no version of freqtrade writes, and the messages of their errors.

use serde_json::{Value, json};

use crate::support::{export, probe, read, read_text, trade};

/// Message of the error after a change to the export.
#[track_caller]
fn wrong(change: impl FnOnce(&mut Value)) -> String {
    let mut export = export();
    change(&mut export);
    match read(&export) {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn wrong_in_trade(index: usize, key: &str, value: Value) -> String {
    wrong(|export| probe(export)["trades"][index][key] = value)
}

fn without(object: &mut Value, key: &str) {
    object.as_object_mut().unwrap().remove(key).unwrap();
}

#[test]
fn the_base_export_is_valid() {
    assert_eq!(read(&export()).unwrap().trades.len(), 3);
}

#[test]
fn nan_and_infinity_are_refused_with_their_path() {
    let text = export().to_string();
    for (from, place) in [
        (r#""sharpe":1.5"#, "strategy.Probe.sharpe"),
        (r#""close_rate":110.0"#, "strategy.Probe.trades[0].close_rate"),
        (r#""safe_price":110.0"#, "strategy.Probe.trades[0].orders[1].safe_price"),
    ] {
        let (key, _) = from.split_once(':').unwrap();
        for token in ["NaN", "Infinity", "-Infinity"] {
            for space in ["", " ", "\n  "] {
                let broken = text.replacen(from, &format!("{key}:{space}{token}"), 1);
                assert_ne!(broken, text);
                assert_eq!(
                    read_text(&broken).unwrap_err().to_string(),
                    format!("{place} is {token}, which is not a JSON number")
                );
            }
        }
    }
    let as_text = wrong_in_trade(1, "profit_abs", json!("NaN"));
    assert_eq!(as_text, "strategy.Probe.trades[1].profit_abs must be a number");
}

#[test]
fn json_syntax_errors_have_a_path() {
    let text = export().to_string();
    let message_of = |json: &str| read_text(json).unwrap_err().to_string();
    assert_eq!(message_of(&format!("{text}]")), "the JSON continues after its end");
    assert_eq!(message_of(&format!("{text}{text}")), "the JSON continues after its end");
    assert_eq!(message_of("{"), "the JSON is truncated");
    let at = text.find(r#""pair""#).unwrap();
    assert_eq!(message_of(&text[..at]), "strategy.Probe.trades[0] is truncated");
    let comma = text.replacen(r#""close_rate":110.0"#, r#""close_rate":,"#, 1);
    let message = message_of(&comma);
    assert!(message.starts_with("strategy.Probe.trades[0].close_rate is not JSON: expected value"), "{message}");
    // Deep nesting.
    let deep = format!("{{\"strategy\": {}", "[".repeat(100_000));
    assert!(message_of(&deep).contains("is not JSON: recursion limit exceeded"), "{}", message_of(&deep).len());
    let closed = format!("{{\"strategy\": {{\"Probe\": {}{}}}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(message_of(&closed), "strategy.Probe must be an object");
}

#[test]
fn every_number_is_validated() {
    let positive =
        ["amount", "stake_amount", "max_stake_amount", "leverage", "open_rate", "close_rate", "min_rate", "max_rate"];
    for key in positive {
        let place = format!("strategy.Probe.trades[2].{key}");
        for value in [json!(-0.1), json!("1"), json!(true), json!([1]), json!({}), json!(-1e300)] {
            assert_eq!(wrong_in_trade(2, key, value), format!("{place} must be a positive number"));
        }
        for value in [json!(1_000_000_000_001_i64), json!(1e13), json!(1e300)] {
            let message = wrong_in_trade(2, key, value);
            let words =
                [format!("{place} must be between -10^12 and 10^12"), format!("{place} must be a positive number")];
            assert!(words.contains(&message), "{message}");
        }
    }
    for key in ["amount", "open_rate", "close_rate", "leverage", "stake_amount"] {
        let place = format!("strategy.Probe.trades[2].{key}");
        for value in [json!(0), json!(0.0), json!(-0.0), json!(1e-29)] {
            assert_eq!(wrong_in_trade(2, key, value), format!("{place} must be a positive number"));
        }
    }
    for key in ["profit_abs", "profit_ratio", "funding_fees"] {
        let place = format!("strategy.Probe.trades[0].{key}");
        assert_eq!(wrong_in_trade(0, key, json!("0")), format!("{place} must be a number"));
        assert_eq!(wrong_in_trade(0, key, json!(-1e13)), format!("{place} must be between -10^12 and 10^12"));
    }
    for key in ["fee_open", "fee_close"] {
        for value in [json!(1), json!(-1.5), json!("0.1"), json!(1e30)] {
            let message = wrong_in_trade(0, key, value);
            assert_eq!(message, format!("strategy.Probe.trades[0].{key} must be a fraction, such as 0.001"));
        }
    }
}

#[test]
fn numbers_keep_their_digits_up_to_the_precision_of_decimals() {
    let read_digits = |digits: &str| {
        let text = export().to_string().replacen(r#""profit_abs":9.79"#, &format!(r#""profit_abs":{digits}"#), 1);
        read_text(&text).map(|backtest| backtest.trades[0].profit_abs.to_string()).map_err(|error| error.to_string())
    };
    for (digits, decimal) in [
        ("0.1", "0.1"),
        ("-8.08696532", "-8.08696532"),
        ("1e3", "1000"),
        ("1E+3", "1000"),
        ("1.2e-05", "0.000012"),
        ("4.062833109523892e-08", "0.00000004062833109523892"),
        ("123456789012.12345678", "123456789012.12345678"),
        ("7.100", "7.1"),
        ("-0.0", "0"),
        ("0e5", "0"),
        ("1.24e-27", "0.0000000000000000000000000012"),
        ("1.26e-27", "0.0000000000000000000000000013"),
        ("4.123456789012345e-17", "0.0000000000000000412345678901"),
        ("5e-300", "0"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231"),
    ] {
        assert_eq!(read_digits(digits), Ok(decimal.into()), "{digits}");
    }
    let long = format!("0.{}", "1".repeat(63));
    for digits in ["1e13", "1e29", "1e99999999999", long.as_str()] {
        assert!(
            read_digits(digits).unwrap_err().starts_with("strategy.Probe.trades[0].profit_abs must be"),
            "{digits}"
        );
    }
}

#[test]
fn required_fields_must_be_present() {
    let needed = [
        "pair",
        "stake_amount",
        "amount",
        "open_date",
        "close_date",
        "open_rate",
        "close_rate",
        "fee_open",
        "fee_close",
        "profit_abs",
        "profit_ratio",
        "exit_reason",
    ];
    for key in needed {
        let message = wrong(|export| without(&mut probe(export)["trades"][1], key));
        assert_eq!(message, format!("strategy.Probe.trades[1].{key} is missing"));
        let message = wrong_in_trade(1, key, json!(null));
        assert!(message.starts_with(&format!("strategy.Probe.trades[1].{key} must ")), "{message}");
    }
    for key in ["amount", "safe_price", "ft_is_entry"] {
        let message = wrong(|export| without(&mut probe(export)["trades"][1]["orders"][1], key));
        assert_eq!(message, format!("strategy.Probe.trades[1].orders[1].{key} is missing"));
    }
    let needed = [
        "timeframe",
        "stake_currency",
        "starting_balance",
        "final_balance",
        "backtest_start",
        "backtest_end",
        "trades",
    ];
    for key in needed {
        let message = wrong(|export| without(probe(export), key));
        assert_eq!(message, format!("strategy.Probe.{key} is missing"));
        let message = wrong(|export| probe(export)[key] = json!(null));
        assert!(message.starts_with(&format!("strategy.Probe.{key} must ")), "{message}");
    }
    assert_eq!(wrong(|export| export["strategy"] = json!({})), "strategy must contain at least one strategy");
}

#[test]
fn each_value_must_have_the_right_type() {
    let in_trade = |key: &str, value: Value| wrong_in_trade(0, key, value);
    let place = "strategy.Probe.trades[0]";
    assert_eq!(in_trade("is_short", json!(0)), format!("{place}.is_short must be true or false"));
    assert_eq!(in_trade("pair", json!(7)), format!("{place}.pair must be text"));
    assert_eq!(in_trade("pair", json!("")), format!("{place}.pair must have 1 to 50 characters"));
    assert_eq!(in_trade("pair", json!("x".repeat(51))), format!("{place}.pair must have 1 to 50 characters"));
    assert_eq!(in_trade("pair", json!("BTC\n")), format!("{place}.pair must not have control characters"));
    for key in ["exit_reason", "enter_tag"] {
        let long = "x".repeat(1_001);
        assert_eq!(in_trade(key, json!(long)), format!("{place}.{key} must have 0 to 1000 characters"));
        assert_eq!(in_trade(key, json!("\0")), format!("{place}.{key} must not have control characters"));
    }
    for key in ["open_date", "close_date"] {
        for value in
            [json!("yesterday"), json!("2026-02-30 00:00:00"), json!("NaT"), json!(1), json!("0000-01-01 00:00:00")]
        {
            let message = in_trade(key, value);
            assert_eq!(message, format!("{place}.{key} must be a time such as \"2026-01-31 12:00:00+00:00\""));
        }
    }
    assert_eq!(in_trade("orders", json!({})), format!("{place}.orders must be a list"));
    assert_eq!(in_trade("orders", json!([1])), format!("{place}.orders[0] must be an object"));
    let filled =
        wrong(|export| probe(export)["trades"][0]["orders"][0]["order_filled_timestamp"] = json!(1_767_400_000));
    assert_eq!(filled, format!("{place}.orders[0].order_filled_timestamp must be a time in milliseconds since 1970"));

    let in_probe = |key: &str, value: Value| wrong(|export| probe(export)[key] = value);
    assert_eq!(in_probe("trades", json!({})), "strategy.Probe.trades must be a list");
    assert_eq!(in_probe("trades", json!([[]])), "strategy.Probe.trades[0] must be an object");
    for timeframe in ["15", "m", "0m", "-5m", "5x", "99999999y", "", "5 m", "1é"] {
        let message = in_probe("timeframe", json!(timeframe));
        assert_eq!(message, "strategy.Probe.timeframe must be the length of a candle, such as \"15m\"");
    }
    assert_eq!(in_probe("trading_mode", json!("Spot")), "strategy.Probe.trading_mode must be spot, margin or futures");
    assert_eq!(in_probe("starting_balance", json!(0)), "strategy.Probe.starting_balance must be a positive number");
    assert_eq!(in_probe("final_balance", json!("1")), "strategy.Probe.final_balance must be a number");
    assert_eq!(in_probe("stake_currency", json!("")), "strategy.Probe.stake_currency must have 1 to 20 characters");
    for value in [json!(1_795_343_335_000_i64), json!(-1), json!([])] {
        let message = in_probe("backtest_run_start_ts", value);
        assert_eq!(message, "strategy.Probe.backtest_run_start_ts must be a time in seconds since 1970");
    }
    assert_eq!(wrong(|export| export["strategy"]["Probe"] = json!(1)), "strategy.Probe must be an object");
    assert_eq!(
        wrong(|export| export["strategy"] = json!({"": {}})),
        "each name in strategy must have 1 to 100 characters"
    );
}

#[test]
fn a_duplicate_key_is_refused() {
    let text = export().to_string();
    for (from, to, place) in [
        (r#""amount":1.0"#, r#""amount":1.0,"amount":2.0"#, "strategy.Probe.trades[0]"),
        (r#""safe_price":"#, r#""safe_price":1,"safe_price":"#, "strategy.Probe.trades[0].orders[0]"),
        (r#""pair":"#, r#""pair":"ETH/USDT","pair":"#, "strategy.Probe.trades[0]"),
        (r#""timeframe":"#, r#""timefr\u0061me":"5m","timeframe":"#, "strategy.Probe"),
        (r#""Probe":{"#, r#""Probe":{},"Probe":{"#, "strategy"),
        (r#""strategy":"#, r#""strategy":{},"strategy":"#, "the JSON"),
    ] {
        let twice = text.replacen(from, to, 1);
        let message = read_text(&twice).unwrap_err().to_string();
        assert!(message.starts_with(&format!("{place} has a key twice: ")), "{message}");
    }
}

#[test]
fn keys_and_lists_have_limits() {
    let keys = |count: usize| (0..count).map(|number| (format!("key{number}"), json!(1)));
    let extended = |value: &mut Value, count: usize| value.as_object_mut().unwrap().extend(keys(count));
    assert_eq!(wrong(|export| extended(probe(export), 500)), "strategy.Probe must have at most 500 keys");
    let message = wrong(|export| extended(&mut probe(export)["trades"][1], 100));
    assert_eq!(message, "strategy.Probe.trades[1] must have at most 100 keys");
    let message = wrong(|export| extended(&mut probe(export)["trades"][1]["orders"][0], 50));
    assert_eq!(message, "strategy.Probe.trades[1].orders[0] must have at most 50 keys");
    assert_eq!(wrong(|export| extended(&mut export["strategy"], 100)), "strategy must have at most 100 keys");
    let message = wrong(|export| probe(export)["trades"][0]["orders"] = json!(vec![0; 10_001]));
    assert_eq!(message, "strategy.Probe.trades[0].orders must have at most 10000 elements");
    let message = wrong(|export| probe(export)["trades"] = json!(vec![0; 200_001]));
    assert_eq!(message, "strategy.Probe.trades must have at most 200000 elements");
}

#[test]
fn impossible_times_are_refused() {
    let at = |index: usize, opened, closed| {
        wrong(|export| {
            let times = trade(opened, closed);
            for key in ["open_date", "close_date"] {
                probe(export)["trades"][index][key] = times[key].clone();
            }
        })
    };
    assert_eq!(at(1, 8, 7), "strategy.Probe.trades[1].close_date must not be before open_date");
    assert_eq!(at(0, 1, 4), "strategy.Probe.trades[0].open_date must not be before backtest_start");
    let early = wrong(|export| probe(export)["backtest_end"] = json!("2026-01-08 23:30:00"));
    assert_eq!(early, "strategy.Probe.trades[2].close_date must not be after backtest_end");
    let message = wrong(|export| probe(export)["backtest_end"] = json!("2026-01-01 00:00:00"));
    assert_eq!(message, "strategy.Probe.backtest_end must not be before backtest_start");
    let message = wrong(|export| probe(export)["trades"][0]["min_rate"] = json!(120.5));
    assert_eq!(message, "strategy.Probe.trades[0].min_rate must not be above max_rate");
}

#[test]
fn trades_must_be_in_the_order_of_closing() {
    let out_of_order = "strategy.Probe.trades[1].close_date must not be before that of an earlier trade";
    let swap = |export: &mut Value| probe(export)["trades"].as_array_mut().unwrap().swap(0, 1);
    assert_eq!(wrong(swap), out_of_order);
    // The order of opening is a different order.
    assert_eq!(wrong(|export| probe(export)["trades"] = json!([trade(3, 9), trade(4, 8), trade(5, 10)])), out_of_order);
    // Trades closed by the end of the backtest come last, in any order.
    let forced = |opened, closed| {
        let mut trade = trade(opened, closed);
        trade["exit_reason"] = json!("force_exit");
        trade
    };
    let mut export = export();
    probe(&mut export)["trades"] = json!([trade(3, 4), forced(3, 12), forced(5, 10)]);
    assert_eq!(read(&export).unwrap().trades.len(), 3);
    let between = json!([forced(3, 12), forced(5, 10), trade(12, 13)]);
    assert_eq!(wrong(|export| probe(export)["trades"] = between), out_of_order);
    // Trades that close at the same time are in order.
    probe(&mut export)["trades"] = json!([trade(3, 4), trade(2, 4), trade(3, 4)]);
    assert_eq!(read(&export).unwrap().trades.len(), 3);
}

#[test]
fn with_a_detail_timeframe_trades_of_one_candle_may_be_in_any_order() {
    let closed = |time: &str| {
        let mut trade = trade(3, 4);
        trade["close_date"] = json!(format!("2026-01-04 {time}+00:00"));
        trade
    };
    let mut export = export();
    (probe(&mut export)["timeframe"], probe(&mut export)["total_trades"]) = (json!("1h"), json!(2));
    probe(&mut export)["trades"] = json!([closed("10:55:00"), closed("10:00:00")]);
    let out_of_order = "strategy.Probe.trades[1].close_date must not be before that of an earlier trade";
    assert_eq!(read(&export).unwrap_err().to_string(), out_of_order);
    probe(&mut export)["timeframe_detail"] = json!("5m");
    assert_eq!(read(&export).unwrap().trades.len(), 2);
    probe(&mut export)["trades"] = json!([closed("10:55:00"), closed("09:54:59")]);
    assert_eq!(read(&export).unwrap_err().to_string(), out_of_order);
}

#[test]
fn a_shortened_list_of_trades_is_refused() {
    let message = wrong(|export| probe(export)["trades"].as_array_mut().unwrap().truncate(2));
    assert_eq!(message, "strategy.Probe.total_trades must equal the number of trades");
}
