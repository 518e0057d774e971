//! Tests of the sandbox through its API and its pages.

mod callbacks;
mod orders;
mod page;
mod queries;
mod statuses;
mod storage;
mod support;
