//! What a function costs before its first request, and what it holds after a thousand.
//!
//! Each is held against a budget of `cold.json`, the figure of a quiet machine of two cores. A budget is exceeded by half before
//! it fails: a machine is not always quiet, and what a change costs is more than that or not worth a word.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::requests::prepare;
use crate::{
    Error, Result,
    runtime::{Fleet, InvokeError},
    stack::Stack,
    template::Template,
};

const BUDGETS: &str = include_str!("cold.json");

/// How much of a budget may be used.
const TOLERANCE: f64 = 1.5;

/// How often each function is started, and how often the last of its instances is asked.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub starts: usize,
    pub requests: usize,
}

impl Size {
    pub const FULL: Self = Self { starts: 20, requests: 1_000 };
}

#[derive(Deserialize)]
struct Budget {
    next_ms: f64,
    memory_mib: f64,
}

/// Of one function.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub function: String,
    /// What it answered in the end: a status, or `ok` where there is none.
    pub outcome: String,
    pub binary_mib: f64,
    /// From the start of the process until it asks for its first request: the median, and the best.
    pub next_ms: f64,
    pub best_next_ms: f64,
    /// From the start of the process until its first request is answered: the median.
    pub answer_ms: f64,
    /// What is resident after the last request, and was at most.
    pub memory_mib: f64,
    pub peak_mib: f64,
    /// Each budget that is exceeded by half, in words.
    pub exceeded: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub starts: usize,
    pub requests: usize,
    pub functions: Vec<Figures>,
}

impl Report {
    pub fn is_within_budgets(&self) -> bool {
        self.functions.iter().all(|figures| figures.exceeded.is_empty())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| function | binary, MiB | first `next`, ms | first answer, ms | memory after {}, MiB | answered |",
            self.requests
        )?;
        writeln!(f, "|---|--:|--:|--:|--:|---|")?;
        for figures in &self.functions {
            let Figures { function, outcome, binary_mib, next_ms, answer_ms, memory_mib, .. } = figures;
            writeln!(
                f,
                "| {function} | {binary_mib:.1} | {next_ms:.1} | {answer_ms:.1} | {memory_mib:.1} | {outcome} |"
            )?;
        }
        for Figures { function, exceeded, .. } in &self.functions {
            for words in exceeded {
                writeln!(f, "over budget: {function} {words}")?;
            }
        }
        Ok(())
    }
}

/// Starts and asks every function of a stack with fresh sample data, where `functions` are its binaries.
pub async fn measure(
    stack: &Stack,
    template: &Template,
    functions: &BTreeMap<String, PathBuf>,
    workspace: &Path,
    admin_url: &str,
    size: Size,
    mut told: impl FnMut(&Figures),
) -> Result<Report> {
    let budgets: BTreeMap<String, Budget> = serde_json::from_str(BUDGETS)
        .map_err(|error| Error::new(format!("dev/src/bench/cold.json: {error}"), "correct it"))?;
    let mut report = Report { starts: size.starts, requests: size.requests, functions: Vec::new() };
    for (name, event) in prepare(stack, template, workspace, admin_url).await? {
        let broke = |why: String| Error::new(format!("{name} was not measured: {why}"), "see its log with `cargo dev`");
        let (Some(fleet), Some(binary)) = (stack.fleet(&name), functions.get(&name)) else {
            return Err(broke("the stack does not have it".to_owned()));
        };
        let budget = budgets.get(&name);
        let budget = budget.ok_or_else(|| broke("it has no budget in dev/src/bench/cold.json".to_owned()))?;
        let size_of = fs::metadata(binary).map_err(|error| broke(error.to_string()))?.len();
        let (mut next, mut answer) = (Vec::new(), Vec::new());
        for _ in 0..size.starts {
            let start = fleet.cold_start(&event).await.map_err(|error| broke(error.to_string()))?;
            next.push(milliseconds(start.next));
            answer.push(milliseconds(start.answer));
        }
        let last = ask(fleet, &event, size.requests).await.map_err(|error| broke(error.to_string()))?;
        let [process] = fleet.instances()[..] else {
            return Err(broke("it did not stay one instance".to_owned()));
        };
        let status = fs::read_to_string(format!("/proc/{process}/status")).map_err(|error| broke(error.to_string()))?;
        let resident = |field| memory(&status, field).ok_or_else(|| broke(format!("/proc does not say {field}")));
        let mut figures = Figures {
            function: name.clone(),
            outcome: outcome(&last).map_err(broke)?,
            binary_mib: size_of as f64 / 1024.0 / 1024.0,
            best_next_ms: next.iter().copied().fold(f64::INFINITY, f64::min),
            next_ms: median(next),
            answer_ms: median(answer),
            memory_mib: resident("VmRSS")?,
            peak_mib: resident("VmHWM")?,
            exceeded: Vec::new(),
        };
        figures.exceeded = exceeded(&figures, budget);
        told(&figures);
        report.functions.push(figures);
    }
    Ok(report)
}

