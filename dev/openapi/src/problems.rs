//! Schemas of problems.

use nofomo_contract::ProblemKind;
use serde_json::{Value, json};

/// Name of the schema of a problem: `PlanLimitProblem`.
pub(crate) fn schema_name(kind: ProblemKind) -> String {
    let words = kind.slug().split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.chain(["Problem".to_owned()]).collect()
}

/// Schema of a problem.
pub(crate) fn schema(kind: ProblemKind) -> Value {
    let mut properties = json!({
        "type": { "const": format!("https://nofomo.dev/problems/{}", kind.slug()) },
        "title": { "const": kind.title() },
        "status": { "const": kind.status() },
        "detail": { "type": "string", "description": "Description of the problem and of its solution, for people." },
        "request_id": { "type": "string", "description": "Id of the request in the service's log." },
    });
    let mut required = vec!["type", "title", "status", "detail", "request_id"];
    match kind {
        ProblemKind::PlanLimit | ProblemKind::Quota => {
            properties["limit"] = json!({ "type": "integer", "description": "Number that the plan allows." });
            properties["plan"] = json!({ "type": "string", "description": "Name of the plan in force." });
            required.extend(["limit", "plan"]);
        }
        ProblemKind::Invalid => {
            let error = json!({ "$ref": "#/components/schemas/FieldError" });
            properties["errors"] = json!({ "type": "array", "minItems": 1, "items": error });
            required.push("errors");
        }
        _ => {}
    }
    json!({
        "type": "object", "description": kind.description(), "properties": properties, "required": required,
        "additionalProperties": false,
    })
}

/// Schema of an error, which has exactly one of `pointer`, `parameter` and `header`.
pub(crate) fn field_error() -> Value {
    json!({
        "type": "object",
        "description": "Error of one field of the body, one query parameter or one header.",
        "properties": {
            "pointer": {
                "type": "string",
                "description": "JSON pointer (RFC 6901) of the field; the empty pointer is the whole body.",
            },
            "parameter": { "type": "string", "description": "Name of the query parameter." },
            "header": { "type": "string", "description": "Name of the header." },
            "line": { "type": "integer", "minimum": 1, "description": "Line within the field's text, from 1." },
            "column": { "type": "integer", "minimum": 1, "description": "Column within the line, from 1." },
            "detail": { "type": "string", "description": "Requirement that the value does not meet, such as `is required`." },
        },
        "required": ["detail"],
        "oneOf": [{ "required": ["pointer"] }, { "required": ["parameter"] }, { "required": ["header"] }],
        "additionalProperties": false,
    })
}

/// Schema of an error that API Gateway returns itself.
pub(crate) fn gateway_error() -> Value {
    json!({
        "type": "object",
        "description": "Error returned by API Gateway instead of the function.",
        "properties": { "message": { "type": "string" } },
        "required": ["message"],
        "additionalProperties": false,
    })
}
