//! PostgreSQL installations of this machine.

use std::{
    cmp::Reverse,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Error, find_in_path};

/// Oldest supported major version.
pub const MIN_MAJOR: u32 = 15;

/// Environment variable: folder of the PostgreSQL programs to use instead of the newest installation.
pub const PROGRAMS_VARIABLE: &str = "NOFOMO_POSTGRES_PROGRAMS";

/// Folders whose `*/bin` may hold PostgreSQL: Debian's, PGDG's RPMs and what is built by hand, Homebrew's on both processors,
/// Postgres.app's.
const PLACES: [&str; 5] = [
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

    /// Path of a program of this version; one that it lacks, such as `pgbench` where only a server is installed, is looked for in
    /// the search path.
    pub fn program(&self, name: &str) -> PathBuf {
        let own = self.directory.join(name);
        if own.exists() { own } else { find_in_path(name).unwrap_or(own) }
    }
}

/// Installations of [`MIN_MAJOR`] or newer, the newest first; where [`PROGRAMS_VARIABLE`] is set, the chosen one alone.
pub fn installations() -> Vec<Installation> {
    if let Some(chosen) = chosen() {
        return Installation::at(chosen).into_iter().collect();
    }
    let below = |place| fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let in_path = find_in_path("postgres").and_then(|path| Some(path.canonicalize().ok()?.parent()?.to_owned()));
    let mut directories: Vec<_> = in_path.into_iter().chain(PLACES.into_iter().flat_map(below)).collect();
    directories.retain(|directory| directory.join("postgres").exists());
    let mut found: Vec<_> = directories.into_iter().filter_map(Installation::at).collect();
    // Stable: of the same version, the one in the search path comes first.
    found.sort_by_key(|installation| Reverse(installation.major));
    found.dedup();
    found
}

/// Refuses a [`PROGRAMS_VARIABLE`] that leads to no installation.
pub(crate) fn check_choice() -> Result<(), Error> {
    match chosen() {
        Some(folder) if Installation::at(folder.clone()).is_none() => Err(Error {
            problem: format!(
                "{PROGRAMS_VARIABLE} is {}, which has no PostgreSQL {MIN_MAJOR} or newer",
                folder.display()
            ),
            remedy: "let it name the folder of `postgres` and `initdb`, or unset it".to_owned(),
        }),
        _ => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "which server this machine runs is no setting of the functions")]
fn chosen() -> Option<PathBuf> {
    env::var_os(PROGRAMS_VARIABLE).map(PathBuf::from)
}

fn read_major(program: &Path) -> Option<u32> {
    let mut version = Command::new(program);
    version.arg("--version").current_dir("/").stdin(Stdio::null()).stderr(Stdio::null());
    parse_major(&String::from_utf8_lossy(&version.output().ok()?.stdout))
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, or `17beta1` in that place.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_the_programs_say() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("initdb (PostgreSQL) 17beta1"), Some(17));
        assert_eq!(parse_major("postgres (PostgreSQL) 18.4\n"), Some(18));
        assert_eq!(parse_major("postgres"), None);
    }
}
