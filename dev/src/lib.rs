//! The backend on a laptop: the functions' real binaries behind an API gateway, on a real Postgres that looks like Supabase.

pub mod auth;
pub mod bench;
pub mod build;
mod client;
mod connect;
pub mod credentials;
mod docs;
pub mod gateway;
pub mod migrations;
pub mod node;
pub mod postgres;
pub mod proxy;
pub mod python;
pub mod reports;
pub mod runtime;
pub mod schedule;
pub mod stack;
pub mod supabase;
pub mod template;
pub mod tripay;
pub mod verify;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong and what to do about it, in one line.
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
