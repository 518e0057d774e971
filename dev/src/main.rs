//! `cargo dev`: runs the backend on this machine. `cargo dev help` lists its commands.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use dev::{
    auth::{Auth, SigningKey},
    serve::{self, serve},
};
use local_database::{Result, default_data_dir, print_line, running_dev::RunningDev};

/// Runs the backend on this machine: functions, gateway, Postgres, sign-in and schedules
#[derive(Parser)]
#[command(name = "cargo dev", bin_name = "cargo dev")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Options,
    /// Directory of the database, the keys and the payments of Tripay's sandbox [default: .nofomo in the workspace]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Print a new access token for a user; `cargo dev` must be running
    Token {
        /// Email address of the user, such as pro@nofomo.test
        email: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { command, serve: options, data } = Arguments::parse();
    let data = data.unwrap_or_else(default_data_dir);
    let outcome = match command {
        None => serve(options, &data).await,
        Some(Command::Token { email }) => print_token(&email, &data).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn print_token(email: &str, data: &Path) -> Result<()> {
    let RunningDev { issuer, admin_url, .. } = RunningDev::find(data)?;
    let auth = Auth::new(SigningKey::load_or_create(data)?, issuer, admin_url);
    print_line(auth.token_for(email).await?);
    Ok(())
}
