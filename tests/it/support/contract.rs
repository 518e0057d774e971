//! Check of every response against `openapi.json`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use super::database::workspace;
use super::world::HttpResponse;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let text = std::fs::read_to_string(workspace().join("openapi.json")).unwrap();
    serde_json::from_str(&text).unwrap()
});

/// The parsed `openapi.json`.
pub(crate) fn document() -> &'static Value {
    &DOCUMENT
}

/// Documented path of a request; if several match, the one with the fewest parameters.
pub(crate) fn documented_path(path: &str) -> Option<&'static str> {
    let path = path.split('?').next().unwrap();
    let segments: Vec<&str> = path.split('/').collect();
    let fits = |pattern: &&'static String| {
        let pattern: Vec<&str> = pattern.split('/').collect();
        let same = |(word, found): (&&str, &&str)| word == found || (word.starts_with('{') && !found.is_empty());
        pattern.len() == segments.len() && pattern.iter().zip(&segments).all(same)
    };
    let candidates = document()["paths"].as_object().unwrap().keys().filter(fits);
    candidates.min_by_key(|pattern| pattern.matches('{').count()).map(String::as_str)
}

/// Asserts that status, content type, headers and body are documented for this route. Paths that are not in the
/// document belong to the gateway or to the local cloud.
pub(crate) fn assert_documented(method: &Method, path: &str, answer: &HttpResponse) {
    let Some(documented) = documented_path(path) else { return };
    let method = method.as_str().to_ascii_lowercase();
    let operation = &document()["paths"][documented][&method];
    if operation.is_null() {
        return;
    }
    let status = answer.status.as_u16().to_string();
    let route = format!("{method} {documented} {status}");
    let described = &operation["responses"][&status];
    assert!(described.is_object(), "not in openapi.json: {route}: {answer:?}");
    let declared = answer.headers.get("content-type").map(|value| value.split(';').next().unwrap().trim());
    let Some(declared) = declared else {
        assert!(described.get("content").is_none() && answer.text.is_empty(), "no content type: {route}: {answer:?}");
        return;
    };
    let content = &described["content"][declared];
    assert!(content.is_object(), "not in openapi.json: {route} {declared}: {answer:?}");
    for (name, header) in described["headers"].as_object().into_iter().flatten() {
        let is_present = answer.headers.contains_key(&name.to_ascii_lowercase());
        assert!(is_present || header["required"] != true, "no header {name}: {route}: {answer:?}");
    }
    if declared.ends_with("json") {
        let body = answer.json();
        let validator = validator(&format!("{route} {declared}"), &content["schema"]);
        let errors: Vec<String> =
            validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "differs from openapi.json: {route}: {errors:#?}\n{body:#}");
    }
}

/// Validator of a response's schema, compiled once.
fn validator(name: &str, schema: &Value) -> Arc<Validator> {
    static COMPILED: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let compile = || {
        let root = json!({ "components": document()["components"], "allOf": [schema] });
        Arc::new(jsonschema::draft202012::options().should_validate_formats(true).build(&root).unwrap())
    };
    // A panic in another test leaves the map intact.
    let mut compiled = COMPILED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    compiled.entry(name.to_owned()).or_insert_with(compile).clone()
}
