//! Programs from PyPI, each installed once in its own virtual environment in the target directory.

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

/// Installs packages, such as `["freqtrade==2026.9"]`, in the virtual environment `<target>/python/<name>`, and returns
/// the directory of its programs.
///
/// # Errors
///
/// Python is missing, or pip cannot install them.
pub async fn install_programs(target: &Path, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let home = target.join("python").join(name);
    install_once(&home, packages, async || {
        let remedy = "install Python 3.11 or newer with venv: apt-get install python3-venv";
        run_checked(Command::new("python3").args(["-m", "venv"]).arg(&home), remedy).await?;
        let mut pip = Command::new(home.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
        run_checked(&mut pip, "check that PyPI can be reached").await
    })
    .await?;
    Ok(home.join("bin"))
}

/// Runs `install`, unless an earlier run or another process has already installed these packages in the directory
/// `home`.
pub(crate) async fn install_once(
    home: &Path,
    packages: &[&str],
    install: impl AsyncFnOnce() -> Result<()>,
) -> Result<()> {
    static INSTALLED: LazyLock<Mutex<BTreeMap<PathBuf, String>>> = LazyLock::new(Mutex::default);
    let unwritable =
        |error| Error::new(format!("cannot write {}: {error}", home.display()), "check its owner and permissions");
    let (requested, record) = (packages.join("\n"), home.join("installed"));
    let mut installed = INSTALLED.lock().await;
    if installed.get(home) == Some(&requested) {
        return Ok(());
    }
    // Another process may be installing the same.
    let _lock = lock(home.with_extension("lock")).await.map_err(unwritable)?;
    if !fs::read_to_string(&record).is_ok_and(|installed| installed == requested) {
        report_progress(format_args!(
            "installing {} into {}: this happens once and may take a few minutes",
            packages.join(", "),
            home.display()
        ));
        if home.exists() {
            fs::remove_dir_all(home).map_err(unwritable)?;
        }
        install().await?;
        fs::write(record, &requested).map_err(unwritable)?;
    }
    installed.insert(home.to_owned(), requested);
    Ok(())
}

/// Waits for the lock on a file, which is held until the file is dropped.
async fn lock(path: PathBuf) -> io::Result<File> {
    let wait = move || {
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        let file = File::create(path)?;
        file.lock()?;
        Ok(file)
    };
    spawn_blocking(wait).await?
}

/// Runs a command to its end. The error contains its standard error.
pub(crate) async fn run_checked(command: &mut Command, remedy: &str) -> Result<()> {
    let command_line = format!("{:?}", command.as_std());
    match command.output().await {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            Err(Error::new(format!("{command_line} failed: {}", errors.trim()), remedy))
        }
        Err(error) => Err(Error::new(format!("cannot run {command_line}: {error}"), remedy)),
    }
}
