//! Requests that the HTTP API accepts, and kinds of problems that it reports.
//!
//! A request is declared once, in the module of its resource ([`bots`], [`trades`], [`strategies`], [`analyses`],
//! [`billing`]), with the types of its fields ([`values`]), their defaults and descriptions, and the rules between
//! them. The declaration expands to the reader that functions use and, with the feature `openapi`, to the schema in
//! `openapi.json`.
//!
//! [`ProblemKind`] lists all kinds of problems.

#![cfg_attr(
    feature = "openapi",
    allow(
        clippy::indexing_slicing,
        reason = "members of JSON objects that are built here; a mistake ends a development tool"
    )
)]

pub mod analyses;
pub mod billing;
pub mod bots;
mod field_error;
mod object_reader;
mod problem_kind;
mod request;
#[cfg(feature = "openapi")]
pub mod schema;
pub mod strategies;
pub mod trades;
pub mod values;

pub use field_error::FieldError;
pub use object_reader::{ObjectReader, OneOrMany, read_body, read_body_with};
pub use problem_kind::ProblemKind;
pub use request::{FieldValue, RequestBody, RequestField};

/// Maximum length of the header `Idempotency-Key`, in characters. All are printable ASCII.
pub const MAX_IDEMPOTENCY_KEY_LENGTH: usize = 255;
