//! Programs that `cargo dev` and `cargo test` require of the machine: whether they are there, and their installation where that is possible.

mod package_manager;
pub mod postgresql;

use std::{
    env,
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::package_manager::PackageManager;

/// Failed preparation of the machine: the problem and its remedy.
#[derive(Debug, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub struct Error {
    pub problem: String,
    pub remedy: String,
}

/// Command that requires the programs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// `cargo dev`.
    Serving,
    /// `cargo test`.
    Testing,
}

/// Required program, and the packages that provide it.
struct Requirement {
    name: &'static str,
    purpose: Purpose,
    is_met: fn() -> bool,
    debian: &'static str,
    ubuntu: &'static str,
    fedora: &'static str,
    homebrew: &'static str,
}

/// Required programs. Node.js is not listed: where the machine's is missing or too old, the crate `dev` installs one from PyPI.
const REQUIREMENTS: [Requirement; 9] = [
    Requirement {
        name: "PostgreSQL 15 or newer",
        purpose: Purpose::Serving,
        is_met: || !postgresql::installations().is_empty(),
        debian: "postgresql",
        ubuntu: "postgresql",
        fedora: "postgresql-server postgresql-contrib",
        homebrew: "postgresql@17",
    },
    Requirement {
        name: "PgBouncer",
        purpose: Purpose::Testing,
        is_met: || is_in_path("pgbouncer"),
        debian: "pgbouncer",
        ubuntu: "pgbouncer",
        fedora: "pgbouncer",
        homebrew: "pgbouncer",
    },
    Requirement {
        name: "Python 3.11 or newer with venv",
        purpose: Purpose::Testing,
        is_met: has_python,
        debian: "python3-venv",
        ubuntu: "python3-venv",
        fedora: "python3",
        homebrew: "python",
    },
    Requirement {
        name: "curl",
        purpose: Purpose::Testing,
        is_met: || is_in_path("curl"),
        debian: "curl",
        ubuntu: "curl",
        fedora: "curl",
        homebrew: "curl",
    },
    Requirement {
        name: "jq",
        purpose: Purpose::Testing,
        is_met: || is_in_path("jq"),
        debian: "jq",
        ubuntu: "jq",
        fedora: "jq",
        homebrew: "jq",
    },
    Requirement {
        name: "Chromium",
        purpose: Purpose::Testing,
        is_met: has_chromium,
        debian: "chromium",
        ubuntu: "chromium-browser",
        fedora: "chromium",
        homebrew: "chromium",
    },
    Requirement {
        name: "ChromeDriver",
        purpose: Purpose::Testing,
        is_met: || is_in_path("chromedriver"),
        debian: "chromium-driver",
        ubuntu: "chromium-chromedriver",
        fedora: "chromedriver",
        homebrew: "chromedriver",
    },
    Requirement {
        name: "faketime",
        purpose: Purpose::Testing,
        is_met: || cfg!(target_os = "macos") || is_in_path("faketime"),
        debian: "faketime",
        ubuntu: "faketime",
        fedora: "libfaketime",
        homebrew: "libfaketime",
    },
    Requirement {
        name: "Valgrind",
        purpose: Purpose::Testing,
        is_met: || cfg!(target_os = "macos") || is_in_path("valgrind"),
        debian: "valgrind",
        ubuntu: "valgrind",
        fedora: "valgrind",
        homebrew: "valgrind",
    },
];

/// Ensures that the programs for `purpose` are there. As root on Debian and Ubuntu, installs missing ones and reports progress.
///
/// # Errors
///
/// Something is missing and cannot be installed. One error names all of it, and the line that installs it.
pub fn ensure(purpose: Purpose) -> Result<(), Error> {
    postgresql::check_choice()?;
    let missing = missing(purpose);
    if missing.is_empty() {
        return Ok(());
    }
    let manager = PackageManager::detect();
    if !manager.can_install() {
        return Err(missing_error(&missing, manager));
    }
    manager.install(&packages(&missing, manager), || !self::missing(purpose).is_empty())?;
    match self::missing(purpose)[..] {
        [] => Ok(()),
        ref missing => Err(Error {
            problem: format!("this system's packages bring no {}", names(missing)),
            remedy: "use a newer system, such as Debian 12 or Ubuntu 24.04, or install it by hand".to_owned(),
        }),
    }
}

