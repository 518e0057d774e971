//! Client of a language model at any endpoint that speaks OpenAI's chat completion protocol.
//!
//! Each completion is one request without a retry. The model is asked for JSON that matches a schema. The time and size
//! of the response are limited.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::service_fn;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_RESPONSE_BYTES: usize = 256 * 1024;
/// Maximum length of a stored model name, in characters; the length of the database column.
const MAX_MODEL_NAME_LENGTH: usize = 100;

/// Client of one model at one endpoint.
pub struct LanguageModel {
    client: Client<OpenAIConfig>,
    name: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`LANGUAGE_MODEL_URL` and `LANGUAGE_MODEL_NAME` must be set together")]
    IncompleteSettings,
    /// Plain HTTP to another machine would transmit the API key in clear text.
    #[error("`LANGUAGE_MODEL_URL` must begin with https://, or with http:// for this machine")]
    InsecureUrl,
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Message of a conversation.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    role: &'static str,
    content: String,
}

/// JSON schema of the completion: an object with exactly these properties.
pub struct ResponseSchema {
    pub name: &'static str,
    /// JSON Schema of each property.
    pub properties: Value,
}

/// Completion by the model.
#[derive(Debug)]
pub struct Completion {
    /// Text of the completion. The model is asked for JSON that matches the schema; the caller must check it.
    pub content: String,
    /// Name that the model reports for itself.
    pub model: String,
    /// Number of tokens of the request and the completion.
    pub tokens: u32,
}

/// Fields of the protocol's response that are read.
#[derive(Deserialize)]
struct ChatCompletion {
    choices: Vec<Choice>,
    model: Option<String>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: ChoiceMessage,
}

#[derive(Deserialize)]
struct ChoiceMessage {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    total_tokens: u32,
}

impl Message {
    /// Instructions to the model.
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: "system", content: content.into() }
    }

    pub fn user(content: impl Into<String>) -> Self {
        Self { role: "user", content: content.into() }
    }

    /// Earlier completion by the model.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self { role: "assistant", content: content.into() }
    }
}

impl LanguageModel {
    /// Reads `LANGUAGE_MODEL_URL`, `LANGUAGE_MODEL_NAME` and `LANGUAGE_MODEL_KEY`. `None` if no model is configured.
    ///
    /// # Errors
    ///
    /// Only one of URL and name is set, or the URL is insecure.
    pub fn from_settings(setting: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, Error> {
        match (setting("LANGUAGE_MODEL_URL"), setting("LANGUAGE_MODEL_NAME")) {
            (None, None) => Ok(None),
            (Some(url), Some(name)) => {
                Self::new(&url, &setting("LANGUAGE_MODEL_KEY").unwrap_or_default(), name).map(Some)
            }
            _ => Err(Error::IncompleteSettings),
        }
    }

    /// Creates a client.
    ///
    /// # Errors
    ///
    /// The URL is insecure, or the HTTP client cannot be created.
    pub fn new(url: &str, key: &str, name: String) -> Result<Self, Error> {
        if !is_secure(url) {
            return Err(Error::InsecureUrl);
        }
        // Mozilla's root certificates are compiled in: reading those of the system costs more than the rest of a cold
        // start.
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()?;
        let config = OpenAIConfig::new().with_api_base(url.trim_end_matches('/')).with_api_key(key);
        let sender = http.clone();
        // Replaces the crate's own service, which would retry.
        let client = Client::build(http, config).with_http_service(service_fn(move |request: HttpRequestFactory| {
            let sender = sender.clone();
            async move { read_limited(sender.execute(request.build().await?).await?).await }
        }));
        Ok(Self { client, name })
    }

    /// Requests one completion.
    ///
    /// # Errors
    ///
    /// Cause of the failure in a few words, without the URL or the key.
    pub async fn complete(
        &self,
        messages: &[Message],
        schema: &ResponseSchema,
        time_limit: Duration,
    ) -> Result<Completion, String> {
        let completion = timeout(time_limit, self.request_completion(messages, schema))
            .await
            .map_err(|_| format!("no answer within {} s", time_limit.as_secs()))??;
        let content = completion.choices.into_iter().next().and_then(|choice| choice.message.content);
        Ok(Completion {
            content: content.unwrap_or_default(),
            model: completion.model.unwrap_or_else(|| self.name.clone()).chars().take(MAX_MODEL_NAME_LENGTH).collect(),
            tokens: completion.usage.map_or(0, |usage| usage.total_tokens.min(i32::MAX as u32)),
        })
    }

    async fn request_completion(
        &self,
        messages: &[Message],
        schema: &ResponseSchema,
    ) -> Result<ChatCompletion, String> {
        let required: Vec<&String> =
            schema.properties.as_object().into_iter().flat_map(|properties| properties.keys()).collect();
        let request = json!({
            "model": self.name,
            "messages": messages,
            "response_format": { "type": "json_schema", "json_schema": { "name": schema.name, "strict": true, "schema": {
                "type": "object",
                "additionalProperties": false,
                "required": required,
                "properties": schema.properties,
            } } },
        });
        self.client.chat().create_byot(request).await.map_err(|error| match error {
            OpenAIError::JSONDeserialize(cause, _) => format!("the response does not follow the protocol: {cause}"),
            OpenAIError::Reqwest(cause) => format!("no answer: {}", cause.without_url()),
            other => other.to_string(),
        })
    }
}

fn is_secure(url: &str) -> bool {
    let Ok(url) = url.parse::<reqwest::Url>() else { return false };
    let is_this_machine = url.host_str().is_some_and(|host| {
        host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback())
    });
    url.scheme() == "https" || (url.scheme() == "http" && is_this_machine)
}

