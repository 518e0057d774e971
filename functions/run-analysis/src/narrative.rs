//! The figures in words, by a language model: any endpoint that speaks OpenAI's protocol. It is asked once, gets figures alone, and
//! whatever goes wrong, the analysis stands without it.

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
use tracing::warn;

use crate::comparison::Comparison;
use crate::judge::Block;
use crate::quoted::Figures;
use crate::request::Wanted;

const TIME_LIMIT: Duration = Duration::from_secs(20);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const SIZE_LIMIT: usize = 256 * 1024;
const LONGEST_TEXT: usize = 8_000;
const MOST_RECOMMENDATIONS: usize = 10;
const LONGEST_RECOMMENDATION: usize = 500;

const TASK: &str = "You explain the statistics of a trading bot to its owner, in plain English and in at most four short paragraphs. \
    Use only the figures given to you, rounded as you like; never compute, estimate or add a figure that is not among them, and write \
    every figure in digits. Fractions may be written in percent. A null is undefined: say so or leave it out. The confidence is how sure \
    one may be that the expected daily return is above zero; do not call a bot good beyond it. Recommend only what a figure is a reason \
    for, and name that figure; no recommendation is a good answer. Promise nothing about the future.";

/// A language model, and where it is.
pub struct Narrator {
    client: Client<OpenAIConfig>,
    model: String,
    time_limit: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum NarratorError {
    #[error("`NARRATIVE_URL` and `NARRATIVE_MODEL` are only of use together")]
    Half,
    /// It would take the key along in the clear.
    #[error("`NARRATIVE_URL` must be https://, or http:// to this machine")]
    Insecure,
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// What came of asking.
#[derive(Default)]
pub(crate) struct Narration {
    tokens: u32,
    model: String,
    said: Option<Result<Said, String>>,
}

/// The form that the model must answer in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    text: String,
    recommendations: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct Narrative<'a> {
    text: &'a str,
    pub(crate) model: &'a str,
}

/// What of the protocol's answer counts.
#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    model: Option<String>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    total_tokens: u32,
}

