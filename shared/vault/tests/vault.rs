//! A sealed text opens only for its owner and exchange.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use nofomo_vault::{KeyRing, KeyRingError, OpenError};
use proptest::prelude::*;
use uuid::Uuid;

const FIRST: &str = "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SECOND: &str = "2:Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";
const OWNER: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

fn ring(text: &str) -> KeyRing {
    KeyRing::parse(text).unwrap()
}

#[test]
fn a_sealed_text_opens_only_for_its_owner_and_exchange() {
    let ring = ring(FIRST);
    let sealed = ring.seal(OWNER, "binance", b"planted").unwrap();
    assert!(sealed.starts_with("v1.1.") && sealed.starts_with(&ring.prefix()));
    assert_eq!(ring.open(OWNER, "binance", &sealed).unwrap().as_slice(), b"planted");
    assert_eq!(ring.open(OTHER, "binance", &sealed).unwrap_err(), OpenError::NotAuthentic);
    assert_eq!(ring.open(OWNER, "bybit", &sealed).unwrap_err(), OpenError::NotAuthentic);
}

#[test]
fn the_same_secret_is_sealed_differently_each_time() {
    let ring = ring(FIRST);
    let [one, other] = [(); 2].map(|()| ring.seal(OWNER, "binance", b"planted").unwrap());
    assert_ne!(one[..20], other[..20], "the nonce");
    assert_ne!(one[22..], other[22..]);
}

#[test]
fn the_first_key_seals_and_every_key_opens() {
    let old = ring(FIRST).seal(OWNER, "binance", b"planted").unwrap();
    let both = ring(&format!("{SECOND}, {FIRST}"));
    assert_eq!(both.open(OWNER, "binance", &old).unwrap().as_slice(), b"planted");
    let new = both.seal(OWNER, "binance", b"planted").unwrap();
    assert!(new.starts_with("v1.2."));
    assert_eq!(ring(FIRST).open(OWNER, "binance", &new).unwrap_err(), OpenError::UnknownKey(2));
    assert!(ring(SECOND).open(OWNER, "binance", &new).is_ok());
}

#[test]
fn a_key_with_the_same_number_does_not_open_the_text() {
    let sealed = ring(FIRST).seal(OWNER, "binance", b"planted").unwrap();
    let other = ring(&SECOND.replace("2:", "1:"));
    assert_eq!(other.open(OWNER, "binance", &sealed).unwrap_err(), OpenError::NotAuthentic);
    // Nor does the same key with another number.
    let renamed = ring(&FIRST.replace("1:", "3:"));
    assert_eq!(renamed.open(OWNER, "binance", &sealed.replace("v1.1.", "v1.3.")).unwrap_err(), OpenError::NotAuthentic);
}

#[test]
fn a_malformed_key_ring_is_refused_without_quoting_it() {
    let key = &FIRST[2..];
    for (text, position) in [
        (String::new(), 1),
        ("1".into(), 1),
        ("1:".into(), 1),
        (format!("one:{key}"), 1),
        (format!("01:{key}"), 1),
        (format!("1:{}", &key[4..]), 1),
        (format!("1:{key}A"), 1),
        (format!("{FIRST},"), 2),
        (format!("{FIRST},2:planted"), 2),
    ] {
        let error = KeyRing::parse(&text).unwrap_err();
        assert_eq!(error, KeyRingError::Malformed(position), "{text}");
        assert!(!error.to_string().contains("planted"));
    }
    assert_eq!(KeyRing::parse(&format!("{FIRST},{FIRST}")).unwrap_err(), KeyRingError::Repeated(1));
    assert_eq!(format!("{:?}", ring(&format!("{SECOND},{FIRST}"))), "[2, 1]");
}

proptest! {
    #[test]
    fn every_secret_opens_to_the_same_bytes(secret: Vec<u8>, owner: u128, exchange in "[a-z]{0,12}") {
        let owner = Uuid::from_u128(owner);
        let sealed = ring(FIRST).seal(owner, &exchange, &secret).unwrap();
        let opened = ring(FIRST).open(owner, &exchange, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), secret.as_slice());
    }

    #[test]
    fn a_text_with_one_changed_character_does_not_open(index: prop::sample::Index, letter in "[ -~]") {
        let sealed = ring(FIRST).seal(OWNER, "binance", b"planted").unwrap();
        let index = index.index(sealed.len());
        let changed = format!("{}{letter}{}", &sealed[..index], &sealed[index + 1..]);
        prop_assume!(changed != sealed);
        let both = ring(&format!("{FIRST},{SECOND}"));
        prop_assert!(both.open(OWNER, "binance", &changed).is_err());
    }

    #[test]
    fn arbitrary_text_is_refused_without_a_panic(text in any::<String>()) {
        prop_assert!(ring(FIRST).open(OWNER, "binance", &text).is_err());
        let with_prefix = format!("v1.1.{text}");
        prop_assert!(ring(FIRST).open(OWNER, "binance", &with_prefix).is_err());
        prop_assert!(KeyRing::parse(&text).is_err());
    }
}
