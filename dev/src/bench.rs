//! `cargo dev bench`: what the release binaries cost, measured on this machine and held against budgets.

pub mod cold;
mod requests;
