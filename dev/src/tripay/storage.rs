//! The file that stores the transactions between runs.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use local_database::{Error, Result};

use super::transaction::Transaction;

/// Reads the transactions; none if the file is missing.
pub(super) fn load(path: &Path) -> Result<Vec<Transaction>> {
    let unusable = |reason: String| {
        let problem = format!("cannot read the payments in {}: {reason}", path.display());
        Error::new(problem, "delete it: its payments are then lost")
    };
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| unusable(error.to_string())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(unusable(error.to_string())),
    }
}

/// Replaces the file atomically: a reader sees either the old or the new contents.
pub(super) fn save(path: &Path, transactions: &[Transaction]) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(transactions)?;
    let temporary = path.with_extension("json.new");
    let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(&text)?;
    fs::rename(&temporary, path)
}
