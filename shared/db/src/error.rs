//! What a call can come to, apart from its outcome.

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection, a lost one, or no answer in time. Whether the call took effect is not known: it is not sent again
    /// here, and the caller may send it again, since every command can be sent twice.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The user is deactivated: the one refusal that all commands share.
    #[error("user is deactivated")]
    Deactivated,
    /// The bot token is unknown or revoked.
    #[error("bot token is unknown")]
    UnknownToken,
    /// The input has a value that passed every check and that PostgreSQL still cannot hold. Nothing was changed.
    #[error("input cannot be stored: {0}")]
    Unstorable(String),
    /// A mistake of ours, in SQL or in what we took for its answer.
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
        // Not DETAIL, HINT or context: they quote rows.
        let cause = format!("{} {}", refusal.code().code(), refusal.message());
        match (refusal.constraint(), refusal.code()) {
            (Some("user_is_active"), _) => Self::Deactivated,
            (Some("bot_token_is_valid"), _) => Self::UnknownToken,
            (Some("bot_is_valid" | "trade_is_valid" | "log_is_valid"), _) => Self::Unstorable(cause),
            // The keys were deleted in this moment; the next request finds them gone.
            (Some("credentials_missing"), _) => Self::Unavailable(cause),
            (
                _,
                &SqlState::LOCK_NOT_AVAILABLE
                | &SqlState::T_R_DEADLOCK_DETECTED
                | &SqlState::T_R_SERIALIZATION_FAILURE
                | &SqlState::READ_ONLY_SQL_TRANSACTION
                // What it belongs to was deleted in this moment; the next request finds it gone.
                | &SqlState::FOREIGN_KEY_VIOLATION,
            ) => Self::Unavailable(cause),
            (_, code) => match code.code().get(..2) {
                // Connection exceptions, insufficient resources, operator intervention, system errors; and the internal
                // errors as which poolers report theirs.
                Some("08" | "53" | "57" | "58" | "XX") => Self::Unavailable(cause),
                Some("22") => Self::Unstorable(cause),
                _ => Self::Failed(cause),
            },
        }
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        // Whatever kept us from a connection: nothing was sent, and the next request tries anew.
        Self::Unavailable(with_sources(&error))
    }
}

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
