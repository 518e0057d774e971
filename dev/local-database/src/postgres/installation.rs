//! Selects the PostgreSQL installation of a server: the version that created its data, or else the newest.

use std::{fs, path::Path};

use check_prerequisites::{
    Purpose, ensure_programs,
    postgresql::{Installation, MIN_MAJOR, installations},
};
use tokio::task::spawn_blocking;

use crate::error::{Error, Result};

/// Finds the installation for the data in `cluster`, which may not exist yet. Installs PostgreSQL if the machine has
/// none and it can be installed.
///
/// # Errors
///
/// This machine has no PostgreSQL, or not the version that created the data.
pub(super) async fn find_installation(cluster: &Path) -> Result<Installation> {
    let created_by = fs::read_to_string(cluster.join("PG_VERSION")).ok().and_then(|major| major.trim().parse().ok());
    let mut found = installations();
    if found.is_empty() {
        ensure_installed().await?;
        found = installations();
    }
    let Some(created_by): Option<u32> = created_by else {
        let missing = || Error::new(format!("this machine has no PostgreSQL {MIN_MAJOR} or newer"), "install it");
        return found.into_iter().next().ok_or_else(missing);
    };
    let mut majors: Vec<_> = found.iter().map(|installation| installation.major.to_string()).collect();
    majors.sort_unstable();
    majors.dedup();
    found.retain(|installation| installation.major == created_by);
    found.into_iter().next().ok_or_else(|| {
        let problem = format!(
            "the data in {} was created by PostgreSQL {created_by}, and this machine has {}",
            cluster.display(),
            majors.join(", ")
        );
        Error::new(problem, format!("recreate it with --fresh, or install PostgreSQL {created_by}"))
    })
}

/// Ensures that this machine has a PostgreSQL that is new enough.
pub(super) async fn ensure_installed() -> Result<()> {
    match spawn_blocking(|| ensure_programs(Purpose::Serving)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(check_prerequisites::Error { problem, remedy })) => Err(Error::new(problem, remedy)),
        Err(panic) => Err(Error::new(format!("the installation of PostgreSQL failed: {panic}"), "run it again")),
    }
}
