//! Why Tripay refused, in words that may be shown, and whose fault it is.

use std::net::IpAddr;

use reqwest::StatusCode;

use crate::Account;

/// Tripay does not know us, does not let us in, or is asked too often.
const OUR_STATUS: [StatusCode; 3] = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS];
const MOST_CHARACTERS: usize = 300;
/// Of the raw message: more is not read.
const MOST_READ: usize = 4000;

/// Words for our keys, our address and our account: in lower case, letters and digits, one space between.
const OURS: &[&str] = &[
    " api key",
    "apikey",
    " private key",
    "signature",
    "whitelist",
    " white list",
    " ip ",
    "credential",
    "kredensial",
    "unauthori",
    " merchant code",
    " kode merchant",
];

pub(crate) struct Refusal {
    pub(crate) message: String,
    /// It is about our own configuration: nothing for a caller, who cannot change it and is not to read our address.
    pub(crate) is_ours: bool,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: &str, account: &Account) -> Self {
        let message = in_one_line(&without_tags(message)).replace(&account.api_key, "…");
        let is_ours = OUR_STATUS.contains(&status) || is_ours(&message, account);
        let message = match message.is_empty() {
            true => "Tripay gave no reason".into(),
            false => message.chars().take(MOST_CHARACTERS).collect(),
        };
        Self { message, is_ours }
    }
}

fn is_ours(message: &str, account: &Account) -> bool {
    let message = message.to_lowercase();
    let words: Vec<_> = message.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let words = format!(" {} ", words.join(" "));
    OURS.iter().any(|phrase| words.contains(phrase))
        || message.contains(&account.merchant_code.to_lowercase())
        || message.split(|c: char| !c.is_ascii_hexdigit() && !matches!(c, '.' | ':')).any(is_address)
}

/// As it stands in a sentence.
fn is_address(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    let bare = word.trim_end_matches(':');
    // "12:30" is none, and neither is "::" alone.
    word.len() > 2 && (word.parse::<IpAddr>().is_ok() || bare.parse::<IpAddr>().is_ok())
}

/// Tripay writes HTML here and there, and what shows our answer may believe it.
fn without_tags(text: &str) -> String {
    let mut kept = String::new();
    for c in text.chars().take(MOST_READ) {
        match kept.rfind('<').filter(|_| c == '>') {
            Some(start) if begins_tag(kept.get(start + 1..)) => {
                kept.truncate(start);
                kept.push(' ');
            }
            _ => kept.push(c),
        }
    }
    // One that is never closed begins a tag of what follows.
    kept.replace('<', "< ")
}

fn begins_tag(rest: Option<&str>) -> bool {
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')))
}

fn in_one_line(text: &str) -> String {
    let words: Vec<_> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account::read(|name| match name {
            "TRIPAY_MERCHANT_CODE" => Some("T0001".into()),
            "TRIPAY_API_KEY" => Some("DEV-hush-api".into()),
            "TRIPAY_PRIVATE_KEY" => Some("hush-private".into()),
            _ => None,
        })
        .unwrap()
    }

    fn refusal(status: u16, message: &str) -> Refusal {
        Refusal::new(StatusCode::from_u16(status).unwrap(), message, &account())
    }

    #[test]
    fn a_message_is_one_line_of_plain_text() {
        for (message, shown) in [
            ("Minimal pembayaran Rp 10.000", "Minimal pembayaran Rp 10.000"),
            ("  Nominal\r\n\tterlalu\u{0}kecil\u{85}\u{7f} ", "Nominal terlalu kecil"),
            ("Nominal <b>terlalu</b><br/>kecil", "Nominal terlalu kecil"),
            ("a <script>alert(1)</script><!-- x --> b", "a alert(1) b"),
            ("1 < 2 dan 3 > 2", "1 < 2 dan 3 > 2"),
            ("a <<b>b>c", "a < b>c"),
            ("a <img src=x onerror=alert(1)", "a < img src=x onerror=alert(1)"),
            ("a <scr<b>ipt>x", "a x"),
            ("", "Tripay gave no reason"),
            (" <br> ", "Tripay gave no reason"),
        ] {
            assert_eq!(refusal(400, message).message, shown, "{message:?}");
        }
    }

    #[test]
    fn a_message_is_cut_to_300_characters() {
        assert_eq!(refusal(400, &"é".repeat(300)).message, "é".repeat(300));
        assert_eq!(refusal(400, &"é".repeat(301)).message, "é".repeat(300));
        assert_eq!(refusal(400, &">".repeat(200_000)).message, ">".repeat(300));
    }

    #[test]
    fn what_is_about_our_configuration_is_ours() {
        for message in [
            "Invalid API Key",
            "Invalid api-key",
            "API_KEY tidak valid",
            "Apikey salah",
            "Invalid signature",
            "Signature tidak sesuai",
            "Unauthorized IP (203.0.113.7). Please add it to Whitelist IP of merchant T0001",
            "IP tidak diizinkan",
            "Alamat 203.0.113.7 tidak diizinkan",
            "Alamat [2001:db8::7]: tidak diizinkan",
            "Alamat 2001:db8::7.",
            "Permintaan t0001 ditolak",
            "Invalid private key",
            "Not in the whitelist",
            "Not in the white list",
            "Unauthorised",
            "Wrong merchant code",
            "Credential mismatch",
            "Kredensial tidak cocok",
            "Kode Merchant tidak ditemukan",
        ] {
            assert!(refusal(400, message).is_ours, "{message}");
        }
        for status in [401, 403, 429] {
            assert!(refusal(status, "Ditolak").is_ours);
        }
        // Beyond what is shown, too.
        assert!(refusal(400, &format!("{} Invalid signature", "x".repeat(400))).is_ours);
    }

    #[test]
    fn what_the_caller_can_change_is_not_ours() {
        for message in [
            "Channel pembayaran tidak aktif",
            "Minimal pembayaran untuk QRIS adalah Rp 1.000",
            "Tipe pembayaran tidak tersedia: pilih yang lain, sip",
            "Batas 10.000.000 pada 12:30:00 :: bayar",
            "The customer phone field is required.",
            "Kunci api kecil",
            "",
        ] {
            assert!(!refusal(422, message).is_ours, "{message}");
        }
    }

    #[test]
    fn a_key_that_tripay_repeats_is_not_repeated() {
        let refused = refusal(401, "Key DEV-hush-api is not known; got Bearer DEV-hush-api");
        assert_eq!(refused.message, "Key … is not known; got Bearer …");
    }
}
