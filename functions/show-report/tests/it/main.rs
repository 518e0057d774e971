//! Tests of the page: it is complete, self-contained and accessible, and any row can be rendered.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed assumption fails the test; clippy allows these in test functions but not in their helpers"
)]

mod contents;
mod drawings;
mod page;
mod robust;
mod rows;
