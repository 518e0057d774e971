//! Builds one operation of the document.

use std::collections::BTreeMap;

use nofomo_contract::ProblemKind;
use serde_json::{Map, Value, json};

use crate::problems::schema_name;

/// Operation: a method and a path, with its request and its answers.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// Id, tags, summary, description and security.
    metadata: Value,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Value>,
    problems: Vec<ProblemKind>,
}

/// Errors that API Gateway may answer to any request.
const GATEWAY: [(u16, &str); 5] = [
    (413, "The request is too large."),
    (429, "Too many concurrent requests."),
    (500, "Internal error."),
    (502, "The function failed."),
    (503, "The function is at its concurrency limit, or timed out."),
];

impl Operation {
    /// Operation with the problems of every request that uses the database. `route` is the method and the path.
    pub(crate) fn new(route: &'static str, tag: &str, id: &str, summary: &str, description: &str) -> Self {
        let (method, path) = route.split_once(' ').unwrap_or(("", route));
        let metadata = json!({ "operationId": id, "tags": [tag], "summary": summary, "description": description });
        let problems = vec![ProblemKind::Deactivated, ProblemKind::Internal, ProblemKind::Unavailable];
        Self { method, path, metadata, parameters: Vec::new(), body: None, answers: BTreeMap::new(), problems }
    }

    /// For a signed-in user.
    pub(crate) fn by_user(self) -> Self {
        self.by(&["access_token"])
    }

    /// For a bot's owner, or its runner.
    pub(crate) fn by_reporter(self) -> Self {
        self.by(&["access_token", "bot_token"])
    }

    /// For a bot's runner only.
    pub(crate) fn by_runner(self) -> Self {
        self.by(&["bot_token"])
    }

    fn by(mut self, schemes: &[&str]) -> Self {
        self.metadata["security"] = schemes.iter().map(|scheme| json!({ *scheme: [] })).collect();
        self.or(&[ProblemKind::Unauthenticated, ProblemKind::Forbidden])
    }

    /// Without authentication.
    pub(crate) fn by_anybody(mut self) -> Self {
        self.metadata["security"] = json!([]);
        self
    }

    /// Adds a path parameter.
    pub(crate) fn in_path(mut self, name: &str, schema: &Value, example: &str, description: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "path", "required": true, "schema": schema, "example": example, "description": description,
        }));
        self.or(&[ProblemKind::NotFound])
    }

    pub(crate) fn with_parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Adds the header `Idempotency-Key`.
    pub(crate) fn idempotent(self) -> Self {
        let key = json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$" },
            "description": "Key of 1 to 255 printable ASCII characters that cannot be guessed, such as a UUID. A repeated request \
                            with the same key returns the row of the first request.",
        });
        self.with_parameter(key).or(&[ProblemKind::Invalid])
    }

    /// Adds a JSON body.
    pub(crate) fn takes_json(self, schema: &Value, is_required: bool, examples: &Value) -> Self {
        let content = json!({ "application/json": { "schema": schema, "examples": named(examples) } });
        self.takes(content, is_required).or(&[
            ProblemKind::NotJson,
            ProblemKind::UnsupportedMediaType,
            ProblemKind::Invalid,
        ])
    }

    /// Adds a body with the given media types.
    pub(crate) fn takes(mut self, content: Value, is_required: bool) -> Self {
        self.body = Some(json!({ "required": is_required, "content": content }));
        self.or(&[ProblemKind::TooLarge])
    }

    /// Adds a JSON answer.
    pub(crate) fn answers(self, status: u16, description: &str, schema: &Value) -> Self {
        self.answers_with(status, description, json!({ "application/json": { "schema": schema } }))
    }

    /// Adds an answer with the given media types.
    pub(crate) fn answers_with(mut self, status: u16, description: &str, content: Value) -> Self {
        let mut answer = json!({ "description": description });
        if content != json!({}) {
            answer["content"] = content;
        }
        self.answers.insert(status, answer);
        self
    }

    /// Adds the header `Location` to the answer with this status.
    pub(crate) fn located(mut self, status: u16) -> Self {
        if let Some(answer) = self.answers.get_mut(&status) {
            answer["headers"] = json!({
                "Location": { "required": true, "description": "Path of the row.", "schema": { "type": "string" } },
            });
        }
        self
    }

    /// Adds problems.
    pub(crate) fn or(mut self, kinds: &[ProblemKind]) -> Self {
        self.problems.extend(kinds);
        self
    }

    /// Removes all problems: the caller expects errors in another format.
    pub(crate) fn without_problems(mut self) -> Self {
        self.problems.clear();
        self
    }

    /// Builds the operation object.
    pub(crate) fn build(self) -> Value {
        let mut answers = self.answers;
        let mut by_status: BTreeMap<u16, Vec<ProblemKind>> = BTreeMap::new();
        let mut problems = self.problems;
        problems.sort_by_key(|problem| (problem.status(), problem.slug()));
        problems.dedup();
        for problem in problems {
            by_status.entry(problem.status()).or_default().push(problem);
        }
        for (status, problems) in by_status {
            let references: Vec<Value> = problems
                .iter()
                .map(|problem| json!({ "$ref": format!("#/components/schemas/{}", schema_name(*problem)) }))
                .collect();
            let schema = if let [one] = &references[..] { one.clone() } else { json!({ "oneOf": references }) };
            let kinds: Vec<String> = problems.iter().map(|problem| format!("`{}`", problem.slug())).collect();
            let mut answer = json!({
                "description": format!("Problem: {}.", kinds.join(", ")),
                "content": { "application/problem+json": { "schema": schema } },
            });
            let header = match status {
                401 => Some("WWW-Authenticate"),
                429 | 503 => Some("Retry-After"),
                _ => None,
            };
            if let Some(header) = header {
                answer["headers"] = json!({ header: { "schema": { "type": "string" } } });
            }
            answers.insert(status, answer);
        }
        for (status, description) in GATEWAY {
            let answer = answers.entry(status).or_insert_with(|| json!({ "description": description }));
            let refusal = json!({ "$ref": "#/components/schemas/GatewayRefusal" });
            match answer.pointer_mut("/content/application~1json/schema") {
                // The answers to a callback are JSON too.
                Some(schema) => *schema = json!({ "oneOf": [schema.clone(), refusal] }),
                None => answer["content"]["application/json"] = json!({ "schema": refusal }),
            }
        }
        let mut operation = self.metadata;
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.into();
        }
        if let Some(body) = self.body {
            operation["requestBody"] = body;
        }
        let answers: Map<String, Value> =
            answers.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect();
        operation["responses"] = answers.into();
        operation
    }
}

/// Wraps examples as OpenAPI example objects.
fn named(examples: &Value) -> Value {
    let members = examples.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.clone(), json!({ "value": value }))).collect::<Map<_, _>>().into()
}
