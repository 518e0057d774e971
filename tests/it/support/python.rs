//! Programs from PyPI, each in an environment of its own in the target directory, installed once for all runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tokio::process::Command;
use tokio::sync::Mutex;

/// The directory of programs (`bin`) of an environment that has these packages, such as `["freqtrade==2026.9"]`.
pub(crate) async fn programs(name: &str, packages: &[&str]) -> PathBuf {
    static INSTALLED: LazyLock<Mutex<BTreeMap<String, PathBuf>>> = LazyLock::new(Mutex::default);
    let mut installed = INSTALLED.lock().await;
    if let Some(programs) = installed.get(name) {
        return programs.clone();
    }
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../python").join(name);
    let programs = home.join("bin");
    install(&home, packages).await;
    installed.insert(name.to_owned(), programs.clone());
    programs
}

async fn install(home: &Path, packages: &[&str]) {
    let (wanted, note) = (packages.join("\n"), home.join("installed"));
    if std::fs::read_to_string(&note).is_ok_and(|there| there == wanted) {
        return;
    }
    eprintln!("Installing {} into {}: once, and perhaps a few minutes", packages.join(", "), home.display());
    if home.exists() {
        std::fs::remove_dir_all(home).unwrap();
    }
    let remedy = "the tests need Python 3.11 or newer with venv: apt-get install python3-venv";
    succeed(Command::new("python3").args(["-m", "venv"]).arg(home), remedy).await;
    let mut pip = Command::new(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
    succeed(&mut pip, &format!("pip could not install {}", packages.join(", "))).await;
    std::fs::write(note, wanted).unwrap();
}

async fn succeed(command: &mut Command, remedy: &str) {
    match command.output().await {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("{remedy}: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("{remedy}: {error}"),
    }
}
