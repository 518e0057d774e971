//! Settings of our merchant account at Tripay: merchant code, keys and URLs.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use crate::PrivateKey;

const PRODUCTION: &str = "https://tripay.co.id/api";
const SANDBOX: &str = "https://tripay.co.id/api-sandbox";

/// Merchant account. Each field documents the setting that it is read from.
pub struct Account {
    /// `TRIPAY_MERCHANT_CODE`
    pub(crate) merchant_code: String,
    /// `TRIPAY_API_KEY`
    pub(crate) api_key: String,
    /// `TRIPAY_PRIVATE_KEY`
    pub(crate) private_key: PrivateKey,
    /// `TRIPAY_URL` without a trailing slash. Defaults to Tripay's sandbox or production, depending on the API key.
    pub(crate) url: String,
    /// `TRIPAY_CALLBACK_URL`. If it is not set, Tripay calls the URL of the merchant's dashboard.
    pub(crate) callback_url: Option<String>,
    /// `TRIPAY_RETURN_URL`
    pub(crate) return_url: Option<String>,
}

/// Setting that is missing or invalid.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("`{}` not set", .0.join("`, `"))]
    Missing(Vec<&'static str>),
    /// Name of the setting and reason. The reason never quotes the value.
    #[error("`{0}` {1}")]
    Invalid(&'static str, &'static str),
    #[error("`TRIPAY_API_KEY` is a sandbox key: `TRIPAY_URL` must end in /api-sandbox")]
    SandboxKey,
    #[error("`TRIPAY_URL` is a sandbox URL: `TRIPAY_API_KEY` must start with DEV-")]
    SandboxUrl,
}

impl Account {
    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// All missing settings at once, the first malformed setting, or a sandbox key with a production URL and vice
    /// versa.
    pub fn from_settings(setting: impl Fn(&str) -> Option<String>) -> Result<Self, AccountError> {
        let mut missing = Vec::new();
        let mut required = |name: &'static str| {
            non_blank(&setting, name).unwrap_or_else(|| {
                missing.push(name);
                String::new()
            })
        };
        let merchant_code = required("TRIPAY_MERCHANT_CODE");
        let api_key = required("TRIPAY_API_KEY");
        required("TRIPAY_PRIVATE_KEY");
        if !missing.is_empty() {
            return Err(AccountError::Missing(missing));
        }
        // Every request would fail to be built, and each would count as one with an unknown outcome.
        if !api_key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AccountError::Invalid("TRIPAY_API_KEY", "must consist of visible ASCII characters"));
        }
        let url = api_url(non_blank(&setting, "TRIPAY_URL"), api_key.starts_with("DEV-"))?;
        let web_address = |name| match non_blank(&setting, name) {
            Some(text) if is_web_address(&text) => Ok(Some(text)),
            Some(_) => Err(AccountError::Invalid(name, "is not an http:// or https:// URL")),
            None => Ok(None),
        };
        Ok(Self {
            merchant_code,
            api_key,
            private_key: PrivateKey::from_settings(&setting)?,
            url,
            callback_url: web_address("TRIPAY_CALLBACK_URL")?,
            return_url: web_address("TRIPAY_RETURN_URL")?,
        })
    }

    pub fn merchant_code(&self) -> &str {
        &self.merchant_code
    }
}

/// Omits the keys.
impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Account")
            .field("merchant_code", &self.merchant_code)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Returns the setting without surrounding whitespace, which pasting often adds, or `None` if it is blank.
