//! The real programs of `cargo dev` and `cargo ops`: what they print and serve, how they end and what they leave behind.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Instant;

use dev::template::Template;
use futures_util::future::join_all;
use local_database::postgres::Postgres;
use local_database::{private_database, supabase};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::support::database::{Session, default_grants, run_directory, server, workspace};
use crate::support::waiting::{PATIENCE, until};
use crate::support::world::{FIRST_KEY, PASSWORD, functions, new_bot};

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

/// A directory for `--data`, deleted when the test is over.
struct Data {
    path: PathBuf,
    /// Held, so that another run of the tests does not take it for left over.
    _lock: fs::File,
}

impl Data {
    async fn new(name: &str) -> Self {
        // It deletes what earlier runs left: before there is anything of this one.
        server().await;
        let path = run_directory(&format!("cargo-dev-{name}"));
        fs::create_dir_all(&path).unwrap();
        let lock = fs::File::create(path.join("lock")).unwrap();
        lock.lock().unwrap();
        Self { path, _lock: lock }
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let path = self.path.clone();
        // The test's own runtime may be the one that is ending.
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
async fn command(data: &Data, arguments: &[&str]) -> Command {
    command_of(&programs().await.dev, data, arguments)
}

/// `cargo ops` with these arguments, on this data.
async fn ops_command(data: &Data, arguments: &[&str]) -> Command {
    let mut command = command_of(&programs().await.ops, data, arguments);
    command.env_remove("DATABASE_URL").env_remove("CREDENTIALS_KEYS");
    command
}

fn command_of(program: &Path, data: &Data, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg("--data").arg(&data.path);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs a command to its end; returns its exit code and its standard output.
async fn run(mut command: Command) -> (i32, String) {
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// Runs a command that must fail, and gives the one line that says why and what to do.
async fn refusal(mut command: Command) -> String {
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let last = errors.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && last.contains("; "), "{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    last.to_owned()
}

struct Process {
    id: i32,
    parent: i32,
    command: String,
}

/// All that live; one that has ended, and whose parent has not asked how, does not.
async fn processes() -> Vec<Process> {
    // A small machine has no ps.
    if cfg!(target_os = "linux") {
        let directories = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        return directories.filter_map(|directory| process_in(&directory)).collect();
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

/// What Linux tells of one; None if that is no process's directory, or no longer.
fn process_in(directory: &Path) -> Option<Process> {
    let id = directory.file_name()?.to_str()?.parse().ok()?;
    let status = fs::read_to_string(directory.join("stat")).ok()?;
    let arguments = fs::read_to_string(directory.join("cmdline")).ok()?;
    // Its name, in parentheses, may hold anything.
    let mut words = status.rsplit_once(')')?.1.split_whitespace();
    let (state, parent) = (words.next()?, words.next()?.parse().ok()?);
    let command = arguments.split(|character: char| character == '\0' || character.is_whitespace());
    let command = command.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    (state != "Z").then_some(Process { id, parent, command })
}

/// Waits until none of these lives.
async fn gone(family: &[Process]) {
    let is_left = |process: &Process| family.iter().any(|one| one.id == process.id && one.command == process.command);
    until("all processes end", async || !processes().await.iter().any(is_left)).await;
}

/// The migrations that these lines tell of.
fn applied<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    lines.filter_map(|line| line.strip_prefix("migration  ").filter(|file| file.ends_with(".sql"))).collect()
}

/// The files, in order.
fn migrations() -> Vec<String> {
    let files = fs::read_dir(workspace().join("migrations")).unwrap();
    let files: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.into_iter().filter(|file| file.ends_with(".sql")).collect()
}

/// Below those that the system gives out by itself, so that it is still free after a stop.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::SeqCst);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The running program; it is killed when this is dropped.
struct Dev {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
    /// What it has printed, until it was ready.
    printed: Vec<String>,
    url: String,
    client: reqwest::Client,
}

impl Dev {
    async fn start(data: &Data, arguments: &[&str]) -> Self {
        let mut dev = Self::spawn(command(data, arguments).await, data);
        dev.ready().await;
        dev
    }

    fn spawn(mut command: Command, data: &Data) -> Self {
        let log = data.path.join("stderr.log");
        let mut process = command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        // Nothing here is encrypted, but the client will not be built without knowing how it would be; a second call is none.
        rustls::crypto::ring::default_provider().install_default().ok();
        Self { process, output, log, printed: Vec::new(), url: String::new(), client: reqwest::Client::new() }
    }

    async fn ready(&mut self) {
        while self.url.is_empty() {
            let Some(line) = timeout(PATIENCE, self.output.next_line()).await.unwrap().unwrap() else {
                panic!("{:?}\n{}", self.printed, fs::read_to_string(&self.log).unwrap());
            };
            self.url = line.strip_prefix("ready ").unwrap_or_default().to_owned();
            self.printed.push(line);
        }
    }

    /// The migrations that this start applied.
    fn applied(&self) -> Vec<&str> {
        applied(self.printed.iter().map(String::as_str))
    }

    async fn send(&self, method: Method, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(token);
        let request = if body.is_null() { request } else { request.json(body) };
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        self.send(Method::GET, path, token, &Value::Null).await
    }

    async fn sign_in(&self, password: &str) -> (u16, Value) {
        let credentials = json!({ "email": "pro@nofomo.test", "password": password });
        self.send(Method::POST, "/auth/v1/token?grant_type=password", "", &credentials).await
    }

    async fn token(&self) -> String {
        self.sign_in(PASSWORD).await.1["access_token"].as_str().unwrap().to_owned()
    }

    async fn create_bot(&self, token: &str, name: &str) -> u16 {
        self.send(Method::POST, "/bots", token, &new_bot(name)).await.0
    }

    /// The names of the bots that the app's home screen shows.
    async fn bots(&self, token: &str) -> Vec<String> {
        let (status, portfolio) = self.get("/portfolio", token).await;
        assert_eq!(status, 200, "{portfolio}");
        portfolio["bots"].as_array().unwrap().iter().map(|bot| bot["name"].as_str().unwrap().to_owned()).collect()
    }

    async fn database_url(&self) -> String {
        self.get("/_local/health", "").await.1["database_url"].as_str().unwrap().to_owned()
    }

    /// Until this session ends its transaction, nobody creates a bot: the requests wait.
    async fn lock_bots(&self) -> Session {
        let session = Session::open(&self.database_url().await).await;
        session.run("begin; lock table public.bots in access exclusive mode").await.unwrap();
        session
    }

    /// All the processes that it has started, and that those have.
    async fn family(&self) -> Vec<Process> {
        let mut ids = BTreeSet::from([self.id().as_raw()]);
        let (mut family, mut others) = (Vec::new(), processes().await);
        loop {
            let (children, rest): (Vec<_>, _) = others.into_iter().partition(|process| ids.contains(&process.parent));
            if children.is_empty() {
                return family;
            }
            ids.extend(children.iter().map(|process| process.id));
            family.extend(children);
            others = rest;
        }
    }

    async fn instances(&self) -> Vec<Process> {
        let mut family = self.family().await;
        family.retain(|process| process.command.ends_with("/create-bot"));
        family
    }

    fn id(&self) -> Pid {
        Pid::from_raw(self.process.id().unwrap().cast_signed())
    }

    async fn end(self, signal: Signal) -> ExitStatus {
        kill(self.id(), signal).unwrap();
        self.ended().await
    }

    async fn ended(mut self) -> ExitStatus {
        timeout(PATIENCE, self.process.wait()).await.expect("it ends").unwrap()
    }
}

#[tokio::test]
async fn a_fresh_start_serves_everything() {
    let data = Data::new("fresh").await;
    let port = free_port();
    let dev = Dev::start(&data, &["--port", &port.to_string()]).await;
    assert_eq!(dev.url, format!("http://127.0.0.1:{port}"));
    assert_eq!(dev.applied(), migrations());

    let (status, health) = dev.get("/_local/health", "").await;
    assert_eq!((status, &health["status"]), (200, &json!("ready")));
    let admin = Session::open(&dev.database_url().await).await;
    assert_eq!(admin.text("select rolsuper from pg_roles where rolname = current_user").await, "true");

    let (status, refusal) = dev.sign_in("wrong").await;
    assert_eq!((status, &refusal["error_code"]), (400, &json!("invalid_credentials")));
    let (status, refusal) = dev.sign_in("no\0password").await;
    assert_eq!((status, &refusal["error_code"]), (400, &json!("validation_failed")));
    let credentials = json!({ "email": "no\0address@nofomo.test", "password": PASSWORD });
    let (status, refusal) = dev.send(Method::POST, "/auth/v1/signup", "", &credentials).await;
    assert_eq!((status, &refusal["error_code"]), (400, &json!("validation_failed")));
    let token = dev.token().await;
    let (status, bot) = dev.send(Method::POST, "/bots", &token, &new_bot("mine")).await;
    assert_eq!((status, &bot["name"]), (201, &json!("mine")));
    let (status, portfolio) = dev.get("/portfolio", &token).await;
    assert_eq!(status, 200);
    assert!(portfolio["bots"].as_array().unwrap().contains(&bot), "{portfolio}");
    assert_eq!(dev.get("/nowhere", &token).await, (404, json!({ "message": "Not Found" })));

    let (_, keys) = dev.get("/auth/v1/.well-known/jwks.json", "").await;
    let [key] = &keys["keys"].as_array().unwrap()[..] else { panic!("{keys}") };
    assert_eq!((&key["alg"], key.get("d")), (&json!("ES256"), None), "and not its private half");

    let event = json!({
        "version": "2.0", "routeKey": "GET /portfolio", "rawPath": "/portfolio", "headers": {}, "isBase64Encoded": false,
        "requestContext": {
            "http": { "method": "GET", "path": "/portfolio", "protocol": "HTTP/1.1" }, "requestId": "id",
            "routeKey": "GET /portfolio", "stage": "$default", "timeEpoch": 1_772_323_200_000_i64,
        },
    });
    let invoke = async |name: &str| dev.send(Method::POST, &format!("/_local/invoke/{name}"), "", &event).await;
    let (status, answer) = invoke("get-portfolio").await;
    assert_eq!((status, &answer["statusCode"]), (200, &json!(401)), "what the function answers: {answer}");
    assert_eq!(invoke("get-nothing").await, (404, json!({ "message": "there is no function get-nothing" })));
}

#[tokio::test]
async fn interrupted_or_killed_under_a_request_it_leaves_no_process_and_loses_nothing() {
    let data = Data::new("ended").await;
    // Interrupted, the database or the instance may be the first to go.
    let interrupted = [Some(502), Some(503)];
    for (signal, code, told) in [(Signal::SIGINT, Some(0), &interrupted[..]), (Signal::SIGKILL, None, &[None])] {
        let mut command = command(&data, &["--port", "0"]).await;
        // A terminal signals the whole group in its foreground.
        command.process_group(0);
        let mut dev = Dev::spawn(command, &data);
        dev.ready().await;
        let token = dev.token().await;
        assert_eq!(dev.create_bot(&token, "acknowledged").await, 201);
        dev.bots(&token).await;
        let lock = dev.lock_bots().await;
        let held = dev.client.post(format!("{}/bots", dev.url)).bearer_auth(&token).json(&new_bot("held")).send();
        let held = tokio::spawn(async move { held.await.ok().map(|answer| answer.status().as_u16()) });
        lock.blocks(1).await;

        let family = dev.family().await;
        for program in ["/create-bot", "/get-portfolio", "/cluster"] {
            assert!(family.iter().any(|process| process.command.contains(program)), "{program}");
        }
        killpg(dev.id(), signal).unwrap();
        assert_eq!(dev.ended().await.code(), code);
        gone(&family).await;
        let answer = held.await.unwrap();
        assert!(told.contains(&answer), "{answer:?}");
    }
    let dev = Dev::start(&data, &["--port", "0"]).await;
    let bots = dev.bots(&dev.token().await).await;
    assert_eq!(bots.iter().filter(|name| *name == "acknowledged").count(), 2, "{bots:?}");
}

#[tokio::test]
async fn interrupted_while_it_makes_its_database_it_starts_the_next_time() {
    let data = Data::new("early").await;
    let dev = Dev::spawn(command(&data, &["--port", "0"]).await, &data);
    let is_initdb = |process: &Process| process.command.contains("initdb --pgdata");
    let deadline = Instant::now() + PATIENCE;
    let mut family = Vec::new();
    while !family.iter().any(is_initdb) {
        assert!(Instant::now() < deadline, "initdb never ran");
        family = dev.family().await;
    }
    assert_eq!(dev.end(Signal::SIGINT).await.code(), Some(0));
    // What initdb had started may still write.
    let dev = Dev::start(&data, &["--port", "0"]).await;
    assert_eq!(dev.create_bot(&dev.token().await, "mine").await, 201);
    gone(&family).await;

    assert!(dev.end(Signal::SIGINT).await.success());
    let dev = Dev::start(&data, &["--port", "0"]).await;
    assert!(dev.bots(&dev.token().await).await.contains(&"mine".to_owned()));
    let cluster = Session::open(&dev.database_url().await).await.text("select current_setting('data_directory')").await;
    let home = Path::new(&cluster).parent().unwrap();
    let files = fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = files.filter(|name| name.to_string_lossy().contains("incomplete")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn the_next_start_keeps_bots_and_tokens_and_a_fresh_one_only_the_tokens() {
    let data = Data::new("again").await;
    let port = free_port().to_string();
    let dev = Dev::start(&data, &["--port", &port]).await;
    let token = dev.token().await;
    let sample = dev.bots(&token).await;
    assert_eq!(dev.create_bot(&token, "mine").await, 201);
    assert!(dev.end(Signal::SIGINT).await.success());

    let dev = Dev::start(&data, &["--port", &port]).await;
    assert_eq!(dev.applied(), [""; 0]);
    let kept = dev.bots(&token).await;
    // Nor does it bring back sample data that was deleted.
    let owner = Session::open(&dev.database_url().await).await;
    owner
        .run("delete from auth.users where email = 'free@nofomo.test'; delete from public.plans where name = 'Free'")
        .await
        .unwrap();
    drop(owner);
    assert!(kept.contains(&"mine".to_owned()) && kept.len() == sample.len() + 1, "{kept:?}");
    assert!(dev.end(Signal::SIGTERM).await.success());

    let dev = Dev::start(&data, &["--port", &port]).await;
    let owner = Session::open(&dev.database_url().await).await;
    assert_eq!(owner.text("select count(*) from auth.users").await, "2");
    drop(owner);
    assert!(dev.end(Signal::SIGTERM).await.success());

    let dev = Dev::start(&data, &["--port", &port, "--fresh"]).await;
    assert!(!sample.is_empty());
    assert_eq!(dev.bots(&token).await, sample);
}

#[tokio::test]
async fn requests_at_once_have_an_instance_each_and_a_killed_one_costs_only_its_own_request() {
    let data = Data::new("instances").await;
    let dev = Dev::start(&data, &["--port", "0"]).await;
    let token = dev.token().await;
    Session::open(&dev.database_url().await).await.run("update public.plans set max_bots = -1").await.unwrap();

    let lock = dev.lock_bots().await;
    let requests = join_all(["one", "two", "three"].map(|name| dev.create_bot(&token, name)));
    let counting = async {
        lock.blocks(3).await;
        let instances = dev.instances().await;
        lock.rollback().await;
        instances
    };
    let (answers, instances) = tokio::join!(requests, counting);
    assert_eq!((answers, instances.len()), (vec![201; 3], 3));
    assert_eq!(dev.create_bot(&token, "four").await, 201);
    assert_eq!(dev.instances().await.len(), 3, "one that is idle is used again");

    lock.run("begin; lock table public.bots in access exclusive mode").await.unwrap();
    let killing = async {
        lock.blocks(1).await;
        instances.iter().for_each(|instance| kill(Pid::from_raw(instance.id), Signal::SIGKILL).unwrap());
    };
    let (answer, ()) = tokio::join!(dev.create_bot(&token, "five"), killing);
    assert_eq!(answer, 502);
    gone(&instances).await;
    lock.rollback().await;
    assert_eq!(dev.create_bot(&token, "six").await, 201);
}

#[tokio::test]
async fn a_start_that_cannot_be_says_why_and_what_to_do_and_leaves_nothing() {
    let data = Data::new("refused").await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let error = refusal(command(&data, &["--port", &port]).await).await;
    assert!(error.starts_with(&format!("error: cannot listen on port {port}: ")), "{error}");
    assert!(error.ends_with("; stop the program that listens there, or choose another --port"), "{error}");

    let elsewhere = ["--port", "0", "--database-url", "postgres://postgres:planted@db.example.test:5432/postgres"];
    let error = refusal(command(&data, &elsewhere).await).await;
    assert!(error.contains("it must be on this machine") && !error.contains("planted"), "{error}");

    let nobody = format!("postgres://postgres:planted@127.0.0.1:{}/postgres?sslmode=disable", free_port());
    let error = refusal(command(&data, &["--port", "0", "--database-url", &nobody]).await).await;
    assert!(error.contains("cannot connect to 127.0.0.1:") && error.contains("that the server is running"), "{error}");
    assert!(!error.contains("planted"), "{error}");

    // A compiler that never succeeds.
    let mut command = command(&data, &["--port", "0"]).await;
    command.env("RUSTC_WORKSPACE_WRAPPER", "false");
    assert_eq!(refusal(command).await, "error: the functions do not compile; correct what cargo reports above");
    let path = data.path.to_string_lossy().into_owned();
    let mut left = processes().await;
    left.retain(|process| process.command.contains(&path));
    gone(&left).await;
}

#[tokio::test]
async fn a_broken_template_is_refused_with_its_place() {
    let data = Data::new("template").await;
    let template = fs::read_to_string(workspace().join("template.yaml")).unwrap();
    for (part, replacement, place) in [
        ("Path: /portfolio", "Route: /portfolio", "GetPortfolioFunction: event Request: missing field `Path`"),
        ("Globals:", "Globals: [", "at line "),
        ("", "", "there is no crate in functions/"),
    ] {
        fs::write(data.path.join("template.yaml"), template.replacen(part, replacement, 1)).unwrap();
        let error = Template::load(&data.path).unwrap_err().to_string();
        assert!(error.starts_with("template.yaml: ") && error.contains(place), "{error}");
        assert!(error.ends_with("; correct it there") && error.lines().count() == 1, "{error}");
    }
}

#[tokio::test]
async fn a_second_one_on_the_same_data_is_refused_and_the_first_goes_on() {
    let data = Data::new("twice").await;
    let dev = Dev::start(&data, &["--port", "0"]).await;
    for arguments in [&["--port", "0"][..], &["--port", "0", "--fresh"]] {
        let error = refusal(command(&data, arguments).await).await;
        assert!(error.contains("another `cargo dev` is running with the data in "), "{error}");
        assert!(error.ends_with("; stop it, or give this one its own --data directory"), "{error}");
    }
    assert_eq!(dev.create_bot(&dev.token().await, "mine").await, 201);
}

#[tokio::test]
async fn a_token_is_printed_while_it_runs() {
    let data = Data::new("token").await;
    let not_running = "start it in another terminal and wait until it is ready";
    assert!(refusal(command(&data, &["token", "pro@nofomo.test"]).await).await.ends_with(not_running));
    let dev = Dev::start(&data, &["--port", "0"]).await;
    let (code, token) = run(command(&data, &["token", "pro@nofomo.test"]).await).await;
    assert_eq!((code, token.lines().count()), (0, 1), "{token}");
    assert_eq!(dev.create_bot(token.trim(), "mine").await, 201);
    let error = refusal(command(&data, &["token", "nobody@nofomo.test"]).await).await;
    assert_eq!(error, "error: there is no user nobody@nofomo.test; sign up at /auth/v1/signup");
    dev.end(Signal::SIGKILL).await;
    assert!(refusal(command(&data, &["token", "pro@nofomo.test"]).await).await.ends_with(not_running));
}

#[tokio::test]
async fn migrations_are_applied_once_and_sample_data_when_asked_for() {
    let (data, name) = (Data::new("migrate").await, format!("test_{}", uuid::Uuid::new_v4().simple()));
    let url = server().await.url("postgres", &name);
    // The URL is an argument or comes from the environment.
    for is_argument in [true, false] {
        let ops = async |arguments: &[&str]| {
            let mut command = ops_command(&data, arguments).await;
            if is_argument {
                command.args(["--database-url", &url])
            } else {
                command.env("DATABASE_URL", &url)
            };
            run(command).await
        };
        supabase::create_database(server().await, &name, default_grants()).await.unwrap();
        let (nothing, sample) = ("migration  nothing new", "sample     users, plans, bots and trades added");
        for (more, files, said) in [
            (&[][..], migrations(), vec![]),
            (&[], Vec::new(), vec![nothing]),
            (&["--sample-data"], Vec::new(), vec![nothing, sample]),
            (&["--sample-data"], Vec::new(), vec![nothing]),
        ] {
            let (code, printed) = ops(&[&["migrate"], more].concat()).await;
            assert_eq!((code, applied(printed.lines())), (0, files.iter().map(String::as_str).collect()));
            let found: Vec<_> = printed.lines().filter(|line| [nothing, sample].contains(line)).collect();
            assert_eq!(found, said, "{printed}");
        }
        let (code, printed) = ops(&["verify"]).await;
        assert!(code == 0 && printed.ends_with(": no difference\n"), "{printed}");
        supabase::drop_database(server().await, &name).await.unwrap();
    }
}

#[tokio::test]
async fn where_nothing_was_migrated_one_line_says_so() {
    let data = Data::new("nothing").await;
    let path = data.path.display();
    let none = format!("error: no database is given, and no `cargo dev` is running with the data in {path}");
    for operation in ["migrate", "verify"] {
        let error = refusal(ops_command(&data, &[operation]).await).await;
        assert_eq!(error, format!("{none}; pass --database-url, set DATABASE_URL, or start `cargo dev`"));
        assert!(!data.path.join("postgres").exists(), "and none is made");
    }
    let error = refusal(ops_command(&data, &["rotate-keys"]).await).await;
    let remedy = "set CREDENTIALS_KEYS to the key ring, the newest key first: 2:<new>,1:<old>";
    assert_eq!(error, format!("error: the key ring is missing; {remedy}"));
    let error = refusal(ops_command(&data, &["rotate-keys", "--credentials-keys", FIRST_KEY]).await).await;
    assert!(error.starts_with(&none), "{error}");

    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    supabase::create_database(server().await, &name, default_grants()).await.unwrap();
    let url = server().await.url("postgres", &name);
    let error = refusal(ops_command(&data, &["verify", "--database-url", &url]).await).await;
    assert_eq!(error, "error: no migration has been applied to the database; run `cargo ops migrate` on it first");
    supabase::drop_database(server().await, &name).await.unwrap();
}

#[tokio::test]
async fn data_that_other_migrations_made_is_recognised_and_fresh_data_is_not() {
    let data = Data::new("other").await;
    let (postgres, url) = private_database::start(&data.path).await.unwrap();
    ops::migrations::migrate(&url, &workspace().join("migrations"), |_| {}).await.unwrap();
    let owner = Session::open(&url).await;
    owner
        .run("insert into supabase_migrations.schema_migrations (version, name) values ('036', 'get_portfolio')")
        .await
        .unwrap();
    drop(owner);
    let expected = "error: the database was migrated with other files: it has 036_get_portfolio, which is missing here; recreate a \
                    local database with `cargo dev --fresh`; for any other, see migrations/README.md";
    assert_eq!(refusal(ops_command(&data, &["migrate", "--database-url", &url]).await).await, expected);
    postgres.stop().await.unwrap();
    assert_eq!(refusal(command(&data, &["--port", "0"]).await).await, expected);
    let dev = Dev::start(&data, &["--port", "0", "--fresh"]).await;
    assert_eq!(dev.applied(), migrations());
}

/// A tunnel makes a production database look as if it were on this machine.
#[tokio::test]
async fn a_database_with_users_of_its_own_is_left_as_it_is() {
    let (data, name) = (Data::new("users").await, format!("test_{}", uuid::Uuid::new_v4().simple()));
    supabase::create_database(server().await, &name, default_grants()).await.unwrap();
    let admin = Session::open(&server().await.url("supabase_admin", &name)).await;
    admin.run("insert into auth.users (id, email) values (gen_random_uuid(), 'trader@example.test')").await.unwrap();
    let url = server().await.url("postgres", &name);
    for migrate in [false, true] {
        if migrate {
            assert_eq!(run(ops_command(&data, &["migrate", "--database-url", &url]).await).await.0, 0);
        }
        let error = refusal(command(&data, &["--port", "0", "--database-url", &url]).await).await;
        assert!(error.starts_with("error: the database has users and no sample data, "), "{error}");
        assert_eq!(admin.text("select string_agg(email, ' ') from auth.users").await, "trader@example.test");
        let is_migrated = admin.text("select to_regclass('public.users') is not null").await;
        assert_eq!(is_migrated, migrate.to_string());
    }
    supabase::drop_database(server().await, &name).await.unwrap();
}

/// As `docs/operations.md` has it made: the sample data would meet its plans.
#[tokio::test]
async fn a_database_with_plans_of_its_own_is_told_what_to_do_instead() {
    let (data, name) = (Data::new("plans").await, format!("test_{}", uuid::Uuid::new_v4().simple()));
    supabase::create_database(server().await, &name, default_grants()).await.unwrap();
    let url = server().await.url("postgres", &name);
    assert_eq!(run(ops_command(&data, &["migrate", "--database-url", &url]).await).await.0, 0);
    let owner = Session::open(&url).await;
    owner.run("insert into public.plans (name, price_monthly, features, max_bots, max_strategies) values ('Free', 0, '[]', 1, 1)").await.unwrap();
    let database = ["--database-url", &url];
    for command in [
        command(&data, &[&["--port", "0"], &database[..]].concat()).await,
        ops_command(&data, &[&["migrate", "--sample-data"], &database[..]].concat()).await,
    ] {
        let error = refusal(command).await;
        assert!(error.starts_with("error: the database has plans and no sample data, "), "{error}");
        assert!(
            error.ends_with("; use the URL of an empty database, or recreate the local one with `cargo dev --fresh`"),
            "{error}"
        );
    }
    assert_eq!(owner.text("select string_agg(name, ' ') from public.plans").await, "Free");
    supabase::drop_database(server().await, &name).await.unwrap();
}

#[tokio::test]
async fn what_was_changed_in_the_running_database_is_named() {
    let data = Data::new("verify").await;
    let dev = Dev::start(&data, &["--port", "0"]).await;
    let (code, printed) = run(ops_command(&data, &["verify"]).await).await;
    assert!(code == 0 && printed.ends_with(": no difference\n"), "{printed}");
    let admin = Session::open(&dev.database_url().await).await;
    admin.run("alter table public.logs disable row level security").await.unwrap();
    let (code, printed) = run(ops_command(&data, &["verify"]).await).await;
    assert!(code == 1 && printed.contains("differs  table       public.logs"), "{printed}");
    let (code, printed) = run(ops_command(&data, &["migrate"]).await).await;
    assert_eq!((code, printed.as_str()), (0, "migration  nothing new\n"));
}

/// As a package installs it: its one superuser is postgres.
#[tokio::test]
async fn a_postgres_of_ones_own_is_served_from_as_well() {
    let data = Data::new("own").await;
    let postgres = Postgres::start(&data.path.join("reference"), None).await.unwrap();
    let admin = Session::open(&postgres.url("supabase_admin", "template1")).await;
    let password = postgres.password();
    admin.run(&format!("create role postgres superuser login password '{password}'")).await.unwrap();
    admin.run("create database mine").await.unwrap();
    let (url, other) = (postgres.url("postgres", "mine"), Data::new("own-data").await);
    for migrations in [migrations(), Vec::new()] {
        let dev = Dev::start(&other, &["--port", "0", "--database-url", &url]).await;
        assert_eq!(dev.applied(), migrations);
        assert_eq!(dev.create_bot(&dev.token().await, "mine").await, 201);
        let (code, printed) = run(ops_command(&other, &["verify"]).await).await;
        assert!(code == 0 && printed.ends_with(": no difference\n"), "{printed}");
        assert!(dev.end(Signal::SIGINT).await.success());
    }
    assert!(!other.path.join("postgres").exists());
}
