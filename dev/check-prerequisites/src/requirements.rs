//! The required programs.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{postgresql, search_path::is_in_path};

/// Command that requires the programs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// `cargo dev`.
    Serving,
    /// `cargo test`.
    Testing,
}

/// Required program, and the packages that provide it.
pub(crate) struct Requirement {
    pub(crate) name: &'static str,
    pub(crate) purpose: Purpose,
    pub(crate) is_met: fn() -> bool,
    pub(crate) debian: &'static str,
    pub(crate) ubuntu: &'static str,
    pub(crate) fedora: &'static str,
    pub(crate) homebrew: &'static str,
}

/// Required programs. Node.js is not among them: if it is missing or too old, the crate `dev` installs it from PyPI.
pub(crate) const REQUIREMENTS: [Requirement; 9] = [
    Requirement {
        name: "PostgreSQL 15 or newer",
        purpose: Purpose::Serving,
        is_met: || !postgresql::installations().is_empty(),
        debian: "postgresql",
        ubuntu: "postgresql",
        fedora: "postgresql-server postgresql-contrib",
        homebrew: "postgresql@17",
    },
    Requirement {
        name: "PgBouncer",
        purpose: Purpose::Testing,
        is_met: || is_in_path("pgbouncer"),
        debian: "pgbouncer",
        ubuntu: "pgbouncer",
        fedora: "pgbouncer",
        homebrew: "pgbouncer",
    },
    Requirement {
        name: "Python 3.11 or newer with venv",
        purpose: Purpose::Testing,
        is_met: has_python,
        debian: "python3-venv",
        ubuntu: "python3-venv",
        fedora: "python3",
        homebrew: "python",
    },
    Requirement {
        name: "curl",
        purpose: Purpose::Testing,
        is_met: || is_in_path("curl"),
        debian: "curl",
        ubuntu: "curl",
        fedora: "curl",
        homebrew: "curl",
    },
    Requirement {
        name: "jq",
        purpose: Purpose::Testing,
        is_met: || is_in_path("jq"),
        debian: "jq",
        ubuntu: "jq",
        fedora: "jq",
        homebrew: "jq",
    },
    Requirement {
        name: "Chromium",
        purpose: Purpose::Testing,
        is_met: has_chromium,
        debian: "chromium",
        ubuntu: "chromium-browser",
        fedora: "chromium",
        homebrew: "chromium",
    },
    Requirement {
        name: "ChromeDriver",
        purpose: Purpose::Testing,
        is_met: || is_in_path("chromedriver"),
        debian: "chromium-driver",
        ubuntu: "chromium-chromedriver",
        fedora: "chromedriver",
        homebrew: "chromedriver",
    },
    Requirement {
        name: "faketime",
        purpose: Purpose::Testing,
        is_met: || cfg!(target_os = "macos") || is_in_path("faketime"),
        debian: "faketime",
        ubuntu: "faketime",
        fedora: "libfaketime",
        homebrew: "libfaketime",
    },
    Requirement {
        name: "Valgrind",
        purpose: Purpose::Testing,
        is_met: || cfg!(target_os = "macos") || is_in_path("valgrind"),
        debian: "valgrind",
        ubuntu: "valgrind",
        fedora: "valgrind",
        homebrew: "valgrind",
    },
];

fn has_chromium() -> bool {
    let application = PathBuf::from("/Applications/Chromium.app");
    ["chromium", "chromium-browser", "google-chrome"].into_iter().any(is_in_path) || application.exists()
}

fn has_python() -> bool {
    let check = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";
    let mut python = Command::new("python3");
    python.args(["-c", check]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}
