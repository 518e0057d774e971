//! Check of clean strategies, hostile strategies, invalid sources and random texts.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets what it did not expect ends there; clippy knows test functions, not their helpers"
)]

mod clean;
mod hostile;
mod properties;
mod structure;
