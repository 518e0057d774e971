//! Output of the commands.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Prints a line on standard output. A closed output is ignored, so that the command still completes.
pub fn print_line(line: impl Display) {
    writeln!(io::stdout(), "{line}").unwrap_or_default();
}
