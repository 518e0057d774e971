//! The system's package manager: names of packages, the command that installs them, and their installation on Debian
//! and Ubuntu.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{self, Command, Stdio},
    thread,
    time::Duration,
};

use nix::unistd::Uid;

use crate::{error::Error, progress::report_progress, requirements::Requirement, search_path::is_in_path};

/// Settings file that prevents Debian's PostgreSQL package from creating and starting a server.
const CLUSTER_SETTINGS: &str = "/etc/postgresql-common/createcluster.conf";

/// Program that Debian's packages run before they start a service; exit code 101 forbids the start.
const SERVICE_POLICY: &str = "/usr/sbin/policy-rc.d";

/// A known package manager.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PackageManager {
    Apt { is_ubuntu: bool, is_root: bool, has_apt_get: bool },
    Dnf { is_root: bool },
    Homebrew,
    Unknown,
}

impl PackageManager {
    pub(crate) fn detect() -> Self {
        let is_root = Uid::effective().is_root();
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        if Path::new("/etc/debian_version").exists() {
            Self::apt(&release, is_root, is_in_path("apt-get"))
        } else if is_in_path("dnf") {
            Self::Dnf { is_root }
        } else if cfg!(target_os = "macos") {
            Self::Homebrew
        } else {
            Self::Unknown
        }
    }

    /// apt. The text of `/etc/os-release` distinguishes Ubuntu from Debian.
    pub(crate) fn apt(release: &str, is_root: bool, has_apt_get: bool) -> Self {
        let is_ubuntu =
            release.lines().any(|line| line == "ID=ubuntu" || line.starts_with("ID_LIKE=") && line.contains("ubuntu"));
        Self::Apt { is_ubuntu, is_root, has_apt_get }
    }

    pub(crate) fn package_names(self, requirement: &Requirement) -> &'static str {
        match self {
            Self::Apt { is_ubuntu: true, .. } => requirement.ubuntu,
            Self::Apt { .. } | Self::Unknown => requirement.debian,
            Self::Dnf { .. } => requirement.fedora,
            Self::Homebrew => requirement.homebrew,
        }
    }

    /// Command that installs the packages given as its arguments.
    pub(crate) fn install_command(self) -> Option<&'static str> {
        match self {
            Self::Apt { is_root: true, .. } => Some("apt-get update && apt-get install"),
            Self::Apt { .. } => Some("sudo apt-get update && sudo apt-get install"),
            Self::Dnf { is_root: true } => Some("dnf install"),
            Self::Dnf { .. } => Some("sudo dnf install"),
            Self::Homebrew => Some("brew install"),
            Self::Unknown => None,
        }
    }

    /// `true` if [`Self::install`] can install packages without asking the user.
    pub(crate) fn can_install(self) -> bool {
        matches!(self, Self::Apt { is_root: true, has_apt_get: true, .. })
    }

    /// Installs packages with apt-get, and reports progress. Concurrent processes take turns; `is_needed` is evaluated
    /// once it is this process's turn.
    pub(crate) fn install(self, packages: &[&str], is_needed: impl FnOnce() -> bool) -> Result<(), Error> {
        let lock = Path::new("/var/lock/nofomo-install");
        let turn = File::create(lock).and_then(|file| file.lock().map(|()| file));
        let _turn = turn.map_err(|error| unwritable(lock, &error))?;
        if !is_needed() {
            return Ok(());
        }
        report_progress(format_args!(
            "installing {} with apt-get: this happens once and may take a few minutes",
            packages.join(", ")
        ));
        let settings = Path::new(CLUSTER_SETTINGS);
        if !settings.exists() {
            fs::create_dir_all("/etc/postgresql-common")
                .and_then(|()| fs::write(settings, "create_main_cluster = false\n"))
                .map_err(|error| unwritable(settings, &error))?;
        }
        // The tests need PgBouncer as a program and not as a service of this machine.
        let block = ServiceStartBlock::new()?;
        update_lists()?;
        run_apt(&[&["install", "--yes", "--no-install-recommends"], packages].concat())?;
        drop(block);
        Ok(())
    }
}

