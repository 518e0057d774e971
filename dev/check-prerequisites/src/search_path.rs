//! The search path of programs.

use std::{env, ffi::OsString, os::unix::fs::PermissionsExt, path::PathBuf};

/// Value of `PATH`; empty if it is not set.
#[expect(clippy::disallowed_methods, reason = "the search path is a property of the machine and not a setting")]
pub fn search_path() -> OsString {
    env::var_os("PATH").unwrap_or_default()
}

/// Path of a program in the search path.
pub(crate) fn find_in_path(program: &str) -> Option<PathBuf> {
    let is_executable =
        |path: &PathBuf| path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    env::split_paths(&search_path()).map(|folder| folder.join(program)).find(is_executable)
}

pub(crate) fn is_in_path(program: &str) -> bool {
    find_in_path(program).is_some()
}
