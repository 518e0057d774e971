//! PostgreSQL as this machine has it installed, and its installation where that can be done.

use std::{
    cmp::Reverse,
    fs,
    path::{Path, PathBuf},
};

use nix::unistd::Uid;

use super::command::{cannot, command, run};
use crate::{Error, Result};

const OLDEST_MAJOR: u32 = 15;

/// Where the programs of one PostgreSQL version lie; an empty directory stands for the PATH.
#[derive(Clone, Debug)]
pub(super) struct Installation {
    major: u32,
    directory: PathBuf,
}

impl Installation {
    /// Debian, PGDG's RPMs and what is built by hand, Homebrew on both processors, Postgres.app: `*/bin` below these.
    const PLACES: [&str; 5] = [
        "/usr/lib/postgresql",
        "/usr",
        "/opt/homebrew/opt",
        "/usr/local/opt",
        "/Applications/Postgres.app/Contents/Versions",
    ];

    /// The one that made the cluster, else the one in the PATH, else the newest.
    pub(super) async fn find(cluster: &Path) -> Result<Self> {
        let made_by = fs::read_to_string(cluster.join("PG_VERSION")).ok().and_then(|major| major.trim().parse().ok());
        let mut found = Self::all().await;
        if found.is_empty() {
            install_package().await?;
            found = Self::all().await;
        }
        let Some(made_by): Option<u32> = made_by else {
            return found.into_iter().next().ok_or_else(not_installed);
        };
        let mut majors: Vec<_> = found.iter().map(|installation| installation.major.to_string()).collect();
        majors.sort_unstable();
        majors.dedup();
        found.into_iter().find(|installation| installation.major == made_by).ok_or_else(|| {
            let problem = format!(
                "the data in {} was made by PostgreSQL {made_by}, and this machine has {}",
                cluster.display(),
                majors.join(", ")
            );
            Error::new(problem, format!("start over with --fresh or install PostgreSQL {made_by}"))
        })
    }

    async fn all() -> Vec<Self> {
        let below = |place| fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
        let directories = Self::PLACES.into_iter().flat_map(below).filter(|bin| bin.join("postgres").exists());
        let mut found = Vec::new();
        for directory in directories {
            found.extend(Self::at(directory).await);
        }
        found.sort_by_key(|installation| Reverse(installation.major));
        found.splice(0..0, Self::at(PathBuf::new()).await);
        found
    }

    async fn at(directory: PathBuf) -> Option<Self> {
        let mut majors = Vec::new();
        for program in ["postgres", "initdb"] {
            let mut version = command(directory.join(program), None);
            version.arg("--version");
            majors.push(parse_major(&run(version).await.ok()?)?);
        }
        let major = majors.first().copied().filter(|major| *major >= OLDEST_MAJOR)?;
        majors.iter().all(|other| *other == major).then_some(Self { major, directory })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, or `17beta1` in that place.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

fn not_installed() -> Error {
    let remedy = "install it with its contrib modules (Debian and Ubuntu: postgresql; Fedora: postgresql-server and \
                  postgresql-contrib; Homebrew: postgresql@17)";
    Error::new(format!("PostgreSQL {OLDEST_MAJOR} or newer is not on this machine"), remedy)
}

async fn install_package() -> Result<()> {
    let mut probe = command("apt-get", None);
    probe.arg("--version");
    if !Uid::effective().is_root() || run(probe).await.is_err() {
        return Err(not_installed());
    }
    eprintln!("installing the package postgresql with apt-get");
    // Debian's package makes and starts a server of its own unless it finds this.
    let settings = Path::new("/etc/postgresql-common/createcluster.conf");
    if !settings.exists() {
        fs::create_dir_all("/etc/postgresql-common")
            .and_then(|()| fs::write(settings, "create_main_cluster = false\n"))
            .map_err(cannot("write", settings))?;
    }
    for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends", "postgresql"]] {
        let mut apt = command("apt-get", None);
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        run(apt).await.map_err(|reason| {
            Error::new(format!("apt-get {} failed: {reason}", arguments.join(" ")), "install PostgreSQL by hand")
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_the_programs_say() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("initdb (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(parse_major("postgres"), None);
    }
}
