//! Latency of requests to a distant database, as a multiple of one round trip to it.

use std::{fmt, time::Duration};

use dev::proxy::Proxy;
use local_database::{Error, Result, connect};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    environment::{Environment, fleet},
    load_generator::{median, milliseconds},
    requests::{outcome, prepare},
};

/// Maximum duration of a command, in round trips.
const BUDGET: f64 = 1.1;

/// Functions that send more than one command, with the number of commands and the reason.
const COMMANDS: [(&str, usize, &str); 2] = [
    (
        "generate-strategy",
        2,
        "first counts the request against the quota, so that the quota cannot be exceeded; then stores the strategy",
    ),
    ("run-analysis", 3, "first counts the request against the quota; then reads the trades; then stores the analysis"),
];

#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Latency that the proxy adds in each direction.
    pub delay: Duration,
    /// Requests before the measurement.
    pub warm_up: usize,
    pub requests: usize,
}

impl Size {
    pub const FULL: Self = Self { delay: Duration::from_millis(20), warm_up: 10, requests: 30 };
}

/// Figures of one function with an API route.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub function: String,
    /// Commands that it sends to the database.
    pub commands: usize,
    /// Latency: median.
    pub request_ms: f64,
    /// Latency in round trips.
    pub round_trips: f64,
    /// Round trips that the proxy counted: median.
    pub counted: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Duration of one round trip with the database client: median.
    pub round_trip_ms: f64,
    pub functions: Vec<Figures>,
}

impl Report {
    /// Each function that exceeds the budget of its commands, as a sentence.
    pub fn missed(&self) -> Vec<String> {
        let over = self.functions.iter().filter(|figures| figures.round_trips > BUDGET * figures.commands as f64);
        let words = over.map(|Figures { function, commands, round_trips, .. }| {
            format!(
                "{function} takes {round_trips:.2} round trips, above the limit of {:.2}",
                BUDGET * *commands as f64
            )
        });
        words.collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "One round trip takes {:.1} ms.\n", self.round_trip_ms)?;
        writeln!(f, "| function | commands | request, ms | duration in round trips | round trips counted |")?;
        writeln!(f, "|---|--:|--:|--:|--:|")?;
        for Figures { function, commands, request_ms, round_trips, counted } in &self.functions {
            writeln!(f, "| {function} | {commands} | {request_ms:.1} | {round_trips:.2} | {counted:.1} |")?;
        }
        for (function, _, why) in COMMANDS {
            writeln!(f, "\n{function}: {why}.")?;
        }
        Ok(())
    }
}

/// Sends requests to every function with an API route, through a proxy that adds latency.
///
/// # Errors
///
/// A function rejects a request.
pub async fn measure(environment: &Environment<'_>, size: Size) -> Result<Report> {
    let proxy = Proxy::start(environment.database_port()?, size.delay).await?;
    let stack = environment.stack_behind(&proxy, 1).await?;
    let round_trip_ms = measure_round_trip(environment, size).await?;
    let mut functions = Vec::new();
    for (function, events) in prepare(environment, &stack).await? {
        let has_api_route = |other: &&dev::template::Function| other.name == function && !other.routes.is_empty();
        if function == "tripay-callback" || !environment.template.functions.iter().any(|other| has_api_route(&other)) {
            continue;
        }
        let failed = |why: String| {
            Error::new(
                format!("{function} cannot be measured: {why}"),
                "invoke the function with `cargo dev` and see its log",
            )
        };
        let fleet = fleet(&stack, &function)?;
        let mut latencies = Vec::new();
        for n in 0..size.warm_up + size.requests {
            proxy.take_round_trips();
            let begun = Instant::now();
            let response = fleet.invoke(events.nth(n)).await.map_err(|error| failed(error.to_string()))?;
            outcome(&response).map_err(|error| failed(error.to_string()))?;
            // The first request starts the instance, and PostgreSQL replans a statement five times before it caches a
            // plan.
            if n >= size.warm_up {
                latencies.push((milliseconds(begun.elapsed()), proxy.take_round_trips() as f64));
            }
        }
        let (latencies, counted): (Vec<f64>, Vec<f64>) = latencies.into_iter().unzip();
        let request_ms = median(latencies);
        let known = COMMANDS.iter().find(|(name, ..)| *name == function);
        let figures = Figures {
            commands: known.map_or(1, |(_, commands, _)| *commands),
            request_ms,
            round_trips: request_ms / round_trip_ms,
            counted: median(counted),
            function,
        };
        environment
            .report_progress(format!("round-trips {}: {:.2} round trips", figures.function, figures.round_trips));
        functions.push(figures);
    }
    stack.stop().await;
    Ok(Report { round_trip_ms, functions })
}

/// Duration of one round trip through the proxy: median.
async fn measure_round_trip(environment: &Environment<'_>, size: Size) -> Result<f64> {
    let proxy = Proxy::start(environment.database_port()?, size.delay).await?;
    let connection = connect(&environment.url_behind(&proxy)?).await?;
    let mut durations = Vec::new();
    for _ in 0..size.requests {
        let begun = Instant::now();
        let checked = connection.check_connection().await;
        checked.map_err(|error| Error::new(error.to_string(), "check that the database is running"))?;
        durations.push(milliseconds(begun.elapsed()));
    }
    Ok(median(durations))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_may_take_a_tenth_more_than_one_round_trip() {
        let figures = |function: &str, commands, round_trips| Figures {
            function: function.to_owned(),
            commands,
            request_ms: round_trips * 40.0,
            round_trips,
            counted: 1.0,
        };
        let functions = vec![figures("within", 1, 1.09), figures("two", 2, 2.19), figures("slow", 1, 1.11)];
        let report = Report { round_trip_ms: 40.0, functions };
        assert_eq!(report.missed(), ["slow takes 1.11 round trips, above the limit of 1.10"]);
    }
}
