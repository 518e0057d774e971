//! Reading of exports, and refusal of invalid ones.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed assumption fails the test; clippy allows these in test functions but not in their helpers"
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
