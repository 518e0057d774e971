//! Connections to a Postgres URL.

use nofomo_db::{Address, AddressError};
use tokio_postgres::Client;

use crate::error::{Error, Result};

/// Connects to a database.
///
/// # Errors
///
/// The URL is not valid, or the server refuses the connection.
pub async fn connect(url: &str) -> Result<Client> {
    let invalid = |error: AddressError| {
        let remedy = match error {
            AddressError::PlaintextToRemoteHost => {
                "remove sslmode=disable: only a server on this machine may be reached without TLS"
            }
            _ => "write it as postgres://user:password@host:5432/database",
        };
        Error::new(format!("the database URL is not valid ({error})"), remedy)
    };
    let address: Address = url.parse().map_err(invalid)?;
    let tls = nofomo_db::tls_connector(None).map_err(invalid)?;
    let (client, _connection) = nofomo_db::connect(&address, tls).await.map_err(|error| {
        let remedy =
            "check the URL and that the server is running; a server on this machine without TLS needs ?sslmode=disable";
        Error::new(format!("cannot connect to {address}: {}", describe_error(&error)), remedy)
    })?;
    Ok(client)
}

/// Returns the server's message, or else the causes of the error: the error's own text is only "db error".
pub fn describe_error(error: &tokio_postgres::Error) -> String {
    let mut text = error.as_db_error().map_or_else(|| error.to_string(), |db_error| db_error.message().to_owned());
    let mut cause = std::error::Error::source(error).filter(|_| error.as_db_error().is_none());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