/// Runs `apt-get update`. Waits up to a minute while another program updates the lists, such as a timer on a machine
/// that has just started.
fn update_lists() -> Result<(), Error> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match run_apt(&["update"]) {
            Err(error) if attempts < 12 && error.problem.contains("lock") => thread::sleep(Duration::from_secs(5)),
            result => return result,
        }
    }
}

/// Policy that prevents packages from starting services while they are installed; removed on drop. If this process is
/// killed, the policy has no further effect, and the next installation replaces it.
struct ServiceStartBlock {
    is_ours: bool,
}

impl ServiceStartBlock {
    /// Line that identifies a policy of this program.
    const MARK: &str = "# While `cargo dev` or `cargo test` installs packages, no service is started.";

    fn new() -> Result<Self, Error> {
        let path = Path::new(SERVICE_POLICY);
        // An existing policy of the machine is not replaced.
        let is_ours = !path.exists() || fs::read_to_string(path).is_ok_and(|policy| policy.contains(Self::MARK));
        if is_ours {
            let policy =
                format!("#!/bin/sh\n{}\nif kill -0 {} 2> /dev/null; then exit 101; fi\n", Self::MARK, process::id());
            fs::write(path, policy)
                .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
                .map_err(|error| unwritable(path, &error))?;
        }
        Ok(Self { is_ours })
    }
}

impl Drop for ServiceStartBlock {
    fn drop(&mut self) {
        if self.is_ours {
            // A policy that stays has no effect after this process.
            fs::remove_file(SERVICE_POLICY).unwrap_or_default();
        }
    }
}

/// Runs apt-get to its end, and reports progress at every tenth percent.
fn run_apt(arguments: &[&str]) -> Result<(), Error> {
    let call = format!("apt-get {}", arguments.join(" "));
    let failed = |reason: String| Error {
        problem: format!("{call} failed: {reason}"),
        remedy: "fix the cause, or run it by hand".into(),
    };
    let mut apt = Command::new("apt-get");
    apt.args(["-qq", "-o", "APT::Status-Fd=1", "-o", "DPkg::Lock::Timeout=300"]).args(arguments);
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut apt = apt.spawn().map_err(|error| failed(error.to_string()))?;
    let errors = apt.stderr.take().map(|mut stderr| {
        // Read concurrently, because a full pipe would block apt-get.
        thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap_or_default();
            text
        })
    });
    let mut reported_percent = 0;
    for line in apt.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines().map_while(Result::ok)) {
        if let Some((percent, text)) = parse_status(&line)
            && percent >= reported_percent + 10
        {
            reported_percent = percent / 10 * 10;
            report_progress(format_args!("  {percent:>3} %  {text}"));
        }
    }
    let status = apt.wait().map_err(|error| failed(error.to_string()))?;
    let errors = errors.and_then(|errors| errors.join().ok()).unwrap_or_default();
    if status.success() {
        return Ok(());
    }
    let error = errors.lines().find(|line| line.starts_with("E:")).or(errors.lines().last());
    Err(failed(error.unwrap_or("no reason was given").to_owned()))
}

/// Parses a line such as `pmstatus:curl:54.5:Unpacking curl (amd64)` into percent and description. Returns `None` for
/// lines about downloads (`dlstatus`), which have percentages of their own.
fn parse_status(line: &str) -> Option<(u32, &str)> {
    let mut parts = line.strip_prefix("pmstatus:")?.splitn(3, ':');
    let (_, percent, text) = (parts.next()?, parts.next()?, parts.next()?);
    Some((percent.split('.').next()?.parse().ok()?, text))
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error {
        problem: format!("cannot write {}: {error}", path.display()),
        remedy: "check its owner and permissions".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_parsed_from_apts_status() {
        assert_eq!(parse_status("pmstatus:libcurl4:amd64:7.1:Preparing"), None, "a name with a colon is skipped");
        assert_eq!(parse_status("pmstatus:curl:54.5454:Unpacking curl (amd64)"), Some((54, "Unpacking curl (amd64)")));
        assert_eq!(parse_status("dlstatus:1:20.0:Retrieving file 1 of 5"), None);
        assert_eq!(parse_status("Reading package lists..."), None);
    }
}
