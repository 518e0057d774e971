//! A backtest export of freqtrade, as an archive or as JSON, is read and analysed without an internal error.
#![no_main]

use std::sync::LazyLock;

use fuzz::{Instance, bearer, request};
use libfuzzer_sys::fuzz_target;
use nofomo_lambda::App;

static INSTANCE: LazyLock<Instance<App>> = LazyLock::new(|| Instance::start_app("import-backtest"));

fuzz_target!(|body: &[u8]| {
    let path = [("strategy_id", "0190e000-0000-7000-8000-0000000000dd")];
    let headers: [(&str, &[u8]); 2] =
        [("authorization", bearer().as_bytes()), ("content-type", b"application/octet-stream")];
    let Some(request) = request("POST /strategies/{strategy_id}/backtests", &path, &headers, body) else { return };
    INSTANCE.handle(import_backtest::handle, request).unwrap_err();
});
