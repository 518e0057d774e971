//! PostgreSQL installations of this machine.

use std::{
    cmp::Reverse,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{error::Error, search_path::find_in_path};

/// Oldest supported major version.
pub const MIN_MAJOR: u32 = 15;

/// Name of the environment variable with the directory of the PostgreSQL programs to use instead of the newest
/// installation.
pub const PROGRAMS_VARIABLE: &str = "NOFOMO_POSTGRES_PROGRAMS";

/// Directories whose `*/bin` may contain PostgreSQL: of Debian, PGDG's RPMs and local builds, Homebrew on both
/// architectures, and Postgres.app.
const PARENT_DIRECTORIES: [&str; 5] = [
    "/usr/lib/postgresql",
    "/usr",
    "/opt/homebrew/opt",
    "/usr/local/opt",
    "/Applications/Postgres.app/Contents/Versions",
];

/// Programs of one PostgreSQL version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Installation {
    pub major: u32,
    directory: PathBuf,
}

impl Installation {
    fn at(directory: PathBuf) -> Option<Self> {
        let majors = ["postgres", "initdb"].map(|program| read_major(&directory.join(program)));
        let [Some(major), Some(other)] = majors else { return None };
        (major == other && major >= MIN_MAJOR).then_some(Self { major, directory })
    }

    /// Path of a program of this version. A program that the installation lacks, such as `pgbench` if only the server
    /// is installed, is looked up in the search path.
    pub fn program(&self, name: &str) -> PathBuf {
        let own = self.directory.join(name);
        if own.exists() { own } else { find_in_path(name).unwrap_or(own) }
    }
}

/// Installations of [`MIN_MAJOR`] or newer, newest first. If [`PROGRAMS_VARIABLE`] is set, only the one that it names.
pub fn installations() -> Vec<Installation> {
    if let Some(chosen) = chosen_directory() {
        return Installation::at(chosen).into_iter().collect();
    }
    let below = |place| fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let in_path = find_in_path("postgres").and_then(|path| Some(path.canonicalize().ok()?.parent()?.to_owned()));
    let mut directories: Vec<_> = in_path.into_iter().chain(PARENT_DIRECTORIES.into_iter().flat_map(below)).collect();
    directories.retain(|directory| directory.join("postgres").exists());
    let mut found: Vec<_> = directories.into_iter().filter_map(Installation::at).collect();
    // The sort is stable: among equal versions, the one in the search path comes first.
    found.sort_by_key(|installation| Reverse(installation.major));
    found.dedup();
    found
}

/// Rejects a [`PROGRAMS_VARIABLE`] that names no installation.
pub(crate) fn check_chosen_directory() -> Result<(), Error> {
    match chosen_directory() {
        Some(directory) if Installation::at(directory.clone()).is_none() => Err(Error {
            problem: format!(
                "{PROGRAMS_VARIABLE} is {}, which has no PostgreSQL {MIN_MAJOR} or newer",
                directory.display()
            ),
            remedy: "set it to the directory of `postgres` and `initdb`, or unset it".to_owned(),
        }),
        _ => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the choice of a server is not a setting of the functions")]
fn chosen_directory() -> Option<PathBuf> {
    env::var_os(PROGRAMS_VARIABLE).map(PathBuf::from)
}

fn read_major(program: &Path) -> Option<u32> {
    let mut version = Command::new(program);
    version.arg("--version").current_dir("/").stdin(Stdio::null()).stderr(Stdio::null());
    parse_major(&String::from_utf8_lossy(&version.output().ok()?.stdout))
}

/// Parses the major version from `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, or `17beta1` in place of the
/// version.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_parsed_from_the_output_of_a_program() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("initdb (PostgreSQL) 17beta1"), Some(17));
        assert_eq!(parse_major("postgres (PostgreSQL) 18.4\n"), Some(18));
        assert_eq!(parse_major("postgres"), None);
    }
}
