//! Measurements of the release binaries on this machine, compared with their budgets.

pub mod cold;
pub mod cost;
mod environment;
pub mod fastapi_baseline;
pub mod load;
mod load_generator;
mod plot;
mod requests;
pub mod round_trips;
pub mod scale;
pub mod throughput;
mod usage;

use std::{fmt, fs, path::PathBuf};

use clap::ValueEnum;
use local_database::{Error, Result, connect};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use environment::Environment;
use usage::Conditions;

/// A measurement, in the order in which `cargo measure` makes all of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Measurement {
    /// Cold start, memory and CPU time of each function
    Cold,
    /// GB-seconds and database CPU time for a million requests, from the results of `cold`
    Cost,
    /// Duration of requests to a distant database, in round trips
    RoundTrips,
    /// Trades recorded per second, compared with pgbench
    Throughput,
    /// Throughput, CPU time, memory and cold start, compared with FastAPI
    Fastapi,
    /// Duration of requests with up to a million times as many rows
    Scale,
    /// Failures, latency and memory under ten minutes of mixed traffic
    Load,
}

/// Results of a measurement, with the conditions under which it was made.
#[derive(Serialize)]
pub struct MeasurementResult {
    conditions: Conditions,
    #[serde(skip)]
    name: String,
    #[serde(skip)]
    table: String,
    #[serde(skip)]
    plot: Option<String>,
    report: serde_json::Value,
    /// Each missed budget, as a sentence.
    pub missed: Vec<String>,
}

impl fmt::Display for MeasurementResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Conditions { date, processor, cores, memory_gib, system, postgres } = &self.conditions;
        writeln!(f, "## {}\n\n{}", self.name, self.table)?;
        writeln!(f, "{date}, {processor}, {cores} cores, {memory_gib:.0} GiB, {system}, PostgreSQL {postgres}")?;
        for budget in &self.missed {
            writeln!(f, "missed: {budget}")?;
        }
        Ok(())
    }
}

/// Makes a measurement. Nothing else may use the database meanwhile.
///
/// # Errors
///
/// A request fails, or a program that the measurement needs is missing. A missed budget is not an error.
pub async fn measure(measurement: Measurement, environment: &Environment<'_>) -> Result<MeasurementResult> {
    match measurement {
        Measurement::Cold => {
            let report = cold::measure(environment, cold::Size::FULL).await?;
            let missed = report.missed()?;
            MeasurementResult::of(measurement, environment, &report, missed, None).await
        }
        Measurement::Cost => {
            let report = cost::compute(environment, &load_cold_report(environment)?)?;
            MeasurementResult::of(measurement, environment, &report, Vec::new(), None).await
        }
        Measurement::RoundTrips => {
            let report = round_trips::measure(environment, round_trips::Size::FULL).await?;
            MeasurementResult::of(measurement, environment, &report, report.missed(), None).await
        }
        Measurement::Throughput => {
            let report = throughput::measure(environment, &throughput::Size::full()).await?;
            MeasurementResult::of(measurement, environment, &report, report.missed(), Some(report.plot()?)).await
        }
        Measurement::Fastapi => {
            let report = fastapi_baseline::measure(environment, fastapi_baseline::Size::FULL).await?;
            MeasurementResult::of(measurement, environment, &report, report.missed(), None).await
        }
        Measurement::Scale => {
            let report = scale::measure(environment, &scale::Size::full()).await?;
            MeasurementResult::of(measurement, environment, &report, report.missed(), Some(report.plot()?)).await
        }
        Measurement::Load => {
            let report = load::measure(environment, load::Size::FULL).await?;
            MeasurementResult::of(measurement, environment, &report, report.missed(), None).await
        }
    }
}

impl MeasurementResult {
    async fn of(
        measurement: Measurement,
        environment: &Environment<'_>,
        report: &(impl fmt::Display + Serialize),
        missed: Vec<String>,
        plot: Option<String>,
    ) -> Result<Self> {
        let admin = connect(&environment.database.admin_url).await?;
        let name = measurement.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let conditions = Conditions::read(&admin).await?;
        Ok(Self { conditions, name, table: report.to_string(), plot, report: json!(report), missed })
    }

    /// Writes the results as JSON and the plot as SVG, and returns the paths.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn save(&self, environment: &Environment<'_>) -> Result<Vec<PathBuf>> {
        let json = serde_json::to_string_pretty(self).unwrap_or_default();
        let files = [("json", Some(&json)), ("svg", self.plot.as_ref())];
        let written =
            files.into_iter().filter_map(|(kind, text)| Some((results_path(environment, &self.name, kind), text?)));
        let written = written.map(|(path, text)| {
            fs::write(&path, text).map(|()| path.clone()).map_err(|error| {
                Error::new(format!("cannot write {}: {error}", path.display()), "check its owner and permissions")
            })
        });
        written.collect()
    }
}

fn results_path(environment: &Environment<'_>, name: &str, kind: &str) -> PathBuf {
    environment.target.join("bench").join(format!("{name}.{kind}"))
}

/// Reads the results of `cold` from its file.
fn load_cold_report(environment: &Environment<'_>) -> Result<cold::Report> {
    #[derive(Deserialize)]
    struct SavedResult {
        report: cold::Report,
    }
    let path = results_path(environment, "cold", "json");
    let saved = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<SavedResult>(&text).ok());
    let unknown = || Error::new(format!("{} has no results of `cold`", path.display()), "run `cargo measure cold`");
    saved.map(|saved| saved.report).ok_or_else(unknown)
}
