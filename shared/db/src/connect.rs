//! Opens connections over TLS, checking certificate and host name, and loads the password again after a rotation.

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

/// Root certificates of Supabase, which signs its databases' certificates itself. No public list contains them. Both
/// have the same subject name.
const SUPABASE_ROOTS: [&[u8]; 2] =
    [include_bytes!("../certificates/prod-ca-2021.crt"), include_bytes!("../certificates/prod-ca-2025.crt")];

/// Loads the address again after the database refused the password, which may have been rotated.
pub type ReloadAddress = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Option<Address>> + Send>> + Send + Sync>;

/// Opens the connections of a pool.
pub(crate) struct Connector {
    address: Mutex<Address>,
    tls: MakeRustlsConnect,
    reload: Option<ReloadAddress>,
}

impl Connector {
    pub(crate) fn new(address: Address, tls: MakeRustlsConnect, reload: Option<ReloadAddress>) -> Self {
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
    // Uses the connector's own address: the one the pool was built with may have an old password.
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        Box::pin(self.open())
    }
}

/// Opens a single connection, for tools. Functions use [`Db`](crate::Db).
///
/// # Errors
///
/// The connection or the login failed.
pub async fn connect(address: &Address, tls: MakeRustlsConnect) -> Result<(Client, JoinHandle<()>), Error> {
    if address.is_plaintext() {
        let (client, connection) = address.config.connect(NoTls).await?;
        Ok((client, tokio::spawn(async move { log_end(connection.await) })))
    } else {
        let (client, connection) = address.config.connect(tls).await?;
        Ok((client, tokio::spawn(async move { log_end(connection.await) })))
    }
}

/// Logs a lost connection. The request in flight reports it; between requests it has no effect.
fn log_end(result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::debug!(%error, "Database connection ended");
    }
}

/// Checks certificate chain and host name against Supabase's roots and the additional PEM certificates.
///
/// # Errors
///
/// An additional certificate cannot be read, or the text contains none.
pub fn tls_connector(additional_roots: Option<&str>) -> Result<MakeRustlsConnect, AddressError> {
    let invalid = |error: &dyn std::fmt::Display| AddressError::Certificate(error.to_string());
    let mut roots = RootCertStore::empty();
    for pem in SUPABASE_ROOTS.into_iter().chain(additional_roots.map(str::as_bytes)) {
        let previous = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(|error| invalid(&error))?).map_err(|error| invalid(&error))?;
        }
        if roots.len() == previous {
            return Err(invalid(&"it contains no PEM certificate"));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
