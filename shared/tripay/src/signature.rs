//! Private key that signs our create requests and verifies Tripay's callbacks.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::AccountError;
use crate::account::non_blank;

const SETTING: &str = "TRIPAY_PRIVATE_KEY";

/// Value of `TRIPAY_PRIVATE_KEY`, the only setting that callbacks need.
pub struct PrivateKey(Hmac<Sha256>);

impl PrivateKey {
    /// Reads the setting.
    ///
    /// # Errors
    ///
    /// The setting is missing or blank.
    pub fn from_settings(setting: impl Fn(&str) -> Option<String>) -> Result<Self, AccountError> {
        let key = non_blank(setting, SETTING).ok_or_else(|| AccountError::Missing(vec![SETTING]))?;
        let mac =
            Hmac::new_from_slice(key.as_bytes()).map_err(|_| AccountError::Invalid(SETTING, "is not a valid key"))?;
        Ok(Self(mac))
    }

    /// `true` if `signature`, the value of the header, is Tripay's signature of exactly these bytes. `body` must be the
    /// raw body, neither decoded nor trimmed. Compares in constant time.
    pub fn is_valid_signature(&self, body: &[u8], signature: &str) -> bool {
        let Ok(signature) = hex::decode(signature) else {
            return false;
        };
        self.0.clone().chain_update(body).verify_slice(&signature).is_ok()
    }

    /// Signs the concatenation of the parts. Returns hexadecimal text.
    pub(crate) fn sign(&self, parts: &[&str]) -> String {
        let signed = parts.iter().fold(self.0.clone(), Mac::chain_update);
        hex::encode(signed.finalize().into_bytes())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PrivateKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::callbacks::{A, ALL, B};

    /// Key of Tripay's documentation.
    fn key() -> PrivateKey {
        PrivateKey::from_settings(|name| (name == SETTING).then(|| "ytf6ooi2gmlNPfpchd94jDOk8hRWOu".into())).unwrap()
    }

    #[test]
    fn documented_requests_have_the_documented_signature() {
        assert_eq!(
            key().sign(&["T0001", "INV55567", "1500000"]),
            "9f167eba844d1fcb369404e2bda53702e2f78f7aa12e91da6715414e65b8c86a"
        );
        assert_eq!(
            key().sign(&["T0001", "BCAVA", "INV55567"]),
            "d239007921976248f10959295cbc0b45bbe2435f29c12d216cae0b6a1903f95e"
        );
    }

    #[test]
    fn documented_callbacks_are_verified() {
        for callback in ALL {
            assert_eq!(callback.body.len(), callback.bytes);
            assert_eq!(key().sign(&[callback.body]), callback.signature);
            assert!(key().is_valid_signature(callback.body.as_bytes(), callback.signature), "{}", callback.body);
            // Hexadecimal digits may be in upper case.
            assert!(key().is_valid_signature(callback.body.as_bytes(), &callback.signature.to_uppercase()));
        }
    }

    #[test]
    fn a_single_changed_byte_invalidates_the_signature() {
        for callback in ALL {
            for position in 0..callback.body.len() {
                let mut changed = callback.body.as_bytes().to_vec();
                changed[position] ^= 1;
                assert!(!key().is_valid_signature(&changed, callback.signature), "{position}");
            }
            for changed in [format!("{}\n", callback.body), format!(" {}", callback.body), String::new()] {
                assert!(!key().is_valid_signature(changed.as_bytes(), callback.signature), "{changed}");
            }
        }
    }

    #[test]
    fn equivalent_json_in_other_bytes_is_rejected() {
        let rewritten = B.body.replace(r"\/", "/").replace(r"\u00e9", "é");
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parsed(&rewritten), parsed(B.body));
        assert!(key().sign(&[&rewritten]).starts_with("164886cb"));
        assert!(!key().is_valid_signature(rewritten.as_bytes(), B.signature));
    }

    #[test]
    fn a_signature_in_any_other_form_is_rejected() {
        let signature = A.signature;
        for wrong in [
            "",
            &signature[..62],
            &signature[..63],
            &signature[2..],
            &format!("{signature}00"),
            &format!("{signature}{signature}"),
            &format!(" {signature}"),
            &format!("{signature},{signature}"),
            &format!("sha256={signature}"),
            &signature.replace('3', "g"),
            &"0".repeat(64),
            &"é".repeat(32),
            B.signature,
        ] {
            assert!(!key().is_valid_signature(A.body.as_bytes(), wrong), "{wrong}");
        }
    }

    #[test]
    fn a_signature_by_another_key_is_rejected() {
        let other = PrivateKey::from_settings(|_| Some("ytf6ooi2gmlNPfpchd94jDOk8hRWOv".into())).unwrap();
        assert!(!other.is_valid_signature(A.body.as_bytes(), A.signature));
        // Whitespace around the key is trimmed.
        let pasted = PrivateKey::from_settings(|_| Some(" ytf6ooi2gmlNPfpchd94jDOk8hRWOu\n".into())).unwrap();
        assert!(pasted.is_valid_signature(A.body.as_bytes(), A.signature));
        // A key may be longer than a block of SHA-256.
        let long = PrivateKey::from_settings(|_| Some("k".repeat(200))).unwrap();
        assert!(long.is_valid_signature(b"{}", &long.sign(&["{}"])));
        for blank in [None, Some(String::new()), Some(" \n".into())] {
            let error = PrivateKey::from_settings(|_| blank.clone()).unwrap_err();
            assert_eq!(error.to_string(), "`TRIPAY_PRIVATE_KEY` not set");
        }
    }
}
