//! A connection to a Postgres URL, for this crate's own statements.

use nofomo_db::{Address, AddressError};
use tokio_postgres::Client;

use crate::error::{Error, Result};

pub async fn connect(url: &str) -> Result<Client> {
    let invalid = |error: AddressError| {
        let remedy = match error {
            AddressError::PlaintextToRemoteHost => "leave it out: only a server on this machine is reached without TLS",
            _ => "write it as postgres://user:password@host:5432/database",
        };
        Error::new(format!("the database URL is not valid ({error})"), remedy)
    };
    let address: Address = url.parse().map_err(invalid)?;
    let tls = nofomo_db::tls_connector(None).map_err(invalid)?;
    let (client, _connection) = nofomo_db::connect(&address, tls).await.map_err(|error| {
        let remedy = "check the URL and that the server runs (one on this machine without TLS needs ?sslmode=disable)";
        Error::new(format!("cannot connect to {address}: {}", describe_error(&error)), remedy)
    })?;
    Ok(client)
}

/// What the server said, or why it could not be asked: the client's own text stops at "db error".
pub fn describe_error(error: &tokio_postgres::Error) -> String {
    let mut text = error.as_db_error().map_or_else(|| error.to_string(), |answer| answer.message().to_owned());
    let mut cause = std::error::Error::source(error).filter(|_| error.as_db_error().is_none());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
