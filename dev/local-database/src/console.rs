//! Output of the commands.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Prints a line on standard output. If nobody reads it any more, the command still does its work.
pub fn print_line(line: impl Display) {
    writeln!(io::stdout(), "{line}").unwrap_or_default();
}
