//! Prepares this machine for the tests, or reports missing programs and ends the run. Cargo runs it before the tests
//! that need them.

use std::process::ExitCode;

use check_prerequisites::{Purpose, ensure_programs, report_progress};

fn main() -> ExitCode {
    match ensure_programs(Purpose::Testing) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report_progress(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
