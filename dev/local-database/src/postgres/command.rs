//! Running other programs, if need be as another account.

use std::{
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::User;

use crate::error::Error;

pub(super) fn command(program: impl AsRef<Path>, account: Option<&User>) -> Command {
    let mut command = Command::new(program.as_ref());
    // Not where we are: the account may have no business there.
    command.current_dir("/").stdin(Stdio::null());
    if let Some(account) = account {
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    command
}

/// Runs to the end; what it complained of is the reason if it failed.
pub(super) async fn run(command: impl Into<tokio::process::Command>) -> Result<String, String> {
    let output = command.into().output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaints = String::from_utf8_lossy(&output.stderr);
    let complaint = complaints.lines().find(|line| line.contains("error:") || line.starts_with("E:"));
    Err(complaint.or(complaints.lines().last()).unwrap_or("no reason given").to_owned())
}

pub(super) fn cannot(action: &str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let what = format!("cannot {action} {}", path.display());
    move |error| Error::new(format!("{what}: {error}"), "check its owner and permissions")
}
