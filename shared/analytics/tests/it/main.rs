//! Tests of the metrics: reference values, published values, properties, and the calibration of the confidence.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed assumption fails the test; clippy allows these in test functions but not in their helpers"
)]

mod analysis_parts;
mod calibration;
mod confidence;
mod edgeless;
mod input;
mod papers;
mod properties;
mod reference;
mod support;
