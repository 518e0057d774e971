//! The server's process, and the guard process that stops it when this process dies.

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt,
    process::{Child, Stdio},
};

use check_prerequisites::postgresql::Installation;

use super::{cluster_dir::ClusterDir, command::cannot};
use crate::error::{Error, Result};

/// Settings given at each start, so that they also apply to data created by an earlier version of this program.
const SETTINGS: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "timezone=UTC",
    "log_timezone=UTC",
    // As on Supabase. Without it, `create publication` prints a warning.
    "wal_level=logical",
    // Each test has its own database with several connections.
    "max_connections=200",
    // A commit survives the crash of any process, because the operating system has the pages. Only a power failure can
    // lose it, which is acceptable for a database that `--fresh` recreates, and saves waiting for the disk.
    "fsync=off",
    "full_page_writes=off",
];

/// Shell script that waits until its input is closed, because the process at the other end has ended, and then stops
/// the server with the given process id. It checks `postmaster.pid`, because another process may have that id by then.
const GUARD: &str = r#"
    trap '' HUP INT TERM
    read -r _
    [ "$(head -n 1 "$2" 2>/dev/null)" = "$1" ] && kill -INT "$1"
"#;

/// The server's process and its guard.
pub(super) struct Server {
    pub(super) postmaster: Child,
    /// Holds the pipe to the guard's input: when the pipe closes, the guard stops the server.
    _guard: Child,
}

impl Server {
    pub(super) fn launch(dir: &ClusterDir, installation: &Installation, port: u16) -> Result<Self> {
        let failed = |error: io::Error| {
            Error::new(format!("cannot run PostgreSQL: {error}"), "check that its installation is complete")
        };
        let log = File::options().append(true).create(true).open(dir.log()).map_err(cannot("write", &dir.log()))?;
        let mut postgres = dir.command(installation.program("postgres"));
        postgres.arg("-D").arg(dir.cluster()).arg("-p").arg(port.to_string());
        postgres.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        // In its own process group, so that Ctrl-C reaches only this process, which then stops the server.
        postgres.process_group(0).stdin(Stdio::null());
        postgres.stdout(log.try_clone().map_err(failed)?).stderr(log);
        let mut postmaster = postgres.spawn().map_err(failed)?;

        let mut guard = dir.command("sh");
        guard.args(["-c", GUARD, "guard"]).arg(postmaster.id().to_string()).arg(dir.cluster().join("postmaster.pid"));
        guard.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        match guard.spawn() {
            Ok(guard) => Ok(Self { postmaster, _guard: guard }),
            Err(error) => {
                postmaster.kill().map_err(failed)?;
                Err(failed(error))
            }
        }
    }
}
