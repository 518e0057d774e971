//! Builds the functions.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::Stdio,
};

use local_database::{Error, Result};
use serde::Deserialize;
use tokio::process::Command;

use crate::template::Template;

/// Variables that `cargo run` sets for its own package. If they were passed on, build scripts would run again.
const CALLING_PACKAGE_VARIABLES: [&str; 17] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_DESCRIPTION",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_LICENSE",
    "CARGO_PKG_LICENSE_FILE",
    "CARGO_PKG_NAME",
    "CARGO_PKG_README",
    "CARGO_PKG_REPOSITORY",
    "CARGO_PKG_RUST_VERSION",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// A message of cargo, one per line.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds the binaries of all functions in the calling cargo's target directory, and returns their paths by name. Cargo
/// reports its progress and errors on standard error.
///
/// # Errors
///
/// Cargo cannot run, or a function does not compile.
pub async fn build(workspace: &Path, template: &Template, release: bool) -> Result<BTreeMap<String, PathBuf>> {
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    cargo.current_dir(workspace).args(["build", "--message-format", "json-render-diagnostics"]);
    cargo.args(template.functions.iter().flat_map(|function| ["--package", &function.name]));
    if release {
        cargo.arg("--release");
    }
    for name in CALLING_PACKAGE_VARIABLES {
        cargo.env_remove(name);
    }
    cargo.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let missing =
        |error: io::Error| Error::new(format!("cannot run cargo: {error}"), "install Rust from https://rustup.rs");
    let output = cargo.spawn().map_err(missing)?.wait_with_output().await.map_err(missing)?;
    if !output.status.success() {
        return Err(Error::new("the functions do not compile", "fix the errors that cargo reports above"));
    }

    let messages = output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let built: BTreeMap<_, _> =
        messages.filter_map(|message: Message| Some((message.target?.name, message.executable?))).collect();
    let binaries = template.functions.iter().map(|function| {
        let binary = built.get(&function.name).cloned().ok_or_else(|| {
            let name = &function.name;
            Error::new(
                format!("functions/{name} has no binary {name}"),
                "add a src/main.rs and name the package like its folder",
            )
        })?;
        Ok((function.name.clone(), binary))
    });
    binaries.collect()
}
