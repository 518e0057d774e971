//! Secrets that no log of any test may contain.

/// Parts of keys, passwords, addresses and tokens of the local stack.
const SECRETS: [&str; 8] = [
    // Passwords of the sample users.
    super::world::PASSWORD,
    "@nofomo.test",
    "@example.test",
    // An access token: `{"` in base64.
    "eyJ",
    "nofomo_bot_",
    "local-sandbox-private-key",
    "DEV-local-sandbox-key",
    // The key that encrypts exchange credentials.
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
];

/// Length of a signature and of a token's hash, in hexadecimal digits.
const HEXADECIMAL_DIGITS: usize = 64;

/// Returns a secret that the line contains, or `None`.
pub(crate) fn find_leak(line: &str, password: &str) -> Option<String> {
    let secret = SECRETS.into_iter().chain([password]).find(|secret| line.contains(secret));
    let is_digit = |character: char| character.is_ascii_hexdigit();
    let digits = || line.split(|character| !is_digit(character)).find(|digits| digits.len() >= HEXADECIMAL_DIGITS);
    secret.or_else(digits).map(ToOwned::to_owned)
}

#[test]
fn a_log_line_with_a_secret_is_detected() {
    let line = r#"{"level":"INFO","message":"POST /bots 201","request_id":"0190e000-0000-7000-8000-000000000001"}"#;
    assert_eq!(find_leak(line, "hush"), None);
    for secret in
        ["nofomo-dev", "pro@nofomo.test", "Bearer eyJhbGciOi", "/freqtrade/nofomo_bot_x", "hush", &"0f".repeat(32)]
    {
        assert!(find_leak(&line.replace("201", secret), "hush").is_some(), "{secret}");
    }
}
