//! The first test of all: it makes this machine ready for the others, or says what it lacks and ends the run.

use std::process::ExitCode;

use bare_machine::{Purpose, ensure, report_progress};

fn main() -> ExitCode {
    match ensure(Purpose::Testing) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report_progress(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
