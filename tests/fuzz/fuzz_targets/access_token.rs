//! A token is accepted only if its claims are signed.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use fuzz::{Instance, claims, request};
use libfuzzer_sys::fuzz_target;
use nofomo_lambda::App;
use serde_json::Value;

static INSTANCE: LazyLock<Instance<App>> = LazyLock::new(|| Instance::start_app("get-portfolio"));

fuzz_target!(|token: &[u8]| {
    let header = [b"Bearer ", token].concat();
    let Some(request) = request("GET /portfolio", &[], &[("authorization", &header)], b"") else { return };
    if INSTANCE.wait(INSTANCE.function.user(&request)).is_ok() {
        let token = std::str::from_utf8(token).expect("an accepted token is text").trim();
        let payload = token.split('.').nth(1).expect("an accepted token has three parts");
        let payload: Value =
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("JSON");
        assert_eq!(payload, claims(), "these claims are not signed");
    }
});
