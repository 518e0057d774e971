//! Waiting for a condition, however slow the machine is.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Timeout of every wait, long enough for a slow machine.
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(120);

/// Waits until the condition holds; panics with its description after the timeout.
pub(crate) async fn wait_until(description: &str, condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(WAIT_TIMEOUT, waiting).await.unwrap_or_else(|_| panic!("timeout: {description}"));
}
