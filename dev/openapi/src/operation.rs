//! Builds one operation of the document.

use std::collections::BTreeMap;

use nofomo_contract::{MAX_IDEMPOTENCY_KEY_LENGTH, ProblemKind};
use serde_json::{Map, Value, json};

use crate::problems::schema_name;

/// Operation: a method and a path, with its request and its responses.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// Id, tags, summary, description and security.
    metadata: Value,
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: BTreeMap<u16, Value>,
    problems: Vec<ProblemKind>,
}

/// Errors that API Gateway may return for any request.
const GATEWAY_ERRORS: [(u16, &str); 5] = [
    (413, "The request is too large."),
    (429, "Too many concurrent requests."),
    (500, "Internal error."),
    (502, "The function failed."),
    (503, "The function is at its concurrency limit, or timed out."),
];

impl Operation {
    /// Creates an operation with the problems of every request that uses the database. `route` is the method and the
    /// path.
    pub(crate) fn new(route: &'static str, tag: &str, id: &str, summary: &str, description: &str) -> Self {
        let (method, path) = route.split_once(' ').unwrap_or(("", route));
        let metadata = json!({ "operationId": id, "tags": [tag], "summary": summary, "description": description });
        let problems = vec![ProblemKind::Deactivated, ProblemKind::Internal, ProblemKind::Unavailable];
        Self { method, path, metadata, parameters: Vec::new(), body: None, responses: BTreeMap::new(), problems }
    }

    /// Requires the access token of a user.
    pub(crate) fn for_user(self) -> Self {
        self.with_security(&["access_token"])
    }

    /// Requires the access token of the bot's owner, or the bot token.
    pub(crate) fn for_reporter(self) -> Self {
        self.with_security(&["access_token", "bot_token"])
    }

    /// Requires the bot token.
    pub(crate) fn for_runner(self) -> Self {
        self.with_security(&["bot_token"])
    }

    fn with_security(mut self, schemes: &[&str]) -> Self {
        self.metadata["security"] = schemes.iter().map(|scheme| json!({ *scheme: [] })).collect();
        self.with_problems(&[ProblemKind::Unauthenticated, ProblemKind::Forbidden])
    }

    /// Requires no authentication.
    pub(crate) fn without_authentication(mut self) -> Self {
        self.metadata["security"] = json!([]);
        self
    }

    /// Adds a path parameter.
    pub(crate) fn with_path_parameter(mut self, name: &str, schema: &Value, example: &str, description: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "path", "required": true, "schema": schema, "example": example, "description": description,
        }));
        self.with_problems(&[ProblemKind::NotFound])
    }

    pub(crate) fn with_parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Adds the header `Idempotency-Key`.
    pub(crate) fn with_idempotency_key(self) -> Self {
        let description = format!(
            "Unguessable key, such as a UUID: 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} printable ASCII characters. A repeated \
             request with the same key returns the resource that the first request created."
        );
        let key = json!({
            "name": "Idempotency-Key", "in": "header", "required": false, "description": description,
            "schema": { "type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY_LENGTH, "pattern": "^[ -~]+$" },
        });
        self.with_parameter(key).with_problems(&[ProblemKind::Invalid])
    }

    /// Adds a JSON body.
    pub(crate) fn with_json_body(self, schema: &Value, is_required: bool, examples: &Value) -> Self {
        let content = json!({ "application/json": { "schema": schema, "examples": example_objects(examples) } });
        self.with_body(content, is_required).with_problems(&[
            ProblemKind::NotJson,
            ProblemKind::UnsupportedMediaType,
            ProblemKind::Invalid,
        ])
    }

    /// Adds a body with the given media types.
    pub(crate) fn with_body(mut self, content: Value, is_required: bool) -> Self {
        self.body = Some(json!({ "required": is_required, "content": content }));
        self.with_problems(&[ProblemKind::TooLarge])
    }

    /// Adds a JSON response.
    pub(crate) fn with_response(self, status: u16, description: &str, schema: &Value) -> Self {
        self.with_response_content(status, description, json!({ "application/json": { "schema": schema } }))
    }

    /// Adds a response with the given media types.
    pub(crate) fn with_response_content(mut self, status: u16, description: &str, content: Value) -> Self {
        let mut response = json!({ "description": description });
        if content != json!({}) {
            response["content"] = content;
        }
        self.responses.insert(status, response);
        self
    }

    /// Adds the header `Location` to the response with this status.
    pub(crate) fn with_location(mut self, status: u16) -> Self {
        if let Some(response) = self.responses.get_mut(&status) {
            response["headers"] = json!({
                "Location": { "required": true, "description": "Path of the resource.", "schema": { "type": "string" } },
            });
        }
        self
    }

    /// Adds problems.
    pub(crate) fn with_problems(mut self, kinds: &[ProblemKind]) -> Self {
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
        let mut responses = self.responses;
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
            let mut response = json!({
                "description": format!("Problem: {}.", kinds.join(", ")),
                "content": { "application/problem+json": { "schema": schema } },
            });
            let header = match status {
                401 => Some("WWW-Authenticate"),
                429 | 503 => Some("Retry-After"),
                _ => None,
            };
            if let Some(header) = header {
                response["headers"] = json!({ header: { "schema": { "type": "string" } } });
            }
            responses.insert(status, response);
        }
        for (status, description) in GATEWAY_ERRORS {
            let response = responses.entry(status).or_insert_with(|| json!({ "description": description }));
            let error = json!({ "$ref": "#/components/schemas/GatewayError" });
            match response.pointer_mut("/content/application~1json/schema") {
                // Failed callbacks have JSON responses too.
                Some(schema) => *schema = json!({ "oneOf": [schema.clone(), error] }),
                None => response["content"]["application/json"] = json!({ "schema": error }),
            }
        }
        let mut operation = self.metadata;
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.into();
        }
        if let Some(body) = self.body {
            operation["requestBody"] = body;
        }
        let responses: Map<String, Value> =
            responses.into_iter().map(|(status, response)| (status.to_string(), response)).collect();
        operation["responses"] = responses.into();
        operation
    }
}

/// Wraps examples as OpenAPI example objects.
fn example_objects(examples: &Value) -> Value {
    let members = examples.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.clone(), json!({ "value": value }))).collect::<Map<_, _>>().into()
}
