//! Tests of the page: complete, readable for any content of a row, self-contained.

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
