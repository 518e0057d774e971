//! Bot tokens: 256 random bits that grant access to one bot only. Only their hashes are stored.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use nofomo_db::Claims;
use sha2::{Digest, Sha256};

/// Prefix that distinguishes a bot token from an access token, and by which secret scanners find a leaked one.
const PREFIX: &str = "nofomo_bot_";

/// A bot token: the prefix `nofomo_bot_`, then 32 random bytes in base64url.
pub struct BotToken(String);

impl BotToken {
    /// Generates a random token.
    ///
    /// # Errors
    ///
    /// The operating system cannot supply random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// Accepts text with the prefix of a bot token. The database checks whether the token is known.
    pub fn parse(text: &str) -> Option<Self> {
        text.starts_with(PREFIX).then(|| Self(text.to_owned()))
    }

    /// Returns the token's text, which its owner sees once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the token's text, as stored in the database.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    /// Claims for the database commands of the bot's runner.
    pub fn claims(&self) -> Claims {
        Claims::from_bot_token_hash(&self.hash())
    }
}
