//! Settings from AWS Secrets Manager: one JSON object, with the same names as the environment variables.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

/// Amazon's root certificates. Loading all of the system's, about 140, would slow every cold start.
const AMAZON_ROOTS: &[u8] = include_bytes!("../certificates/amazon-roots.pem");

/// A secret and the client that loads it.
#[derive(Clone)]
pub(crate) struct Secret {
    id: String,
    client: Client,
}

/// Region and credentials, from Lambda's environment.
pub(crate) struct AwsIdentity {
    pub(crate) region: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: Option<String>,
    /// Endpoint that replaces Amazon's, for tests.
    pub(crate) endpoint: Option<String>,
}

impl Secret {
    pub(crate) fn new(id: String, identity: AwsIdentity) -> Result<Self, String> {
        let tls = TlsContext::builder()
            .with_trust_store(TrustStore::empty().with_pem_certificate(AMAZON_ROOTS))
            .build()
            .map_err(|error| error.to_string())?;
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls).build_https();
        let credentials = Credentials::new(
            identity.access_key_id,
            identity.secret_access_key,
            identity.session_token,
            None,
            "lambda-environment",
        );
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(Duration::from_secs(2))
            .operation_timeout(Duration::from_secs(5))
            .build();
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new(identity.region))
            .credentials_provider(credentials)
            .timeout_config(timeouts);
        if let Some(endpoint) = identity.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(Self { id, client: Client::from_conf(config.build()) })
    }

    /// Loads the settings in the secret.
    pub(crate) async fn load(&self) -> Result<BTreeMap<String, String>, String> {
        let response = self
            .client
            .get_secret_value()
            .secret_id(&self.id)
            .send()
            .await
            .map_err(|error| DisplayErrorContext(error).to_string())?;
        let text = response.secret_string().ok_or("it has no text value")?;
        // Only the position: the error's own text can quote the secret.
        serde_json::from_str(text)
            .map_err(|error| format!("not a JSON object of strings (line {}, column {})", error.line(), error.column()))
    }
}
