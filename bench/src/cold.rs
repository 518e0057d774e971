//! What a function costs before its first request, what each request costs it then, and what it holds after a thousand.
//!
//! Start and memory are held against the budgets of `cold.json`, the figures of a quiet machine of two cores. A budget is exceeded
//! by half before it fails: a machine is not always quiet, and what a change costs is more than that or not worth a word.

use std::{collections::BTreeMap, fmt, fs};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    environment::{Environment, fleet},
    load_generator::{median, milliseconds},
    requests::{outcome, prepare},
    usage::Processes,
};
use local_database::{Error, Result, connect};

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
#[derive(Clone, Debug, Deserialize, Serialize)]
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
    /// How long a later request took: the median.
    pub request_ms: f64,
    /// Processor time of a request: the function's, and the database's.
    pub function_cpu_ms: f64,
    pub database_cpu_ms: f64,
    /// What is resident after the last request.
    pub memory_mib: f64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Report {
    pub requests: usize,
    pub functions: Vec<Figures>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| function | binary, MiB | first `next`, ms | first answer, ms | later answers, ms | memory after {}, MiB | answered |",
            self.requests
        )?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|---|")?;
        for figures in &self.functions {
            let Figures { function, outcome, binary_mib, next_ms, answer_ms, request_ms, memory_mib, .. } = figures;
            writeln!(
                f,
                "| {function} | {binary_mib:.1} | {next_ms:.1} | {answer_ms:.1} | {request_ms:.1} | {memory_mib:.1} | {outcome} |"
            )?;
        }
        Ok(())
    }
}

impl Report {
    /// Each budget that is exceeded by half, in words.
    ///
    /// # Errors
    ///
    /// A function without a budget.
    pub fn missed(&self) -> Result<Vec<String>> {
        let file = "bench/src/cold.json";
        let budgets: BTreeMap<String, Budget> =
            serde_json::from_str(BUDGETS).map_err(|error| Error::new(format!("{file}: {error}"), "correct it"))?;
        let missed = self.functions.iter().map(|figures| {
            let budget = budgets.get(&figures.function);
            let unknown =
                || Error::new(format!("{} has no budget", figures.function), format!("give it one in {file}"));
            Ok(exceeded(figures, budget.ok_or_else(unknown)?))
        });
        Ok(missed.collect::<Result<Vec<_>>>()?.concat())
    }
}

/// Starts and asks every function.
///
/// # Errors
///
/// One that does not start, or refuses what it is asked.
pub async fn measure(environment: &Environment<'_>, size: Size) -> Result<Report> {
    let stack = environment.stack(1).await?;
    let admin = connect(&environment.database.admin_url).await?;
    let mut report = Report { requests: size.requests, functions: Vec::new() };
    for (function, events) in prepare(environment, &stack).await? {
        let broke =
            |why: String| Error::new(format!("{function} was not measured: {why}"), "see its log with `cargo dev`");
        let fleet = fleet(&stack, &function)?;
        let binary = fs::metadata(environment.binary(&function)?).map_err(|error| broke(error.to_string()))?;
        let (mut next, mut answer, mut later) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..size.starts {
            let start = fleet.cold_start(&events.nth(n)).await.map_err(|error| broke(error.to_string()))?;
            next.push(milliseconds(start.next));
            answer.push(milliseconds(start.response));
        }
        // Not counted: it starts the instance.
        fleet.invoke(events.nth(size.starts)).await.map_err(|error| broke(error.to_string()))?;
        let instance = Processes::of(&fleet.instances());
        let server = Processes::of_server(&admin).await?;
        let (function_before, server_before) = (instance.cpu(), server.cpu());
        let mut last = String::new();
        for n in 1..=size.requests {
            let begun = Instant::now();
            let answer = fleet.invoke(events.nth(size.starts + n)).await.map_err(|error| broke(error.to_string()))?;
            later.push(milliseconds(begun.elapsed()));
            last = outcome(&answer).map_err(|error| broke(error.to_string()))?;
        }
        if fleet.instances().len() != 1 {
            return Err(broke("it did not stay one instance".to_owned()));
        }
        let each = |seconds: f64| seconds * 1_000.0 / size.requests as f64;
        let figures = Figures {
            function: function.clone(),
            outcome: last,
            binary_mib: binary.len() as f64 / 1024.0 / 1024.0,
            best_next_ms: next.iter().copied().fold(f64::INFINITY, f64::min),
            next_ms: median(next),
            answer_ms: median(answer),
            request_ms: median(later),
            function_cpu_ms: each(instance.cpu().seconds_since(&function_before)),
            database_cpu_ms: each(server.cpu().seconds_since(&server_before)),
            memory_mib: instance.resident_mib(),
        };
        environment.tell(format!("cold       {function}: {:.1} ms", figures.next_ms));
        report.functions.push(figures);
    }
    stack.stop().await;
    Ok(report)
}

fn exceeded(figures: &Figures, budget: &Budget) -> Vec<String> {
    let held = [
        ("ms to its first next", figures.next_ms, budget.next_ms),
        ("MiB resident", figures.memory_mib, budget.memory_mib),
    ];
    let over = held.into_iter().filter(|(_, is, may)| *is > may * TOLERANCE);
    let function = &figures.function;
    over.map(|(what, is, may)| format!("{function} takes {is:.1} {what}, and may {:.1}", may * TOLERANCE)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(function: &str, next_ms: f64, memory_mib: f64) -> Figures {
        Figures {
            function: function.to_owned(),
            outcome: "200".into(),
            binary_mib: 8.0,
            next_ms,
            best_next_ms: next_ms,
            answer_ms: 20.0,
            request_ms: 2.0,
            function_cpu_ms: 0.2,
            database_cpu_ms: 1.0,
            memory_mib,
        }
    }

    #[test]
    fn a_budget_fails_when_it_is_exceeded_by_half() {
        let budget = Budget { next_ms: 10.0, memory_mib: 16.0 };
        let over = |next_ms, memory_mib| exceeded(&figures("create-bot", next_ms, memory_mib), &budget);
        assert!(over(1.0, 1.0).is_empty());
        assert!(over(15.0, 24.0).is_empty());
        assert_eq!(over(15.1, 24.0), ["create-bot takes 15.1 ms to its first next, and may 15.0"]);
        assert_eq!(over(15.0, 24.1), ["create-bot takes 24.1 MiB resident, and may 24.0"]);
    }

    #[test]
    fn each_function_is_held_against_its_own_budget() {
        let report = |functions| Report { requests: 1, functions };
        let missed = |functions| report(functions).missed().expect("it has a budget");
        assert!(missed(vec![figures("create-bot", 1.0, 1.0), figures("clean-logs", 1.0, 1.0)]).is_empty());
        let slow = missed(vec![figures("create-bot", 1.0, 1.0), figures("clean-logs", 9e9, 9e9)]);
        assert_eq!(slow.len(), 2, "{slow:?}");
        assert!(slow.iter().all(|words| words.starts_with("clean-logs takes 9000000000.0 ")), "{slow:?}");
        let unknown = report(vec![figures("new", 1.0, 1.0)]).missed().expect_err("nobody gave it one");
        assert_eq!(unknown.to_string(), "new has no budget; give it one in bench/src/cold.json");
    }
}
