//! An event of freqtrade's webhook, sent as JSON, is always accepted.
#![no_main]

use std::sync::LazyLock;

use fuzz::{Instance, request};
use libfuzzer_sys::fuzz_target;
use nofomo_lambda::{App, Problem};

static INSTANCE: LazyLock<Instance<App>> = LazyLock::new(|| Instance::start_app("record-trade"));

fuzz_target!(|body: &[u8]| {
    let headers: [(&str, &[u8]); 1] = [("content-type", b"application/json")];
    let path = [("bot_token", "nofomo_bot_fuzz")];
    let Some(request) = request("POST /freqtrade/{bot_token}", &path, &headers, body) else { return };
    // Freqtrade does not repeat a request, so every event is accepted.
    let refusal = INSTANCE.handle(record_trade::handle, request).unwrap_err();
    assert!(matches!(refusal, Problem::Unavailable(_) | Problem::TooLarge { .. }), "{refusal:?}");
});
