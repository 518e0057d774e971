//! Public keys of Supabase Auth: fetched, cached, and fetched again when a token names an unknown key.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::timings::Timings;

/// Age up to which a key set is fresh: ten minutes, as in Supabase's own cache. Supabase publishes a new key at least
/// twenty minutes before it signs with it.
const MAX_FRESH_AGE: Duration = Duration::from_secs(600);
/// Time between two fetches for a key id missing from a fresh set, so that invented ids cannot flood Supabase.
const UNKNOWN_KEY_COOLDOWN: Duration = Duration::from_secs(30);
/// Time between two fetches while the endpoint is unavailable.
const RETRY_DELAY: Duration = Duration::from_secs(2);
/// Age up to which a key set is used while the endpoint is unavailable.
const MAX_STALE_AGE: Duration = Duration::from_secs(3600);
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);
const MAX_KEY_SET_BYTES: usize = 64 * 1024;

/// A public key and the one algorithm it verifies.
pub(crate) type Key = (Algorithm, DecodingKey);

/// The JSON Web Key Set of one issuer.
pub(crate) struct Jwks {
    url: String,
    client: reqwest::Client,
    timings: Arc<Timings>,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    by_id: HashMap<String, Arc<Key>>,
    fetched_at: Option<SystemTime>,
    /// Time of the last fetch for a key id missing from a fresh set.
    missed_at: Option<SystemTime>,
    failed_at: Option<SystemTime>,
}

/// Result of looking up a key id.
pub(crate) enum Lookup {
    Found(Arc<Key>),
    Unknown,
    /// There is no key set, or only one too old to trust, and fetching it failed for this reason.
    Unavailable(String),
}

impl Jwks {
    pub(crate) fn new(url: String, timings: Arc<Timings>) -> Result<Self, reqwest::Error> {
        // Mozilla's roots, compiled in: reading the system's takes longer than the rest of a cold start.
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(FETCH_TIMEOUT)
            .user_agent("nofomo");
        if let Ok(tls) = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
        {
            builder = builder.tls_backend_preconfigured(tls.with_root_certificates(roots).with_no_client_auth());
        }
        Ok(Self { url, client: builder.build()?, timings, keys: Mutex::default() })
    }

    /// Looks up a key, fetching the set again when it is due.
    pub(crate) async fn find(&self, key_id: &str) -> Lookup {
        let mut keys = self.keys.lock().await;
        let is_fresh = keys.fetched_at.is_some_and(|at| age(at) < MAX_FRESH_AGE);
        if let Some(key) = keys.by_id.get(key_id).filter(|_| is_fresh) {
            return Lookup::Found(key.clone());
        }
        let is_due = match is_fresh {
            true => keys.missed_at.is_none_or(|at| age(at) >= UNKNOWN_KEY_COOLDOWN),
            false => keys.failed_at.is_none_or(|at| age(at) >= RETRY_DELAY),
        };
        let mut failure = None;
        if is_due {
            keys.missed_at = is_fresh.then(SystemTime::now);
            failure = self.refresh(&mut keys).await.err();
        }
        let is_trusted = keys.fetched_at.is_some_and(|at| age(at) < MAX_STALE_AGE);
        match keys.by_id.get(key_id) {
            Some(key) if is_trusted => Lookup::Found(key.clone()),
            None if is_trusted && failure.is_none() => Lookup::Unknown,
            _ => Lookup::Unavailable(failure.unwrap_or_else(|| "the keys could not be fetched a moment ago".into())),
        }
    }

    /// Fetches the set at start-up, so that the first request does not wait for it.
    pub(crate) async fn warm_up(&self) {
        // Already logged.
        self.refresh(&mut *self.keys.lock().await).await.unwrap_or_default();
    }

    async fn refresh(&self, keys: &mut Keys) -> Result<(), String> {
        match self.timings.time_external_call("signing keys", self.fetch()).await {
            Ok(by_id) => {
                keys.by_id = by_id;
                keys.fetched_at = Some(SystemTime::now());
                keys.failed_at = None;
                Ok(())
            }
            Err(cause) => {
                tracing::warn!(cause, "Fetching the signing keys failed");
                keys.failed_at = Some(SystemTime::now());
                Err(cause)
            }
        }
    }

    async fn fetch(&self) -> Result<HashMap<String, Arc<Key>>, String> {
        let mut response = self
            .client
            .get(&self.url)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(|error| format!("{error:?}"))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| format!("{error:?}"))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_KEY_SET_BYTES {
                return Err(format!("more than {MAX_KEY_SET_BYTES} bytes of keys"));
            }
        }
        parse(&body)
    }
}

/// Reads the keys that sign with ES256 or RS256, and skips others. The algorithm comes from the key, never from the
/// token.
fn parse(body: &[u8]) -> Result<HashMap<String, Arc<Key>>, String> {
    #[derive(Deserialize)]
    struct KeySet {
        keys: Vec<Value>,
    }
    let set: KeySet = serde_json::from_slice(body).map_err(|error| format!("not a key set: {error}"))?;
    let usable = set.keys.into_iter().filter_map(|key| {
        let key: Jwk = serde_json::from_value(key).ok()?;
        if !matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        let algorithm = Algorithm::try_from(key.common.key_algorithm?).ok()?;
        if !matches!(algorithm, Algorithm::ES256 | Algorithm::RS256) {
            return None;
        }
        let decoding_key = DecodingKey::from_jwk(&key).ok()?;
        Some((key.common.key_id?, Arc::new((algorithm, decoding_key))))
    });
    let by_id: HashMap<_, _> = usable.collect();
    // An empty set would lock every user out for as long as it is cached.
    if by_id.is_empty() { Err("no key that signs with ES256 or RS256".into()) } else { Ok(by_id) }
}

/// Returns the age by the wall clock: the monotonic clock may stop while an instance is frozen.
fn age(since: SystemTime) -> Duration {
    since.elapsed().unwrap_or_default()
}
