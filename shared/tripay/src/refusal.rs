//! Refusals by Tripay. Separates messages that are safe to show from those about our own account.

use std::net::IpAddr;

use reqwest::StatusCode;

use crate::Account;

/// Statuses of a refusal that concerns our account: wrong key, IP address not allowed, rate limit.
const ACCOUNT_STATUSES: [StatusCode; 3] =
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS];
/// Maximum length of a shown message, in characters.
const MAX_MESSAGE_LENGTH: usize = 300;
/// Maximum length of a raw message, in characters; the rest is ignored.
const MAX_RAW_LENGTH: usize = 4000;

/// Phrases about our keys, IP address and account. They are matched against lower-case words, separated by single
/// spaces.
const ACCOUNT_PHRASES: &[&str] = &[
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

/// Refusal of a request.
pub(crate) struct Refusal {
    /// One line of plain text.
    pub(crate) message: String,
    /// `true` if the refusal concerns our own configuration, which callers cannot change and must not see.
    pub(crate) is_account_error: bool,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: &str, account: &Account) -> Self {
        let message = collapse_whitespace(&strip_tags(message)).replace(&account.api_key, "…");
        let is_account_error = ACCOUNT_STATUSES.contains(&status) || is_about_account(&message, account);
        let message = match message.is_empty() {
            true => "Tripay gave no reason".into(),
            false => message.chars().take(MAX_MESSAGE_LENGTH).collect(),
        };
        Self { message, is_account_error }
    }
}

fn is_about_account(message: &str, account: &Account) -> bool {
    let message = message.to_lowercase();
    let words: Vec<_> = message.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let words = format!(" {} ", words.join(" "));
    ACCOUNT_PHRASES.iter().any(|phrase| words.contains(phrase))
        || message.contains(&account.merchant_code.to_lowercase())
        || message.split(|c: char| !c.is_ascii_hexdigit() && !matches!(c, '.' | ':')).any(is_address)
}

/// `true` if the word is an IP address, possibly followed by punctuation.
fn is_address(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    let bare = word.trim_end_matches(':');
    // "12:30" and "::" alone are not addresses.
    word.len() > 2 && (word.parse::<IpAddr>().is_ok() || bare.parse::<IpAddr>().is_ok())
}

/// Removes HTML tags, which some of Tripay's messages contain and which a client might render.
fn strip_tags(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars().take(MAX_RAW_LENGTH) {
        match plain.rfind('<').filter(|_| c == '>') {
            Some(start) if starts_tag(plain.get(start + 1..)) => {
                plain.truncate(start);
                plain.push(' ');
            }
            _ => plain.push(c),
        }
    }
    // An unclosed `<` would start a tag that includes the following text.
    plain.replace('<', "< ")
}

fn starts_tag(rest: Option<&str>) -> bool {
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')))
}

fn collapse_whitespace(text: &str) -> String {
    let words: Vec<_> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account::from_settings(|name| match name {
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
    fn a_message_is_truncated_to_300_characters() {
        assert_eq!(refusal(400, &"é".repeat(300)).message, "é".repeat(300));
        assert_eq!(refusal(400, &"é".repeat(301)).message, "é".repeat(300));
        assert_eq!(refusal(400, &">".repeat(200_000)).message, ">".repeat(300));
    }

    #[test]
    fn messages_about_our_configuration_are_account_errors() {
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
            assert!(refusal(400, message).is_account_error, "{message}");
        }
        for status in [401, 403, 429] {
            assert!(refusal(status, "Ditolak").is_account_error);
        }
        // The part that is not shown is checked, too.
        assert!(refusal(400, &format!("{} Invalid signature", "x".repeat(400))).is_account_error);
    }

    #[test]
    fn messages_about_the_request_are_not_account_errors() {
        for message in [
            "Channel pembayaran tidak aktif",
            "Minimal pembayaran untuk QRIS adalah Rp 1.000",
            "Tipe pembayaran tidak tersedia: pilih yang lain, sip",
            "Batas 10.000.000 pada 12:30:00 :: bayar",
            "The customer phone field is required.",
            "Kunci api kecil",
            "",
        ] {
            assert!(!refusal(422, message).is_account_error, "{message}");
        }
    }

    #[test]
    fn our_key_is_masked_in_a_message() {
        let refused = refusal(401, "Key DEV-hush-api is not known; got Bearer DEV-hush-api");
        assert_eq!(refused.message, "Key … is not known; got Bearer …");
    }
}
