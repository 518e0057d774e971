//! Files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// Paths and texts of the files with this extension in a folder and the folders below it, without build output.
pub(crate) fn read_below(folder: &Path, extension: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() && !path.ends_with("target") {
            found.extend(read_below(&path, extension));
        } else if path.extension().is_some_and(|other| other == extension) {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}
