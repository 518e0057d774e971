//! Directories of the workspace.

use std::path::{Path, PathBuf};

/// The workspace that this was compiled in; a command works the same from any directory.
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}

/// The data directory of `cargo dev` unless `--data` names another.
pub fn default_data_dir() -> PathBuf {
    workspace().join(".nofomo")
}
