//! A callback is accepted only with a signature of its bytes; parsing a signed one causes no internal error. If the
//! lowest bit of the first byte is set, the rest is the body, and is signed; otherwise the part up to the first line
//! break is the signature header, and the rest is the body.
#![no_main]

use std::sync::LazyLock;

use fuzz::{Instance, TRIPAY_PRIVATE_KEY, request};
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use nofomo_lambda::{Job, Problem};
use nofomo_tripay::PrivateKey;
use sha2::Sha256;

static INSTANCE: LazyLock<Instance<Job>> = LazyLock::new(|| Instance::start_job("tripay-callback"));
static KEY: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::from_settings(|_| Some(TRIPAY_PRIVATE_KEY.into())).expect("a key"));

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let (signature, body) = if first & 1 == 1 {
        (sign(rest).into_bytes(), rest)
    } else {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        (rest[..end].to_vec(), rest.get(end + 1..).unwrap_or_default())
    };
    if let Ok(signature) = std::str::from_utf8(&signature) {
        assert_eq!(KEY.is_valid_signature(body, signature), signature.eq_ignore_ascii_case(&sign(body)));
    }
    let headers = [("x-callback-signature", &signature[..]), ("x-callback-event", b"payment_status")];
    let Some(request) = request("POST /callbacks/tripay", &[], &headers, body) else { return };
    // Nothing is acknowledged before it is stored.
    let refusal = INSTANCE.handle(|job, request| tripay_callback::handle(job, &KEY, request), request).unwrap_err();
    assert!(matches!(refusal, Problem::Unavailable(_) | Problem::TooLarge { .. }), "{refusal:?}");
});

fn sign(body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(TRIPAY_PRIVATE_KEY.as_bytes()).expect("a key");
    hex::encode(mac.chain_update(body).finalize().into_bytes())
}