/// One request after the other; the last answer.
async fn ask(fleet: &Fleet, event: &Bytes, requests: usize) -> Result<Bytes, InvokeError> {
    let mut answer = Bytes::new();
    for _ in 0..requests {
        answer = fleet.invoke(event.clone()).await?;
    }
    Ok(answer)
}

/// What came of it; what broke has no cost that is worth knowing.
fn outcome(answer: &[u8]) -> Result<String, String> {
    let answer: Value = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    let failures = answer.get("batchItemFailures").and_then(Value::as_array).map_or(0, Vec::len);
    match answer.get("statusCode").and_then(Value::as_u64) {
        None if failures == 0 => Ok("ok".to_owned()),
        Some(status @ 200..300) => Ok(status.to_string()),
        _ => Err(format!("it answered {answer}")),
    }
}

fn exceeded(figures: &Figures, budget: &Budget) -> Vec<String> {
    let held = [
        ("ms to its first next", figures.next_ms, budget.next_ms),
        ("MiB resident", figures.memory_mib, budget.memory_mib),
    ];
    let over = held.into_iter().filter(|(_, is, may)| *is > may * TOLERANCE);
    over.map(|(what, is, may)| format!("takes {is:.1} {what}, and may {:.1}", may * TOLERANCE)).collect()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// The middle one, or the mean of both; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |place: Option<usize>| place.and_then(|place| values.get(place)).copied();
    match (at(Some(middle)), at(middle.checked_sub(1))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => lower.midpoint(upper),
        (value, _) => value.unwrap_or_default(),
    }
}

/// A field of `/proc/<pid>/status`, in MiB.
fn memory(status: &str, field: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        for (values, middle) in
            [(&[][..], 0.0), (&[3.0], 3.0), (&[9.0, 1.0], 5.0), (&[7.0, 1.0, 2.0], 2.0), (&[4.0, 100.0, 1.0, 2.0], 3.0)]
        {
            assert!((median(values.to_vec()) - middle).abs() < 1e-9, "{values:?}");
        }
    }

    #[test]
    fn a_budget_fails_when_it_is_exceeded_by_half() {
        let figures = |next_ms, memory_mib| Figures {
            function: "create-bot".into(),
            outcome: "200".into(),
            binary_mib: 8.0,
            next_ms,
            best_next_ms: next_ms,
            answer_ms: 20.0,
            memory_mib,
            peak_mib: memory_mib,
            exceeded: Vec::new(),
        };
        let over =
            |next_ms, memory_mib| exceeded(&figures(next_ms, memory_mib), &Budget { next_ms: 10.0, memory_mib: 16.0 });
        assert!(over(1.0, 1.0).is_empty());
        assert!(over(15.0, 24.0).is_empty());
        assert_eq!(over(15.1, 24.0), ["takes 15.1 ms to its first next, and may 15.0"]);
        assert_eq!(over(15.0, 24.1), ["takes 24.1 MiB resident, and may 24.0"]);
        let report =
            |exceeded| Report { starts: 1, requests: 1, functions: vec![Figures { exceeded, ..figures(1.0, 1.0) }] };
        assert!(report(Vec::new()).is_within_budgets());
        assert!(!report(over(99.0, 1.0)).is_within_budgets());
    }

    #[test]
    fn only_what_worked_is_measured() {
        assert_eq!(outcome(br#"{"statusCode":201,"body":""}"#).as_deref(), Ok("201"));
        assert_eq!(outcome(br#"{"expired":0}"#).as_deref(), Ok("ok"));
        assert_eq!(outcome(br#"{"batchItemFailures":[]}"#).as_deref(), Ok("ok"));
        for broken in [r#"{"statusCode":401}"#, r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#, ""] {
            assert!(outcome(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn memory_is_read_as_the_kernel_writes_it() {
        let status = "Name:\tcreate-bot\nVmHWM:\t   20480 kB\nVmRSS:\t   10752 kB\n";
        assert_eq!(memory(status, "VmHWM"), Some(20.0));
        assert_eq!(memory(status, "VmRSS"), Some(10.5));
        assert_eq!(memory(status, "VmSwap"), None);
    }
}
