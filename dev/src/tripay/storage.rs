//! The file that keeps the transactions between two runs.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::Transaction;
use local_database::{Error, Result};

pub(super) fn load(path: &Path) -> Result<Vec<Transaction>> {
    let unusable = |reason: String| {
        let problem = format!("cannot read the payments in {}: {reason}", path.display());
        Error::new(problem, "delete it: what was ordered by then can no longer be paid")
    };
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| unusable(error.to_string())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(unusable(error.to_string())),
    }
}

/// Whoever reads the file finds all of it, as it was before or as it is now.
pub(super) fn save(path: &Path, transactions: &[Transaction]) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(transactions)?;
    let unfinished = path.with_extension("json.new");
    let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
    file.write_all(&text)?;
    fs::rename(&unfinished, path)
}
