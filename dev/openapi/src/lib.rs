//! OpenAPI document of the HTTP API, from which `openapi.json` is written.
//!
//! The schemas of requests come from `shared/contract`, which the functions use to read requests. The database writes
//! the response bodies, so their schemas, in [`responses`], are declared only for the document. The end-to-end tests
//! compare every response with the document.

#![allow(
    clippy::indexing_slicing,
    reason = "members of JSON objects that are built here; a mistake ends a development tool"
)]

mod document;
mod examples;
mod operation;
mod operations;
mod problems;
pub mod responses;

use serde_json::Value;

/// Returns the document.
pub fn document() -> Value {
    document::build()
}

/// Returns the document as the text of `openapi.json`.
pub fn text() -> String {
    format!("{:#}\n", document())
}

#[cfg(test)]
mod tests {
    #[test]
    fn openapi_json_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.json");
        let stored = std::fs::read_to_string(path).unwrap();
        assert!(stored == super::text(), "openapi.json is out of date: cargo run --package openapi > openapi.json");
    }
}
