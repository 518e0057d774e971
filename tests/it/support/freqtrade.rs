//! A real freqtrade, which loads and backtests strategies.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use dev::python::install_programs;

use super::database::{target, workspace};

const PACKAGE: &str = "freqtrade==2026.9";

/// Runs a script in `support/freqtrade`; returns its result for each request.
pub(crate) async fn run_script(script: &str, requests: &[Value]) -> Vec<Value> {
    let mut command = Command::new(install_programs(target(), "freqtrade", &[PACKAGE]).await.unwrap().join("python"));
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
