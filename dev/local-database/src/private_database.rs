//! The database of the private server that `cargo dev` and `cargo measure` start.

use std::path::{Path, PathBuf};

use crate::{
    console::print_line,
    error::Result,
    postgres::Postgres,
    supabase::{DefaultGrants, create_database},
};

/// Name of the database.
pub const NAME: &str = "nofomo";

/// Starts the server of a data directory, creating the database at the first start. Also returns the URL of the role
/// that applies migrations.
///
/// # Errors
///
/// The server does not start.
pub async fn start(data: &Path) -> Result<(Postgres, String)> {
    let postgres = Postgres::start(&cluster_dir(data), None).await?;
    create_database(&postgres, NAME, DefaultGrants::Closed).await?;
    print_line(format_args!("database   on port {}, in {}", postgres.port(), data.display()));
    // Not as a superuser: a privilege that a migration forgets has to fail here too.
    let url = postgres.url("postgres", NAME);
    Ok((postgres, url))
}

/// Directory of the server's own files.
pub fn cluster_dir(data: &Path) -> PathBuf {
    data.join("postgres")
}