/// Writes a line of progress to standard error, which the test harness does not capture. Errors of writing are ignored.
pub fn report_progress(line: impl Display) {
    writeln!(io::stderr(), "{line}").unwrap_or_default();
}

fn missing(purpose: Purpose) -> Vec<&'static Requirement> {
    let needed = REQUIREMENTS
        .iter()
        .filter(|requirement| requirement.purpose == Purpose::Serving || purpose == Purpose::Testing);
    needed.filter(|requirement| !(requirement.is_met)()).collect()
}

fn packages(missing: &[&Requirement], manager: PackageManager) -> Vec<&'static str> {
    missing.iter().flat_map(|requirement| manager.package_names(requirement).split(' ')).collect()
}

fn names(missing: &[&Requirement]) -> String {
    missing.iter().map(|requirement| requirement.name).collect::<Vec<_>>().join(", ")
}

fn missing_error(missing: &[&Requirement], manager: PackageManager) -> Error {
    let remedy = match manager.install_command() {
        Some(command) => format!("install with: {command} {}", packages(missing, manager).join(" ")),
        None => "install them with the system's package manager".to_owned(),
    };
    Error { problem: format!("this machine lacks {}", names(missing)), remedy }
}

/// Value of `PATH`; empty where it is not set.
#[expect(clippy::disallowed_methods, reason = "a machine's search path is no setting of ours")]
pub fn search_path() -> OsString {
    env::var_os("PATH").unwrap_or_default()
}

/// Path of a program that the search path leads to.
fn find_in_path(program: &str) -> Option<PathBuf> {
    let is_executable =
        |path: &PathBuf| path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    env::split_paths(&search_path()).map(|folder| folder.join(program)).find(is_executable)
}

fn is_in_path(program: &str) -> bool {
    find_in_path(program).is_some()
}

fn has_chromium() -> bool {
    let application = PathBuf::from("/Applications/Chromium.app");
    ["chromium", "chromium-browser", "google-chrome"].into_iter().any(is_in_path) || application.exists()
}

fn has_python() -> bool {
    let check = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";
    let mut python = Command::new("python3");
    python.args(["-c", check]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_error_names_everything_and_the_line_that_installs_it() {
        let all: Vec<_> = REQUIREMENTS.iter().collect();
        let error = |manager| missing_error(&all, manager).to_string();
        let problem = "this machine lacks PostgreSQL 15 or newer, PgBouncer, Python 3.11 or newer with venv, curl, jq, \
                       Chromium, ChromeDriver, faketime, Valgrind; ";
        let debian = "postgresql pgbouncer python3-venv curl jq chromium chromium-driver faketime valgrind";
        for (manager, remedy) in [
            (PackageManager::apt("ID=debian\n", true, true), format!("install with: apt-get update && apt-get install {debian}")),
            (PackageManager::apt("ID=debian\n", false, true), format!("install with: sudo apt-get update && sudo apt-get install {debian}")),
            (
                PackageManager::Homebrew,
                "install with: brew install postgresql@17 pgbouncer python curl jq chromium chromedriver libfaketime valgrind".into(),
            ),
            (PackageManager::Unknown, "install them with the system's package manager".into()),
        ] {
            assert_eq!(error(manager), format!("{problem}{remedy}"));
        }
        let ubuntu = error(PackageManager::apt("ID=ubuntu\nID_LIKE=debian\n", true, true));
        assert!(ubuntu.contains(" chromium-browser chromium-chromedriver "), "{ubuntu}");
    }

    #[test]
    fn cargo_dev_requires_postgresql_alone() {
        let serving = REQUIREMENTS.iter().filter(|requirement| requirement.purpose == Purpose::Serving);
        assert_eq!(serving.map(|requirement| requirement.debian).collect::<Vec<_>>(), ["postgresql"]);
    }
}
