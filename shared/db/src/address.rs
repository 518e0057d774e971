//! Address of the database, and the TLS mode of connections to it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, Error};

/// Address parsed from a `postgres://` URL. Connections use TLS and check the certificate; `sslmode=disable` is
/// accepted only for a database on this machine.
#[derive(Clone, Debug)]
pub struct Address {
    pub(crate) config: Config,
}

/// Error in the database URL or in a root certificate. Its text never contains the password.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("not a postgres:// URL: {0}")]
    Malformed(String),
    #[error("sslmode=disable is allowed only for a database on this machine")]
    PlaintextToRemoteHost,
    #[error("root certificate: {0}")]
    Certificate(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(url: &str) -> Result<Self, AddressError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(AddressError::Malformed("it does not start with postgres://".into()));
        }
        // tokio-postgres knows three of libpq's six modes, and its default silently falls back to plaintext.
        let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
        let (modes, others): (Vec<_>, Vec<_>) =
            parameters.split('&').filter(|pair| !pair.is_empty()).partition(|pair| pair.starts_with("sslmode="));
        let mut config: Config = format!("{base}?{}", others.join("&")).parse().map_err(|error: Error| {
            // The source says what is wrong. Neither text repeats the URL, which contains the password.
            let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            AddressError::Malformed(cause)
        })?;
        if config.get_hosts().is_empty() {
            return Err(AddressError::Malformed("it has no host".into()));
        }
        let mode = match modes.last().copied() {
            Some("sslmode=disable") if is_this_machine(&config) => SslMode::Disable,
            Some("sslmode=disable") => return Err(AddressError::PlaintextToRemoteHost),
            _ => SslMode::Require,
        };
        config
            .ssl_mode(mode)
            .connect_timeout(Duration::from_secs(3))
            .tcp_user_timeout(Duration::from_secs(5))
            .keepalives_idle(Duration::from_secs(30));
        Ok(Self { config })
    }
}

impl Address {
    pub(crate) fn is_plaintext(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Disable
    }
}

/// Formats host, port, database and user, without the password.
impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.as_str(),
            Some(Host::Unix(_)) | None => "this machine",
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let user = self.config.get_user().unwrap_or("the current user");
        write!(formatter, "{host}:{port}/{} as {user}", self.config.get_dbname().unwrap_or(user))
    }
}

/// `true` if all hosts are local. A `hostaddr` overrides the host's address, so both are checked.
fn is_this_machine(config: &Config) -> bool {
    let hosts_are_local = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
        Host::Unix(_) => true,
    });
    hosts_are_local && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sslmode_except_disable_requires_tls() {
        for mode in ["", "?sslmode=prefer", "?sslmode=verify-full&application_name=x", "?sslmode=other"] {
            let address: Address = format!("postgres://a:b@db.example.test:6543/postgres{mode}").parse().unwrap();
            assert_eq!(address.config.get_ssl_mode(), SslMode::Require, "{mode}");
        }
    }

    #[test]
    fn plaintext_is_allowed_only_for_this_machine() {
        let by_number = "postgres://a:b@localhost:5432/x?hostaddr=192.0.2.1&sslmode=disable".parse::<Address>();
        assert!(matches!(by_number, Err(AddressError::PlaintextToRemoteHost)));
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            let address: Address = format!("postgres://a:b@{host}:5432/x?sslmode=disable").parse().unwrap();
            assert!(address.is_plaintext(), "{host}");
        }
        for host in ["db.example.test", "10.0.0.7", "127.0.0.1.example.test"] {
            let refused = format!("postgres://a:b@{host}:5432/x?sslmode=disable").parse::<Address>();
            assert!(matches!(refused, Err(AddressError::PlaintextToRemoteHost)), "{host}");
        }
    }

    #[test]
    fn the_error_of_a_malformed_url_names_the_mistake_and_not_the_password() {
        for (url, reason) in [
            ("postgres://a:secret@h:notaport/x", "port"),
            ("postgres:///x", "no host"),
            ("postgres://a:secret@h/x?unknown=secret", "unknown option"),
            ("host=h password=secret", "does not start with postgres://"),
        ] {
            let error = url.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
