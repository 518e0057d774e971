//! Builds the functions.

use std::{
    collections::BTreeMap,
    env, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde::Deserialize;
use tokio::process::Command;

use crate::{Error, Result, template::Template};

/// One of the messages that cargo writes, a line each.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds the binaries of all functions, in the target directory that the calling cargo uses, and tells where they are.
/// Cargo itself says on standard error what it does and what is wrong.
pub async fn build(workspace: &Path, template: &Template, release: bool) -> Result<BTreeMap<String, PathBuf>> {
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    cargo.current_dir(workspace).args(["build", "--message-format", "json-render-diagnostics"]);
    cargo.args(template.functions.iter().flat_map(|function| ["--package", &function.name]));
    if release {
        cargo.arg("--release");
    }
    // What the calling cargo says of its own package: build scripts would run anew over it.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"]
            .iter()
            .any(|own| name.starts_with(own))
        {
            cargo.env_remove(&*name);
        }
    }
    cargo.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let missing =
        |error: io::Error| Error::new(format!("cannot run cargo: {error}"), "install Rust from https://rustup.rs");
    let output = cargo.spawn().map_err(missing)?.wait_with_output().await.map_err(missing)?;
    if !output.status.success() {
        return Err(Error::new("the functions do not compile", "correct what cargo reports above"));
    }

    let messages = output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let built: BTreeMap<_, _> =
        messages.filter_map(|message: Message| Some((message.target?.name, message.executable?))).collect();
    let binaries = template.functions.iter().map(|function| {
        let binary = built.get(&function.name).cloned().ok_or_else(|| {
            let name = &function.name;
            Error::new(format!("functions/{name} has no binary {name}"), "give it a src/main.rs and its folder's name")
        })?;
        Ok((function.name.clone(), binary))
    });
    binaries.collect()
}
