//! A bot's own token: 256 random bits that can only report for that bot, of which only the hash is kept.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use nofomo_db::Claims;
use sha2::{Digest, Sha256};

/// Tells it from an access token, and lets secret scanners find one that was published by mistake.
const PREFIX: &str = "nofomo_bot_";

pub struct BotToken(String);

impl BotToken {
    /// # Errors
    ///
    /// The operating system's, if it has no randomness to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits)?;
        Ok(Self(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bits))))
    }

    /// None if it has not even the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        text.starts_with(PREFIX).then(|| Self(text.to_owned()))
    }

    /// To be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    /// On whose behalf a command with this token runs.
    pub fn claims(&self) -> Claims {
        Claims::of_bot_token(&self.hash())
    }
}
