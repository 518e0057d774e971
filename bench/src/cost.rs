//! What a million requests cost, from the figures of `cold` and the memory in template.yaml.

use std::fmt;

use serde::Serialize;

use crate::{cold, environment::Environment};
use local_database::{Error, Result};

/// Lambda gives a whole processor at so many MB, and a part of it below.
const MEMORY_OF_A_PROCESSOR: f64 = 1_769.0;

/// Of one function.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub function: String,
    pub memory_mb: u64,
    /// How long a request takes with that part of a processor, beside a database that is as near as here.
    pub duration_ms: f64,
    /// For a million requests.
    pub gigabyte_seconds: f64,
    pub database_cpu_ms: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub functions: Vec<Figures>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "For a million requests:\n")?;
        writeln!(f, "| function | memory, MB | duration of one, ms | GB-seconds | database CPU, ms |")?;
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

/// # Errors
///
/// A function that template.yaml does not have.
pub fn of(environment: &Environment<'_>, cold: &cold::Report) -> Result<Report> {
    let functions = cold.functions.iter().map(|figures| {
        let known = environment.template.functions.iter().find(|function| function.name == figures.function);
        let unknown = || Error::new(format!("there is no function {}", figures.function), "measure `cold` again");
        Ok(Figures::of(figures, known.ok_or_else(unknown)?.memory_megabytes))
    });
    Ok(Report { functions: functions.collect::<Result<_>>()? })
}

impl Figures {
    fn of(cold: &cold::Figures, memory_mb: u64) -> Self {
        let share = (memory_mb as f64 / MEMORY_OF_A_PROCESSOR).min(1.0);
        // What is waited for stays, what is computed is stretched.
        let duration_ms = cold.request_ms - cold.function_cpu_ms + cold.function_cpu_ms / share;
        Self {
            function: cold.function.clone(),
            memory_mb,
            duration_ms,
            // Billed by the millisecond, the next whole one.
            gigabyte_seconds: duration_ms.ceil() * 1_000.0 * memory_mb as f64 / 1_024.0,
            database_cpu_ms: cold.database_cpu_ms * 1_000_000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_part_of_a_processor_stretches_what_is_computed_and_not_what_is_waited_for() {
        let cold = cold::Figures {
            function: "create-bot".into(),
            outcome: "201".into(),
            binary_mib: 8.0,
            next_ms: 10.0,
            best_next_ms: 9.0,
            answer_ms: 15.0,
            request_ms: 3.0,
            function_cpu_ms: 0.5,
            database_cpu_ms: 1.5,
            memory_mib: 12.0,
        };
        let Figures { duration_ms, gigabyte_seconds, database_cpu_ms, .. } = Figures::of(&cold, 256);
        // 2.5 ms waited for and 0.5 ms at 256/1769 of a processor: 3.455 ms.
        assert!((duration_ms - 5.955).abs() < 0.001, "{duration_ms}");
        assert!((gigabyte_seconds - 6.0 * 1_000.0 * 0.25).abs() < 1e-6, "{gigabyte_seconds}");
        assert!((database_cpu_ms - 1_500_000.0).abs() < 1e-6, "{database_cpu_ms}");
        assert!((Figures::of(&cold, 3_008).duration_ms - 3.0).abs() < 1e-9, "more than a whole one is no quicker");
    }
}
