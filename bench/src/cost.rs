//! Cost of a million requests, computed from the results of `cold` and the memory sizes in template.yaml.

use std::fmt;

use local_database::{Error, Result};
use serde::Serialize;

use crate::{cold, environment::Environment};

/// Memory in MB with which Lambda gives a function a full core; with less memory it gets a proportional share.
const MEMORY_PER_CORE: f64 = 1_769.0;

/// Cost of one function.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub function: String,
    pub memory_mb: u64,
    /// Duration of a request with the function's share of a core, and with the database as near as in the measurement.
    pub duration_ms: f64,
    /// GB-seconds for a million requests.
    pub gigabyte_seconds: f64,
    /// CPU time of the database for a million requests.
    pub database_cpu_ms: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub functions: Vec<Figures>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Per million requests:\n")?;
        writeln!(f, "| function | memory, MB | duration of one request, ms | GB-seconds | database CPU, ms |")?;
        writeln!(f, "|---|--:|--:|--:|--:|")?;
        for Figures { function, memory_mb, duration_ms, gigabyte_seconds, database_cpu_ms } in &self.functions {
            writeln!(
                f,
                "| {function} | {memory_mb} | {duration_ms:.1} | {gigabyte_seconds:.0} | {database_cpu_ms:.0} |"
            )?;
        }
        Ok(())
    }
}

/// Computes the cost of all functions.
///
/// # Errors
///
/// The results of `cold` have a function that `template.yaml` does not have.
pub fn compute(environment: &Environment<'_>, cold: &cold::Report) -> Result<Report> {
    let functions = cold.functions.iter().map(|figures| {
        let known = environment.template.functions.iter().find(|function| function.name == figures.function);
        let unknown =
            || Error::new(format!("there is no function {}", figures.function), "run `cargo measure cold` again");
        Ok(Figures::of(figures, known.ok_or_else(unknown)?.memory_megabytes))
    });
    Ok(Report { functions: functions.collect::<Result<_>>()? })
}

impl Figures {
    fn of(cold: &cold::Figures, memory_mb: u64) -> Self {
        let share = (memory_mb as f64 / MEMORY_PER_CORE).min(1.0);
        // Waiting time stays the same; CPU time becomes longer.
        let duration_ms = cold.request_ms - cold.function_cpu_ms + cold.function_cpu_ms / share;
        Self {
            function: cold.function.clone(),
            memory_mb,
            duration_ms,
            // Billed per started millisecond.
            gigabyte_seconds: duration_ms.ceil() * 1_000.0 * memory_mb as f64 / 1_024.0,
            database_cpu_ms: cold.database_cpu_ms * 1_000_000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_share_of_a_core_lengthens_cpu_time_and_not_waiting_time() {
        let cold = cold::Figures {
            function: "create-bot".into(),
            outcome: "201".into(),
            binary_mib: 8.0,
            next_ms: 10.0,
            min_next_ms: 9.0,
            first_response_ms: 15.0,
            request_ms: 3.0,
            function_cpu_ms: 0.5,
            database_cpu_ms: 1.5,
            memory_mib: 12.0,
        };
        let Figures { duration_ms, gigabyte_seconds, database_cpu_ms, .. } = Figures::of(&cold, 256);
        // 2.5 ms of waiting, and 0.5 ms at 256/1769 of a core: 3.455 ms.
        assert!((duration_ms - 5.955).abs() < 0.001, "{duration_ms}");
        assert!((gigabyte_seconds - 6.0 * 1_000.0 * 0.25).abs() < 1e-6, "{gigabyte_seconds}");
        assert!((database_cpu_ms - 1_500_000.0).abs() < 1e-6, "{database_cpu_ms}");
        assert!((Figures::of(&cold, 3_008).duration_ms - 3.0).abs() < 1e-9, "more than a full core is not faster");
    }
}
