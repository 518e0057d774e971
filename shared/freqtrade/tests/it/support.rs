//! Fixtures, and builders of exports and archives.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;

use nofomo_freqtrade::{Backtest, Export, ExportError};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Spot trades with one entry and one exit each.
pub(crate) const SPOT: &str = "backtest-result-2026-11-22_10-29-03";
/// Strategy without trades.
pub(crate) const NO_TRADES: &str = "backtest-result-2026-11-22_10-30-33";
/// One winning trade.
pub(crate) const ONE_TRADE: &str = "backtest-result-2026-11-22_10-30-38";
/// Two strategies on futures: short and long trades with leverage 3, several entries, partial exits and funding. One
/// pair has no candles for the last two days.
pub(crate) const FUTURES: &str = "backtest-result-2026-11-22_23-11-31";

/// Export of freqtrade 2024.10, with candles of an hour and a detail timeframe of five minutes.
pub(crate) const OLD: &str = "backtest-result-2026-11-22_23-25-27";

pub(crate) const FIXTURES: [&str; 5] = [SPOT, NO_TRADES, ONE_TRADE, FUTURES, OLD];

/// File as a user uploads it: an archive, or JSON from an old version.
pub(crate) fn upload(stem: &str) -> Vec<u8> {
    let end = if stem == OLD { "json" } else { "zip" };
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{stem}.{end}"))).unwrap()
}

/// Unchanged JSON text of a fixture.
pub(crate) fn json_text(stem: &str) -> String {
    let bytes = upload(stem);
    if stem == OLD {
        return String::from_utf8(bytes).unwrap();
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    std::io::read_to_string(archive.by_name(&format!("{stem}.json")).unwrap()).unwrap()
}

pub(crate) fn json_of(stem: &str) -> Value {
    serde_json::from_str(&json_text(stem)).unwrap()
}

/// All backtests of a fixture.
pub(crate) fn backtests(stem: &str) -> Vec<Backtest> {
    let bytes = upload(stem);
    let export = Export::open(&bytes).unwrap();
    export.strategies().iter().map(|name| export.backtest(Some(name)).unwrap()).collect()
}

/// Members of an object as raw JSON.
pub(crate) type Members = BTreeMap<String, Box<RawValue>>;

pub(crate) fn members(object: &RawValue) -> Members {
    serde_json::from_str(object.get()).unwrap()
}

/// All backtests of a fixture, each with its raw JSON.
pub(crate) fn backtests_and_members(stem: &str) -> Vec<(Backtest, Members)> {
    let root: Members = serde_json::from_str(&json_text(stem)).unwrap();
    let strategies = members(&root["strategy"]);
    let with_members = |backtest: Backtest| {
        let members = members(&strategies[&backtest.strategy]);
        (backtest, members)
    };
    backtests(stem).into_iter().map(with_members).collect()
}

/// Small export of 2026, to be changed by a test.
pub(crate) fn export() -> Value {
    json!({
        "strategy": {"Probe": {
            "strategy_name": "Probe", "timeframe": "15m", "timeframe_detail": "", "stake_currency": "USDT", "stake_amount": 300,
            "starting_balance": 1000, "dry_run_wallet": 1000, "final_balance": 1010.5, "trading_mode": "spot",
            "backtest_start": "2026-01-02 00:00:00", "backtest_start_ts": 1_767_312_000_000_i64,
            "backtest_end": "2026-01-31 00:00:00", "backtest_end_ts": 1_769_817_600_000_i64,
            "backtest_run_start_ts": 1_795_343_335, "backtest_run_end_ts": 1_795_343_341,
            "total_trades": 3, "sharpe": 1.5, "freqaimodel": null,
            "trades": [trade(3, 4), trade(5, 7), trade(6, 9)],
        }},
        "strategy_comparison": [],
    })
}

/// Trade that is open between two days of January 2026.
pub(crate) fn trade(opened: u32, closed: u32) -> Value {
    json!({
        "pair": "BTC/USDT", "stake_amount": 100.0, "max_stake_amount": 100.0, "amount": 1.0, "leverage": 1.0, "is_short": false,
        "open_date": format!("2026-01-{opened:02} 00:00:00+00:00"), "close_date": format!("2026-01-{closed:02} 00:00:00+00:00"),
        "open_rate": 100.0, "close_rate": 110.0, "fee_open": 0.001, "fee_close": 0.001, "profit_abs": 9.79,
        "profit_ratio": 0.097, "exit_reason": "roi", "enter_tag": "dip", "min_rate": 90.0, "max_rate": 120.0,
        "funding_fees": 0.0, "is_open": false, "orders": [
            {"amount": 1.0, "safe_price": 100.0, "ft_order_side": "buy", "ft_is_entry": true,
             "order_filled_timestamp": 1_767_400_000_000_i64},
            {"amount": 1.0, "safe_price": 110.0, "ft_order_side": "sell", "ft_is_entry": false,
             "order_filled_timestamp": 1_767_500_000_000_i64},
        ],
    })
}

/// Backtest of the only strategy of [`export`].
pub(crate) fn probe(export: &mut Value) -> &mut Value {
    &mut export["strategy"]["Probe"]
}

pub(crate) fn read(export: &Value) -> Result<Backtest, ExportError> {
    read_text(&export.to_string())
}

pub(crate) fn read_text(json: &str) -> Result<Backtest, ExportError> {
    Export::open(json.as_bytes())?.backtest(None)
}

pub(crate) fn refused(upload: &[u8]) -> String {
    match Export::open(upload).and_then(|export| export.backtest(None)) {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error.to_string(),
    }
}

/// Archive of deflated entries.
pub(crate) fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        archive.start_file(*name, deflated()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

pub(crate) fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
}

/// Offsets of an entry's local header and of its header in the directory.
pub(crate) fn headers(archive: &[u8], name: &str) -> (usize, usize) {
    let zip = ZipArchive::new(Cursor::new(archive)).unwrap();
    let entry = zip.by_index_data(zip.index_for_name(name).unwrap()).unwrap();
    (entry.header_start().try_into().unwrap(), entry.central_header_start().try_into().unwrap())
}

/// Overwrites a field in both headers of an entry; `offset` is the offset in the local header.
pub(crate) fn patched(mut archive: Vec<u8>, name: &str, offset: usize, bytes: &[u8]) -> Vec<u8> {
    let (local, central) = headers(&archive, name);
    // The header in the directory begins with two more bytes, the version that wrote it.
    for at in [local + offset, central + offset + 2] {
        archive[at..at + bytes.len()].copy_from_slice(bytes);
    }
    archive
}
