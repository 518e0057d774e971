//! `cargo dev`: runs the backend on this machine; `cargo dev help` lists what else it does.

use std::{
    collections::BTreeMap,
    fmt::Display,
    fs::{self, File},
    io::{self, Read, Seek, Write},
    net::TcpListener,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use dev::{
    Error, Result,
    auth::{Auth, SigningKey},
    bench::{Measurement, Site},
    build,
    credentials::{self, rotate},
    migrations::{Contents, add_sample_data, ensure_development, migrate, read_contents},
    postgres::Postgres,
    reports::{Sample, samples},
    runtime::log,
    stack::{Database, Options, Stack},
    supabase::{self, DefaultGrants},
    template::Template,
    tripay,
    verify::verify_migrations,
};
use nofomo_vault::KeyRing;
use serde::{Deserialize, Serialize};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    try_join,
};
use uuid::Uuid;

/// The one database of the private server.
const DATABASE: &str = "nofomo";

/// Lambda gives an account a thousand; a laptop has less to give.
const CONCURRENCY: usize = 100;

/// Runs the backend on this machine: functions, gateway, Postgres, sign-in and schedules.
#[derive(Parser)]
#[command(name = "cargo dev", bin_name = "cargo dev")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
    /// The directory for the database's files, the keys and Tripay's payments [default: .nofomo in the workspace]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Args)]
struct Serve {
    /// The gateway's port on 127.0.0.1
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// A Postgres on this machine to use instead of a private one
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Throw the private database away first
    #[arg(long, conflicts_with = "database_url")]
    fresh: bool,
    /// Build the functions optimised
    #[arg(long)]
    release: bool,
    /// How long Tripay's sandbox waits before it sends again a callback that was not taken
    #[arg(long, value_name = "SECONDS", default_value_t = tripay::Options::CALLBACK_GAP.as_secs())]
    callback_gap: u64,
}

