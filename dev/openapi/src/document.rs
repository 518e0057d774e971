//! Assembles the document: operations, and the schemas that they refer to.

use nofomo_contract::schema::add_named;
use nofomo_contract::{ProblemKind, analyses, billing, bots, strategies, trades, values};
use serde_json::{Map, Value, json};

use crate::operations::operations;
use crate::{problems, responses};

const INTRODUCTION: &str = "\
Trading bots report their trades. Analyses measure the performance and risk of a bot, with a confidence score. Plans limit usage, and Tripay \
processes payments.

**Authentication.** Sign in with Supabase Auth and send `Authorization: Bearer <access token>`. The runner of a bot sends the bot's own token \
instead, which gives access to that bot only.

**Format.** Requests and responses are JSON in UTF-8, unless an operation says otherwise; a JSON request has up to 1 MiB. Decimals are strings in responses (`\"0.00150000\"`) and strings or numbers in \
requests. Times are RFC 3339 in UTC. Ids are UUIDs. An optional field can be absent or `null`. Unknown fields are refused, so that a misspelled \
field is not ignored.

**Idempotency.** Operations that list the header `Idempotency-Key` can be repeated safely. A repeated request with the same key returns the \
resource that the first request created, with status 200 instead of 201. The same key with another body is refused with status 409. \
Trades are the exception: another body is a further report of the same trades.

**Problems.** Errors are `application/problem+json` (RFC 9457). Distinguish problems by `type`; `detail` is for people, and `errors` lists all \
invalid fields at once. Every response of a function has the id of its request in the header `x-request-id`. Errors of API Gateway itself are \
`{\"message\": …}`.";

pub(crate) fn build() -> Value {
    let mut paths = Map::new();
    for operation in operations() {
        let (method, path) = (operation.method.to_lowercase(), operation.path.to_owned());
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[method] = operation.build();
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "NusaNexus NoFOMO",
            "version": env!("CARGO_PKG_VERSION"),
            "description": INTRODUCTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The host that serves this document." }],
        "tags": [
            { "name": "Bots", "description": "Bots, their runners, tokens and exchange API keys." },
            { "name": "Trades", "description": "Trades that bots report." },
            { "name": "Portfolio", "description": "Data of an app's home screen." },
            { "name": "Strategies", "description": "Strategies for freqtrade, in Python. They are checked and never executed." },
            { "name": "Analyses", "description": "Performance, risk and confidence score of closed trades." },
            { "name": "Billing", "description": "Plans, invoices and subscriptions." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "access_token": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "Access token of a user, from Supabase Auth. Locally: `cargo dev token pro@nofomo.test`.",
                },
                "bot_token": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "nofomo_bot_…",
                    "description": "Token of a bot, from `POST /bots/{bot_id}/token`.",
                },
            },
        },
    })
}

fn schemas() -> Map<String, Value> {
    let mut found = Vec::new();
    add_named::<bots::NewBot>(&mut found);
    add_named::<responses::bots::Bot>(&mut found);
    add_named::<bots::NewFailure>(&mut found);
    add_named::<bots::NewLog>(&mut found);
    add_named::<responses::bots::RecordedLogs>(&mut found);
    add_named::<bots::NewToken>(&mut found);
    add_named::<responses::bots::IssuedToken>(&mut found);
    add_named::<bots::NewCredentials>(&mut found);
    add_named::<responses::bots::SavedCredentials>(&mut found);
    add_named::<responses::bots::DeletedCredentials>(&mut found);
    add_named::<responses::bots::OpenedCredentials>(&mut found);
    add_named::<trades::NewTrade>(&mut found);
    add_named::<responses::trades::Trade>(&mut found);
    add_named::<responses::trades::TradeResults>(&mut found);
    add_named::<responses::portfolio::Portfolio>(&mut found);
    add_named::<strategies::NewStrategy>(&mut found);
    add_named::<strategies::NewSource>(&mut found);
    add_named::<strategies::NewGeneratedStrategy>(&mut found);
    add_named::<responses::strategies::Strategy>(&mut found);
    add_named::<responses::strategies::BacktestResult>(&mut found);
    add_named::<analyses::NewAnalysis>(&mut found);
    add_named::<nofomo_analytics::Analysis>(&mut found);
    add_named::<billing::NewInvoice>(&mut found);
    add_named::<responses::billing::Invoice>(&mut found);
    add_named::<responses::billing::Subscription>(&mut found);
    add_named::<responses::billing::CallbackResponse>(&mut found);
    add_named::<values::Exchange>(&mut found);
    let mut schemas: Map<String, Value> = found
        .into_iter()
        .map(|(name, schema)| {
            let mut schema = serde_json::to_value(schema).unwrap_or_default();
            close(&name, &mut schema);
            (name, schema)
        })
        .collect();
    schemas.extend(ProblemKind::ALL.iter().map(|kind| (problems::schema_name(*kind), problems::schema(*kind))));
    schemas.insert("FieldError".into(), problems::field_error());
    schemas.insert("GatewayError".into(), problems::gateway_error());
    schemas
}

/// Schemas whose members depend on the type of analysis, so that none is required.
const PARTIAL: [&str; 2] = ["Metrics", "Series"];

/// Closes an object schema: the object has no other members. A response has all members, including those that are null.
fn close(name: &str, schema: &mut Value) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let is_request = name.starts_with("New");
    if !is_request && !PARTIAL.contains(&name) {
        let may_be_null = |property: &Value| {
            let types = property.get("type").and_then(Value::as_array);
            let either = property.get("oneOf").and_then(Value::as_array);
            types.is_some_and(|types| types.contains(&"null".into()))
                || either.is_some_and(|either| either.iter().any(|one| one["type"] == "null"))
        };
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let nullable =
            properties.iter().filter(|(_, property)| may_be_null(property)).map(|(name, _)| Value::from(name.as_str()));
        let mut required: Vec<Value> = required.into_iter().chain(nullable).collect();
        required.sort_by_key(ToString::to_string);
        required.dedup();
        schema["required"] = required.into();
    }
    if let Some(properties) = schema["properties"].as_object_mut() {
        // Defaults apply when stored analyses are read. They are not part of the response.
        properties.values_mut().filter_map(Value::as_object_mut).for_each(|property| {
            property.remove("default");
        });
    }
    schema["additionalProperties"] = false.into();
}
