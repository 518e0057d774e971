//! The document: operations, and the schemas that they name.

use nofomo_contract::schema::add_named;
use nofomo_contract::{NewAnalysis, ProblemKind, analyses, bots, money, strategies, trades, values};
use serde_json::{Map, Value, json};

use crate::operations::operations;
use crate::{problems, responses};

const INTRODUCTION: &str = "\
Trading bots report their trades, analyses say honestly whether a bot is any good, plans limit what one may do, Tripay takes the money.

**Sign in** with Supabase Auth and send `Authorization: Bearer <access token>`. A bot's runner sends the bot's own token instead, which can \
report for that bot and nothing else.

**JSON** in and out, UTF-8, up to 1 MiB. Decimals are strings in answers (`\"0.00150000\"`) and strings or numbers in requests; times are \
RFC 3339 in UTC; ids are UUIDs. An optional field may be left out or `null`; a field that is not known is refused, so that a typing error \
is not silently lost.

**Send it twice.** Wherever a row is made, an `Idempotency-Key` makes it safe to send the same request again: it finds what the first one \
made (200 in place of 201). With another body it is refused (409).

**What goes wrong** is answered with `application/problem+json` (RFC 9457). Tell problems apart by `type`; `detail` is for people, and \
`errors` names every field that is wrong at once. Every answer of a function has its request id in `x-request-id`. What API Gateway \
answers itself is `{\"message\": …}`.";

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
        "servers": [{ "url": "/", "description": "Where this document is." }],
        "tags": [
            { "name": "Bots", "description": "Bots, and what their runners may do." },
            { "name": "Trades", "description": "What bots report." },
            { "name": "Portfolio", "description": "What an app's home screen needs." },
            { "name": "Strategies", "description": "Python for freqtrade, checked and never run." },
            { "name": "Analyses", "description": "Whether a bot is any good." },
            { "name": "Money", "description": "Plans, invoices, subscriptions." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "access_token": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "A user's access token, from Supabase Auth. Locally: `cargo dev token pro@nofomo.test`.",
                },
                "bot_token": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "nofomo_bot_…",
                    "description": "A bot's own token, from `POST /bots/{bot_id}/token`.",
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
    add_named::<strategies::GenerateStrategyRequest>(&mut found);
    add_named::<responses::strategies::Strategy>(&mut found);
    add_named::<responses::strategies::BacktestResult>(&mut found);
    add_named::<NewAnalysis>(&mut found);
    add_named::<analyses::Analysis>(&mut found);
    add_named::<money::NewInvoice>(&mut found);
    add_named::<responses::money::Invoice>(&mut found);
    add_named::<responses::money::Subscription>(&mut found);
    add_named::<responses::money::CallbackAnswer>(&mut found);
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
    schemas.insert("GatewayRefusal".into(), problems::gateway_refusal());
    schemas
}

/// A kind of analysis shows some of their members.
const PARTIAL: [&str; 2] = ["Metrics", "Series"];

/// An object has the members that are written here and no other, and of an answer also those that are null.
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
    schema["additionalProperties"] = false.into();
}
