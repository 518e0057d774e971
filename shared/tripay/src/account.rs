//! Our merchant account at Tripay: who we are, by which keys, and where the API is.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use crate::PrivateKey;

const PRODUCTION: &str = "https://tripay.co.id/api";
const SANDBOX: &str = "https://tripay.co.id/api-sandbox";

/// Each field names its setting.
pub struct Account {
    /// `TRIPAY_MERCHANT_CODE`
    pub(crate) merchant_code: String,
    /// `TRIPAY_API_KEY`
    pub(crate) api_key: String,
    /// `TRIPAY_PRIVATE_KEY`
    pub(crate) private_key: PrivateKey,
    /// `TRIPAY_URL`, without a slash at its end; Tripay's own sandbox or production, as the API key is.
    pub(crate) url: String,
    /// `TRIPAY_CALLBACK_URL`; where it is not set, Tripay calls the one in the merchant's menu.
    pub(crate) callback_url: Option<String>,
    /// `TRIPAY_RETURN_URL`
    pub(crate) return_url: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("`{}` not set", .0.join("`, `"))]
    Missing(Vec<&'static str>),
    /// The reason never quotes the value.
    #[error("`{0}` {1}")]
    Invalid(&'static str, &'static str),
    #[error("`TRIPAY_API_KEY` is one of the sandbox, so `TRIPAY_URL` must end in /api-sandbox")]
    SandboxKey,
    #[error("`TRIPAY_URL` is a sandbox, so `TRIPAY_API_KEY` must start with DEV-")]
    SandboxUrl,
}

impl Account {
    /// # Errors
    ///
    /// Everything that is missing at once; else what is malformed, or a key and a URL of which one is the sandbox's.
    pub fn read(setting: impl Fn(&str) -> Option<String>) -> Result<Self, AccountError> {
        let mut missing = Vec::new();
        let mut required = |name: &'static str| {
            trimmed(&setting, name).unwrap_or_else(|| {
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
        // Every request would fail over it, and each would count as one whose outcome is unknown.
        if !api_key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AccountError::Invalid("TRIPAY_API_KEY", "has characters that no key has"));
        }
        let url = base(trimmed(&setting, "TRIPAY_URL"), api_key.starts_with("DEV-"))?;
        let address = |name| match trimmed(&setting, name) {
            Some(text) if is_web_address(&text) => Ok(Some(text)),
            Some(_) => Err(AccountError::Invalid(name, "is not an http:// or https:// URL")),
            None => Ok(None),
        };
        Ok(Self {
            merchant_code,
            api_key,
            private_key: PrivateKey::read(&setting)?,
            url,
            callback_url: address("TRIPAY_CALLBACK_URL")?,
            return_url: address("TRIPAY_RETURN_URL")?,
        })
    }

    pub fn merchant_code(&self) -> &str {
        &self.merchant_code
    }
}

/// Without the keys.
impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Account")
            .field("merchant_code", &self.merchant_code)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A line break at the end is the usual mistake when a key is pasted; a blank setting is as good as none.
pub(crate) fn trimmed(setting: impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    let text = setting(name)?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn base(set: Option<String>, is_sandbox_key: bool) -> Result<String, AccountError> {
    let invalid = |reason| AccountError::Invalid("TRIPAY_URL", reason);
    let default = if is_sandbox_key { SANDBOX } else { PRODUCTION };
    let text = set.as_deref().unwrap_or(default).trim_end_matches('/');
    let url = Url::parse(text).map_err(|_| invalid("is not a URL"))?;
    // The API key goes there with every request.
    if url.scheme() != "https" && !(url.scheme() == "http" && is_this_machine(&url)) {
        return Err(invalid("must start with https://, but for this machine"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("must have neither a user nor anything behind its path"));
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

fn is_this_machine(url: &Url) -> bool {
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

    /// The complete settings, some of them replaced or added.
    fn read(changes: &[(&str, &str)]) -> Result<Account, AccountError> {
        Account::read(|name| {
            let set = changes.iter().chain(COMPLETE).find(|(key, _)| *key == name);
            set.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        let error = Account::read(|_| None).unwrap_err().to_string();
        assert_eq!(error, "`TRIPAY_MERCHANT_CODE`, `TRIPAY_API_KEY`, `TRIPAY_PRIVATE_KEY` not set");
        let error = read(&[("TRIPAY_API_KEY", ""), ("TRIPAY_PRIVATE_KEY", " \n")]).unwrap_err().to_string();
        assert_eq!(error, "`TRIPAY_API_KEY`, `TRIPAY_PRIVATE_KEY` not set");
    }

    #[test]
    fn whitespace_around_a_setting_is_cut() {
        let account = read(&[
            ("TRIPAY_MERCHANT_CODE", " T0001\n"),
            ("TRIPAY_API_KEY", "\tDEV-hush-api\r\n"),
            ("TRIPAY_PRIVATE_KEY", "hush-private\n"),
            ("TRIPAY_CALLBACK_URL", " https://pay.example.id/callbacks/tripay "),
            ("TRIPAY_RETURN_URL", "  "),
        ])
        .unwrap();
        assert_eq!(account.merchant_code(), "T0001");
        assert_eq!(account.api_key, "DEV-hush-api");
        assert_eq!(account.callback_url.as_deref(), Some("https://pay.example.id/callbacks/tripay"));
        assert_eq!(account.return_url, None);
        let untouched = read(&[]).unwrap();
        assert_eq!(account.private_key.sign(&["x"]), untouched.private_key.sign(&["x"]));
    }

    #[test]
    fn the_key_says_which_of_tripays_addresses_it_is_for() {
        assert_eq!(read(&[]).unwrap().url, "https://tripay.co.id/api-sandbox");
        assert_eq!(read(&[("TRIPAY_API_KEY", "hush-api")]).unwrap().url, "https://tripay.co.id/api");
        let elsewhere = read(&[("TRIPAY_URL", "http://127.0.0.1:9000/_local/tripay/api-sandbox/")]).unwrap();
        assert_eq!(elsewhere.url, "http://127.0.0.1:9000/_local/tripay/api-sandbox");
    }

    #[test]
    fn a_key_and_an_address_of_which_one_is_the_sandboxs_are_refused() {
        for url in ["https://tripay.co.id/api", "https://tripay.co.id/api-sandbox/x", "https://api-sandbox"] {
            let refused = read(&[("TRIPAY_URL", url)]);
            assert!(matches!(refused, Err(AccountError::SandboxKey)), "{url}: {refused:?}");
        }
        let refused = read(&[("TRIPAY_API_KEY", "hush-api"), ("TRIPAY_URL", "https://tripay.co.id/api-sandbox/")]);
        assert!(matches!(refused, Err(AccountError::SandboxUrl)), "{refused:?}");
    }

    #[test]
    fn what_is_malformed_is_named_and_not_quoted() {
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
            let error = read(&[(name, value)]).unwrap_err();
            assert!(matches!(error, AccountError::Invalid(named, _) if named == name), "{value}: {error}");
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
    }

    #[test]
    fn a_key_is_never_shown() {
        let account = read(&[]).unwrap();
        let shown = format!("{account:?} {account:#?} {:?}", account.private_key);
        assert!(shown.contains("T0001"), "{shown}");
        assert!(!shown.contains("hush"), "{shown}");
        for changes in [
            &[("TRIPAY_URL", "https://tripay.co.id/api")][..],
            &[("TRIPAY_API_KEY", "hush-api"), ("TRIPAY_URL", "https://tripay.co.id/api-sandbox")],
            &[("TRIPAY_MERCHANT_CODE", "")],
        ] {
            let error = read(changes).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
    }
}
