//! Memory limits of reading an upload.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use allocation_counter::measure;
use nofomo_freqtrade::Export;
use serde_json::json;
use zip::ZipWriter;

use crate::support::{SPOT, deflated, export, headers, probe, trade, upload, zipped};

/// Reads an upload and returns the peak memory in bytes, and `true` if the upload was accepted.
fn peak_memory(upload: &[u8]) -> (u64, bool) {
    let mut is_accepted = false;
    let allocations = measure(|| is_accepted = Export::open(upload).and_then(|export| export.backtest(None)).is_ok());
    (allocations.bytes_max, is_accepted)
}

const MIB: u64 = 1 << 20;

#[test]
fn a_zip_bomb_costs_only_its_unpacked_part() {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("result.json", deflated()).unwrap();
    for _ in 0..300 {
        archive.write_all(&vec![b' '; MIB as usize]).unwrap();
    }
    let (bytes, is_accepted) = peak_memory(&archive.finish().unwrap().into_inner());
    assert!(!is_accepted);
    // A growing vector holds its old allocation while it copies.
    assert!(bytes < 200 * MIB, "{bytes}");
    assert!(bytes > 64 * MIB, "{bytes}");
}

#[test]
fn a_declared_size_allocates_nothing() {
    let json = export().to_string();
    let mut archive = zipped(&[("result.json", json.as_bytes())]);
    let (local, central) = headers(&archive, "result.json");
    for at in [local + 22, central + 24] {
        archive[at..at + 4].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0x03]);
    }
    let (bytes, _) = peak_memory(&archive);
    assert!(bytes < MIB, "{bytes}");
}

#[test]
fn lists_and_objects_are_read_up_to_their_limit() {
    let list = format!("[{}0]", "0,".repeat(1_500_000));
    let mut orders = export();
    probe(&mut orders)["trades"][0]["orders"] = json!("here");
    for (place, json) in [
        ("trades", format!(r#"{{"strategy": {{"P": {{"timeframe": "1h", "trades": {list}}}}}}}"#)),
        ("trades", export().to_string().replacen(r#""trades":["#, &format!(r#""trades":{list},"others":["#), 1)),
        ("orders", orders.to_string().replacen(r#""here""#, &list, 1)),
        ("strategy", format!(r#"{{"strategy": {list}}}"#)),
    ] {
        let (bytes, is_accepted) = peak_memory(json.as_bytes());
        assert!(!is_accepted);
        assert!(bytes < 8 * MIB, "{bytes} for {place}");
    }
    let mut keys = String::from("{\"strategy\": {");
    for number in 0..300_000 {
        write!(keys, "\"{number}\":0,").unwrap();
    }
    keys.push_str("\"x\":0}}");
    let (bytes, is_accepted) = peak_memory(keys.as_bytes());
    assert!(!is_accepted && bytes < MIB, "{bytes}");
}

/// An archive with many empty entries of different names.
#[test]
fn a_directory_full_of_names_costs_a_small_multiple_of_its_bytes() {
    let names: Vec<String> = (0..60_000).map(|number| format!("{number:x}")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    let archive = zipped(&entries);
    let (bytes, is_accepted) = peak_memory(&archive);
    assert!(!is_accepted);
    assert!(bytes < 64 * MIB, "{bytes} for {}", archive.len());
}

#[test]
fn trades_cost_little_more_memory_than_their_json() {
    let mut whole = export();
    probe(&mut whole)["total_trades"] = json!(null);
    probe(&mut whole)["trades"] = json!("here");
    let mut short = trade(3, 4);
    // Fewer keys than an export of 2021.
    for key in ["min_rate", "max_rate", "funding_fees", "orders", "max_stake_amount", "leverage", "is_open", "is_short"]
    {
        short.as_object_mut().unwrap().remove(key);
    }
    let list = format!("[{}{short}]", format!("{short},").repeat(29_999));
    let json = whole.to_string().replacen(r#""here""#, &list, 1);
    let (bytes, is_accepted) = peak_memory(json.as_bytes());
    assert!(is_accepted);
    assert!(bytes < json.len() as u64 * 3 / 2, "{bytes} for {}", json.len());
}

#[test]
fn a_real_archive_costs_less_than_three_times_its_json() {
    let (bytes, is_accepted) = peak_memory(&upload(SPOT));
    assert!(is_accepted);
    assert!(bytes < 3 * 509_316, "{bytes}");
}
