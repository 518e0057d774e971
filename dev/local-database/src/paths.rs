//! Directories of the workspace.

use std::path::{Path, PathBuf};

/// Root of the workspace in which this crate was compiled, so that a command works the same from any directory.
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}

/// Data directory of `cargo dev` without `--data`.
pub fn default_data_dir() -> PathBuf {
    workspace().join(".nofomo")
}
