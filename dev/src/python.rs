//! Programs from PyPI, each in an environment of its own in the target directory, installed once for all runs.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use check_prerequisites::report_progress;
use tokio::{process::Command, sync::Mutex, task::spawn_blocking};

use local_database::{Error, Result};

/// The directory of programs (`bin`) of an environment `<target>/python/<name>` with these packages, such as
/// `["freqtrade==2026.9"]`.
///
/// # Errors
///
/// There is no Python, or pip could not install them.
pub async fn programs(target: &Path, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let home = target.join("python").join(name);
    install_once(&home, packages, async || {
        let remedy = "install Python 3.11 or newer with venv: apt-get install python3-venv";
        run_checked(Command::new("python3").args(["-m", "venv"]).arg(&home), remedy).await?;
        let mut pip = Command::new(home.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
        run_checked(&mut pip, "see that PyPI can be reached").await
    })
    .await?;
    Ok(home.join("bin"))
}

/// Runs `install` unless these packages are already in the folder `home`, from an earlier run or by another process.
pub(crate) async fn install_once(
    home: &Path,
    packages: &[&str],
    install: impl AsyncFnOnce() -> Result<()>,
) -> Result<()> {
    static INSTALLED: LazyLock<Mutex<BTreeMap<PathBuf, String>>> = LazyLock::new(Mutex::default);
    let unwritable =
        |error| Error::new(format!("cannot write {}: {error}", home.display()), "check its owner and permissions");
    let (wanted, note) = (packages.join("\n"), home.join("installed"));
    let mut installed = INSTALLED.lock().await;
    if installed.get(home) == Some(&wanted) {
        return Ok(());
    }
    // Another process may be installing the same.
    let _turn = turn(home.with_extension("lock")).await.map_err(unwritable)?;
    if !fs::read_to_string(&note).is_ok_and(|there| there == wanted) {
        report_progress(format_args!(
            "installing {} into {}: once, and perhaps a few minutes",
            packages.join(", "),
            home.display()
        ));
        if home.exists() {
            fs::remove_dir_all(home).map_err(unwritable)?;
        }
        install().await?;
        fs::write(note, &wanted).map_err(unwritable)?;
    }
    installed.insert(home.to_owned(), wanted);
    Ok(())
}

/// Held until it is dropped.
async fn turn(path: PathBuf) -> io::Result<File> {
    let wait = move || {
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        let file = File::create(path)?;
        file.lock()?;
        Ok(file)
    };
    spawn_blocking(wait).await?
}

/// Runs a command to its end; if it fails, the error has its standard error.
pub(crate) async fn run_checked(command: &mut Command, remedy: &str) -> Result<()> {
    let called = format!("{:?}", command.as_std());
    match command.output().await {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(Error::new(format!("{called} failed: {}", said.trim()), remedy))
        }
        Err(error) => Err(Error::new(format!("cannot run {called}: {error}"), remedy)),
    }
}
