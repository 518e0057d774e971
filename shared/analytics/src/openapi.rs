//! OpenAPI schemas that cannot be derived from a type alone.

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::confidence::Evidence;

type Schemas = Vec<(String, RefOr<Schema>)>;

/// Metrics by name; all members are optional.
pub(crate) struct Metrics;

impl PartialSchema for Metrics {
    fn schema() -> RefOr<Schema> {
        let mut properties = properties_of::<crate::Metrics>();
        // Members of the analysis, beside its metrics.
        properties.retain(|name, _| name != "confidence" && name != "notes");
        read(json!({
            "type": "object",
            "description": "Metrics by name: those that the type of the analysis shows. An undefined metric is null, and a note gives the \
                            reason.",
            "properties": properties,
        }))
    }
}

impl ToSchema for Metrics {
    fn schemas(schemas: &mut Schemas) {
        add::<crate::MonteCarlo>(schemas);
    }
}

/// Confidence, with its parts or without.
pub(crate) struct Confidence;

impl PartialSchema for Confidence {
    fn schema() -> RefOr<Schema> {
        let either = ["JudgedConfidence", "EmptyConfidence"];
        read(json!({ "oneOf": either.map(|name| json!({ "$ref": format!("#/components/schemas/{name}") })) }))
    }
}

impl ToSchema for Confidence {
    fn schemas(schemas: &mut Schemas) {
        let (empty, evidence) = (written::<crate::Confidence>(), written::<Evidence>());
        let required =
            [&empty, &evidence].into_iter().filter_map(|schema| schema.get("required")?.as_array()).flatten();
        let judged = json!({
            "type": "object",
            "description": "Confidence that the expected daily return, after costs, is positive. A bot without an edge gets `score >= c` with \
                            a probability of at most 1 - c.",
            "required": required.collect::<Vec<_>>(),
            "properties": merged(properties(&empty, &Map::new()), properties(&evidence, &Map::new())),
        });
        schemas.push(("JudgedConfidence".into(), read(judged)));
        add::<crate::Confidence>(schemas);
    }
}

fn add<T: ToSchema>(schemas: &mut Schemas) {
    schemas.push((T::name().into(), T::schema()));
    T::schemas(schemas);
}

fn written<T: PartialSchema>() -> Value {
    json!(T::schema())
}

/// Reads a schema. utoipa knows every keyword used here; a schema that it does not know would become empty.
fn read(schema: Value) -> RefOr<Schema> {
    serde_json::from_value(schema).map_or_else(|_| RefOr::T(Schema::default()), RefOr::T)
}

/// Properties of a type, those of its flattened members included.
fn properties_of<T: ToSchema>() -> Map<String, Value> {
    let mut named = Schemas::new();
    T::schemas(&mut named);
    let named =
        named.into_iter().map(|(name, schema)| (format!("#/components/schemas/{name}"), json!(schema))).collect();
    properties(&written::<T>(), &named)
}

fn properties(schema: &Value, named: &Map<String, Value>) -> Map<String, Value> {
    if let Some(schema) = schema.get("$ref").and_then(Value::as_str).and_then(|name| named.get(name)) {
        return properties(schema, named);
    }
    let own = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let flattened = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
    flattened.map(|schema| properties(schema, named)).fold(own, merged)
}

fn merged(mut some: Map<String, Value>, others: Map<String, Value>) -> Map<String, Value> {
    some.extend(others);
    some
}
