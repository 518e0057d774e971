//! Set-up of the process's log.

use tracing::{error, warn};

/// Logs one JSON object per line, with a timestamp: without one, Lambda treats every line as INFO. Panics are logged
/// too.
pub(crate) fn init_logging() {
    let is_already_set = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_ansi(false)
        .try_init()
        .is_err();
    if is_already_set {
        warn!("Logging was already set up");
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        // Without the panic's message, which can quote the input.
        error!(place, "Panicked");
    }));
}
