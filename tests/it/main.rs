//! End-to-end tests: the functions' real binaries, API Gateway's events, real tokens, a real Postgres.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed assumption fails the test; clippy allows these in test functions but not in their helpers"
)]

mod api;
mod database;
mod jobs;
mod resilience;
mod support;
mod tooling;
