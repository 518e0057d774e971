//! Reasons why an invocation fails.

/// Maximum size of the event and of the response of a synchronous invocation, in bytes.
pub(super) const MAX_PAYLOAD_SIZE: usize = 6 * 1024 * 1024;

/// Reason why an invocation failed.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    #[error("all instances of the function are busy, and their number has reached its limit")]
    Throttled,
    #[error("the event is larger than Lambda accepts")]
    EventTooLarge,
    /// The function reported an error, crashed, timed out or did not start.
    #[error("{error_type}: {error_message}")]
    Failed { error_type: String, error_message: String },
}

impl InvokeError {
    pub(super) fn failed(error_type: &str, error_message: impl Into<String>) -> Self {
        Self::Failed { error_type: error_type.to_owned(), error_message: error_message.into() }
    }
}
