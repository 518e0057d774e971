//! How long a request takes where the database is far away, as a multiple of one round trip to it.

use std::{fmt, time::Duration};

use serde::Serialize;
use tokio::time::Instant;

use crate::{
    environment::{Environment, fleet},
    load_generator::{median, milliseconds},
    requests::{outcome, prepare},
};
use dev::proxy::Proxy;
use local_database::{Error, Result, connect};

/// Of one command.
const BUDGET: f64 = 1.1;

/// What needs more than one command, and why. Each command may take as long as one.
const COMMANDS: [(&str, usize, &str); 2] = [
    (
        "generate-strategy",
        2,
        "counts against the quota first, so that nobody is let in beyond it; then keeps the strategy",
    ),
    ("run-analysis", 3, "counts against the quota first; reads the trades; keeps the judgement"),
];

#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Each way.
    pub delay: Duration,
    /// Not counted.
    pub warm_up: usize,
    pub requests: usize,
}

impl Size {
    pub const FULL: Self = Self { delay: Duration::from_millis(20), warm_up: 10, requests: 30 };
}

/// Of one function that people call.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub function: String,
    /// How many commands it sends to the database.
    pub commands: usize,
    /// The median.
    pub request_ms: f64,
    /// The same in round trips.
    pub trips: f64,
    /// What crossed the network, counted.
    pub counted: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// One round trip as the database's own client has it: the median.
    pub round_trip_ms: f64,
    pub functions: Vec<Figures>,
}

impl Report {
    /// Each command that takes longer than its budget, in words.
    pub fn missed(&self) -> Vec<String> {
        let over = self.functions.iter().filter(|figures| figures.trips > BUDGET * figures.commands as f64);
        let words = over.map(|Figures { function, commands, trips, .. }| {
            format!("{function} takes {trips:.2} round trips, and may {:.2}", BUDGET * *commands as f64)
        });
        words.collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "One round trip takes {:.1} ms.\n", self.round_trip_ms)?;
        writeln!(f, "| function | commands | request, ms | round trips of time | crossed |")?;
        writeln!(f, "|---|--:|--:|--:|--:|")?;
        for Figures { function, commands, request_ms, trips, counted } in &self.functions {
            writeln!(f, "| {function} | {commands} | {request_ms:.1} | {trips:.2} | {counted:.1} |")?;
        }
        for (function, _, why) in COMMANDS {
            writeln!(f, "\n{function}: {why}.")?;
        }
        Ok(())
    }
}

/// Asks every function that people call, behind a proxy that adds the distance.
///
/// # Errors
///
/// A function that refuses what it is asked.
pub async fn measure(environment: &Environment<'_>, size: Size) -> Result<Report> {
    let proxy = Proxy::start(environment.database_port()?, size.delay).await?;
    let stack = environment.stack_behind(&proxy, 1).await?;
    let round_trip_ms = round_trip(environment, size).await?;
    let mut functions = Vec::new();
    for (function, events) in prepare(environment, &stack).await? {
        let is_for_people = |other: &&dev::template::Function| other.name == function && !other.routes.is_empty();
        if function == "tripay-callback" || !environment.template.functions.iter().any(|other| is_for_people(&other)) {
            continue;
        }
        let broke =
            |why: String| Error::new(format!("{function} was not measured: {why}"), "see its log with `cargo dev`");
        let fleet = fleet(&stack, &function)?;
        let mut waited = Vec::new();
        for n in 0..size.warm_up + size.requests {
            proxy.take_round_trips();
            let begun = Instant::now();
            let answer = fleet.invoke(events.nth(n)).await.map_err(|error| broke(error.to_string()))?;
            outcome(&answer).map_err(|error| broke(error.to_string()))?;
            // The first one starts the instance; and PostgreSQL plans a statement anew five times before it keeps a plan.
            if n >= size.warm_up {
                waited.push((milliseconds(begun.elapsed()), proxy.take_round_trips() as f64));
            }
        }
        let (waited, crossed): (Vec<f64>, Vec<f64>) = waited.into_iter().unzip();
        let request_ms = median(waited);
        let known = COMMANDS.iter().find(|(name, ..)| *name == function);
        let figures = Figures {
            commands: known.map_or(1, |(_, commands, _)| *commands),
            request_ms,
            trips: request_ms / round_trip_ms,
            counted: median(crossed),
            function,
        };
        environment.tell(format!("trip       {}: {:.2}", figures.function, figures.trips));
        functions.push(figures);
    }
    stack.stop().await;
    Ok(Report { round_trip_ms, functions })
}

/// The least that anything over this network takes.
async fn round_trip(environment: &Environment<'_>, size: Size) -> Result<f64> {
    let proxy = Proxy::start(environment.database_port()?, size.delay).await?;
    let connection = connect(&environment.url_behind(&proxy)?).await?;
    let mut took = Vec::new();
    for _ in 0..size.requests {
        let begun = Instant::now();
        let answer = connection.check_connection().await;
        answer.map_err(|error| Error::new(error.to_string(), "see that the database runs"))?;
        took.push(milliseconds(begun.elapsed()));
    }
    Ok(median(took))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_may_take_a_tenth_more_than_one_round_trip() {
        let figures = |function: &str, commands, trips| Figures {
            function: function.to_owned(),
            commands,
            request_ms: trips * 40.0,
            trips,
            counted: 1.0,
        };
        let functions = vec![figures("within", 1, 1.09), figures("two", 2, 2.19), figures("slow", 1, 1.11)];
        let report = Report { round_trip_ms: 40.0, functions };
        assert_eq!(report.missed(), ["slow takes 1.11 round trips, and may 1.10"]);
    }
}
