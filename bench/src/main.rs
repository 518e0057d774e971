//! `cargo measure`: measures the release binaries and compares the figures with their budgets.

use std::{process::ExitCode, sync::Arc};

use bench::{Environment, Measurement, measure};
use clap::{Parser, ValueEnum};
use dev::{build, credentials_keys, stack::Database, template::Template};
use local_database::{
    Error, Result,
    postgres::Postgres,
    print_line,
    private_database::{self, cluster_dir},
    supabase, workspace,
};
use ops::migrations::{print_added_sample_data, print_applied_migrations};

/// Measures the release binaries and compares the figures with their budgets
#[derive(Parser)]
#[command(name = "cargo measure", bin_name = "cargo measure")]
struct Arguments {
    /// Measurement to make [default: all]
    measurement: Option<Measurement>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { measurement } = Arguments::parse();
    let measurements = measurement.map_or_else(|| Measurement::value_variants().to_vec(), |one| vec![one]);
    match run(&measurements).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the measurements, each on a new database. Returns `true` if every budget was met.
async fn run(measurements: &[Measurement]) -> Result<bool> {
    if cfg!(debug_assertions) {
        let problem = "this program was built without optimization, which would distort the measurements";
        return Err(Error::new(problem, "run `cargo measure`"));
    }
    let template = Template::load(workspace())?;
    let target = workspace().join("target");
    let data = target.join("bench");
    let count = template.functions.len();
    print_line(format_args!("functions  building {count} for release; the first time, each takes a minute"));
    let functions = build::build(workspace(), &template, true).await?;
    let credentials_keys = credentials_keys::load_or_create(&data)?;
    let migrations = workspace().join("migrations");
    let mut is_within_budget = true;
    for measurement in measurements {
        Postgres::erase(&cluster_dir(&data)).await?;
        let (postgres, migrations_url) = private_database::start(&data).await?;
        print_applied_migrations(&migrations_url, &migrations).await?;
        print_added_sample_data(&migrations_url, &migrations).await?;
        let database = Database::of(&postgres, private_database::NAME);
        supabase::set_passwords(&database.admin_url, postgres.password()).await?;
        let environment = Environment {
            workspace: workspace().to_owned(),
            target: target.clone(),
            template: template.clone(),
            functions: functions.clone(),
            database,
            migrations_url,
            postgres: &postgres,
            credentials_keys: credentials_keys.clone(),
            log: Arc::new(|_, _| ()),
            progress: Arc::new(|line| print_line(line)),
        };
        let result = measure(*measurement, &environment).await;
        let saved = result.and_then(|result| Ok((result.save(&environment)?, result)));
        drop(environment);
        postgres.stop().await?;
        let (files, result) = saved?;
        is_within_budget &= result.missed.is_empty();
        print_line(format_args!("\n{result}"));
        for file in files {
            print_line(format_args!("saved      {}", file.display()));
        }
    }
    Ok(is_within_budget)
}
