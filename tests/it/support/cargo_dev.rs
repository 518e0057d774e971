//! The programs `cargo dev` and `cargo ops`, run as from a terminal.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use dev::template::Template;
use local_database::postgres::Postgres;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::database::{Session, run_directory, server, workspace};
use super::waiting::{WAIT_TIMEOUT, wait_until};
use super::world::{PASSWORD, functions, new_bot};

/// Programs of `cargo dev` and `cargo ops`, built once.
pub(crate) struct Programs {
    pub(crate) dev: PathBuf,
    pub(crate) ops: PathBuf,
}

/// Builds the programs together with the functions, so that no later start has anything left to build.
pub(crate) async fn programs() -> &'static Programs {
    static BUILT: OnceCell<Programs> = OnceCell::const_new();
    let build = async || {
        functions().await;
        // To cargo they are packages with a binary, like any function.
        let mut template = Template::load(workspace()).unwrap();
        template.functions.truncate(2);
        template.functions[0].name = "dev".into();
        template.functions[1].name = "ops".into();
        let built = dev::build::build(workspace(), &template, false).await.unwrap();
        Programs { dev: built["dev"].clone(), ops: built["ops"].clone() }
    };
    BUILT.get_or_init(build).await
}

/// Directory for `--data`, deleted when dropped.
pub(crate) struct DataDirectory {
    pub(crate) path: PathBuf,
    /// Held so that another run of the tests does not delete the directory.
    _lock: fs::File,
}

impl DataDirectory {
    pub(crate) async fn new(name: &str) -> Self {
        // Starting the server deletes what earlier runs left behind, so it comes first.
        server().await;
        let path = run_directory(&format!("cargo-dev-{name}"));
        fs::create_dir_all(&path).unwrap();
        let lock = fs::File::create(path.join("lock")).unwrap();
        lock.lock().unwrap();
        Self { path, _lock: lock }
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        let path = self.path.clone();
        // A thread, since the test's own runtime may be ending.
        let erasing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            for server in ["postgres", "reference"].map(|name| path.join(name)).iter().filter(|path| path.exists()) {
                runtime.block_on(Postgres::erase(server)).ok();
            }
            fs::remove_dir_all(&path).ok();
        });
        erasing.join().ok();
    }
}

/// `cargo dev` with these arguments, on this data.
pub(crate) async fn dev_command(data: &DataDirectory, arguments: &[&str]) -> Command {
    command_of(&programs().await.dev, data, arguments)
}

/// `cargo ops` with these arguments, on this data.
pub(crate) async fn ops_command(data: &DataDirectory, arguments: &[&str]) -> Command {
    let mut command = command_of(&programs().await.ops, data, arguments);
    command.env_remove("DATABASE_URL").env_remove("CREDENTIALS_KEYS");
    command
}

