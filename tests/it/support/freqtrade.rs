//! A real freqtrade, from PyPI, in the target directory: it judges the strategies that we call good.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::OnceCell;

use super::database::workspace;

const VERSION: &str = "2026.9";

/// What a script in `support/freqtrade` says of each of the requests, one after the other.
pub(crate) async fn run(script: &str, requests: &[Value]) -> Vec<Value> {
    let mut command = Command::new(python().await);
    command.arg(workspace().join("tests/it/support/freqtrade").join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let input = serde_json::to_vec(requests).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = async move { stdin.write_all(&input).await };
    let (written, output) = tokio::join!(writing, child.wait_with_output());
    let output = output.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(written.is_ok() && output.status.success(), "{script}: {errors}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = lines
        .lines()
        .filter_map(|line| line.strip_prefix("RESULT "))
        .map(|answer| serde_json::from_str(answer).unwrap())
        .collect();
    assert_eq!(answers.len(), requests.len(), "{script}: {errors}");
    answers
}

/// The interpreter that has it; installed once for all runs.
async fn python() -> &'static Path {
    static PYTHON: OnceCell<PathBuf> = OnceCell::const_new();
    PYTHON
        .get_or_init(|| async {
            let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("../freqtrade-{VERSION}"));
            let (python, installed) = (home.join("bin/python"), home.join("installed"));
            if !installed.exists() {
                eprintln!("Installing freqtrade {VERSION} into {}: a few minutes, once", home.display());
                if home.exists() {
                    std::fs::remove_dir_all(&home).unwrap();
                }
                let remedy = "the tests need Python 3.11 or newer with venv: apt-get install python3-venv";
                succeed(Command::new("python3").args(["-m", "venv"]).arg(&home), remedy).await;
                let mut pip = Command::new(&python);
                pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
                succeed(pip.arg(format!("freqtrade=={VERSION}")), "pip could not install freqtrade").await;
                std::fs::write(&installed, VERSION).unwrap();
            }
            python
        })
        .await
}

async fn succeed(command: &mut Command, remedy: &str) {
    match command.output().await {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("{remedy}: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("{remedy}: {error}"),
    }
}
