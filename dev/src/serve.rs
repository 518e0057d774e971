//! Runs everything until Ctrl-C: database, functions, gateway, sign-in, schedules and Tripay's sandbox.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use local_database::{Error, Result};
use local_database::{
    default_data_dir,
    postgres::Postgres,
    print_line,
    private_database::{self, cluster_dir},
    running_dev::{RunningDev, RunningFile},
    supabase::{self, DefaultGrants},
    workspace,
};
use ops::migrations::{Contents, ensure_development, print_added_sample_data, print_applied_migrations, read_contents};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    try_join,
};
use uuid::Uuid;

use crate::{
    auth::SigningKey,
    build, credentials_keys,
    reports::{SampleReport, sample_reports},
    runtime::log,
    stack::{self, Database, Stack},
    template::Template,
    tripay,
};

/// Maximum instances per function. Lambda allows an account a thousand; a laptop has fewer resources.
const MAX_CONCURRENCY: usize = 100;

/// Options of `cargo dev` without a command.
#[derive(Args)]
pub struct Options {
    /// Port of the gateway on 127.0.0.1
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// URL of a Postgres server on this machine to use instead of the private one
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Delete the private database first
    #[arg(long, conflicts_with = "database_url")]
    fresh: bool,
    /// Build the functions with optimizations
    #[arg(long)]
    release: bool,
    /// Delay before Tripay's sandbox sends a rejected callback again
    #[arg(long, value_name = "SECONDS", default_value_t = tripay::Options::CALLBACK_RETRY_DELAY.as_secs())]
    callback_retry_delay: u64,
}

/// Serves until Ctrl-C or a request to terminate.
///
/// # Errors
///
/// The port or the data directory is in use, a function does not compile, or the database does not start.
pub async fn serve(options: Options, data: &Path) -> Result<()> {
    let mut shutdown = ShutdownSignals::listen()?;
    let backend = tokio::select! {
        // Everything that has started by then stops when it is dropped.
        () = shutdown.received() => return Ok(()),
        backend = Backend::start(options, data) => backend?,
    };
    shutdown.received().await;
    print_line("stopping");
    backend.stop().await
}

