//! A language model at any endpoint that speaks OpenAI's protocol: asked once, for an answer in a fixed form, within a time and a
//! size.

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
/// As long as the columns that keep it.
const MAX_MODEL_NAME_LENGTH: usize = 100;

/// A language model, and where it is.
pub struct LanguageModel {
    client: Client<OpenAIConfig>,
    name: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`LANGUAGE_MODEL_URL` and `LANGUAGE_MODEL_NAME` are only of use together")]
    IncompleteSettings,
    /// It would take the key along in the clear.
    #[error("`LANGUAGE_MODEL_URL` must be https://, or http:// to this machine")]
    InsecureUrl,
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// One turn of the talk.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    role: &'static str,
    content: String,
}

/// What a model must answer: an object of these fields, and no others, as JSON Schema has it.
pub struct ResponseSchema {
    pub name: &'static str,
    pub properties: Value,
}

/// What it said.
#[derive(Debug)]
pub struct Completion {
    /// What should be JSON in the form that was asked for.
    pub content: String,
    /// As it calls itself.
    pub model: String,
    /// Of question and answer.
    pub tokens: u32,
}

/// What of the protocol's answer counts.
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
    /// What it is there for.
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: "system", content: content.into() }
    }

    pub fn user(content: impl Into<String>) -> Self {
        Self { role: "user", content: content.into() }
    }

    /// What it said before.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self { role: "assistant", content: content.into() }
    }
}

impl LanguageModel {
    /// None where none is configured.
    ///
    /// # Errors
    ///
    /// What does not go together among the settings.
    pub fn from_settings(setting: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, Error> {
        match (setting("LANGUAGE_MODEL_URL"), setting("LANGUAGE_MODEL_NAME")) {
            (None, None) => Ok(None),
            (Some(url), Some(name)) => {
                Self::new(&url, &setting("LANGUAGE_MODEL_KEY").unwrap_or_default(), name).map(Some)
            }
            _ => Err(Error::IncompleteSettings),
        }
    }

    /// # Errors
    ///
    /// A URL that the key must not go to.
    pub fn new(url: &str, key: &str, name: String) -> Result<Self, Error> {
        if !is_secure(url) {
            return Err(Error::InsecureUrl);
        }
        // Mozilla's roots, compiled in: reading the system's costs more than the rest of a cold start.
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
        // In place of the crate's own, which would ask again.
        let client = Client::build(http, config).with_http_service(service_fn(move |request: HttpRequestFactory| {
            let sender = sender.clone();
            async move { read_limited(sender.execute(request.build().await?).await?).await }
        }));
        Ok(Self { client, name })
    }

    /// # Errors
    ///
    /// Why there is no answer, in a few words without a URL or a key.
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
            OpenAIError::JSONDeserialize(cause, _) => format!("it does not speak the protocol: {cause}"),
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

/// A response that went well with its body read, unless that is longer than any that we could use.
async fn read_limited(mut response: reqwest::Response) -> Result<reqwest::Response, OpenAIError> {
    if !response.status().is_success() {
        return Err(OpenAIError::Boxed(format!("it refused with {}", response.status()).into()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_RESPONSE_BYTES {
            return Err(OpenAIError::Boxed(format!("it answered with more than {MAX_RESPONSE_BYTES} bytes").into()));
        }
    }
    Ok(http::Response::new(body).into())
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::{bearer_token, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    /// More than any machine needs for an answer that is there.
    const LONG: Duration = Duration::from_secs(60);

    async fn said(answer: ResponseTemplate, time_limit: Duration) -> Result<Completion, String> {
        let server = MockServer::start().await;
        let asked = Mock::given(method("POST")).and(path("/v1/chat/completions")).and(bearer_token("secret"));
        asked.respond_with(answer).mount(&server).await;
        let model = LanguageModel::new(&format!("{}/v1/", server.uri()), "secret", "small".into()).unwrap();
        let schema = ResponseSchema { name: "schema", properties: json!({"text": {"type": "string"}}) };
        let said = model.complete(&[Message::system("Speak."), Message::user("Now.")], &schema, time_limit).await;
        let requests = server.received_requests().await.unwrap();
        assert_eq!(requests.len(), 1, "asked once");
        let heard: Value = serde_json::from_slice(&requests[0].body).unwrap();
        assert_eq!(heard["messages"][1], json!({"role": "user", "content": "Now."}));
        assert_eq!(heard["response_format"]["json_schema"]["schema"]["required"], json!(["text"]));
        said
    }

    #[tokio::test]
    async fn what_it_says_comes_with_its_name_and_tokens() {
        let said = said(
            ResponseTemplate::new(200).set_body_json(json!({
                "model": "small-2026", "usage": {"total_tokens": 77},
                "choices": [{"message": {"role": "assistant", "content": "{}"}}],
            })),
            LONG,
        )
        .await
        .unwrap();
        assert_eq!((said.content.as_str(), said.model.as_str(), said.tokens), ("{}", "small-2026", 77));
    }

    #[tokio::test]
    async fn what_it_does_not_tell_has_its_default() {
        let said = said(ResponseTemplate::new(200).set_body_json(json!({"choices": []})), LONG).await.unwrap();
        assert_eq!((said.content.as_str(), said.model.as_str(), said.tokens), ("", "small", 0));
    }

    #[tokio::test]
    async fn everything_else_is_no_answer_and_says_why() {
        for (answer, reason) in [
            (ResponseTemplate::new(200).set_body_string("<html>"), "protocol"),
            (ResponseTemplate::new(429).set_body_string("{}"), "429"),
            (ResponseTemplate::new(500).set_body_string("down"), "500"),
            (ResponseTemplate::new(302).insert_header("location", "/v1/chat/completions"), "refused with 302"),
            (ResponseTemplate::new(200).set_body_bytes(vec![b' '; 10_000_000]), "more than 262144 bytes"),
        ] {
            let error = said(answer, LONG).await.unwrap_err();
            assert!(error.contains(reason), "{reason}: {error}");
        }
    }

    #[tokio::test]
    async fn it_is_waited_for_as_long_as_was_said_and_no_longer() {
        // Long enough for the question to arrive, and far shorter than the answer takes.
        let late = ResponseTemplate::new(200).set_body_json(json!({"choices": []})).set_delay(Duration::from_secs(600));
        assert_eq!(said(late, Duration::from_secs(3)).await.unwrap_err(), "no answer within 3 s");
    }

    #[test]
    fn the_key_goes_to_no_plain_http_elsewhere() {
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
    fn none_is_configured_unless_it_is_whole() {
        assert!(LanguageModel::from_settings(&|_| None).unwrap().is_none());
        let only = |one: &'static str| {
            LanguageModel::from_settings(&move |name| (name == one).then(|| "https://x.test".into()))
        };
        assert!(matches!(only("LANGUAGE_MODEL_URL"), Err(Error::IncompleteSettings)));
        assert!(matches!(only("LANGUAGE_MODEL_NAME"), Err(Error::IncompleteSettings)));
    }
}
