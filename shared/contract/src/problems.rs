//! What a caller gets when something did not go well, kind by kind.

use serde_json::{Value, json};

/// One `type` of `application/problem+json`.
pub(crate) struct Problem {
    pub(crate) kind: &'static str,
    pub(crate) status: u16,
    title: &'static str,
    /// When it is answered, and what to do.
    description: &'static str,
}

const fn problem(kind: &'static str, status: u16, title: &'static str, description: &'static str) -> Problem {
    Problem { kind, status, title, description }
}

const fn conflict(kind: &'static str, description: &'static str) -> Problem {
    problem(kind, 409, "Not possible as things are", description)
}

pub(crate) const PROBLEMS: &[Problem] = &[
    problem("not-json", 400, "The body is not JSON", "Says where it stops being JSON."),
    problem("unauthenticated", 401, "Not signed in", "No token, or none that is valid. Refresh it or sign in."),
    problem("deactivated", 403, "This account is deactivated", "Write to support."),
    problem("forbidden", 403, "Not allowed", "With this kind of token or session."),
    problem("plan-limit", 403, "The plan's limit is reached", "There is as much as the plan allows: `limit`."),
    problem("quota", 403, "The plan's quota is used up", "Until the next month: `limit` is the plan's."),
    problem("not-found", 404, "Not found", "Not there, or not yours: which of the two is not told."),
    conflict("key-reused", "This Idempotency-Key was used with another body. Use a new key."),
    conflict("credentials-missing", "Live trading needs API keys saved for the exchange."),
    conflict("unsafe-strategy", "A live bot's strategy needs a clean check."),
    conflict("wrong-state", "Not from the bot's present status."),
    conflict("paper-bot", "This is for live bots, and this one trades on paper."),
    conflict("strategy-in-use", "A live bot runs it, and the new source has findings."),
    conflict("has-findings", "Only a strategy without findings is published."),
    conflict("no-source", "There is no source to publish."),
    conflict("few-trades", "A backtest of this source with at least 30 trades comes first."),
    conflict("name-taken", "Another strategy in the marketplace has this name."),
    conflict("not-a-strategy", "The source that is stored is no strategy."),
    conflict("changing", "The source is being changed. Publish when that is done."),
    conflict("no-backtest", "There is no backtest to compare with. Import one."),
    conflict("not-analysable", "What is recorded cannot be judged; says why."),
    conflict("already-subscribed", "A trial is for those who have no plan."),
    conflict("trial-used", "There is one trial for each user."),
    problem("too-large", 413, "The body is too large", "Says how many bytes are taken."),
    problem("unsupported-media-type", 415, "The body must be JSON by its type", "Send `application/json`."),
    problem(
        "invalid",
        422,
        "Some fields are not valid",
        "Every field that is wrong is in `errors`, each with what it must be.",
    ),
    problem("too-many", 429, "Too many requests", "Wait for `Retry-After`."),
    problem("internal", 500, "Something went wrong on our side", "It is logged under `request_id`."),
    problem("not-configured", 501, "Not configured here", "Says what to set."),
    problem("bad-gateway", 502, "A service that we need refused", "It is logged under `request_id`."),
    problem(
        "unavailable",
        503,
        "Try again in a moment",
        "Whether it took effect is not known. With the same Idempotency-Key it is safe to send again.",
    ),
    problem("no-answer", 504, "A service that we need has not answered", "Says what becomes of it."),
];

impl Problem {
    pub(crate) fn of(kind: &str) -> Option<&'static Self> {
        PROBLEMS.iter().find(|problem| problem.kind == kind)
    }

    /// Of its schema: `PlanLimitProblem`.
    pub(crate) fn name(&self) -> String {
        let words = self.kind.split('-').map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        });
        words.chain(["Problem".to_owned()]).collect()
    }

    pub(crate) fn schema(&self) -> Value {
        let mut properties = json!({
            "type": { "const": format!("https://nofomo.dev/problems/{}", self.kind) },
            "title": { "const": self.title },
            "status": { "const": self.status },
            "detail": { "type": "string", "description": "What to change, in a sentence." },
            "request_id": { "type": "string", "description": "Under which it is in our log." },
        });
        let mut required = vec!["type", "title", "status", "detail", "request_id"];
        match self.kind {
            "plan-limit" | "quota" => {
                properties["limit"] = json!({ "type": "integer", "description": "What the plan allows." });
                properties["plan"] = json!({ "type": "string", "description": "The plan in force." });
                required.extend(["limit", "plan"]);
            }
            "invalid" => {
                let error = json!({ "$ref": "#/components/schemas/FieldError" });
                properties["errors"] = json!({ "type": "array", "minItems": 1, "items": error });
                required.push("errors");
            }
            _ => {}
        }
        json!({
            "type": "object", "description": self.description, "properties": properties, "required": required,
            "additionalProperties": false,
        })
    }
}

/// What is wrong with one field, parameter or header: one of the three is named.
pub(crate) fn field_error() -> Value {
    json!({
        "type": "object",
        "description": "What is wrong with one field of the body, with a parameter of the query, or with a header.",
        "properties": {
            "pointer": { "type": "string", "description": "RFC 6901; the empty pointer is the whole body." },
            "parameter": { "type": "string", "description": "Behind the `?`." },
            "header": { "type": "string" },
            "line": { "type": "integer", "minimum": 1, "description": "Within a field of many lines." },
            "column": { "type": "integer", "minimum": 1 },
            "detail": { "type": "string", "description": "What it must be." },
        },
        "required": ["detail"],
        "oneOf": [{ "required": ["pointer"] }, { "required": ["parameter"] }, { "required": ["header"] }],
        "additionalProperties": false,
    })
}

/// What API Gateway answers itself.
pub(crate) fn gateway_refusal() -> Value {
    json!({
        "type": "object",
        "description": "What API Gateway answers itself, when it did not come to a function's answer.",
        "properties": { "message": { "type": "string" } },
        "required": ["message"],
        "additionalProperties": false,
    })
}
