//! Properties that hold for any bytes.

use nofomo_freqtrade::{Export, ExportError, ExportedTrade};
use proptest::collection::vec;
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::json;

use crate::support::{FIXTURES, OLD, ONE_TRADE, export, json_text, probe, read, upload};

/// Reads an upload completely. It must not panic, and an error must have a message of reasonable length.
fn read_or_refuse(upload: &[u8]) -> Result<(), TestCaseError> {
    let check_message = |error: ExportError| {
        let message = error.to_string();
        prop_assert!((10..5_000).contains(&message.len()), "{message}");
        Ok(())
    };
    let export = match Export::open(upload) {
        Ok(export) => export,
        Err(error) => return check_message(error),
    };
    prop_assert!(!export.strategies().is_empty());
    for name in export.strategies() {
        match export.backtest(Some(name)) {
            Ok(backtest) => {
                backtest.identity();
                backtest.run_time();
                let profits: Vec<_> = backtest.trades.iter().map(ExportedTrade::recomputed_profit).collect();
                prop_assert_eq!(profits.len(), backtest.trades.len());
            }
            Err(error) => check_message(error)?,
        }
    }
    Ok(())
}

/// Random concatenation of pieces of exports.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "null",
        "true",
        "-",
        "0",
        "1e",
        "e-9",
        ".5",
        "NaN",
        "Infinity",
        "\"",
        "\\u0000",
        "\\ud800",
        "é",
        "\"strategy\"",
        "\"trades\"",
        "\"Probe\"",
        "\"orders\"",
        "{\"strategy\":{\"Probe\":{\"trades\":[{",
    ]);
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..2_000), start in prop::sample::select(vec!["", "PK", "PK\x03\x04", "{"])) {
        read_or_refuse(&[start.as_bytes(), &bytes].concat())?;
    }

    #[test]
    fn anything_like_json_is_read_or_refused(text in pieces()) {
        read_or_refuse(text.as_bytes())?;
        read_or_refuse(format!("{{{text}").as_bytes())?;
        read_or_refuse(format!("{{\"strategy\": {{\"Probe\": {text}}}}}").as_bytes())?;
    }

    #[test]
    fn any_value_anywhere_is_read_or_refused(
        place in prop::sample::select(vec!["", "/trades", "/trades/1", "/trades/1/orders", "/trades/1/orders/0"]),
        key in any::<prop::sample::Index>(),
        value in prop::sample::select(vec!["null", "0", "-1", "1e-400", "1e400", "99999999999999999999999999999999", "\"\"",
            "\"9999-12-31 23:59:59\"", "\"1970-01-01 00:00:00\"", "[]", "{}", "true", "0.1e-27", "1000000000000", "253402300799000"]),
    ) {
        let mut export = export();
        let object = probe(&mut export).pointer_mut(place).unwrap();
        match object {
            serde_json::Value::Object(members) => {
                let name = key.get(&members.keys().cloned().collect::<Vec<_>>()).clone();
                members[&name] = json!("here");
            }
            other => *other = json!("here"),
        }
        read_or_refuse(export.to_string().replacen("\"here\"", value, 1).as_bytes())?;
    }

    /// The floats of freqtrade are read without loss.
    #[test]
    fn a_float_is_read_to_its_last_digit(profit in -1e9_f64..1e9) {
        let mut export = export();
        probe(&mut export)["trades"][0]["profit_abs"] = json!(profit);
        let read: Decimal = read(&export).unwrap().trades[0].profit_abs;
        prop_assert_eq!(read.to_string().parse::<f64>().unwrap(), profit);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_or_truncated_upload_is_read_or_refused(
        stem in prop::sample::select(vec![ONE_TRADE, OLD]),
        flips in vec((any::<prop::sample::Index>(), 0_u8..8), 0..6),
        length in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
        is_packed in any::<bool>(),
    ) {
        let mut bytes = if is_packed { upload(stem) } else { json_text(stem).into_bytes() };
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        if is_cut {
            bytes.truncate(length.index(bytes.len()));
        }
        read_or_refuse(&bytes)?;
    }
}

/// Flips each bit of the headers and the directory.
#[test]
fn any_flipped_bit_of_the_directory_is_read_or_refused() {
    let whole = upload(ONE_TRADE);
    for at in (0..200).chain(whole.len() - 600..whole.len()) {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            read_or_refuse(&bytes).unwrap();
        }
    }
}

#[test]
fn a_fixture_truncated_anywhere_is_read_or_refused() {
    for stem in FIXTURES {
        let json = json_text(stem).into_bytes();
        for length in (0..json.len()).step_by(json.len() / 40) {
            read_or_refuse(&json[..length]).unwrap();
        }
    }
}
