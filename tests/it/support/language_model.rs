//! Language model with the interface of OpenAI's chat completions, whose answers a test prescribes.

use std::collections::BTreeMap;

use serde_json::json;
use wiremock::matchers::{bearer_token, method, path};
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

const API_KEY: &str = "key-of-the-model";

/// Part of the tokens of every response that is its text; the other part is the prompt.
const COMPLETION_TOKENS: u32 = 34;

/// Settings of functions that use the language model at this base URL.
pub(crate) fn language_model_settings(base_url: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("LANGUAGE_MODEL_URL".into(), base_url.into()),
        ("LANGUAGE_MODEL_KEY".into(), API_KEY.into()),
        ("LANGUAGE_MODEL_NAME".into(), "words".into()),
    ])
}

/// Starts a language model; returns it with the settings of functions that use it.
pub(crate) async fn start_language_model() -> (MockServer, BTreeMap<String, String>) {
    let model = MockServer::start().await;
    let settings = language_model_settings(&format!("{}/v1", model.uri()));
    (model, settings)
}

/// Sets the answer to every request, and forgets the requests received so far.
pub(crate) async fn answer_with(model: &MockServer, response: impl Respond + 'static) {
    model.reset().await;
    let request = Mock::given(method("POST")).and(path("/v1/chat/completions")).and(bearer_token(API_KEY));
    request.respond_with(response).mount(model).await;
}

/// Response with this text, for 1,234 tokens.
pub(crate) fn completion(content: &str) -> ResponseTemplate {
    completion_for_tokens(content, 1234)
}

/// Response with this text, for this number of tokens.
pub(crate) fn completion_for_tokens(content: &str, total_tokens: u32) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "words-2026-01",
        "usage": {
            "prompt_tokens": total_tokens - COMPLETION_TOKENS, "completion_tokens": COMPLETION_TOKENS,
            "total_tokens": total_tokens,
        },
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
    }))
}
