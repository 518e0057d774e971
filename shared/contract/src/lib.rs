//! The HTTP contract, from which `openapi.json` is written.
//!
//! Functions do not link this: they read fields one by one, and pass on what the database wrote. That both say the same is for
//! the end-to-end tests, which hold every answer against the document.

#![allow(
    clippy::indexing_slicing,
    reason = "members of JSON objects that are written here; a mistake ends a development tool"
)]

pub mod analyses;
pub mod bots;
mod document;
mod examples;
pub mod money;
mod operation;
mod operations;
pub mod portfolio;
mod problems;
pub mod strategies;
pub mod trades;
pub mod values;

use serde_json::Value;

/// The document.
pub fn document() -> Value {
    document::written()
}

/// The document as `openapi.json` has it.
pub fn text() -> String {
    format!("{:#}\n", document())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_file_is_what_the_types_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.json");
        let kept = std::fs::read_to_string(path).unwrap();
        assert!(kept == super::text(), "openapi.json is not of today: cargo run -p nofomo-contract > openapi.json");
    }
}
