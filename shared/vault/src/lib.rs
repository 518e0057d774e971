//! Seals exchange keys with AES-256-GCM under a ring of keys, bound to their owner and their exchange.
//!
//! ```text
//! sealed   v1.<key id>.<base64url of nonce and ciphertext>
//! bound    "v1.<key id>.<owner>.<exchange>", as additional data
//! ```
//!
//! The first key of a ring seals, all of them open: a ring is rotated by putting a new key in front, sealing everything again, and
//! then leaving the old one out.

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

/// The keys of the setting `CREDENTIALS_KEYS`: `<id>:<base64 of 32 bytes>`, with commas between them, the newest first.
pub struct KeyRing {
    newest: Entry,
    older: Vec<Entry>,
}

struct Entry {
    id: u32,
    cipher: Aes256Gcm,
}

/// What is wrong with a ring. Says nothing of what it holds.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyRingError {
    #[error("`CREDENTIALS_KEYS` not set: `<number>:<base64 of 32 bytes>`, such as `1:$(openssl rand -base64 32)`")]
    Missing,
    #[error("`CREDENTIALS_KEYS` must be `<number>:<base64 of 32 bytes>`, with commas between several; the {0}. is not")]
    Malformed(usize),
    #[error("`CREDENTIALS_KEYS` has several keys with the number {0}")]
    Repeated(u32),
}

/// Why something cannot be opened. Says nothing of what is in it.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    #[error("it was not sealed here")]
    Malformed,
    #[error("it was sealed with key {0}, which the ring does not have")]
    UnknownKey(u32),
    #[error("it was changed, or sealed for somebody or something else")]
    NotAuthentic,
}

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("no randomness for a nonce: {0}")]
    Randomness(getrandom::Error),
    #[error("too long to be sealed")]
    TooLong,
}

impl KeyRing {
    /// From the setting.
    ///
    /// # Errors
    ///
    /// As [`KeyRing::parse`], and where there is no such setting.
    pub fn read(setting: &dyn Fn(&str) -> Option<String>) -> Result<Self, KeyRingError> {
        Self::parse(&Zeroizing::new(setting("CREDENTIALS_KEYS").ok_or(KeyRingError::Missing)?))
    }

    /// # Errors
    ///
    /// A ring without keys, or with one that is none.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let entries = text
            .split(',')
            .enumerate()
            .map(|(place, entry)| Entry::parse(entry.trim()).ok_or(KeyRingError::Malformed(place + 1)));
        let mut entries = entries.collect::<Result<Vec<_>, _>>()?;
        let mut ids = BTreeSet::new();
        if let Some(repeated) = entries.iter().find(|entry| !ids.insert(entry.id)) {
            return Err(KeyRingError::Repeated(repeated.id));
        }
        let older = entries.split_off(1);
        let newest = entries.pop().ok_or(KeyRingError::Malformed(1))?;
        Ok(Self { newest, older })
    }

    /// Different each time.
    ///
    /// # Errors
    ///
    /// The operating system has no randomness to give; or 64 GiB at once.
    pub fn seal(&self, owner: Uuid, exchange: &str, secret: &[u8]) -> Result<String, SealError> {
        let Entry { id, cipher } = &self.newest;
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(SealError::Randomness)?;
        let bound = bound(*id, owner, exchange);
        let ciphertext = cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: secret, aad: bound.as_bytes() })
            .map_err(|_| SealError::TooLong)?;
        let mut bytes = nonce.to_vec();
        bytes.extend(ciphertext);
        Ok(format!("{}{}", self.prefix(), BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// # Errors
    ///
    /// What was sealed with no key of this ring, or for another owner or exchange, or was changed since.
    pub fn open(&self, owner: Uuid, exchange: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let mut parts = sealed.splitn(3, '.');
        let (Some(VERSION), Some(id), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(OpenError::Malformed);
        };
        let id = number(id).ok_or(OpenError::Malformed)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| OpenError::Malformed)?;
        let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::Malformed)?;
        let entry = self.entries().find(|entry| entry.id == id).ok_or(OpenError::UnknownKey(id))?;
        let bound = bound(id, owner, exchange);
        let opened = entry.cipher.decrypt(&Nonce::from(*nonce), Payload { msg: ciphertext, aad: bound.as_bytes() });
        opened.map(Zeroizing::new).map_err(|_| OpenError::NotAuthentic)
    }

    /// How everything begins that the newest key sealed.
    pub fn prefix(&self) -> String {
        format!("{VERSION}.{}.", self.newest.id)
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        std::iter::once(&self.newest).chain(&self.older)
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let (id, key) = text.split_once(':')?;
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(key).ok()?);
        let key = Zeroizing::new(<[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok()?);
        Some(Self { id: number(id)?, cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key)) })
    }
}

/// Written in one way only, so that nothing sealed can be written in two.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
}

fn bound(id: u32, owner: Uuid, exchange: &str) -> String {
    format!("{VERSION}.{id}.{owner}.{exchange}")
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries().map(|entry| entry.id)).finish()
    }
}
