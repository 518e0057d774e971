//! The server's process, and the guard that stops it when this process dies.

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt,
    process::{Child, Stdio},
};

use check_prerequisites::postgresql::Installation;

use super::{cluster_dir::ClusterDir, command::cannot};
use crate::error::{Error, Result};

/// Given at each start, so that data made by an earlier version of this program gets them too.
const SETTINGS: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "timezone=UTC",
    "log_timezone=UTC",
    // As on Supabase: without it a publication can be made, but warns that nobody can subscribe.
    "wal_level=logical",
    // The tests have a database each, and several connections to it.
    "max_connections=200",
    // A commit survives the death of any process, as the pages are with the operating system; only a power cut could
    // take it, and that risk is nothing beside waiting for the disk in a database that `--fresh` makes anew.
    "fsync=off",
    "full_page_writes=off",
];

/// Waits until whoever holds the other end of its input is gone, however that came about, and then stops the server of
/// the given process id, unless it has gone by itself and the id is another's by now.
const GUARD: &str = r#"
    trap '' HUP INT TERM
    read -r _
    [ "$(head -n 1 "$2" 2>/dev/null)" = "$1" ] && kill -INT "$1"
"#;

pub(super) struct Server {
    pub(super) postmaster: Child,
    /// Never asked for anything: holding the pipe to it is the point.
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
        // In a group of its own: Ctrl-C is for us to hear first.
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
