//! OpenAPI schemas of values and requests.

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};
use uuid::Uuid;

/// Schemas by name.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// Schema of a field.
pub trait FieldSchema {
    /// `false` if the field can be absent or null.
    const IS_REQUIRED: bool = true;

    /// Returns a reference to a named schema, or the schema itself.
    fn field_schema() -> Value;

    /// Adds the named schemas that the field refers to.
    fn add_schemas(schemas: &mut Schemas);
}

/// Property of an object.
pub struct Property {
    name: &'static str,
    schema: Value,
    is_required: bool,
}

impl<V: FieldSchema> FieldSchema for Option<V> {
    const IS_REQUIRED: bool = false;

    fn field_schema() -> Value {
        V::field_schema()
    }

    fn add_schemas(schemas: &mut Schemas) {
        V::add_schemas(schemas);
    }
}

impl FieldSchema for bool {
    fn field_schema() -> Value {
        json!({ "type": "boolean" })
    }

    fn add_schemas(_: &mut Schemas) {}
}

impl FieldSchema for Uuid {
    fn field_schema() -> Value {
        json!({ "type": "string", "format": "uuid" })
    }

    fn add_schemas(_: &mut Schemas) {}
}

/// Reference to a named schema.
pub fn reference<T: ToSchema>() -> Value {
    json!({ "$ref": format!("#/components/schemas/{}", T::name()) })
}

/// Adds a schema and those that it refers to.
pub fn add_named<T: ToSchema>(schemas: &mut Schemas) {
    schemas.push((T::name().into(), T::schema()));
    T::schemas(schemas);
}

pub(crate) fn property<T: FieldSchema>(name: &'static str, doc: &[&str]) -> Property {
    let mut schema = T::field_schema();
    describe(&mut schema, &join_lines(doc));
    if !T::IS_REQUIRED {
        schema = nullable(schema);
    }
    Property { name, schema, is_required: T::IS_REQUIRED }
}

pub(crate) fn property_with_default<T: FieldSchema + Serialize>(
    name: &'static str,
    doc: &[&str],
    default: &T,
) -> Property {
    // In the description, since client generators treat a field with the keyword `default` as required.
    let default = match json!(default) {
        Value::String(text) => text,
        value => value.to_string(),
    };
    let mut schema = T::field_schema();
    describe(&mut schema, format!("{} Default: `{default}`.", join_lines(doc)).trim());
    Property { name, schema: nullable(schema), is_required: false }
}

/// Schema of an object that has these properties and no others.
pub(crate) fn object(doc: &[&str], properties: Vec<Property>) -> RefOr<Schema> {
    let required: Vec<&str> =
        properties.iter().filter(|property| property.is_required).map(|property| property.name).collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema["properties"] = properties
        .into_iter()
        .map(|property| (property.name.to_owned(), property.schema))
        .collect::<Map<_, _>>()
        .into();
    described(schema, doc)
}

/// Schema with the lines of a doc comment as its description.
pub(crate) fn described(mut schema: Value, doc: &[&str]) -> RefOr<Schema> {
    describe(&mut schema, &join_lines(doc));
    // A schema that utoipa cannot parse is a mistake here; it appears in the document as an empty schema.
    serde_json::from_value(schema).map_or_else(|_| RefOr::T(Schema::default()), RefOr::T)
}

fn describe(schema: &mut Value, description: &str) {
    if description.is_empty() {
        return;
    }
    // The schema's own description is a limit for which JSON Schema has no keyword. It follows the description of the
    // field.
    let text = match schema.get("description").and_then(Value::as_str) {
        Some(limit) => format!("{description} {limit}"),
        None => description.to_owned(),
    };
    schema["description"] = text.into();
}

/// Joins the lines of a doc comment to paragraphs.
fn join_lines(doc: &[&str]) -> String {
    let mut text = String::new();
    for line in doc.iter().map(|line| line.trim()) {
        match line {
            "" => text.push_str("\n\n"),
            line if text.is_empty() || text.ends_with('\n') => text.push_str(line),
            line => {
                text.push(' ');
                text.push_str(line);
            }
        }
    }
    text
}

fn nullable(mut schema: Value) -> Value {
    match schema.get("type").and_then(Value::as_str).map(ToOwned::to_owned) {
        Some(kind) => {
            schema["type"] = json!([kind, "null"]);
            schema
        }
        None => json!({ "oneOf": [schema, { "type": "null" }] }),
    }
}
