//! The system's package manager: its names for packages, the line that installs them, and on Debian and Ubuntu the installation.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use nix::unistd::Uid;

use crate::{Error, Requirement, is_in_path, report_progress};

/// Keeps Debian's package of PostgreSQL from making and starting a server of its own.
const CLUSTER_SETTINGS: &str = "/etc/postgresql-common/createcluster.conf";

/// Asked by Debian's packages whether they may start their services; 101 says no.
const SERVICE_POLICY: &str = "/usr/sbin/policy-rc.d";

/// Package manager, as far as its names for packages are known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PackageManager {
    Apt { is_ubuntu: bool, is_root: bool, is_there: bool },
    Dnf { is_root: bool },
    Homebrew,
    Unknown,
}

impl PackageManager {
    pub(crate) fn of_this_machine() -> Self {
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

    /// The one of Debian and what is made of it, by the text of `/etc/os-release`.
    pub(crate) fn apt(release: &str, is_root: bool, is_there: bool) -> Self {
        let is_ubuntu =
            release.lines().any(|line| line == "ID=ubuntu" || line.starts_with("ID_LIKE=") && line.contains("ubuntu"));
        Self::Apt { is_ubuntu, is_root, is_there }
    }

    pub(crate) fn package_names(self, requirement: &Requirement) -> &'static str {
        match self {
            Self::Apt { is_ubuntu: true, .. } => requirement.ubuntu,
            Self::Apt { .. } | Self::Unknown => requirement.debian,
            Self::Dnf { .. } => requirement.fedora,
            Self::Homebrew => requirement.homebrew,
        }
    }

    /// Command to which the packages are added.
    pub(crate) fn install_command(self) -> Option<&'static str> {
        match self {
            Self::Apt { is_root: true, .. } => Some("apt-get install"),
            Self::Apt { .. } => Some("sudo apt-get install"),
            Self::Dnf { is_root: true } => Some("dnf install"),
            Self::Dnf { .. } => Some("sudo dnf install"),
            Self::Homebrew => Some("brew install"),
            Self::Unknown => None,
        }
    }

    /// Whether packages are installed without the user's doing.
    pub(crate) fn installs_unasked(self) -> bool {
        matches!(self, Self::Apt { is_root: true, is_there: true, .. })
    }

    /// Installs packages with apt-get, and says how far it is.
    pub(crate) fn install(self, packages: &[&str]) -> Result<(), Error> {
        report_progress(format_args!(
            "installing {} with apt-get: once, and perhaps a few minutes",
            packages.join(", ")
        ));
        let settings = Path::new(CLUSTER_SETTINGS);
        if !settings.exists() {
            fs::create_dir_all("/etc/postgresql-common").map_err(|error| unwritable(settings, &error))?;
            fs::write(settings, "create_main_cluster = false\n").map_err(|error| unwritable(settings, &error))?;
        }
        let policy = ServicePolicy::forbid()?;
        run_apt(&["update"])?;
        run_apt(&[&["install", "--yes", "--no-install-recommends"], packages].concat())?;
        drop(policy);
        Ok(())
    }
}

/// Whoever installs PgBouncer for tests wants no PgBouncer running; the policy ends with this.
struct ServicePolicy {
    is_ours: bool,
}

impl ServicePolicy {
    fn forbid() -> Result<Self, Error> {
        let path = Path::new(SERVICE_POLICY);
        let is_ours = !path.exists();
        if is_ours {
            use std::os::unix::fs::PermissionsExt;
            fs::write(path, "#!/bin/sh\nexit 101\n")
                .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
                .map_err(|error| unwritable(path, &error))?;
        }
        Ok(Self { is_ours })
    }
}

impl Drop for ServicePolicy {
    fn drop(&mut self) {
        if self.is_ours {
            // Left behind it would keep every service of this machine from starting, but nothing more can be done here.
            fs::remove_file(SERVICE_POLICY).unwrap_or_default();
        }
    }
}

/// Runs apt-get to its end; of what it reports, every tenth percent is told.
fn run_apt(arguments: &[&str]) -> Result<(), Error> {
    let call = format!("apt-get {}", arguments.join(" "));
    let failed = |reason: String| Error {
        problem: format!("{call} failed: {reason}"),
        remedy: "see why and run it by hand".into(),
    };
    let mut apt = Command::new("apt-get");
    apt.args(["-qq", "-o", "APT::Status-Fd=1", "-o", "DPkg::Lock::Timeout=300"]).args(arguments);
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut apt = apt.spawn().map_err(|error| failed(error.to_string()))?;
    let errors = apt.stderr.take().map(|mut stderr| {
        // Read at the same time: a full pipe would stop it.
        thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap_or_default();
            text
        })
    });
    let mut told = 0;
    for line in apt.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines().map_while(Result::ok)) {
        if let Some((percent, text)) = parse_status(&line)
            && percent >= told + 10
        {
            told = percent / 10 * 10;
            report_progress(format_args!("  {percent:>3} %  {text}"));
        }
    }
    let status = apt.wait().map_err(|error| failed(error.to_string()))?;
    let errors = errors.and_then(|errors| errors.join().ok()).unwrap_or_default();
    if status.success() {
        return Ok(());
    }
    let error = errors.lines().find(|line| line.starts_with("E:")).or(errors.lines().last());
    Err(failed(error.unwrap_or("no reason given").to_owned()))
}

/// `pmstatus:curl:54.5:Unpacking curl (amd64)`: how many percent are done of installing, and what is being done. What is reported
/// of downloads, `dlstatus`, has percents of its own, and is left out.
fn parse_status(line: &str) -> Option<(u32, &str)> {
    let mut parts = line.strip_prefix("pmstatus:")?.splitn(3, ':');
    let (_, percent, text) = (parts.next()?, parts.next()?, parts.next()?);
    Some((percent.split('.').next()?.parse().ok()?, text))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error {
        problem: format!("cannot write {}: {error}", path.display()),
        remedy: "check its owner and permissions".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_from_apts_status() {
        assert_eq!(parse_status("pmstatus:libcurl4:amd64:7.1:Preparing"), None, "a name with a colon is passed over");
        assert_eq!(parse_status("pmstatus:curl:54.5454:Unpacking curl (amd64)"), Some((54, "Unpacking curl (amd64)")));
        assert_eq!(parse_status("dlstatus:1:20.0:Retrieving file 1 of 5"), None);
        assert_eq!(parse_status("Reading package lists..."), None);
    }
}
