//! Bodies of answers.

pub mod bots;
pub mod money;
pub mod portfolio;
pub mod strategies;
pub mod trades;
