//! The error of this crate.

/// A program that is missing or cannot be installed: the problem and its remedy.
#[derive(Debug, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub struct Error {
    pub problem: String,
    pub remedy: String,
}
