//! Tests of the metrics: reference values, published values, properties, and the calibration of the confidence.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets what it did not expect ends there; clippy knows test functions, not their helpers"
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
