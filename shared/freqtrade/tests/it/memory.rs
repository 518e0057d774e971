//! How much memory an upload can cost.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use allocation_counter::measure;
use nofomo_freqtrade::Export;
use serde_json::json;
use zip::ZipWriter;

use crate::support::{SPOT, deflated, export, headers, probe, trade, upload, zipped};

/// The most that was held at once while an upload was read, and whether it was taken.
fn held(upload: &[u8]) -> (u64, bool) {
    let mut taken = false;
    let allocations = measure(|| taken = Export::open(upload).and_then(|export| export.backtest(None)).is_ok());
    (allocations.bytes_max, taken)
}

const MIB: u64 = 1 << 20;

#[test]
fn a_bomb_costs_what_is_unpacked_of_it() {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("result.json", deflated()).unwrap();
    for _ in 0..300 {
        archive.write_all(&vec![b' '; MIB as usize]).unwrap();
    }
    let (bytes, taken) = held(&archive.finish().unwrap().into_inner());
    assert!(!taken);
    // While a vector grows, the old half is still there.
    assert!(bytes < 200 * MIB, "{bytes}");
    assert!(bytes > 64 * MIB, "{bytes}");
}

#[test]
fn a_size_that_is_only_promised_costs_nothing() {
    let json = export().to_string();
    let mut archive = zipped(&[("result.json", json.as_bytes())]);
    let (local, central) = headers(&archive, "result.json");
    for at in [local + 22, central + 24] {
        archive[at..at + 4].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0x03]);
    }
    let (bytes, _) = held(&archive);
    assert!(bytes < MIB, "{bytes}");
}

#[test]
fn a_list_or_object_costs_no_more_than_it_may_have() {
    let list = format!("[{}0]", "0,".repeat(1_500_000));
    let mut orders = export();
    probe(&mut orders)["trades"][0]["orders"] = json!("here");
    for (place, json) in [
        ("trades", format!(r#"{{"strategy": {{"P": {{"timeframe": "1h", "trades": {list}}}}}}}"#)),
        ("trades", export().to_string().replacen(r#""trades":["#, &format!(r#""trades":{list},"others":["#), 1)),
        ("orders", orders.to_string().replacen(r#""here""#, &list, 1)),
        ("strategy", format!(r#"{{"strategy": {list}}}"#)),
    ] {
        let (bytes, taken) = held(json.as_bytes());
        assert!(!taken);
        assert!(bytes < 8 * MIB, "{bytes} for {place}");
    }
    let mut keys = String::from("{\"strategy\": {");
    for number in 0..300_000 {
        write!(keys, "\"{number}\":0,").unwrap();
    }
    keys.push_str("\"x\":0}}");
    let (bytes, taken) = held(keys.as_bytes());
    assert!(!taken && bytes < MIB, "{bytes}");
}

/// As many entries as the upload's bytes make, with names that no two share.
#[test]
fn a_directory_full_of_names_costs_a_small_multiple_of_its_bytes() {
    let names: Vec<String> = (0..60_000).map(|number| format!("{number:x}")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    let archive = zipped(&entries);
    let (bytes, taken) = held(&archive);
    assert!(!taken);
    assert!(bytes < 64 * MIB, "{bytes} for {}", archive.len());
}

#[test]
fn trades_cost_not_much_more_than_their_json() {
    let mut whole = export();
    probe(&mut whole)["total_trades"] = json!(null);
    probe(&mut whole)["trades"] = json!("here");
    let mut short = trade(3, 4);
    // What an export of 2021 has, and less.
    for key in ["min_rate", "max_rate", "funding_fees", "orders", "max_stake_amount", "leverage", "is_open", "is_short"]
    {
        short.as_object_mut().unwrap().remove(key);
    }
    let list = format!("[{}{short}]", format!("{short},").repeat(29_999));
    let json = whole.to_string().replacen(r#""here""#, &list, 1);
    let (bytes, taken) = held(json.as_bytes());
    assert!(taken);
    assert!(bytes < json.len() as u64 * 3 / 2, "{bytes} for {}", json.len());
}

#[test]
fn a_real_archive_costs_less_than_three_times_its_json() {
    let (bytes, taken) = held(&upload(SPOT));
    assert!(taken);
    assert!(bytes < 3 * 509_316, "{bytes}");
}
