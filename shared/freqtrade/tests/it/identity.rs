//! Identity of backtest runs across uploads.

use std::collections::HashSet;

use nofomo_freqtrade::{Backtest, Export};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::support::{FIXTURES, Members, backtests, export, json_text, members, probe, read, zipped};

fn identities(upload: &[u8]) -> Vec<[u8; 32]> {
    let export = Export::open(upload).unwrap();
    export.strategies().iter().map(|name| export.backtest(Some(name)).unwrap().identity()).collect()
}

#[test]
fn an_archive_its_json_and_rewritten_json_have_the_same_identity() {
    for stem in FIXTURES {
        let of_upload: Vec<_> = backtests(stem).iter().map(Backtest::identity).collect();
        let json = json_text(stem);
        assert_eq!(identities(json.as_bytes()), of_upload);
        assert_eq!(identities(&zipped(&[("x.json", json.as_bytes())])), of_upload);
        assert_eq!(identities(rewritten(&json).as_bytes()), of_upload);
    }
    let all: HashSet<_> = FIXTURES.into_iter().flat_map(backtests).map(|backtest| backtest.identity()).collect();
    assert_eq!(all.len(), 6);
}

/// JSON with other white space and another order of keys.
fn rewritten(json: &str) -> String {
    let mut root: Members = serde_json::from_str(json).unwrap();
    let mut strategies = members(&root["strategy"]);
    for result in strategies.values_mut() {
        let mut result_members = members(result);
        let trades: Vec<Members> = serde_json::from_str(result_members["trades"].get()).unwrap();
        result_members.insert("trades".into(), to_raw_value(&trades).unwrap());
        *result = to_raw_value(&result_members).unwrap();
    }
    root.insert("strategy".into(), to_raw_value(&strategies).unwrap());
    let rewritten = serde_json::to_string_pretty(&root).unwrap();
    assert_ne!(rewritten, json);
    rewritten
}

#[test]
fn the_format_of_numbers_and_times_does_not_matter() {
    let mut same = export();
    let probe = probe(&mut same);
    (probe["starting_balance"], probe["backtest_start"]) = (json!(1000.0), json!("2026-01-02T00:00:00Z"));
    let trade = &mut probe["trades"][0];
    (trade["amount"], trade["open_date"]) = (json!(1), json!("2026-01-03T01:00:00+01:00"));
    assert_eq!(read(&same).unwrap().identity(), read(&export()).unwrap().identity());
}

#[test]
fn any_difference_makes_another_identity() {
    let changes: [fn(&mut Value); 14] = [
        |export| {
            let probe = probe(export).take();
            export["strategy"] = json!({"Other": probe});
        },
        |export| probe(export)["timeframe"] = json!("5m"),
        |export| probe(export)["stake_currency"] = json!("USDC"),
        |export| probe(export)["starting_balance"] = json!(1001),
        |export| probe(export)["final_balance"] = json!(1001),
        |export| probe(export)["backtest_start"] = json!("2026-01-01 00:00:00"),
        |export| probe(export)["backtest_end"] = json!("2026-01-30 00:00:00"),
        |export| probe(export)["backtest_run_start_ts"] = json!(1_795_343_336),
        |export| probe(export)["backtest_run_start_ts"] = json!(null),
        |export| probe(export)["trades"][2]["pair"] = json!("ETH/USDT"),
        |export| probe(export)["trades"][2]["is_short"] = json!(true),
        |export| probe(export)["trades"][2]["amount"] = json!(1.000_000_01),
        |export| probe(export)["trades"][2]["open_date"] = json!("2026-01-06 00:15:00"),
        |export| probe(export)["trades"][2]["profit_abs"] = json!(9.790_000_01),
    ];
    let mut seen = HashSet::from([read(&export()).unwrap().identity()]);
    for (index, change) in changes.into_iter().enumerate() {
        let mut other = export();
        change(&mut other);
        assert!(seen.insert(read(&other).unwrap().identity()), "{index}");
    }
}

/// Stored rows are found by their identity, so it must not change.
#[test]
fn the_identity_is_stable_across_versions_of_the_program() {
    let identity = read(&export()).unwrap().identity();
    let hex: String = identity.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "13702547a5dc5f90a87cd6d3a4ca6fad16540c708d8c93a3372e639be0ca9299");
}
