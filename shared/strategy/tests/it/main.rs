//! Check of clean strategies, hostile strategies, invalid sources and random texts.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed assumption fails the test; clippy allows these in test functions but not in their helpers"
)]

mod clean;
mod hostile;
mod properties;
mod structure;
