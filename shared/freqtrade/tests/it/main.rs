//! Reading of exports, and refusal of invalid ones.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets what it did not expect ends there; clippy knows test functions, not their helpers"
)]

mod archives;
mod fixtures;
mod identity;
mod memory;
mod metrics;
mod profits;
mod properties;
mod support;
mod values;
mod versions;
