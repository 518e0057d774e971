//! The verified user: a type that only a checked access token can make.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Utc;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use lru::LruCache;
use nofomo_db::Claims;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Problem;
use crate::jwks::{Jwks, Lookup};

/// API Gateway takes 10 KB of headers in all.
const TOKEN_LIMIT: usize = 8 * 1024;
const LEEWAY_SECONDS: i64 = 30;
const REMEMBERED_TOKENS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// A signed-in user. There is no way to make one but a verified token.
#[derive(Clone, Debug)]
pub struct User {
    id: Uuid,
    claims: Claims,
    expires_at: i64,
}

impl User {
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// On whose behalf a command runs.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// What is read of a Supabase access token beside what the signature check reads.
#[derive(Deserialize)]
struct AccessToken {
    sub: Uuid,
    exp: i64,
    role: Option<String>,
    session_id: Option<Uuid>,
    #[serde(default)]
    is_anonymous: bool,
    client_id: Option<String>,
}

pub(crate) struct Verifier {
    issuer: String,
    jwks: Jwks,
    hs256: Option<DecodingKey>,
    /// By hash, so that memory holds no token. A signature is checked once for as long as its token lives.
    verified: Mutex<LruCache<[u8; 32], Arc<User>>>,
}

impl Verifier {
    pub(crate) fn new(issuer: String, jwks: Jwks, hs256_secret: Option<&str>) -> Self {
        Self {
            issuer,
            jwks,
            hs256: hs256_secret.map(|secret| DecodingKey::from_secret(secret.as_bytes())),
            verified: Mutex::new(LruCache::new(REMEMBERED_TOKENS)),
        }
    }

    pub(crate) async fn warm_up(&self) -> Result<(), String> {
        self.jwks.warm_up().await
    }

    pub(crate) async fn verify(&self, token: Option<&str>) -> Result<Arc<User>, Problem> {
        let token = token.ok_or(Problem::Unauthenticated("Send `Authorization: Bearer <access token>`."))?;
        if token.len() > TOKEN_LIMIT {
            return Err(Problem::Unauthenticated("The token is too long."));
        }
        let hash: [u8; 32] = Sha256::digest(token).into();
        if let Some(user) = self.remembered(&hash) {
            return Ok(user);
        }
        let user = Arc::new(self.check(token).await?);
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).put(hash, user.clone());
        Ok(user)
    }

    fn remembered(&self, hash: &[u8; 32]) -> Option<Arc<User>> {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let user = verified.get(hash)?;
        if user.expires_at + LEEWAY_SECONDS > Utc::now().timestamp() {
            Some(user.clone())
        } else {
            verified.pop(hash);
            None
        }
    }

    async fn check(&self, token: &str) -> Result<User, Problem> {
        const INVALID: Problem = Problem::Unauthenticated("The token is not valid.");
        // Not to be trusted yet: it only says which key to try.
        let header = jsonwebtoken::decode_header(token).map_err(|_| INVALID)?;
        let payload = match (header.alg, &self.hs256, header.kid) {
            (Algorithm::HS256, Some(secret), _) => self.decode(token, Algorithm::HS256, secret),
            (Algorithm::ES256 | Algorithm::RS256, _, Some(key_id)) => match self.jwks.find(&key_id).await {
                Lookup::Found(key) => self.decode(token, key.0, &key.1),
                Lookup::Unknown => return Err(INVALID),
                Lookup::Away(cause) => return Err(Problem::Unavailable(format!("signing keys: {cause}"))),
            },
            _ => return Err(INVALID),
        };
        let payload = payload.map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::ExpiredSignature => {
                Problem::Unauthenticated("The token has expired; refresh it.")
            }
            _ => INVALID,
        })?;
        let claims = payload.to_string();
        let access: AccessToken = serde_json::from_value(payload).map_err(|_| INVALID)?;
        if access.role.as_deref() != Some("authenticated") || access.session_id.is_none() {
            return Err(INVALID);
        }
        if access.is_anonymous {
            return Err(Problem::Forbidden("Sign up first: this is an anonymous session."));
        }
        if access.client_id.is_some() {
            return Err(Problem::Forbidden("Tokens of other applications are not taken."));
        }
        Ok(User { id: access.sub, claims: Claims::of_verified_token(claims), expires_at: access.exp })
    }

    fn decode(&self, token: &str, algorithm: Algorithm, key: &DecodingKey) -> jsonwebtoken::errors::Result<Value> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS.unsigned_abs();
        validation.validate_nbf = true;
        validation.set_audience(&["authenticated"]);
        validation.set_issuer(&[&self.issuer]);
        // Without this an absent claim is a claim that holds.
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        jsonwebtoken::decode(token, key, &validation).map(|decoded| decoded.claims)
    }
}
