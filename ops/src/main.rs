//! `cargo ops`: operations on a database; `cargo ops help` lists them.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use local_database::{
    Error, Result, default_data_dir, postgres::Postgres, print_line, running_dev::RunningDev, workspace,
};
use nofomo_vault::KeyRing;
use ops::{
    migrations::{print_added_sample_data, print_applied_migrations},
    rotate_keys::rotate_keys,
    verify::verify_migrations,
};

/// Operations on a database: apply migrations, verify, re-encrypt credentials
#[derive(Parser)]
#[command(name = "cargo ops", bin_name = "cargo ops")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

/// The database of a command.
#[derive(Args)]
struct Target {
    /// URL of the database, with the role postgres [default: the database of the running `cargo dev`]
    #[arg(long, global = true, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Data directory of `cargo dev`, which also holds the reference database of `verify` [default: .nofomo in the
    /// workspace]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Target {
    fn data(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(default_data_dir)
    }

    fn database_url(&self) -> Result<String> {
        if let Some(url) = &self.database_url {
            return Ok(url.clone());
        }
        RunningDev::find(&self.data()).map(|running| running.migrations_url).map_err(|_| {
            let data = self.data();
            let problem =
                format!("no database is given, and no `cargo dev` is running with the data in {}", data.display());
            Error::new(problem, "pass --database-url, set DATABASE_URL, or start `cargo dev`")
        })
    }
}

#[derive(Subcommand)]
enum Command {
    /// Apply the migrations that are new to the database
    Migrate {
        /// Also add the sample data for development, whose users have a public password
        #[arg(long)]
        sample_data: bool,
    },
    /// Compare the database with the migrations, and check its statistics and billing
    Verify,
    /// Re-encrypt with the newest key every exchange credential that an older key has encrypted
    RotateKeys {
        /// Key ring, the newest key first: 2:<base64>,1:<base64> (required)
        #[arg(long, value_name = "RING", env = "CREDENTIALS_KEYS", hide_env_values = true)]
        credentials_keys: Option<String>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { command, target } = Arguments::parse();
    let outcome = match command {
        Command::Migrate { sample_data } => migrate(&target, sample_data).await.map(|()| true),
        Command::Verify => verify(&target).await,
        Command::RotateKeys { credentials_keys } => rotate(&target, credentials_keys).await,
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn migrations() -> PathBuf {
    workspace().join("migrations")
}

async fn migrate(target: &Target, sample_data: bool) -> Result<()> {
    let url = target.database_url()?;
    print_applied_migrations(&url, &migrations()).await?;
    if sample_data {
        print_added_sample_data(&url, &migrations()).await?;
    }
    Ok(())
}

/// Returns `true` if the database has no differences.
async fn verify(target: &Target) -> Result<bool> {
    let url = target.database_url()?;
    // The reference database is created on its own server, so that nothing is created on the server that is verified.
    let postgres = Postgres::start(&reference_dir(&target.data()), None).await?;
    let report = verify_migrations(&postgres, &url, &migrations()).await;
    postgres.stop().await?;
    let report = report?;
    print_line(&report);
    Ok(report.differences.is_empty())
}

fn reference_dir(data: &Path) -> PathBuf {
    data.join("reference")
}

/// Returns `true` if the newest key has encrypted every credential.
async fn rotate(target: &Target, ring: Option<String>) -> Result<bool> {
    let remedy = "set CREDENTIALS_KEYS or pass --credentials-keys, the newest key first: 2:<new>,1:<old>";
    let ring = ring.ok_or_else(|| Error::new("the key ring is missing", remedy))?;
    let ring = KeyRing::parse(&ring).map_err(|error| Error::new(error.to_string(), remedy))?;
    let url = target.database_url()?;
    let report = |so_far: u64| print_line(format_args!("re-encrypted  {so_far}"));
    let rotation = rotate_keys(&url, &ring, |so_far| report(so_far.re_encrypted)).await?;
    for failure in &rotation.failures {
        print_line(format_args!("failed        {failure}"));
    }
    print_line(format_args!(
        "done          {} re-encrypted, {} replaced by their owners meanwhile, {} failed",
        rotation.re_encrypted,
        rotation.replaced_by_owner,
        rotation.failures.len()
    ));
    Ok(rotation.failures.is_empty())
}
