//! Response bodies.

pub mod billing;
pub mod bots;
pub mod portfolio;
pub mod strategies;
pub mod trades;
