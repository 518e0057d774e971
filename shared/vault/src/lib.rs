//! Encryption of exchange API keys with AES-256-GCM, bound to their owner and exchange.
//!
//! ```text
//! sealed text       v1.<key number>.<base64url of nonce and ciphertext>
//! associated data   v1.<key number>.<owner>.<exchange>
//! ```
//!
//! A [`KeyRing`] seals with its first key and opens with any of its keys. To rotate keys, put a new key in front, seal
//! every stored text again, then remove the old key.

use std::collections::BTreeSet;
use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use uuid::Uuid;
pub use zeroize::Zeroizing;

const VERSION: &str = "v1";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// Encryption keys from the setting `CREDENTIALS_KEYS`: `<number>:<base64 of 32 bytes>`, separated by commas, the
/// newest first.
pub struct KeyRing {
    newest: Entry,
    older: Vec<Entry>,
}

struct Entry {
    number: u32,
    cipher: Aes256Gcm,
}

/// Error in the setting `CREDENTIALS_KEYS`. Its text contains no part of a key.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyRingError {
    #[error("`CREDENTIALS_KEYS` not set: `<number>:<base64 of 32 bytes>`, such as `1:$(openssl rand -base64 32)`")]
    Missing,
    /// Position of the first malformed entry, from 1.
    #[error("`CREDENTIALS_KEYS` must be `<number>:<base64 of 32 bytes>`, separated by commas; entry {0} is not")]
    Malformed(usize),
    #[error("`CREDENTIALS_KEYS` has several keys with number {0}")]
    Repeated(u32),
}

/// Reason why a sealed text cannot be opened. Contains no part of it.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    #[error("it is not a sealed text")]
    Malformed,
    #[error("it was sealed with key {0}, which is not in the key ring")]
    UnknownKey(u32),
    #[error("it was modified, or sealed for another owner or exchange")]
    NotAuthentic,
}

/// Reason why a secret cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("no random bytes for the nonce: {0}")]
    Randomness(getrandom::Error),
    #[error("it is too long to be sealed")]
    TooLong,
}

impl KeyRing {
    /// Reads the setting `CREDENTIALS_KEYS`. `setting` returns a setting by its name.
    ///
    /// # Errors
    ///
    /// Same as [`KeyRing::parse`], and [`KeyRingError::Missing`] without the setting.
    pub fn read(setting: &dyn Fn(&str) -> Option<String>) -> Result<Self, KeyRingError> {
        Self::parse(&Zeroizing::new(setting("CREDENTIALS_KEYS").ok_or(KeyRingError::Missing)?))
    }

    /// Parses the value of the setting.
    ///
    /// # Errors
    ///
    /// An entry is malformed, or two keys have the same number.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let entries = text
            .split(',')
            .enumerate()
            .map(|(index, entry)| Entry::parse(entry.trim()).ok_or(KeyRingError::Malformed(index + 1)));
        let mut entries = entries.collect::<Result<Vec<_>, _>>()?;
        let mut numbers = BTreeSet::new();
        if let Some(repeated) = entries.iter().find(|entry| !numbers.insert(entry.number)) {
            return Err(KeyRingError::Repeated(repeated.number));
        }
        let older = entries.split_off(1);
        let newest = entries.pop().ok_or(KeyRingError::Malformed(1))?;
        Ok(Self { newest, older })
    }

    /// Seals a secret with the newest key and a random nonce. The sealed text is different each time.
    ///
    /// # Errors
    ///
    /// The operating system cannot supply random bytes, or the secret is longer than 64 GiB.
    pub fn seal(&self, owner: Uuid, exchange: &str, secret: &[u8]) -> Result<String, SealError> {
        let Entry { number, cipher } = &self.newest;
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(SealError::Randomness)?;
        let associated_data = associated_data(*number, owner, exchange);
        let ciphertext = cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: secret, aad: associated_data.as_bytes() })
            .map_err(|_| SealError::TooLong)?;
        let mut bytes = nonce.to_vec();
        bytes.extend(ciphertext);
        Ok(format!("{}{}", self.prefix(), BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Opens a text that was sealed for this owner and exchange.
    ///
    /// # Errors
    ///
    /// The text was sealed with a key that is not in the ring, sealed for another owner or exchange, or modified.
    pub fn open(&self, owner: Uuid, exchange: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let mut parts = sealed.splitn(3, '.');
        let (Some(VERSION), Some(number), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(OpenError::Malformed);
        };
        let number = parse_key_number(number).ok_or(OpenError::Malformed)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| OpenError::Malformed)?;
        let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::Malformed)?;
        let entry = self.entries().find(|entry| entry.number == number).ok_or(OpenError::UnknownKey(number))?;
        let associated_data = associated_data(number, owner, exchange);
        let opened =
            entry.cipher.decrypt(&Nonce::from(*nonce), Payload { msg: ciphertext, aad: associated_data.as_bytes() });
        opened.map(Zeroizing::new).map_err(|_| OpenError::NotAuthentic)
    }

    /// Returns the prefix of every text sealed with the newest key.
    pub fn prefix(&self) -> String {
        format!("{VERSION}.{}.", self.newest.number)
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        std::iter::once(&self.newest).chain(&self.older)
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let (number, key) = text.split_once(':')?;
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(key).ok()?);
        let key = Zeroizing::new(<[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok()?);
        Some(Self { number: parse_key_number(number)?, cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key)) })
    }
}

/// Parses a key number. Leading zeros and signs are refused, so that a sealed text has exactly one spelling.
fn parse_key_number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
}

fn associated_data(number: u32, owner: Uuid, exchange: &str) -> String {
    format!("{VERSION}.{number}.{owner}.{exchange}")
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries().map(|entry| entry.number)).finish()
    }
}
