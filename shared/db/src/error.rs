//! Errors of database calls.

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

/// Error of a database call. Expected outcomes, such as a plan's limit, are not errors but values of the call's result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection, a lost connection, or no response in time. It is unknown whether the call took effect.
    /// [`Db`](crate::Db) does not retry; the caller may, since every command is idempotent.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The user is deactivated. Every command refuses deactivated users.
    #[error("user is deactivated")]
    Deactivated,
    /// The bot token is unknown or revoked.
    #[error("bot token is unknown")]
    UnknownToken,
    /// The input has a value that passed all checks but that PostgreSQL cannot store. Nothing was changed.
    #[error("input cannot be stored: {0}")]
    Unstorable(String),
    /// A bug in the SQL, or in reading its response.
    #[error("database call failed: {0}")]
    Failed(String),
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(refusal) = error.as_db_error() else {
            let cause = std::error::Error::source(&error);
            return if error.is_closed() || cause.is_some_and(<dyn std::error::Error>::is::<std::io::Error>) {
                Self::Unavailable(with_sources(&error))
            } else {
                Self::Failed(with_sources(&error))
            };
        };
        // Without DETAIL, HINT and context, which quote rows.
        let cause = format!("{} {}", refusal.code().code(), refusal.message());
        // An exception raised in the migrations names the broken rule as its constraint.
        match (refusal.constraint(), refusal.code()) {
            (Some("user_is_active"), _) => Self::Deactivated,
            (Some("bot_token_is_valid"), _) => Self::UnknownToken,
            (Some("bot_is_valid" | "trade_is_valid" | "log_is_valid"), _) => Self::Unstorable(cause),
            // The credentials were deleted concurrently; the next request finds them missing.
            (Some("credentials_missing"), _) => Self::Unavailable(cause),
            (
                _,
                &SqlState::LOCK_NOT_AVAILABLE
                | &SqlState::T_R_DEADLOCK_DETECTED
                | &SqlState::T_R_SERIALIZATION_FAILURE
                | &SqlState::READ_ONLY_SQL_TRANSACTION
                // The parent row was deleted concurrently; the next request finds it missing.
                | &SqlState::FOREIGN_KEY_VIOLATION,
            ) => Self::Unavailable(cause),
            (_, code) => match code.code().get(..2) {
                // Connection exceptions, insufficient resources, operator intervention, system errors, and internal
                // errors, which is how poolers report theirs.
                Some("08" | "53" | "57" | "58" | "XX") => Self::Unavailable(cause),
                Some("22") => Self::Unstorable(cause),
                _ => Self::Failed(cause),
            },
        }
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        // Without a connection nothing was sent, and the next request tries again.
        Self::Unavailable(with_sources(&error))
    }
}

/// Text of the error and of its sources, without repetitions.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
