//! Progress messages.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Writes a line of progress to standard error, which the test harness does not capture. A failed write is ignored.
pub fn report_progress(line: impl Display) {
    writeln!(io::stderr(), "{line}").unwrap_or_default();
}
