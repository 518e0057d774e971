//! Cold start, latency, CPU time and memory of each function.
//!
//! Cold start and memory are compared with the budgets in `cold.json`, which are rounded measurements on an idle
//! machine with two cores. A figure may exceed its budget by half, because a machine is not always idle, and a relevant
//! regression is larger.

use std::{collections::BTreeMap, fmt, fs};

use local_database::{Error, Result, connect};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    environment::{Environment, fleet},
    load_generator::{median, milliseconds},
    requests::{outcome, prepare},
    usage::Processes,
};

const BUDGETS: &str = include_str!("cold.json");

/// Limit of a figure, as a multiple of its budget.
const TOLERANCE: f64 = 1.5;

/// Number of cold starts of each function, and of requests to the last instance.
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

/// Figures of one function.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Figures {
    pub function: String,
    /// Status of its last response, or `ok` for a function without HTTP status.
    pub outcome: String,
    pub binary_mib: f64,
    /// Time from the start of the process to its first request for an event: median and minimum.
    pub next_ms: f64,
    pub min_next_ms: f64,
    /// Time from the start of the process to its first response: median.
    pub first_response_ms: f64,
    /// Latency of later requests: median.
    pub request_ms: f64,
    /// CPU time per request, of the function and of the database.
    pub function_cpu_ms: f64,
    pub database_cpu_ms: f64,
    /// Resident memory after the last request.
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
            "| function | binary, MiB | first `/next`, ms | first response, ms | later responses, ms | memory, MiB | status |"
        )?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|---|")?;
        for figures in &self.functions {
            let Figures { function, outcome, binary_mib, next_ms, first_response_ms, request_ms, memory_mib, .. } =
                figures;
            writeln!(
                f,
                "| {function} | {binary_mib:.1} | {next_ms:.1} | {first_response_ms:.1} | {request_ms:.1} | {memory_mib:.1} | {outcome} |"
            )?;
        }
        Ok(())
    }
}

impl Report {
    /// Each budget that is exceeded by more than half, as a sentence.
    ///
    /// # Errors
    ///
    /// A function has no budget, or the budgets cannot be read.
    pub fn missed(&self) -> Result<Vec<String>> {
        let file = "bench/src/cold.json";
        let budgets: BTreeMap<String, Budget> = serde_json::from_str(BUDGETS)
            .map_err(|error| Error::new(format!("{file}: {error}"), "correct this file"))?;
        let missed = self.functions.iter().map(|figures| {
            let budget = budgets.get(&figures.function);
            let unknown =
                || Error::new(format!("{} has no budget", figures.function), format!("give it one in {file}"));
            Ok(exceeded(figures, budget.ok_or_else(unknown)?))
        });
        Ok(missed.collect::<Result<Vec<_>>>()?.concat())
    }
}

