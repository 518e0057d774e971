//! Runs other programs, as another account if necessary.

use std::{
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::User;

use crate::error::Error;

/// Command that runs as `account`, or as the current user.
pub(super) fn command(program: impl AsRef<Path>, account: Option<&User>) -> Command {
    let mut command = Command::new(program.as_ref());
    // The account may have no access to the current directory.
    command.current_dir("/").stdin(Stdio::null());
    if let Some(account) = account {
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    command
}

/// Runs a command to its end and returns its standard output, or the error that it printed.
pub(super) async fn run(command: impl Into<tokio::process::Command>) -> Result<String, String> {
    let output = command.into().output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let error = errors.lines().find(|line| line.contains("error:") || line.starts_with("E:"));
    Err(error.or(errors.lines().last()).unwrap_or("no reason was given").to_owned())
}

/// Converts a failure of an action on a path to an error.
pub(super) fn cannot(action: &str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let problem = format!("cannot {action} {}", path.display());
    move |error| Error::new(format!("{problem}: {error}"), "check its owner and permissions")
}
