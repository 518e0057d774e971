//! Tests of the page: complete, readable for any content of a row, self-contained.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets what it did not expect ends there; clippy knows test functions, not their helpers"
)]

mod contents;
mod drawings;
mod page;
mod robust;
mod rows;
