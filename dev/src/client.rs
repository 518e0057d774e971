//! The HTTP client of the local cloud.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, redirect::Policy};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use local_database::{Error, Result};

/// Client that follows no redirects and uses no proxy. `timeout` applies to a whole response.
///
/// # Errors
///
/// TLS cannot be set up.
pub fn client(user_agent: &'static str, timeout: Duration) -> Result<Client> {
    let unusable = |reason: String| Error::new(format!("cannot create an HTTP client: {reason}"), "try again");
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?;
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    Client::builder()
        .tls_backend_preconfigured(tls.with_root_certificates(roots).with_no_client_auth())
        .redirect(Policy::none())
        .no_proxy()
        .timeout(timeout)
        .user_agent(user_agent)
        .build()
        .map_err(|error| unusable(error.to_string()))
}