/// Reads the body of a successful response, up to [`MAX_RESPONSE_BYTES`].
async fn read_limited(mut response: reqwest::Response) -> Result<reqwest::Response, OpenAIError> {
    if !response.status().is_success() {
        return Err(OpenAIError::Boxed(format!("the endpoint answered {}", response.status()).into()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_RESPONSE_BYTES {
            return Err(OpenAIError::Boxed(format!("the response has more than {MAX_RESPONSE_BYTES} bytes").into()));
        }
    }
    Ok(http::Response::new(body).into())
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::{bearer_token, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    /// Time limit that no response in these tests exceeds, except delayed ones.
    const LONG_TIMEOUT: Duration = Duration::from_secs(60);

    async fn complete(answer: ResponseTemplate, time_limit: Duration) -> Result<Completion, String> {
        let server = MockServer::start().await;
        let mock = Mock::given(method("POST")).and(path("/v1/chat/completions")).and(bearer_token("secret"));
        mock.respond_with(answer).mount(&server).await;
        let model = LanguageModel::new(&format!("{}/v1/", server.uri()), "secret", "small".into()).unwrap();
        let schema = ResponseSchema { name: "schema", properties: json!({"text": {"type": "string"}}) };
        let completion = model.complete(&[Message::system("Speak."), Message::user("Now.")], &schema, time_limit).await;
        let requests = server.received_requests().await.unwrap();
        assert_eq!(requests.len(), 1, "requested once");
        let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
        assert_eq!(body["messages"][1], json!({"role": "user", "content": "Now."}));
        assert_eq!(body["response_format"]["json_schema"]["schema"]["required"], json!(["text"]));
        completion
    }

    #[tokio::test]
    async fn a_completion_has_content_model_name_and_tokens() {
        let completion = complete(
            ResponseTemplate::new(200).set_body_json(json!({
                "model": "small-2026", "usage": {"total_tokens": 77},
                "choices": [{"message": {"role": "assistant", "content": "{}"}}],
            })),
            LONG_TIMEOUT,
        )
        .await
        .unwrap();
        assert_eq!(
            (completion.content.as_str(), completion.model.as_str(), completion.tokens),
            ("{}", "small-2026", 77)
        );
    }

    #[tokio::test]
    async fn missing_values_have_defaults() {
        let completion =
            complete(ResponseTemplate::new(200).set_body_json(json!({"choices": []})), LONG_TIMEOUT).await.unwrap();
        assert_eq!((completion.content.as_str(), completion.model.as_str(), completion.tokens), ("", "small", 0));
    }

    #[tokio::test]
    async fn any_other_response_is_an_error_with_its_cause() {
        for (answer, reason) in [
            (ResponseTemplate::new(200).set_body_string("<html>"), "protocol"),
            (ResponseTemplate::new(429).set_body_string("{}"), "429"),
            (ResponseTemplate::new(500).set_body_string("down"), "500"),
            (ResponseTemplate::new(302).insert_header("location", "/v1/chat/completions"), "endpoint answered 302"),
            (ResponseTemplate::new(200).set_body_bytes(vec![b' '; 10_000_000]), "more than 262144 bytes"),
        ] {
            let error = complete(answer, LONG_TIMEOUT).await.unwrap_err();
            assert!(error.contains(reason), "{reason}: {error}");
        }
    }

    #[tokio::test]
    async fn a_completion_ends_at_its_time_limit() {
        // The time limit is long enough for the request to arrive and far shorter than the delay of the response.
        let late = ResponseTemplate::new(200).set_body_json(json!({"choices": []})).set_delay(Duration::from_secs(600));
        assert_eq!(complete(late, Duration::from_secs(3)).await.unwrap_err(), "no answer within 3 s");
    }

    #[test]
    fn plain_http_is_allowed_only_to_this_machine() {
        let read = |url: &'static str| {
            LanguageModel::from_settings(&|name| match name {
                "LANGUAGE_MODEL_URL" => Some(url.into()),
                "LANGUAGE_MODEL_NAME" => Some("small".into()),
                _ => None,
            })
        };
        for url in
            ["http://model.example.test/v1", "ftp://127.0.0.1", "model.example.test", "http://127.0.0.1.example.test"]
        {
            assert!(matches!(read(url), Err(Error::InsecureUrl)), "{url}");
        }
        for url in
            ["https://model.example.test/v1", "http://127.0.0.1:8080/v1", "http://[::1]:8080", "http://localhost"]
        {
            assert!(read(url).unwrap().is_some(), "{url}");
        }
    }

    #[test]
    fn url_and_name_must_be_set_together() {
        assert!(LanguageModel::from_settings(&|_| None).unwrap().is_none());
        let only = |one: &'static str| {
            LanguageModel::from_settings(&move |name| (name == one).then(|| "https://x.test".into()))
        };
        assert!(matches!(only("LANGUAGE_MODEL_URL"), Err(Error::IncompleteSettings)));
        assert!(matches!(only("LANGUAGE_MODEL_NAME"), Err(Error::IncompleteSettings)));
    }
}
