//! The error of the commands.

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure as the person at the terminal reads it: the problem and its remedy, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub struct Error {
    problem: String,
    remedy: String,
}

impl Error {
    pub fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }
}