#[derive(Subcommand)]
enum Command {
    /// Apply the migrations that are new
    Migrate {
        /// The database [default: the private one]
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
        /// Also add the rows for development
        #[arg(long)]
        sample_data: bool,
    },
    /// Compare a database with what the migrations make, and recount its figures
    Verify {
        /// The database [default: the private one]
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
    },
    /// Seal all exchange credentials again that the newest key has not sealed
    RotateKeys {
        /// The database [default: the private one]
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
        /// The ring, the newest key first [default: the private one's]
        #[arg(long, value_name = "RING", env = "CREDENTIALS_KEYS", hide_env_values = true)]
        credentials_keys: Option<String>,
    },
    /// Measure the release binaries, and hold them against their budgets
    Bench {
        /// One thing [default: all]
        what: Option<Measurement>,
    },
    /// Print a fresh access token of a user, while `cargo dev` runs
    Token { email: String },
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { command, serve: options, data } = Arguments::parse();
    let data = data.unwrap_or_else(default_data);
    let work = async {
        match command {
            None => serve(options, &data).await.map(|()| true),
            Some(Command::Migrate { database_url, sample_data }) => {
                migrate_only(database_url, sample_data, &data).await.map(|()| true)
            }
            Some(Command::Verify { database_url }) => verify(database_url, &data).await,
            Some(Command::RotateKeys { database_url, credentials_keys }) => {
                rotate_keys(database_url, credentials_keys, &data).await
            }
            Some(Command::Bench { what }) => bench(what).await,
            Some(Command::Token { email }) => token(&email, &data).await.map(|()| true),
        }
    };
    match work.await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where this was compiled, so that it does not matter where it is called.
fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

fn default_data() -> PathBuf {
    workspace().join(".nofomo")
}

/// Prints a line. Nobody reading it is no reason to stop.
fn say(line: impl Display) {
    writeln!(io::stdout(), "{line}").unwrap_or_default();
}

async fn serve(options: Serve, data: &Path) -> Result<()> {
    let mut interruption = Interruption::listen()?;
    let backend = tokio::select! {
        // What runs by then ends by being dropped.
        () = interruption.comes() => return Ok(()),
        backend = Backend::start(options, data) => backend?,
    };
    interruption.comes().await;
    say("stopping");
    backend.stop().await
}

/// Ctrl-C, or a request to end.
struct Interruption {
    interrupt: Signal,
    terminate: Signal,
}

impl Interruption {
    fn listen() -> Result<Self> {
        let listen = |kind| {
            signal(kind).map_err(|error| Error::new(format!("cannot listen for signals: {error}"), "try once more"))
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn comes(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// All that runs.
struct Backend {
    stack: Stack,
    postgres: Option<Postgres>,
    notice: Notice,
}

impl Backend {
    async fn start(options: Serve, data: &Path) -> Result<Self> {
        let template = Template::load(workspace())?;
        if options.database_url.is_none() {
            Postgres::ensure_installed().await?;
        }
        // Found out now and not after the build.
        drop(TcpListener::bind(("127.0.0.1", options.port)).map_err(|error| {
            let problem = format!("cannot listen on port {}: {error}", options.port);
            Error::new(problem, "stop what listens there or choose another --port")
        })?);
        let mut notice = Notice::claim(data)?;
        if options.fresh {
            Postgres::erase(&cluster(data)).await?;
            erase_payments(data)?;
            say("database   thrown away");
        }

        say(format_args!("functions  building {}", template.functions.len()));
        let (functions, (postgres, database, migrations_url)) =
            try_join!(build::build(workspace(), &template, options.release), prepare(options.database_url, data))?;
        let table = describe(&template);
        let stack = Stack::start(Options {
            template,
            functions,
            database: database.clone(),
            signing_key: SigningKey::load_or_create(data)?,
            port: options.port,
            environment: BTreeMap::from([
                ("CREDENTIALS_KEYS".to_owned(), credentials::load_or_create(data)?),
                // Unless a language model is configured, prompts are answered too.
                ("TEMPLATES_FOR_PROMPTS".to_owned(), "true".to_owned()),
            ]),
            concurrency: CONCURRENCY,
            schedules: true,
            tripay: tripay::Options {
                file: Some(payments(data)),
                callback_gap: Duration::from_secs(options.callback_gap),
            },
            log: log::terminal(),
        })
        .await?;
        let url = stack.url();
        let issuer = stack.auth().issuer().to_owned();
        notice.write(&Running { issuer, admin_url: database.admin_url.clone(), migrations_url })?;
        say(format_args!("ready {url}\n\n{table}"));
        let mut token = "cargo dev token pro@nofomo.test".to_owned();
        if data != default_data() {
            token = format!("{token} --data '{}'", data.display());
        }
        say("  users     {free,pro,enterprise}@nofomo.test, password nofomo-dev");
        say(format_args!("  database  psql '{}'", database.admin_url));
        say(format_args!("  requests  {url}/_local/docs"));
        for Sample { analysis_type, email, url } in samples(&url) {
            say(format_args!("  report    {url}  ({analysis_type} of {email}'s bots)"));
        }
        say(format_args!("  try       curl -H \"Authorization: Bearer $({token})\" {url}/portfolio\n"));
        Ok(Self { stack, postgres, notice })
    }

    async fn stop(self) -> Result<()> {
        self.stack.stop().await;
        self.notice.withdraw();
        match self.postgres {
            Some(postgres) => postgres.stop().await,
            None => Ok(()),
        }
    }
}

/// A migrated database with sample data, and the URL that migrations run with.
async fn prepare(database_url: Option<String>, data: &Path) -> Result<(Option<Postgres>, Database, String)> {
    let (postgres, database, migrations_url) = match database_url {
        Some(url) => {
            let password = Uuid::new_v4().simple().to_string();
            let database = Database::at(&url, &password)?;
            ensure_development(&url).await?;
            supabase::prepare(&url, DefaultGrants::Closed).await?;
            apply(&url).await?;
            seed(&url).await?;
            supabase::set_passwords(&url, &password).await?;
            (None, database, url)
        }
        None => {
            let (postgres, url) = private_server(data).await?;
            apply(&url).await?;
            // Whoever has changed the sample data on this laptop keeps it so.
            if read_contents(&url).await? == Contents::Empty {
                seed(&url).await?;
            }
            let database = Database::of(&postgres, DATABASE);
            supabase::set_passwords(&database.admin_url, postgres.password()).await?;
            (Some(postgres), database, url)
        }
    };
    Ok((postgres, database, migrations_url))
}

/// The server in the data directory, and the URL that migrations run with.
async fn private_server(data: &Path) -> Result<(Postgres, String)> {
    let postgres = Postgres::start(&cluster(data), None).await?;
    supabase::create_database(&postgres, DATABASE, DefaultGrants::Closed).await?;
    say(format_args!("database   on port {}, in {}", postgres.port(), data.display()));
    // Not as a superuser: a privilege that migrations forget must be missed here.
    let url = postgres.url("postgres", DATABASE);
    Ok((postgres, url))
}

fn cluster(data: &Path) -> PathBuf {
    data.join("postgres")
}

/// What Tripay's sandbox keeps.
fn payments(data: &Path) -> PathBuf {
    data.join("tripay.json")
}

/// What they paid for is in no database any more.
fn erase_payments(data: &Path) -> Result<()> {
    let path = payments(data);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot_write(&path, &error)),
        _ => Ok(()),
    }
}

async fn apply(url: &str) -> Result<()> {
    let migrations = workspace().join("migrations");
    let applied = migrate(url, &migrations, |file| say(format_args!("migration  {file}"))).await?;
    if applied == 0 {
        say("migration  nothing new");
    }
    Ok(())
}

async fn seed(url: &str) -> Result<()> {
    if add_sample_data(url, &workspace().join("migrations")).await? {
        say("sample     users, plans, bots and trades added");
    }
    Ok(())
}

async fn migrate_only(database_url: Option<String>, sample_data: bool, data: &Path) -> Result<()> {
    let (postgres, url) = match database_url.or_else(|| Some(Running::find(data)?.migrations_url)) {
        Some(url) => (None, url),
        None => {
            let (postgres, url) = private_server(data).await?;
            (Some(postgres), url)
        }
    };
    apply(&url).await?;
    if sample_data {
        seed(&url).await?;
    }
    match postgres {
        Some(postgres) => postgres.stop().await,
        None => Ok(()),
    }
}

/// Whether the database is as it should be.
async fn verify(database_url: Option<String>, data: &Path) -> Result<bool> {
    let given = database_url.or_else(|| Some(Running::find(data)?.migrations_url));
    let (postgres, url) = match given {
        // What it is compared with needs a server that nobody else has in hand.
        Some(url) => (Postgres::start(&data.join("reference"), None).await?, url),
        None if Postgres::exists(&cluster(data)) => private_server(data).await?,
        None => {
            let problem = format!("there is no database in {}", data.display());
            return Err(Error::new(problem, "run `cargo dev` or `cargo dev migrate` with the same --data first"));
        }
    };
    let report = verify_migrations(&postgres, &url, &workspace().join("migrations")).await?;
    postgres.stop().await?;
    say(&report);
    Ok(report.differences.is_empty())
}

/// Whether nothing is left that another key sealed.
async fn rotate_keys(database_url: Option<String>, ring: Option<String>, data: &Path) -> Result<bool> {
    let ring = ring.map_or_else(|| credentials::load_or_create(data), Ok)?;
    let ring = KeyRing::parse(&ring).map_err(|error| Error::new(error.to_string(), "put the newest key first"))?;
    let Some(url) = database_url.or_else(|| Some(Running::find(data)?.migrations_url)) else {
        let problem = format!("`cargo dev` does not run with the data in {}", data.display());
        return Err(Error::new(problem, "start it in another terminal, or give a --database-url"));
    };
    let rotation = rotate(&url, &ring, |so_far| say(format_args!("sealed again  {}", so_far.sealed_again))).await?;
    for cause in &rotation.left {
        say(format_args!("left          {cause}"));
    }
    say(format_args!(
        "done          {} sealed again, {} saved anew meanwhile, {} left",
        rotation.sealed_again,
        rotation.overtaken,
        rotation.left.len()
    ));
    Ok(rotation.left.is_empty())
}

/// Whether every budget is kept. Each thing is measured on a database of its own, made anew.
async fn bench(what: Option<Measurement>) -> Result<bool> {
    // It shares the machine with what it measures, and slow it would be measured itself.
    if cfg!(debug_assertions) {
        return bench_optimised(what).await;
    }
    let template = Template::load(workspace())?;
    let target = workspace().join("target");
    let data = target.join("bench");
    let count = template.functions.len();
    say(format_args!("functions  building {count}, as for a release: a minute each the first time"));
    let functions = build::build(workspace(), &template, true).await?;
    let credentials_keys = credentials::load_or_create(&data)?;
    let mut missed = 0;
    for measurement in what.map_or_else(|| Measurement::value_variants().to_vec(), |one| vec![one]) {
        Postgres::erase(&cluster(&data)).await?;
        let (postgres, migrations_url) = private_server(&data).await?;
        apply(&migrations_url).await?;
        seed(&migrations_url).await?;
        let database = Database::of(&postgres, DATABASE);
        supabase::set_passwords(&database.admin_url, postgres.password()).await?;
        let site = Site {
            workspace: workspace().to_owned(),
            target: target.clone(),
            template: template.clone(),
            functions: functions.clone(),
            database,
            migrations_url,
            postgres: &postgres,
            credentials_keys: credentials_keys.clone(),
            log: Arc::new(|_, _| ()),
            progress: Arc::new(|line| say(line)),
        };
        let findings = dev::bench::measure(measurement, &site).await;
        let kept = findings.and_then(|findings| Ok((findings.keep(&site)?, findings)));
        drop(site);
        postgres.stop().await?;
        let (files, findings) = kept?;
        missed += findings.missed.len();
        say(format_args!("\n{findings}"));
        for file in files {
            say(format_args!("kept       {}", file.display()));
        }
    }
    Ok(missed == 0)
}

/// The same by an optimised build of this program.
async fn bench_optimised(what: Option<Measurement>) -> Result<bool> {
    let mut cargo = tokio::process::Command::new(option_env!("CARGO").unwrap_or("cargo"));
    cargo.current_dir(workspace()).args(["run", "--profile", "bench-driver", "--package", "dev", "--", "bench"]);
    cargo.args(what.and_then(|what| what.to_possible_value()).map(|value| value.get_name().to_owned()));
    let status = cargo.kill_on_drop(true).status().await;
    let missing = |error| Error::new(format!("cannot run cargo: {error}"), "install Rust from https://rustup.rs");
    Ok(status.map_err(missing)?.success())
}

async fn token(email: &str, data: &Path) -> Result<()> {
    let Some(Running { issuer, admin_url, .. }) = Running::find(data) else {
        let problem = format!("`cargo dev` does not run with the data in {}", data.display());
        return Err(Error::new(problem, "start it in another terminal and wait until it is ready"));
    };
    let auth = Auth::new(SigningKey::load_or_create(data)?, issuer, admin_url);
    say(auth.token_for(email).await?);
    Ok(())
}

/// What a running `cargo dev` tells the other commands.
#[derive(Deserialize, Serialize)]
struct Running {
    issuer: String,
    admin_url: String,
    migrations_url: String,
}

impl Running {
    /// None while nothing runs with this data, or not yet.
    fn find(data: &Path) -> Option<Self> {
        let mut file = File::open(Notice::path(data)).ok()?;
        // A notice that nobody holds was left by a process that is gone.
        if file.try_lock_shared().is_ok() {
            return None;
        }
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}

/// The file that says so, held as long as it is true.
struct Notice {
    file: File,
    path: PathBuf,
}

impl Notice {
    fn path(data: &Path) -> PathBuf {
        data.join("running.json")
    }

    fn claim(data: &Path) -> Result<Self> {
        let path = Self::path(data);
        let file = fs::create_dir_all(data)
            .and_then(|()| File::options().create(true).truncate(false).write(true).mode(0o600).open(&path))
            .map_err(|error| cannot_write(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, path }),
            Err(_) => {
                let problem = format!("another `cargo dev` runs with the data in {}", data.display());
                Err(Error::new(problem, "stop it or give this one a --data directory of its own"))
            }
        }
    }

    fn write(&mut self, running: &Running) -> Result<()> {
        let text = serde_json::to_string(running).unwrap_or_default();
        let written = self.file.set_len(0).and_then(|()| self.file.rewind());
        written.and_then(|()| self.file.write_all(text.as_bytes())).map_err(|error| cannot_write(&self.path, &error))
    }

    fn withdraw(self) {
        // Left behind it says nothing: nobody holds it.
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::new(format!("cannot write {}: {error}", path.display()), "check its owner and permissions")
}

/// The functions, each with what makes it run.
fn describe(template: &Template) -> String {
    let mut lines = Vec::new();
    for function in &template.functions {
        let routes = function.routes.iter().map(|route| (route.method.clone(), route.path.clone()));
        let schedules = function.schedules.iter().map(|schedule| (schedule.expression.to_string(), String::new()));
        lines.extend(routes.chain(schedules).map(|(what, path)| (what, path, &function.name)));
    }
    let width = lines.iter().map(|(what, path, _)| what.len().max(8) + path.len()).max().unwrap_or_default();
    let line = |(what, path, name): &(String, String, &String)| {
        let trigger = format!("{what:<8}  {path}");
        format!("  {trigger:<0$}  {name}\n", width + 2)
    };
    lines.iter().map(line).collect()
}
