//! The PostgreSQL that a server runs with: the one that made its data, else the newest that this machine has.

use std::{fs, path::Path};

use check_prerequisites::{
    Purpose, ensure,
    postgresql::{Installation, MIN_MAJOR, installations},
};
use tokio::task::spawn_blocking;

use crate::error::{Error, Result};

/// Finds the installation for the data in `cluster`, which need not be there yet. Where there is none, it is installed if that
/// can be done.
///
/// # Errors
///
/// PostgreSQL is not on this machine, or not in the version that made the data.
pub(super) async fn find_installation(cluster: &Path) -> Result<Installation> {
    let made_by = fs::read_to_string(cluster.join("PG_VERSION")).ok().and_then(|major| major.trim().parse().ok());
    let mut found = installations();
    if found.is_empty() {
        ensure_installed().await?;
        found = installations();
    }
    let Some(made_by): Option<u32> = made_by else {
        let missing = || Error::new(format!("PostgreSQL {MIN_MAJOR} or newer is not on this machine"), "install it");
        return found.into_iter().next().ok_or_else(missing);
    };
    let mut majors: Vec<_> = found.iter().map(|installation| installation.major.to_string()).collect();
    majors.sort_unstable();
    majors.dedup();
    found.retain(|installation| installation.major == made_by);
    found.into_iter().next().ok_or_else(|| {
        let problem = format!(
            "the data in {} was made by PostgreSQL {made_by}, and this machine has {}",
            cluster.display(),
            majors.join(", ")
        );
        Error::new(problem, format!("start over with --fresh or install PostgreSQL {made_by}"))
    })
}

/// Makes sure that this machine has a PostgreSQL that is new enough.
pub(super) async fn ensure_installed() -> Result<()> {
    match spawn_blocking(|| ensure(Purpose::Serving)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(check_prerequisites::Error { problem, remedy })) => Err(Error::new(problem, remedy)),
        Err(stopped) => Err(Error::new(format!("the installation of PostgreSQL stopped: {stopped}"), "run it again")),
    }
}