/// SIGINT (Ctrl-C) and SIGTERM.
struct ShutdownSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl ShutdownSignals {
    fn listen() -> Result<Self> {
        let listen =
            |kind| signal(kind).map_err(|error| Error::new(format!("cannot listen for signals: {error}"), "try again"));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The running backend.
struct Backend {
    stack: Stack,
    /// The private server, unless another database is used.
    postgres: Option<Postgres>,
    running_file: RunningFile,
}

impl Backend {
    async fn start(options: Options, data: &Path) -> Result<Self> {
        let template = Template::load(workspace())?;
        if options.database_url.is_none() {
            Postgres::ensure_installed().await?;
        }
        // Checked before the build, which takes minutes.
        drop(TcpListener::bind(("127.0.0.1", options.port)).map_err(|error| {
            let problem = format!("cannot listen on port {}: {error}", options.port);
            Error::new(problem, "stop the program that listens there, or choose another --port")
        })?);
        let mut running_file = RunningFile::lock(data)?;
        if options.fresh {
            Postgres::erase(&cluster_dir(data)).await?;
            delete_payments(data)?;
            print_line("database   deleted");
        }

        print_line(format_args!("functions  building {}", template.functions.len()));
        let (functions, prepared) = try_join!(
            build::build(workspace(), &template, options.release),
            prepare_database(options.database_url, data)
        )?;
        let PreparedDatabase { postgres, database, migrations_url } = prepared;
        let triggers = describe_triggers(&template);
        let stack = Stack::start(stack::Options {
            template,
            functions,
            database: database.clone(),
            signing_key: SigningKey::load_or_create(data)?,
            port: options.port,
            environment: BTreeMap::from([
                ("CREDENTIALS_KEYS".to_owned(), credentials_keys::load_or_create(data)?),
                // Lets prompts work without a language model.
                ("TEMPLATES_FOR_PROMPTS".to_owned(), "true".to_owned()),
            ]),
            concurrency: MAX_CONCURRENCY,
            has_schedules: true,
            tripay: tripay::Options {
                file: Some(payments_file(data)),
                callback_retry_delay: Duration::from_secs(options.callback_retry_delay),
            },
            log: log::terminal(),
        })
        .await?;
        let issuer = stack.auth().issuer().to_owned();
        let admin_url = database.admin_url;
        running_file.write(&RunningDev { issuer, admin_url: admin_url.clone(), migrations_url })?;
        print_ready(&stack.url(), &triggers, &admin_url, data);
        Ok(Self { stack, postgres, running_file })
    }

    async fn stop(self) -> Result<()> {
        self.stack.stop().await;
        self.running_file.remove();
        match self.postgres {
            Some(postgres) => postgres.stop().await,
            None => Ok(()),
        }
    }
}

/// Prints the URL, the routes and schedules, and examples to try.
fn print_ready(url: &str, triggers: &str, admin_url: &str, data: &Path) {
    print_line(format_args!("ready {url}\n\n{triggers}"));
    let mut token = "cargo dev token pro@nofomo.test".to_owned();
    if data != default_data_dir() {
        token = format!("{token} --data '{}'", data.display());
    }
    print_line("  users     {free,pro,enterprise}@nofomo.test, password nofomo-dev");
    print_line(format_args!("  database  psql '{admin_url}'"));
    print_line(format_args!("  requests  {url}/_local/docs"));
    for SampleReport { analysis_type, email, url } in sample_reports(url) {
        print_line(format_args!("  report    {url}  ({analysis_type} of the bots of {email})"));
    }
    print_line(format_args!("  try       curl -H \"Authorization: Bearer $({token})\" {url}/portfolio\n"));
}

/// A migrated database with sample data.
struct PreparedDatabase {
    /// The private server, unless another database is used.
    postgres: Option<Postgres>,
    database: Database,
    /// URL of the role that applies migrations.
    migrations_url: String,
}

async fn prepare_database(database_url: Option<String>, data: &Path) -> Result<PreparedDatabase> {
    let migrations = workspace().join("migrations");
    match database_url {
        Some(url) => {
            let password = Uuid::new_v4().simple().to_string();
            let database = Database::at(&url, &password)?;
            ensure_development(&url).await?;
            supabase::prepare(&url, DefaultGrants::Closed).await?;
            print_applied_migrations(&url, &migrations).await?;
            print_added_sample_data(&url, &migrations).await?;
            supabase::set_passwords(&url, &password).await?;
            Ok(PreparedDatabase { postgres: None, database, migrations_url: url })
        }
        None => {
            let (postgres, url) = private_database::start(data).await?;
            print_applied_migrations(&url, &migrations).await?;
            // Sample data that was changed on this laptop stays changed.
            if read_contents(&url).await? == Contents::Empty {
                print_added_sample_data(&url, &migrations).await?;
            }
            let database = Database::of(&postgres, private_database::NAME);
            supabase::set_passwords(&database.admin_url, postgres.password()).await?;
            Ok(PreparedDatabase { postgres: Some(postgres), database, migrations_url: url })
        }
    }
}

/// File that stores the payments of Tripay's sandbox.
fn payments_file(data: &Path) -> PathBuf {
    data.join("tripay.json")
}

/// Deletes the payments: their invoices are deleted with the database.
fn delete_payments(data: &Path) -> Result<()> {
    let path = payments_file(data);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::new(format!("cannot delete {}: {error}", path.display()), "check its owner and permissions"))
        }
        _ => Ok(()),
    }
}

/// Formats a table of the routes and schedules with their functions.
fn describe_triggers(template: &Template) -> String {
    let mut lines = Vec::new();
    for function in &template.functions {
        let routes = function.routes.iter().map(|route| (route.method.clone(), route.path.clone()));
        let schedules = function.schedules.iter().map(|schedule| (schedule.expression.to_string(), String::new()));
        lines.extend(routes.chain(schedules).map(|(trigger, path)| (trigger, path, &function.name)));
    }
    let width = lines.iter().map(|(trigger, path, _)| trigger.len().max(8) + path.len()).max().unwrap_or_default();
    let line = |(trigger, path, name): &(String, String, &String)| {
        let trigger = format!("{trigger:<8}  {path}");
        format!("  {trigger:<0$}  {name}\n", width + 2)
    };
    lines.iter().map(line).collect()
}