/// Starts every function and sends it requests.
///
/// # Errors
///
/// A function does not start, or rejects a request.
pub async fn measure(environment: &Environment<'_>, size: Size) -> Result<Report> {
    let stack = environment.stack(1).await?;
    let admin = connect(&environment.database.admin_url).await?;
    let mut report = Report { requests: size.requests, functions: Vec::new() };
    for (function, events) in prepare(environment, &stack).await? {
        let failed = |why: String| {
            Error::new(
                format!("{function} cannot be measured: {why}"),
                "invoke the function with `cargo dev` and see its log",
            )
        };
        let fleet = fleet(&stack, &function)?;
        let binary = fs::metadata(environment.binary(&function)?).map_err(|error| failed(error.to_string()))?;
        let (mut next, mut first_response, mut latencies) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..size.starts {
            let start = fleet.cold_start(&events.nth(n)).await.map_err(|error| failed(error.to_string()))?;
            next.push(milliseconds(start.next));
            first_response.push(milliseconds(start.response));
        }
        // Not measured: this request starts the instance.
        fleet.invoke(events.nth(size.starts)).await.map_err(|error| failed(error.to_string()))?;
        let instance = Processes::of(&fleet.process_ids());
        let server = Processes::of_server(&admin).await?;
        let (function_before, server_before) = (instance.cpu(), server.cpu());
        let mut last = String::new();
        for n in 1..=size.requests {
            let sent_at = Instant::now();
            let response =
                fleet.invoke(events.nth(size.starts + n)).await.map_err(|error| failed(error.to_string()))?;
            latencies.push(milliseconds(sent_at.elapsed()));
            last = outcome(&response).map_err(|error| failed(error.to_string()))?;
        }
        if fleet.process_ids().len() != 1 {
            return Err(failed("it was handled by more than one instance".to_owned()));
        }
        let per_request = |seconds: f64| seconds * 1_000.0 / size.requests as f64;
        let figures = Figures {
            function: function.clone(),
            outcome: last,
            binary_mib: binary.len() as f64 / 1024.0 / 1024.0,
            min_next_ms: next.iter().copied().fold(f64::INFINITY, f64::min),
            next_ms: median(next),
            first_response_ms: median(first_response),
            request_ms: median(latencies),
            function_cpu_ms: per_request(instance.cpu().seconds_since(&function_before)),
            database_cpu_ms: per_request(server.cpu().seconds_since(&server_before)),
            memory_mib: instance.resident_mib(),
        };
        environment.report_progress(format!(
            "cold       {function}: {:.1} ms to its first request for an event",
            figures.next_ms
        ));
        report.functions.push(figures);
    }
    stack.stop().await;
    Ok(report)
}

fn exceeded(figures: &Figures, budget: &Budget) -> Vec<String> {
    let checks = [
        ("ms to its first request for an event", figures.next_ms, budget.next_ms),
        ("MiB resident", figures.memory_mib, budget.memory_mib),
    ];
    let over = checks.into_iter().filter(|(_, measured, budget)| *measured > budget * TOLERANCE);
    let function = &figures.function;
    over.map(|(unit, measured, budget)| {
        format!("{function} takes {measured:.1} {unit}, above the limit of {:.1}", budget * TOLERANCE)
    })
    .collect()
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
            min_next_ms: next_ms,
            first_response_ms: 20.0,
            request_ms: 2.0,
            function_cpu_ms: 0.2,
            database_cpu_ms: 1.0,
            memory_mib,
        }
    }

    #[test]
    fn a_budget_fails_when_it_is_exceeded_by_more_than_half() {
        let budget = Budget { next_ms: 10.0, memory_mib: 16.0 };
        let over = |next_ms, memory_mib| exceeded(&figures("create-bot", next_ms, memory_mib), &budget);
        assert!(over(1.0, 1.0).is_empty());
        assert!(over(15.0, 24.0).is_empty());
        assert_eq!(
            over(15.1, 24.0),
            ["create-bot takes 15.1 ms to its first request for an event, above the limit of 15.0"]
        );
        assert_eq!(over(15.0, 24.1), ["create-bot takes 24.1 MiB resident, above the limit of 24.0"]);
    }

    #[test]
    fn each_function_is_compared_with_its_own_budget() {
        let report = |functions| Report { requests: 1, functions };
        let missed = |functions| report(functions).missed().expect("it has a budget");
        assert!(missed(vec![figures("create-bot", 1.0, 1.0), figures("clean-logs", 1.0, 1.0)]).is_empty());
        let slow = missed(vec![figures("create-bot", 1.0, 1.0), figures("clean-logs", 9e9, 9e9)]);
        assert_eq!(slow.len(), 2, "{slow:?}");
        assert!(slow.iter().all(|words| words.starts_with("clean-logs takes 9000000000.0 ")), "{slow:?}");
        let unknown = report(vec![figures("new", 1.0, 1.0)]).missed().expect_err("it has none");
        assert_eq!(unknown.to_string(), "new has no budget; give it one in bench/src/cold.json");
    }
}