pub(crate) fn non_blank(setting: impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    let text = setting(name)?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Validates `TRIPAY_URL`, or returns the default URL for the key.
fn api_url(setting: Option<String>, is_sandbox_key: bool) -> Result<String, AccountError> {
    let invalid = |reason| AccountError::Invalid("TRIPAY_URL", reason);
    let default = if is_sandbox_key { SANDBOX } else { PRODUCTION };
    let text = setting.as_deref().unwrap_or(default).trim_end_matches('/');
    let url = Url::parse(text).map_err(|_| invalid("is not a URL"))?;
    // Every request sends the API key to this URL.
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        return Err(invalid("must start with https://, except for a loopback address"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("must not contain credentials, a query or a fragment"));
    }
    match (is_sandbox_key, url.path().ends_with("/api-sandbox")) {
        (true, false) => Err(AccountError::SandboxKey),
        (false, true) => Err(AccountError::SandboxUrl),
        (true, true) | (false, false) => Ok(text.to_owned()),
    }
}

fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: &[(&str, &str)] = &[
        ("TRIPAY_MERCHANT_CODE", "T0001"),
        ("TRIPAY_API_KEY", "DEV-hush-api"),
        ("TRIPAY_PRIVATE_KEY", "hush-private"),
    ];

    /// Reads complete settings, some of them replaced or added.
    fn account(changes: &[(&str, &str)]) -> Result<Account, AccountError> {
        Account::from_settings(|name| {
            let set = changes.iter().chain(COMPLETE).find(|(key, _)| *key == name);
            set.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn all_missing_settings_are_reported_at_once() {
        let error = Account::from_settings(|_| None).unwrap_err().to_string();
        assert_eq!(error, "`TRIPAY_MERCHANT_CODE`, `TRIPAY_API_KEY`, `TRIPAY_PRIVATE_KEY` not set");
        let error = account(&[("TRIPAY_API_KEY", ""), ("TRIPAY_PRIVATE_KEY", " \n")]).unwrap_err().to_string();
        assert_eq!(error, "`TRIPAY_API_KEY`, `TRIPAY_PRIVATE_KEY` not set");
    }

    #[test]
    fn whitespace_around_a_setting_is_trimmed() {
        let complete = account(&[
            ("TRIPAY_MERCHANT_CODE", " T0001\n"),
            ("TRIPAY_API_KEY", "\tDEV-hush-api\r\n"),
            ("TRIPAY_PRIVATE_KEY", "hush-private\n"),
            ("TRIPAY_CALLBACK_URL", " https://pay.example.id/callbacks/tripay "),
            ("TRIPAY_RETURN_URL", "  "),
        ])
        .unwrap();
        assert_eq!(complete.merchant_code(), "T0001");
        assert_eq!(complete.api_key, "DEV-hush-api");
        assert_eq!(complete.callback_url.as_deref(), Some("https://pay.example.id/callbacks/tripay"));
        assert_eq!(complete.return_url, None);
        let untouched = account(&[]).unwrap();
        assert_eq!(complete.private_key.sign(&["x"]), untouched.private_key.sign(&["x"]));
    }

    #[test]
    fn the_api_key_selects_the_default_url() {
        assert_eq!(account(&[]).unwrap().url, "https://tripay.co.id/api-sandbox");
        assert_eq!(account(&[("TRIPAY_API_KEY", "hush-api")]).unwrap().url, "https://tripay.co.id/api");
        let elsewhere = account(&[("TRIPAY_URL", "http://127.0.0.1:9000/_local/tripay/api-sandbox/")]).unwrap();
        assert_eq!(elsewhere.url, "http://127.0.0.1:9000/_local/tripay/api-sandbox");
    }

    #[test]
    fn a_sandbox_key_and_a_production_url_are_rejected_and_vice_versa() {
        for url in ["https://tripay.co.id/api", "https://tripay.co.id/api-sandbox/x", "https://api-sandbox"] {
            let refused = account(&[("TRIPAY_URL", url)]);
            assert!(matches!(refused, Err(AccountError::SandboxKey)), "{url}: {refused:?}");
        }
        let refused = account(&[("TRIPAY_API_KEY", "hush-api"), ("TRIPAY_URL", "https://tripay.co.id/api-sandbox/")]);
        assert!(matches!(refused, Err(AccountError::SandboxUrl)), "{refused:?}");
    }

    #[test]
    fn a_malformed_setting_is_named_but_not_quoted() {
        for (name, value) in [
            ("TRIPAY_API_KEY", "DEV-hush\napi"),
            ("TRIPAY_API_KEY", "DEV-hush apí"),
            ("TRIPAY_URL", "hush"),
            ("TRIPAY_URL", "ftp://127.0.0.1/hush/api-sandbox"),
            ("TRIPAY_URL", "http://tripay.co.id/hush/api-sandbox"),
            ("TRIPAY_URL", "http://127.0.0.1.hush.test/api-sandbox"),
            ("TRIPAY_URL", "https://hush@tripay.co.id/api-sandbox"),
            ("TRIPAY_URL", "https://:hush@tripay.co.id/api-sandbox"),
            ("TRIPAY_URL", "https://tripay.co.id/api?hush=/api-sandbox"),
            ("TRIPAY_URL", "https://tripay.co.id/api#hush/api-sandbox"),
            ("TRIPAY_CALLBACK_URL", "hush.example.id/callbacks/tripay"),
            ("TRIPAY_RETURN_URL", "javascript:hush"),
        ] {
            let error = account(&[(name, value)]).unwrap_err();
            assert!(matches!(error, AccountError::Invalid(named, _) if named == name), "{value}: {error}");
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
    }

    #[test]
    fn debug_output_and_errors_contain_no_key() {
        let complete = account(&[]).unwrap();
        let shown = format!("{complete:?} {complete:#?} {:?}", complete.private_key);
        assert!(shown.contains("T0001"), "{shown}");
        assert!(!shown.contains("hush"), "{shown}");
        for changes in [
            &[("TRIPAY_URL", "https://tripay.co.id/api")][..],
            &[("TRIPAY_API_KEY", "hush-api"), ("TRIPAY_URL", "https://tripay.co.id/api-sandbox")],
            &[("TRIPAY_MERCHANT_CODE", "")],
        ] {
            let error = account(changes).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
    }
}
