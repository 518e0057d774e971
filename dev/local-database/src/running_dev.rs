//! The file in which a running `cargo dev` publishes the URLs of its database for other commands.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Addresses of a running `cargo dev`.
#[derive(Deserialize, Serialize)]
pub struct RunningDev {
    /// Issuer of its access tokens.
    pub issuer: String,
    /// Database URL of an administrator.
    pub admin_url: String,
    /// Database URL of the role that applies migrations.
    pub migrations_url: String,
}

impl RunningDev {
    /// Finds the `cargo dev` that serves this data directory.
    ///
    /// # Errors
    ///
    /// No `cargo dev` serves it, or it is not ready yet.
    pub fn find(data: &Path) -> Result<Self> {
        Self::read(data).ok_or_else(|| {
            let problem = format!("no `cargo dev` is running with the data in {}", data.display());
            Error::new(problem, "start it in another terminal and wait until it is ready")
        })
    }

    fn read(data: &Path) -> Option<Self> {
        let mut file = File::open(RunningFile::path(data)).ok()?;
        // Without a lock on it, the file is left over from a process that has ended.
        if file.try_lock_shared().is_ok() {
            return None;
        }
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}

/// The file that holds a [`RunningDev`], locked for as long as its process lives.
pub struct RunningFile {
    file: File,
    path: PathBuf,
}

impl RunningFile {
    fn path(data: &Path) -> PathBuf {
        data.join("running.json")
    }

    /// Locks the data directory for this process.
    ///
    /// # Errors
    ///
    /// Another `cargo dev` has locked it, or the file cannot be written.
    pub fn lock(data: &Path) -> Result<Self> {
        let path = Self::path(data);
        let file = fs::create_dir_all(data)
            .and_then(|()| File::options().create(true).truncate(false).write(true).mode(0o600).open(&path))
            .map_err(|error| cannot_write(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, path }),
            Err(_) => {
                let problem = format!("another `cargo dev` is running with the data in {}", data.display());
                Err(Error::new(problem, "stop it, or give this one its own --data directory"))
            }
        }
    }

    /// Writes the addresses once they are known.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write(&mut self, running: &RunningDev) -> Result<()> {
        let text = serde_json::to_string(running).unwrap_or_default();
        let written = self.file.set_len(0).and_then(|()| self.file.rewind());
        written.and_then(|()| self.file.write_all(text.as_bytes())).map_err(|error| cannot_write(&self.path, &error))
    }

    /// Deletes the file.
    pub fn remove(self) {
        // If it cannot be deleted, it is ignored: it is not locked.
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::new(format!("cannot write {}: {error}", path.display()), "check its owner and permissions")
}
