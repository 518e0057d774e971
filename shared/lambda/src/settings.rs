//! Configuration: read once at start, typed, and naming everything that is missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use nofomo_db::{Address, Db, Reload, tls_connector};

use crate::Error;
use crate::secret::{AwsIdentity, Secret};
use crate::timings::{Callee, Timings};

/// The environment's variables. Where `SECRET_ID` is set, that secret supplies what the environment does not.
pub(crate) struct Settings {
    supplied: BTreeMap<String, String>,
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
        let Some((id, secret)) = secret()? else {
            return Ok(Self { supplied: BTreeMap::new(), secret: None });
        };
        let supplied = secret.load().await.map_err(|cause| SettingsError::Secret(id, cause))?;
        Ok(Self { supplied, secret: Some(secret) })
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        environment(name).or_else(|| self.supplied.get(name).cloned())
    }

    pub(crate) fn required<const N: usize>(&self, names: [&'static str; N]) -> Result<[String; N], SettingsError> {
        let missing: Vec<_> = names.into_iter().filter(|name| self.get(name).is_none()).collect();
        if !missing.is_empty() {
            return Err(SettingsError::Missing(missing));
        }
        Ok(names.map(|name| self.get(name).unwrap_or_default()))
    }

    /// `DATABASE_URL`: as `nofomo_api`, or `nofomo_jobs` for callbacks and schedules. `DATABASE_ROOT_CERTIFICATE`: PEM, for a
    /// database whose certificate is not signed by Supabase.
    pub(crate) fn database(&self, timings: Arc<Timings>) -> Result<Db, Error> {
        let [url] = self.required(["DATABASE_URL"])?;
        let address: Address = url
            .parse()
            .map_err(|error: nofomo_db::AddressError| SettingsError::Invalid("DATABASE_URL", error.to_string()))?;
        let tls = tls_connector(self.get("DATABASE_ROOT_CERTIFICATE").as_deref())?;
        let on_call = Box::new(move |began, took| timings.record(Callee::Database, began, took));
        Ok(Db::new(address, tls, self.reload(), on_call)?)
    }

    /// What to do when the password is refused: load the secret again, if it is there that the password comes from.
    fn reload(&self) -> Option<Reload> {
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
