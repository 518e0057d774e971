//! Settings, read once at start-up from the environment and from a secret.

use std::collections::BTreeMap;
use std::sync::Arc;

use nofomo_db::{Address, Db, ReloadAddress, tls_connector};

use crate::Error;
use crate::secret::{AwsIdentity, Secret};
use crate::timings::{Callee, Timings};

/// Settings by name. If `SECRET_ID` is set, that secret supplies the settings that the environment lacks.
pub(crate) struct Settings {
    from_secret: BTreeMap<String, String>,
    secret: Option<Secret>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("`{}` not set in the environment or in the secret named by `SECRET_ID`", .0.join("`, `"))]
    Missing(Vec<&'static str>),
    #[error("`{0}`: {1}")]
    Invalid(&'static str, String),
    #[error("secret `{0}`: {1}")]
    Secret(String, String),
}

impl Settings {
    /// Loads the secret, if there is one.
    pub(crate) async fn load() -> Result<Self, SettingsError> {
        let Some((id, secret)) = configure_secret()? else {
            return Ok(Self { from_secret: BTreeMap::new(), secret: None });
        };
        let from_secret = secret.load().await.map_err(|cause| SettingsError::Secret(id, cause))?;
        Ok(Self { from_secret, secret: Some(secret) })
    }

    /// The setting, or `None` if it is absent or empty in the environment and absent in the secret.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        environment(name).or_else(|| self.from_secret.get(name).cloned())
    }

    /// The settings with these names.
    ///
    /// # Errors
    ///
    /// Names all settings that are missing.
    pub(crate) fn required<const N: usize>(&self, names: [&'static str; N]) -> Result<[String; N], SettingsError> {
        let missing: Vec<_> = names.into_iter().filter(|name| self.get(name).is_none()).collect();
        if !missing.is_empty() {
            return Err(SettingsError::Missing(missing));
        }
        Ok(names.map(|name| self.get(name).unwrap_or_default()))
    }

    /// Configures the database connection from `DATABASE_URL`, whose user is `nofomo_api`, or `nofomo_jobs` for jobs;
    /// and from `DATABASE_ROOT_CERTIFICATE`, in PEM, for a database whose certificate Supabase did not sign.
    pub(crate) fn database(&self, timings: Arc<Timings>) -> Result<Db, Error> {
        let [url] = self.required(["DATABASE_URL"])?;
        let address: Address = url
            .parse()
            .map_err(|error: nofomo_db::AddressError| SettingsError::Invalid("DATABASE_URL", error.to_string()))?;
        let tls = tls_connector(self.get("DATABASE_ROOT_CERTIFICATE").as_deref())?;
        let observer = Box::new(move |started, duration| timings.record(Callee::Database, started, duration));
        Ok(Db::new(address, tls, self.address_reloader(), observer)?)
    }

    /// Returns a function that loads the address again after the database refused the password. `None` without a
    /// secret.
    fn address_reloader(&self) -> Option<ReloadAddress> {
        let secret = self.secret.clone()?;
        Some(Box::new(move || {
            let secret = secret.clone();
            Box::pin(async move {
                let settings =
                    secret.load().await.inspect_err(|cause| tracing::error!(cause, "Loading the secret failed"));
                settings.ok()?.get("DATABASE_URL")?.parse().ok()
            })
        }))
    }
}

/// Returns the id of the secret and its client, or `None` if `SECRET_ID` is not set.
fn configure_secret() -> Result<Option<(String, Secret)>, SettingsError> {
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

/// Returns an environment variable. An empty one counts as absent: a blank parameter of the template sets an empty
/// variable.
#[expect(clippy::disallowed_methods, reason = "settings are read here only")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
