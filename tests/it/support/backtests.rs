//! Backtest exports of freqtrade, and their import.

use std::io::Cursor;

use reqwest::Method;
use serde_json::Value;
use zip::ZipArchive;

use super::database::workspace;
use super::world::{HttpResponse, World};

/// Spot market, 455 trades in four pairs; the run took 6 seconds.
pub(crate) const SPOT: &str = "backtest-result-2026-11-22_10-29-03.zip";
pub(crate) const NO_TRADES: &str = "backtest-result-2026-11-22_10-30-33.zip";
/// One winning trade.
pub(crate) const ONE_TRADE: &str = "backtest-result-2026-11-22_10-30-38.zip";
/// Futures market, two strategies, short and long, with several entries and exits.
pub(crate) const FUTURES: &str = "backtest-result-2026-11-22_23-11-31.zip";
/// JSON of freqtrade 2024.10, not in an archive.
pub(crate) const OLD_JSON: &str = "backtest-result-2026-11-22_23-25-27.json";

/// Bytes of an export in `shared/freqtrade/fixtures`.
pub(crate) fn export(file: &str) -> Vec<u8> {
    std::fs::read(workspace().join("shared/freqtrade/fixtures").join(file)).unwrap()
}

/// Text of the backtest result in an export.
pub(crate) fn json_text(file: &str) -> String {
    let bytes = export(file);
    match file.strip_suffix(".zip") {
        Some(stem) => {
            let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
            std::io::read_to_string(archive.by_name(&format!("{stem}.json")).unwrap()).unwrap()
        }
        None => String::from_utf8(bytes).unwrap(),
    }
}

/// Export [`ONE_TRADE`] with this change to the result of its strategy.
pub(crate) fn one_trade(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut export: Value = serde_json::from_str(&json_text(ONE_TRADE)).unwrap();
    change(&mut export["strategy"]["ProbeSpot"]);
    export.to_string().into_bytes()
}

/// Imports an upload for a strategy.
pub(crate) async fn import(world: &World, token: &str, strategy: &str, upload: Vec<u8>) -> HttpResponse {
    import_as(world, token, &format!("/strategies/{strategy}/backtests"), "application/zip", upload).await
}

/// Imports an upload at this path, with this content type.
pub(crate) async fn import_as(
    world: &World,
    token: &str,
    path: &str,
    content_type: &str,
    upload: Vec<u8>,
) -> HttpResponse {
    let headers = [("authorization", format!("Bearer {token}")), ("content-type", content_type.into())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.send_bytes(Method::POST, path, &headers, upload).await
}

/// Detail of the only error of a refused import.
pub(crate) fn only_error(answer: &HttpResponse) -> String {
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (422, "invalid"), "{answer:?}");
    let errors = answer.json()["errors"].take();
    let [error] = errors.as_array().unwrap().as_slice() else { panic!("{errors}") };
    error["detail"].as_str().unwrap().to_owned()
}
