//! The private key: it signs what we order, and tells what Tripay has sent.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::AccountError;
use crate::account::trimmed;

const NAME: &str = "TRIPAY_PRIVATE_KEY";

/// `TRIPAY_PRIVATE_KEY`; a callback needs nothing else of the account.
pub struct PrivateKey(Hmac<Sha256>);

impl PrivateKey {
    /// # Errors
    ///
    /// The setting's name, if it is not set.
    pub fn read(setting: impl Fn(&str) -> Option<String>) -> Result<Self, AccountError> {
        let key = trimmed(setting, NAME).ok_or_else(|| AccountError::Missing(vec![NAME]))?;
        let mac = Hmac::new_from_slice(key.as_bytes()).map_err(|_| AccountError::Invalid(NAME, "is no key"))?;
        Ok(Self(mac))
    }

    /// Whether Tripay has signed exactly these bytes: the body before anything has parsed, decoded or trimmed it.
    /// `signature` is the header's text. Takes the same time for every wrong one.
    pub fn has_signed(&self, body: &[u8], signature: &str) -> bool {
        let Ok(signature) = hex::decode(signature) else {
            return false;
        };
        self.0.clone().chain_update(body).verify_slice(&signature).is_ok()
    }

    /// Of the parts without anything between them.
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

    /// The one that Tripay's documentation uses.
    fn key() -> PrivateKey {
        PrivateKey::read(|name| (name == NAME).then(|| "ytf6ooi2gmlNPfpchd94jDOk8hRWOu".into())).unwrap()
    }

    #[test]
    fn an_order_is_signed_as_tripay_documents_it() {
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
    fn what_tripay_signed_is_known_byte_for_byte() {
        for callback in ALL {
            assert_eq!(callback.body.len(), callback.bytes);
            assert_eq!(key().sign(&[callback.body]), callback.signature);
            assert!(key().has_signed(callback.body.as_bytes(), callback.signature), "{}", callback.body);
            // The header is hexadecimal, in whichever case.
            assert!(key().has_signed(callback.body.as_bytes(), &callback.signature.to_uppercase()));
        }
    }

    #[test]
    fn a_single_changed_byte_is_noticed() {
        for callback in ALL {
            for position in 0..callback.body.len() {
                let mut changed = callback.body.as_bytes().to_vec();
                changed[position] ^= 1;
                assert!(!key().has_signed(&changed, callback.signature), "{position}");
            }
            for changed in [format!("{}\n", callback.body), format!(" {}", callback.body), String::new()] {
                assert!(!key().has_signed(changed.as_bytes(), callback.signature), "{changed}");
            }
        }
    }

    #[test]
    fn the_same_json_written_otherwise_is_not_what_was_signed() {
        let rewritten = B.body.replace(r"\/", "/").replace(r"\u00e9", "é");
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parsed(&rewritten), parsed(B.body));
        assert!(key().sign(&[&rewritten]).starts_with("164886cb"));
        assert!(!key().has_signed(rewritten.as_bytes(), B.signature));
    }

    #[test]
    fn only_the_whole_signature_in_hexadecimal_counts() {
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
            assert!(!key().has_signed(A.body.as_bytes(), wrong), "{wrong}");
        }
    }

    #[test]
    fn another_key_has_not_signed_it() {
        let other = PrivateKey::read(|_| Some("ytf6ooi2gmlNPfpchd94jDOk8hRWOv".into())).unwrap();
        assert!(!other.has_signed(A.body.as_bytes(), A.signature));
        // Pasted with a line break, it is still the key.
        let pasted = PrivateKey::read(|_| Some(" ytf6ooi2gmlNPfpchd94jDOk8hRWOu\n".into())).unwrap();
        assert!(pasted.has_signed(A.body.as_bytes(), A.signature));
        // One longer than a block of SHA-256 is as good as any.
        let long = PrivateKey::read(|_| Some("k".repeat(200))).unwrap();
        assert!(long.has_signed(b"{}", &long.sign(&["{}"])));
        for blank in [None, Some(String::new()), Some(" \n".into())] {
            let error = PrivateKey::read(|_| blank.clone()).unwrap_err();
            assert_eq!(error.to_string(), "`TRIPAY_PRIVATE_KEY` not set");
        }
    }
}
