//! Users, identified by their verified access tokens.

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

use crate::jwks::{Jwks, Lookup};
use crate::settings::Settings;
use crate::timings::Timings;
use crate::{Error, Problem};

/// Maximum length of an access token. API Gateway accepts 10 KB of headers in total.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// Tolerated clock difference between the issuer and this instance.
const LEEWAY_SECONDS: i64 = 30;
/// Number of verified tokens in the cache.
const MAX_CACHED_TOKENS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// A signed-in user. Can be created only by verifying an access token.
#[derive(Clone, Debug)]
pub struct User {
    id: Uuid,
    claims: Claims,
    expires_at: i64,
}

impl User {
    /// The user's id in `auth.users`.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Claims for the user's database commands.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// Claims of a Supabase access token that are checked besides its signature, issuer, audience and expiry.
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

/// Verifies access tokens.
pub struct Verifier {
    issuer: String,
    jwks: Jwks,
    hs256: Option<DecodingKey>,
    /// Users by the hash of their token, so that memory holds no tokens. Each signature is checked once.
    cache: Mutex<LruCache<[u8; 32], Arc<User>>>,
}

impl Verifier {
    /// Reads `AUTH_ISSUER`, as in `https://<project>.supabase.co/auth/v1`; `AUTH_JWKS_URL`, by default
    /// `<AUTH_ISSUER>/.well-known/jwks.json`; and `AUTH_HS256_SECRET`, for a project that still signs with a shared
    /// secret.
    pub(crate) fn from_settings(settings: &Settings, timings: Arc<Timings>) -> Result<Self, Error> {
        // Together, so that one error names both.
        let [_, issuer] = settings.required(["DATABASE_URL", "AUTH_ISSUER"])?;
        let jwks_url = settings.get("AUTH_JWKS_URL").unwrap_or_else(|| format!("{issuer}/.well-known/jwks.json"));
        let hs256_secret = settings.get("AUTH_HS256_SECRET");
        Ok(Self {
            issuer,
            jwks: Jwks::new(jwks_url, timings)?,
            hs256: hs256_secret.map(|secret| DecodingKey::from_secret(secret.as_bytes())),
            cache: Mutex::new(LruCache::new(MAX_CACHED_TOKENS)),
        })
    }

    /// Fetches the signing keys. A failure is logged, and reported again by the request that needs a key.
    pub(crate) async fn warm_up(&self) {
        self.jwks.warm_up().await;
    }

    pub(crate) async fn verify(&self, token: Option<&str>) -> Result<Arc<User>, Problem> {
        let token = token.ok_or(Problem::Unauthenticated("Send `Authorization: Bearer <access token>`."))?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Problem::Unauthenticated("The token is too long."));
        }
        let hash: [u8; 32] = Sha256::digest(token).into();
        if let Some(user) = self.cached_user(&hash) {
            return Ok(user);
        }
        let user = Arc::new(self.verify_signature(token).await?);
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).put(hash, user.clone());
        Ok(user)
    }

    fn cached_user(&self, hash: &[u8; 32]) -> Option<Arc<User>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let user = cache.get(hash)?;
        if user.expires_at + LEEWAY_SECONDS > Utc::now().timestamp() {
            Some(user.clone())
        } else {
            cache.pop(hash);
            None
        }
    }

    async fn verify_signature(&self, token: &str) -> Result<User, Problem> {
        const INVALID: Problem = Problem::Unauthenticated("The token is not valid.");
        // The header is not verified yet: it only selects the key.
        let header = jsonwebtoken::decode_header(token).map_err(|_| INVALID)?;
        let payload = match (header.alg, &self.hs256, header.kid) {
            (Algorithm::HS256, Some(secret), _) => self.decode(token, Algorithm::HS256, secret),
            (Algorithm::ES256 | Algorithm::RS256, _, Some(key_id)) => match self.jwks.find(&key_id).await {
                Lookup::Found(key) => self.decode(token, key.0, &key.1),
                Lookup::Unknown => return Err(INVALID),
                Lookup::Unavailable(cause) => return Err(Problem::Unavailable(format!("signing keys: {cause}"))),
            },
            _ => return Err(INVALID),
        };
        let payload = payload.map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::ExpiredSignature => {
                Problem::Unauthenticated("The token has expired. Refresh it.")
            }
            _ => INVALID,
        })?;
        let claims = payload.to_string();
        let access: AccessToken = serde_json::from_value(payload).map_err(|_| INVALID)?;
        if access.role.as_deref() != Some("authenticated") || access.session_id.is_none() {
            return Err(INVALID);
        }
        if access.is_anonymous {
            return Err(Problem::Forbidden("Anonymous sessions are not allowed. Sign up first."));
        }
        if access.client_id.is_some() {
            return Err(Problem::Forbidden("Tokens issued to other applications are not accepted."));
        }
        Ok(User { id: access.sub, claims: Claims::from_verified_token(claims), expires_at: access.exp })
    }

    fn decode(&self, token: &str, algorithm: Algorithm, key: &DecodingKey) -> jsonwebtoken::errors::Result<Value> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS.unsigned_abs();
        validation.validate_nbf = true;
        validation.set_audience(&["authenticated"]);
        validation.set_issuer(&[&self.issuer]);
        // Otherwise an absent claim would pass.
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        jsonwebtoken::decode(token, key, &validation).map(|decoded| decoded.claims)
    }
}
