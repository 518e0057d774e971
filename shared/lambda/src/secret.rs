//! AWS Secrets Manager: one JSON object that supplies settings under the names of their environment variables.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

/// Amazon's own roots: with the system's, each cold start would read some hundred and forty certificates.
const AMAZON_ROOTS: &[u8] = include_bytes!("../certificates/amazon-roots.pem");

#[derive(Clone)]
pub(crate) struct Secret {
    id: String,
    client: Client,
}

/// What Lambda's environment says of where and who we are.
pub(crate) struct AwsIdentity {
    pub(crate) region: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: Option<String>,
    /// Another endpoint than Amazon's, for tests.
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

    pub(crate) async fn load(&self) -> Result<BTreeMap<String, String>, String> {
        let answer = self
            .client
            .get_secret_value()
            .secret_id(&self.id)
            .send()
            .await
            .map_err(|error| DisplayErrorContext(error).to_string())?;
        let text = answer.secret_string().ok_or("it holds no text")?;
        // The error could quote the secret: only where it went wrong is told.
        serde_json::from_str(text)
            .map_err(|error| format!("not a JSON object of strings (line {}, column {})", error.line(), error.column()))
    }
}
