//! The first test of all: prepares this machine for the others, or says what it lacks and ends the run.

use std::process::ExitCode;

use check_prerequisites::{Purpose, ensure, report_progress};

fn main() -> ExitCode {
    match ensure(Purpose::Testing) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report_progress(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