fn command_of(program: &Path, data: &DataDirectory, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg("--data").arg(&data.path);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs a command to its end; returns its exit code and its standard output.
pub(crate) async fn run_command(mut command: Command) -> (i32, String) {
    let output = timeout(WAIT_TIMEOUT, command.output()).await.unwrap().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// Runs a command that must fail; returns its error line, which gives the cause and a remedy.
pub(crate) async fn failure(mut command: Command) -> String {
    let output = timeout(WAIT_TIMEOUT, command.output()).await.unwrap().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let last = errors.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && last.contains("; "), "{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    last.to_owned()
}

/// A running process.
pub(crate) struct Process {
    pub(crate) id: i32,
    parent: i32,
    pub(crate) command: String,
}

/// All running processes, without zombies.
pub(crate) async fn processes() -> Vec<Process> {
    // Minimal systems have no `ps`.
    if cfg!(target_os = "linux") {
        let directories = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        return directories.filter_map(|directory| read_process(&directory)).collect();
    }
    let listed = Command::new("ps").args(["-Aww", "-o", "pid=,ppid=,stat=,args="]).output().await.unwrap();
    let read = |line: &str| {
        let mut words = line.split_whitespace();
        let (id, parent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let is_alive = !words.next()?.starts_with('Z');
        is_alive.then(|| Process { id, parent, command: words.collect::<Vec<_>>().join(" ") })
    };
    String::from_utf8_lossy(&listed.stdout).lines().filter_map(read).collect()
}

/// Reads a process from its directory in `/proc`; `None` if the directory does not belong to a running process.
fn read_process(directory: &Path) -> Option<Process> {
    let id = directory.file_name()?.to_str()?.parse().ok()?;
    let status = fs::read_to_string(directory.join("stat")).ok()?;
    let arguments = fs::read_to_string(directory.join("cmdline")).ok()?;
    // The name, in parentheses, may contain any character.
    let mut words = status.rsplit_once(')')?.1.split_whitespace();
    let (state, parent) = (words.next()?, words.next()?.parse().ok()?);
    let command = arguments.split(|character: char| character == '\0' || character.is_whitespace());
    let command = command.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    (state != "Z").then_some(Process { id, parent, command })
}

/// Waits until none of these processes is running.
pub(crate) async fn wait_until_ended(ended: &[Process]) {
    let is_running =
        |process: &Process| ended.iter().any(|other| other.id == process.id && other.command == process.command);
    wait_until("all processes end", async || !processes().await.iter().any(is_running)).await;
}

/// Migrations that these lines of output report as applied.
pub(crate) fn applied_migrations<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    lines.filter_map(|line| line.strip_prefix("migration  ").filter(|file| file.ends_with(".sql"))).collect()
}

/// Names of the migration files, in order.
pub(crate) fn migration_files() -> Vec<String> {
    let files = fs::read_dir(workspace().join("migrations")).unwrap();
    let files: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.into_iter().filter(|file| file.ends_with(".sql")).collect()
}

/// A free port below those that the system assigns, so that it is still free after a restart.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::SeqCst);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A running `cargo dev`, killed when dropped.
pub(crate) struct Dev {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
    /// Lines that the program printed until it was ready.
    printed: Vec<String>,
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
}

impl Dev {
    pub(crate) async fn start(data: &DataDirectory, arguments: &[&str]) -> Self {
        let mut dev = Self::spawn(dev_command(data, arguments).await, data);
        dev.wait_until_ready().await;
        dev
    }

    pub(crate) fn spawn(mut command: Command, data: &DataDirectory) -> Self {
        let log = data.path.join("stderr.log");
        let mut process = command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        // The client needs a TLS provider although it does not use TLS; installing the provider again has no effect.
        rustls::crypto::ring::default_provider().install_default().ok();
        Self { process, output, log, printed: Vec::new(), url: String::new(), client: reqwest::Client::new() }
    }

    pub(crate) async fn wait_until_ready(&mut self) {
        while self.url.is_empty() {
            let Some(line) = timeout(WAIT_TIMEOUT, self.output.next_line()).await.unwrap().unwrap() else {
                panic!("{:?}\n{}", self.printed, fs::read_to_string(&self.log).unwrap());
            };
            self.url = line.strip_prefix("ready ").unwrap_or_default().to_owned();
            self.printed.push(line);
        }
    }

    /// Migrations that this start applied.
    pub(crate) fn applied_migrations(&self) -> Vec<&str> {
        applied_migrations(self.printed.iter().map(String::as_str))
    }

    pub(crate) async fn send(&self, method: Method, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(token);
        let request = if body.is_null() { request } else { request.json(body) };
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        self.send(Method::GET, path, token, &Value::Null).await
    }

    pub(crate) async fn sign_in(&self, password: &str) -> (u16, Value) {
        let credentials = json!({ "email": "pro@nofomo.test", "password": password });
        self.send(Method::POST, "/auth/v1/token?grant_type=password", "", &credentials).await
    }

    /// Access token of the sample user `pro`.
    pub(crate) async fn token(&self) -> String {
        self.sign_in(PASSWORD).await.1["access_token"].as_str().unwrap().to_owned()
    }

    /// Creates a bot; returns the status.
    pub(crate) async fn create_bot(&self, token: &str, name: &str) -> u16 {
        self.send(Method::POST, "/bots", token, &new_bot(name)).await.0
    }

    /// Names of the bots in the portfolio.
    pub(crate) async fn bot_names(&self, token: &str) -> Vec<String> {
        let (status, portfolio) = self.get("/portfolio", token).await;
        assert_eq!(status, 200, "{portfolio}");
        portfolio["bots"].as_array().unwrap().iter().map(|bot| bot["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn database_url(&self) -> String {
        self.get("/_local/health", "").await.1["database_url"].as_str().unwrap().to_owned()
    }

    /// Locks the table of bots: requests that create a bot wait until the returned session ends its transaction.
    pub(crate) async fn lock_bots(&self) -> Session {
        let session = Session::open(&self.database_url().await).await;
        session.run("begin; lock table public.bots in access exclusive mode").await.unwrap();
        session
    }

    /// All processes that the program has started, directly or indirectly.
    pub(crate) async fn descendants(&self) -> Vec<Process> {
        let mut ids = BTreeSet::from([self.id().as_raw()]);
        let (mut descendants, mut others) = (Vec::new(), processes().await);
        loop {
            let (children, rest): (Vec<_>, _) = others.into_iter().partition(|process| ids.contains(&process.parent));
            if children.is_empty() {
                return descendants;
            }
            ids.extend(children.iter().map(|process| process.id));
            descendants.extend(children);
            others = rest;
        }
    }

    pub(crate) async fn create_bot_instances(&self) -> Vec<Process> {
        let mut create_bot_instances = self.descendants().await;
        create_bot_instances.retain(|process| process.command.ends_with("/create-bot"));
        create_bot_instances
    }

    pub(crate) fn id(&self) -> Pid {
        Pid::from_raw(self.process.id().unwrap().cast_signed())
    }

    /// Sends a signal and waits for the end.
    pub(crate) async fn stop(self, signal: Signal) -> ExitStatus {
        kill(self.id(), signal).unwrap();
        self.wait().await
    }

    pub(crate) async fn wait(mut self) -> ExitStatus {
        timeout(WAIT_TIMEOUT, self.process.wait()).await.expect("the process ends").unwrap()
    }
}
