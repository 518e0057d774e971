//! What the metrics must be: the reference values, the papers' values, the properties, and the promise of the confidence.

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
