//! Checks that the machine has the programs that `cargo dev` and `cargo test` require, and installs missing ones where
//! possible.

mod error;
mod package_manager;
pub mod postgresql;
mod progress;
mod requirements;
mod search_path;

use package_manager::PackageManager;
use requirements::{REQUIREMENTS, Requirement};

pub use error::Error;
pub use progress::report_progress;
pub use requirements::Purpose;
pub use search_path::search_path;

/// Ensures that the machine has the programs for `purpose`. As root on Debian and Ubuntu, installs missing ones and
/// reports progress.
///
/// # Errors
///
/// Programs are missing and cannot be installed. The error names all of them, and the command that installs them.
pub fn ensure_programs(purpose: Purpose) -> Result<(), Error> {
    postgresql::check_chosen_directory()?;
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
            problem: format!("this system's packages do not provide {}", names(missing)),
            remedy: "use a newer system, such as Debian 12 or Ubuntu 24.04, or install them yourself".to_owned(),
        }),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_error_names_all_missing_programs_and_the_command_that_installs_them() {
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
    fn cargo_dev_requires_only_postgresql() {
        let serving = REQUIREMENTS.iter().filter(|requirement| requirement.purpose == Purpose::Serving);
        assert_eq!(serving.map(|requirement| requirement.debian).collect::<Vec<_>>(), ["postgresql"]);
    }
}