impl Narrator {
    /// None where none is configured.
    ///
    /// # Errors
    ///
    /// What does not go together among the settings.
    pub fn read(setting: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, NarratorError> {
        match (setting("NARRATIVE_URL"), setting("NARRATIVE_MODEL")) {
            (None, None) => Ok(None),
            (Some(url), Some(model)) => {
                Self::new(&url, &setting("NARRATIVE_KEY").unwrap_or_default(), model, TIME_LIMIT).map(Some)
            }
            _ => Err(NarratorError::Half),
        }
    }

    fn new(url: &str, key: &str, model: String, time_limit: Duration) -> Result<Self, NarratorError> {
        if !is_safe(url) {
            return Err(NarratorError::Insecure);
        }
        // Mozilla's roots, compiled in: reading the system's costs more than the rest of a cold start.
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(CONNECT_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()?;
        let config = OpenAIConfig::new().with_api_base(url.trim_end_matches('/')).with_api_key(key);
        let sender = http.clone();
        // In place of the crate's own, which would ask again.
        let client = Client::build(http, config).with_http_service(service_fn(move |request: HttpRequestFactory| {
            let sender = sender.clone();
            async move { bounded(sender.execute(request.build().await?).await?).await }
        }));
        Ok(Self { client, model, time_limit })
    }

    async fn ask(&self, figures: &Value) -> Result<Completion, String> {
        let request = json!({
            "model": self.model,
            "messages": [
                { "role": "system", "content": TASK },
                { "role": "user", "content": figures.to_string() },
            ],
            "response_format": { "type": "json_schema", "json_schema": { "name": "narrative", "strict": true, "schema": {
                "type": "object",
                "additionalProperties": false,
                "required": ["text", "recommendations"],
                "properties": {
                    "text": { "type": "string" },
                    "recommendations": { "type": "array", "items": { "type": "string" } },
                },
            } } },
        });
        self.client.chat().create_byot(request).await.map_err(|error| match error {
            OpenAIError::JSONDeserialize(cause, _) => format!("it does not speak the protocol: {cause}"),
            OpenAIError::Reqwest(cause) => format!("no answer: {}", cause.without_url()),
            other => other.to_string(),
        })
    }
}

fn is_safe(url: &str) -> bool {
    let Ok(url) = url.parse::<reqwest::Url>() else { return false };
    let is_this_machine = url.host_str().is_some_and(|host| {
        host == "localhost"
            || host.trim_matches(['[', ']']).parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    });
    url.scheme() == "https" || (url.scheme() == "http" && is_this_machine)
}

/// A response that went well with its body read, unless that is longer than any that we could use.
async fn bounded(mut response: reqwest::Response) -> Result<reqwest::Response, OpenAIError> {
    if !response.status().is_success() {
        return Err(OpenAIError::Boxed(format!("it refused with {}", response.status()).into()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > SIZE_LIMIT {
            return Err(OpenAIError::Boxed(format!("it answered with more than {SIZE_LIMIT} bytes").into()));
        }
    }
    Ok(http::Response::new(body).into())
}

/// The model hears figures, and nothing by which anybody could be told: no id, no name of a user, a bot or a strategy.
pub(crate) async fn narrate(
    narrator: Option<&Narrator>,
    wanted: &Wanted,
    blocks: &[Block],
    comparison: Option<&Comparison>,
    limit: Duration,
) -> Narration {
    let Some(narrator) = narrator else { return Narration::failed("no language model is configured".into()) };
    let figures = json!({
        "analysis_type": wanted.analysis_type,
        "blocks": blocks.iter().map(Block::without_series).collect::<Vec<_>>(),
        "comparison": comparison.map(Comparison::without_names),
    });
    narration(narrator, &figures, limit.min(narrator.time_limit)).await
}

async fn narration(narrator: &Narrator, figures: &Value, limit: Duration) -> Narration {
    let completion = match timeout(limit, narrator.ask(figures)).await {
        Ok(Ok(completion)) => completion,
        Ok(Err(cause)) => return Narration::failed(cause),
        Err(_) => return Narration::failed(format!("no answer within {} s", limit.as_secs())),
    };
    let content = completion.choices.into_iter().next().and_then(|choice| choice.message.content).unwrap_or_default();
    let said = understood(&content, &Figures::of(figures)).inspect_err(|cause| warn!(cause, "Narrative refused"));
    Narration {
        tokens: completion.usage.map_or(0, |usage| usage.total_tokens),
        // As long as its column.
        model: completion.model.unwrap_or_else(|| narrator.model.clone()).chars().take(100).collect(),
        said: Some(said),
    }
}

fn understood(content: &str, figures: &Figures) -> Result<Said, String> {
    let said: Said = serde_json::from_str(content).map_err(|_| "it did not answer in the form it was asked for")?;
    let is_long = said.text.chars().count() > LONGEST_TEXT
        || said.recommendations.len() > MOST_RECOMMENDATIONS
        || said.recommendations.iter().any(|text| text.chars().count() > LONGEST_RECOMMENDATION);
    if is_long {
        return Err("it wrote too much".into());
    }
    let texts = || said.recommendations.iter().chain([&said.text]);
    if said.text.trim().is_empty() || texts().any(|text| text.contains('\0')) {
        return Err("it wrote nothing that can be kept".into());
    }
    let invented = texts().find_map(|text| figures.invented_in(text));
    match invented {
        Some(figure) => Err(format!("it wrote the figure {figure}, which is not among the results")),
        None => Ok(said),
    }
}

impl Narration {
    fn failed(cause: String) -> Self {
        warn!(cause, "No narrative");
        Self { said: Some(Err(cause)), ..Self::default() }
    }

    pub(crate) fn tokens(&self) -> u32 {
        self.tokens.min(i32::MAX as u32)
    }

    pub(crate) fn recommendations(&self) -> Vec<String> {
        match &self.said {
            Some(Ok(said)) => said.recommendations.clone(),
            _ => Vec::new(),
        }
    }

    /// Either, or neither where nobody was asked.
    pub(crate) fn told(&self) -> (Option<Narrative<'_>>, Option<String>) {
        match &self.said {
            Some(Ok(said)) => (Some(Narrative { text: &said.text, model: &self.model }), None),
            Some(Err(cause)) => (None, Some(format!("There is no narrative: {cause}."))),
            None => (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::{bearer_token, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    async fn told_by(answer: ResponseTemplate) -> (Option<String>, Option<String>, u32) {
        let server = MockServer::start().await;
        let asked = Mock::given(method("POST")).and(path("/v1/chat/completions")).and(bearer_token("secret"));
        asked.respond_with(answer).expect(1).mount(&server).await;
        let url = format!("{}/v1/", server.uri());
        let narrator = Narrator::new(&url, "secret", "small".into(), Duration::from_millis(700)).unwrap();
        let narration = narration(&narrator, &json!({"sharpe": 1.825}), narrator.time_limit).await;
        let (narrative, error) = narration.told();
        (narrative.map(|narrative| format!("{}: {}", narrative.model, narrative.text)), error, narration.tokens())
    }

    fn completion(content: &str) -> ResponseTemplate {
        ResponseTemplate::new(200).set_body_json(json!({
            "model": "small-2026", "usage": {"total_tokens": 77}, "choices": [{"message": {"role": "assistant", "content": content}}],
        }))
    }

    #[tokio::test]
    async fn what_keeps_to_the_form_and_the_figures_is_told() {
        let answer = completion(r#"{"text": "A Sharpe ratio of 1.8.", "recommendations": []}"#);
        assert_eq!(told_by(answer).await, (Some("small-2026: A Sharpe ratio of 1.8.".into()), None, 77));
    }

    #[tokio::test]
    async fn everything_else_is_refused_and_says_why() {
        let long = format!(r#"{{"text": "{}", "recommendations": []}}"#, "a".repeat(LONGEST_TEXT + 1));
        for (answer, reason) in [
            (completion(r#"{"text": "A Sharpe ratio of 9.7.", "recommendations": []}"#), "the figure 9.7"),
            (completion(r#"{"text": "Fine.", "recommendations": ["Stake 12 % more."]}"#), "the figure 12"),
            (completion("It looks good to me."), "the form"),
            (completion(r#"{"text": "Fine."}"#), "the form"),
            (completion(r#"{"text": "Fine.", "recommendations": [], "score": 1}"#), "the form"),
            (completion(r#"{"text": " ", "recommendations": []}"#), "nothing"),
            (completion(r#"{"text": "Fine.\u0000", "recommendations": []}"#), "nothing"),
            (completion(&long), "too much"),
            (ResponseTemplate::new(200).set_body_string("<html>"), "protocol"),
            (ResponseTemplate::new(200).set_body_json(json!({"choices": []})), "the form"),
            (ResponseTemplate::new(429).set_body_string("{}"), "429"),
            (ResponseTemplate::new(500).set_body_string("down"), "500"),
            (ResponseTemplate::new(302).insert_header("location", "/v1/chat/completions"), "refused with 302"),
            (ResponseTemplate::new(200).set_body_bytes(vec![b' '; 10_000_000]), "more than 262144 bytes"),
            (completion("{}").set_delay(Duration::from_secs(2)), "within 0 s"),
        ] {
            let (narrative, error, _) = told_by(answer).await;
            assert_eq!(narrative, None, "{reason}");
            assert!(error.as_ref().is_some_and(|error| error.contains(reason)), "{reason}: {error:?}");
        }
    }

    #[test]
    fn the_key_goes_to_no_plain_http_elsewhere() {
        let read = |url: &'static str| {
            Narrator::read(&|name| match name {
                "NARRATIVE_URL" => Some(url.into()),
                "NARRATIVE_MODEL" => Some("small".into()),
                _ => None,
            })
        };
        for url in
            ["http://model.example.test/v1", "ftp://127.0.0.1", "model.example.test", "http://127.0.0.1.example.test"]
        {
            assert!(matches!(read(url), Err(NarratorError::Insecure)), "{url}");
        }
        for url in
            ["https://model.example.test/v1", "http://127.0.0.1:8080/v1", "http://[::1]:8080", "http://localhost"]
        {
            assert!(read(url).unwrap().is_some(), "{url}");
        }
    }

    #[test]
    fn none_is_configured_unless_it_is_whole() {
        assert!(Narrator::read(&|_| None).unwrap().is_none());
        let only = |one: &'static str| Narrator::read(&move |name| (name == one).then(|| "https://x.test".into()));
        assert!(matches!(only("NARRATIVE_URL"), Err(NarratorError::Half)));
        assert!(matches!(only("NARRATIVE_MODEL"), Err(NarratorError::Half)));
    }
}
