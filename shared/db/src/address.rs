//! Where the database is, and whether the way there is encrypted.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// A `postgres://` URL, read once. TLS with a checked certificate is the rule; `sslmode=disable` is taken for this machine
/// only.
#[derive(Clone, Debug)]
pub struct Address {
    pub(crate) config: Config,
}

#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("not a postgres:// URL: {0}")]
    Malformed(String),
    #[error("sslmode=disable is only for a database on this machine")]
    PlaintextToElsewhere,
    #[error("root certificate: {0}")]
    Certificate(String),
}

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(url: &str) -> Result<Self, AddressError> {
        let mut config: Config = without_verify_modes(url)
            .parse()
            .map_err(|error: tokio_postgres::Error| {
                let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                AddressError::Malformed(cause)
            })?;
        if config.get_hosts().is_empty() {
            return Err(AddressError::Malformed("it names no host".into()));
        }
        match config.get_ssl_mode() {
            SslMode::Disable if config.get_hosts().iter().all(is_this_machine) => {}
            SslMode::Disable => return Err(AddressError::PlaintextToElsewhere),
            // `prefer`, the default, would fall back to plaintext in silence.
            _ => {
                config.ssl_mode(SslMode::Require);
            }
        }
        config
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

/// libpq's `verify-ca` and `verify-full` are unknown to tokio-postgres; what they ask for is always done here.
fn without_verify_modes(url: &str) -> String {
    url.replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require")
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_required_whatever_the_url_says() {
        for mode in [
            "",
            "?sslmode=prefer",
            "?sslmode=require",
            "?sslmode=verify-ca",
            "?sslmode=verify-full",
        ] {
            let address: Address = format!("postgres://a:b@db.example.test:6543/postgres{mode}")
                .parse()
                .unwrap();
            assert_eq!(address.config.get_ssl_mode(), SslMode::Require, "{mode}");
        }
    }

    #[test]
    fn plaintext_is_for_this_machine_only() {
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            let address: Address = format!("postgres://a:b@{host}:5432/x?sslmode=disable").parse().unwrap();
            assert!(address.is_plaintext(), "{host}");
        }
        for host in ["db.example.test", "10.0.0.7", "127.0.0.1.example.test"] {
            let refused = format!("postgres://a:b@{host}:5432/x?sslmode=disable").parse::<Address>();
            assert!(matches!(refused, Err(AddressError::PlaintextToElsewhere)), "{host}");
        }
    }

    #[test]
    fn a_malformed_url_says_what_is_wrong_with_it() {
        assert!(
            "postgres://a:b@h:notaport/x"
                .parse::<Address>()
                .unwrap_err()
                .to_string()
                .contains("port")
        );
        assert!(
            "dbname=x"
                .parse::<Address>()
                .unwrap_err()
                .to_string()
                .contains("no host")
        );
    }
}
