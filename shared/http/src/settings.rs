//! Configuration: read once at start, typed, and naming everything that is missing.

use std::collections::BTreeMap;

use nofomo_db::{Address, Reload};

use crate::secret::{AwsIdentity, Secret};

/// Each field names its environment variable. Where `SECRET_ID` is set, that secret supplies what the environment does not.
pub(crate) struct Settings {
    /// `DATABASE_URL`: as `nofomo_api`, or `nofomo_jobs` for callbacks and schedules.
    pub(crate) database: Address,
    /// `DATABASE_ROOT_CERTIFICATE`: PEM, for a database whose certificate is not signed by Supabase.
    pub(crate) database_root: Option<String>,
    /// `AUTH_ISSUER`: `https://<project>.supabase.co/auth/v1`.
    pub(crate) auth_issuer: String,
    /// `AUTH_JWKS_URL`: where the issuer's keys are, if not below it.
    pub(crate) auth_jwks_url: String,
    /// `AUTH_HS256_SECRET`: set only for a project that still signs with one shared secret.
    pub(crate) auth_hs256_secret: Option<String>,
    /// `SECRET_ID`
    secret: Option<Secret>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("`{}` not set, neither in the environment nor in the secret that `SECRET_ID` names", .0.join("`, `"))]
    Missing(Vec<&'static str>),
    #[error("`{0}`: {1}")]
    Invalid(&'static str, String),
    #[error("secret `{0}`: {1}")]
    Secret(String, String),
}

impl Settings {
    pub(crate) async fn load() -> Result<Self, SettingsError> {
        let secret = secret()?;
        let supplied = match &secret {
            Some((id, secret)) => secret.load().await.map_err(|cause| SettingsError::Secret(id.clone(), cause))?,
            None => BTreeMap::new(),
        };
        let setting = |name: &str| environment(name).or_else(|| supplied.get(name).cloned());
        let mut missing = Vec::new();
        let mut required = |name: &'static str| {
            setting(name).unwrap_or_else(|| {
                missing.push(name);
                String::new()
            })
        };
        let database_url = required("DATABASE_URL");
        let auth_issuer = required("AUTH_ISSUER");
        if !missing.is_empty() {
            return Err(SettingsError::Missing(missing));
        }
        Ok(Self {
            database: address(&database_url)?,
            database_root: setting("DATABASE_ROOT_CERTIFICATE"),
            auth_jwks_url: setting("AUTH_JWKS_URL").unwrap_or_else(|| format!("{auth_issuer}/.well-known/jwks.json")),
            auth_issuer,
            auth_hs256_secret: setting("AUTH_HS256_SECRET"),
            secret: secret.map(|(_, secret)| secret),
        })
    }

    /// What to do when the password is refused: load the secret again, if it is there that the password comes from.
    pub(crate) fn reload(&self) -> Option<Reload> {
        let secret = self.secret.clone()?;
        Some(Box::new(move || {
            let secret = secret.clone();
            Box::pin(async move {
                let supplied = secret.load().await.inspect_err(|cause| tracing::error!(cause, "Secret not loaded"));
                supplied.ok()?.get("DATABASE_URL")?.parse().ok()
            })
        }))
    }
}

fn address(url: &str) -> Result<Address, SettingsError> {
    url.parse().map_err(|error: nofomo_db::AddressError| SettingsError::Invalid("DATABASE_URL", error.to_string()))
}

fn secret() -> Result<Option<(String, Secret)>, SettingsError> {
    let Some(id) = environment("SECRET_ID") else {
        return Ok(None);
    };
    let mut missing = Vec::new();
    let mut required = |name: &'static str| {
        environment(name).unwrap_or_else(|| {
            missing.push(name);
            String::new()
        })
    };
    let identity = AwsIdentity {
        region: required("AWS_REGION"),
        access_key_id: required("AWS_ACCESS_KEY_ID"),
        secret_access_key: required("AWS_SECRET_ACCESS_KEY"),
        session_token: environment("AWS_SESSION_TOKEN"),
        endpoint: environment("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
    };
    if !missing.is_empty() {
        return Err(SettingsError::Missing(missing));
    }
    match Secret::new(id.clone(), identity) {
        Ok(secret) => Ok(Some((id, secret))),
        Err(cause) => Err(SettingsError::Secret(id, cause)),
    }
}

/// An empty variable is as good as none: a template's blank parameter arrives as one.
#[expect(clippy::disallowed_methods, reason = "this is where settings are read")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
