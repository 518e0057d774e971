//! Opening a connection: TLS with certificate and host name checked, under a time limit, with a password that may have been
//! rotated.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::Connect;
use futures_util::future::BoxFuture;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Address, AddressError};

/// Supabase signs its databases' certificates with its own root, which no public list has; there are two, of one name.
const SUPABASE_ROOTS: [&[u8]; 2] =
    [include_bytes!("../certificates/prod-ca-2021.crt"), include_bytes!("../certificates/prod-ca-2025.crt")];

/// Asks for the address once more, after the database refused the password: it may have been rotated.
pub type Reload = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Option<Address>> + Send>> + Send + Sync>;

pub(crate) struct Connector {
    address: Mutex<Address>,
    tls: MakeRustlsConnect,
    reload: Option<Reload>,
}

impl Connector {
    pub(crate) fn new(address: Address, tls: MakeRustlsConnect, reload: Option<Reload>) -> Self {
        Self { address: Mutex::new(address), tls, reload }
    }

    async fn open(&self) -> Result<(Client, JoinHandle<()>), Error> {
        let address = self.address.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let refused = match connect(&address, self.tls.clone()).await {
            Err(error) if error.code() == Some(&SqlState::INVALID_PASSWORD) => error,
            other => return other,
        };
        let Some(reload) = &self.reload else {
            return Err(refused);
        };
        tracing::warn!("Password refused; loading the secret again");
        let Some(address) = reload().await else {
            return Err(refused);
        };
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = address.clone();
        connect(&address, self.tls.clone()).await
    }
}

impl Connect for Connector {
    // The address is this connector's own: the one the pool was built with may have an old password.
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        Box::pin(self.open())
    }
}

/// One connection by itself, for tools; functions have [`Db`](crate::Db).
///
/// # Errors
///
/// Whatever kept us from it.
pub async fn connect(address: &Address, tls: MakeRustlsConnect) -> Result<(Client, JoinHandle<()>), Error> {
    if address.is_plaintext() {
        let (client, connection) = address.config.connect(NoTls).await?;
        Ok((client, tokio::spawn(async move { log_end(connection.await) })))
    } else {
        let (client, connection) = address.config.connect(tls).await?;
        Ok((client, tokio::spawn(async move { log_end(connection.await) })))
    }
}

/// The request that was under way reports the loss; between requests it is of no consequence.
fn log_end(result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::debug!(%error, "Database connection ended");
    }
}

/// Verifies chain and host name against Supabase's roots and, where given, the PEM certificates of others.
///
/// # Errors
///
/// Certificates that cannot be read, or none where some were given.
pub fn tls_connector(other_roots: Option<&str>) -> Result<MakeRustlsConnect, AddressError> {
    let unusable = |error: &dyn std::fmt::Display| AddressError::Certificate(error.to_string());
    let mut roots = RootCertStore::empty();
    for pem in SUPABASE_ROOTS.into_iter().chain(other_roots.map(str::as_bytes)) {
        let known = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(|error| unusable(&error))?).map_err(|error| unusable(&error))?;
        }
        if roots.len() == known {
            return Err(unusable(&"there is no PEM certificate in it"));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
