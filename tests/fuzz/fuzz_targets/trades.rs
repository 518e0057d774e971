//! A report of one trade, or of an array of trades, is validated without an internal error.
#![no_main]

use std::sync::LazyLock;

use fuzz::{Instance, request};
use libfuzzer_sys::fuzz_target;
use nofomo_lambda::App;

static INSTANCE: LazyLock<Instance<App>> = LazyLock::new(|| Instance::start_app("record-trade"));

fuzz_target!(|body: &[u8]| {
    let path = [("bot_id", "0190e000-0000-7000-8000-0000000000cc")];
    let headers: [(&str, &[u8]); 2] =
        [("authorization", b"Bearer nofomo_bot_fuzz"), ("content-type", b"application/json")];
    let Some(request) = request("POST /bots/{bot_id}/trades", &path, &headers, body) else { return };
    INSTANCE.handle(record_trade::handle, request).unwrap_err();
});
