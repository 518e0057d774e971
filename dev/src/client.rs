//! The HTTP client with which the laptop calls its own functions, and others.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, redirect::Policy};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use local_database::{Error, Result};

/// Follows no redirect, and waits so long for a whole answer.
pub fn client(user_agent: &'static str, time_limit: Duration) -> Result<Client> {
    let unusable = |reason: String| Error::new(format!("cannot make an HTTP client: {reason}"), "try once more");
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?;
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    Client::builder()
        .tls_backend_preconfigured(tls.with_root_certificates(roots).with_no_client_auth())
        .redirect(Policy::none())
        .no_proxy()
        .timeout(time_limit)
        .user_agent(user_agent)
        .build()
        .map_err(|error| unusable(error.to_string()))
}
