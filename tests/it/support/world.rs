//! World of one test: a database, the functions' binaries behind the gateway, users who sign in, and the log.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dev::auth::SigningKey;
use dev::proxy::Proxy;
use dev::stack::{self, Stack};
use dev::template::Template;
use dev::tripay;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::contract;
use super::database::{Database, server, through_pooler, workspace};
use super::leaks::find_leak;
use super::pooler;
use super::waiting::wait_until;

/// Password of the sample users.
pub(crate) const PASSWORD: &str = "nofomo-dev";

/// Delay between two attempts of a callback: long enough to observe the effect of one, short enough to wait for all.
const CALLBACK_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Key ring that encrypts exchange credentials, unless a test sets another one.
pub(crate) const DEFAULT_CREDENTIALS_KEY: &str = "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The local cloud of one test, with a client.
pub(crate) struct World {
    pub(crate) stack: Stack,
    client: reqwest::Client,
    lines: Arc<Mutex<Vec<String>>>,
    /// Lines of the log that contain a secret.
    leaks: Arc<Mutex<Vec<String>>>,
    /// The last field, so that it is dropped after everything that uses it.
    pub(crate) database: Database,
}

/// Response that was received completely.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

impl HttpResponse {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The last part of a problem's `type`.
    pub(crate) fn problem(&self) -> String {
        let kind = self.json()["type"].as_str().unwrap_or_default().to_owned();
        kind.strip_prefix("https://nofomo.dev/problems/").unwrap_or(&kind).to_owned()
    }

    /// Status code and the last part of the problem's `type`.
    pub(crate) fn status_and_problem(&self) -> (u16, String) {
        (self.status.as_u16(), self.problem())
    }
}

/// Port at which functions connect to a database: that of the server, or that of the pooler in front of the shared
/// server.
pub(crate) async fn functions_port(database: &Database) -> u16 {
    if through_pooler() && database.port == server().await.port() { pooler::port().await } else { database.port }
}

/// Binaries of the functions by name, built once for all tests.
pub(crate) async fn functions() -> &'static BTreeMap<String, PathBuf> {
    static BUILT: OnceCell<BTreeMap<String, PathBuf>> = OnceCell::const_new();
    BUILT.get_or_init(|| async { dev::build::build(workspace(), &template(), false).await.unwrap() }).await
}

fn template() -> Template {
    Template::load(workspace()).unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_settings(BTreeMap::new()).await
    }

    /// Starts a world with these settings of the functions, besides the default ones.
    pub(crate) async fn with_settings(environment: BTreeMap<String, String>) -> Self {
        Self::on_database(Database::new().await, environment).await
    }

    /// Starts a world on this database, with these settings of the functions.
    pub(crate) async fn on_database(database: Database, environment: BTreeMap<String, String>) -> Self {
        Self::with_template(template(), database, environment).await
    }

    /// Starts a world with this timeout of a function, in seconds.
    pub(crate) async fn with_timeout(
        database: Database,
        environment: BTreeMap<String, String>,
        function: &str,
        seconds: u64,
    ) -> Self {
        let mut template = template();
        template.functions.iter_mut().find(|limited| limited.name == function).unwrap().timeout_seconds = seconds;
        Self::with_template(template, database, environment).await
    }

    async fn with_template(template: Template, database: Database, mut environment: BTreeMap<String, String>) -> Self {
        environment.entry("CREDENTIALS_KEYS".into()).or_insert_with(|| DEFAULT_CREDENTIALS_KEY.into());
        let port = functions_port(&database).await;
        let urls = stack::Database {
            admin_url: database.url("supabase_admin"),
            api_url: database.url_at_port(port, "nofomo_api"),
            jobs_url: database.url_at_port(port, "nofomo_jobs"),
        };
        let [lines, leaks]: [Arc<Mutex<Vec<String>>>; 2] = Default::default();
        let functions = functions().await.clone();
        let (logged, leaked) = (lines.clone(), leaks.clone());
        let password = database.password().to_owned();
        let stack = Stack::start(stack::Options {
            template,
            functions,
            database: urls,
            signing_key: SigningKey::generate().unwrap(),
            port: 0,
            environment,
            concurrency: 60,
            has_schedules: false,
            tripay: tripay::Options { file: None, callback_retry_delay: CALLBACK_RETRY_DELAY },
            log: Arc::new(move |_, line| {
                if let Some(leak) = find_leak(line, &password) {
                    leaked.lock().unwrap().push(format!("{leak} in {line}"));
                }
                logged.lock().unwrap().push(line.to_owned());
            }),
        })
        .await
        .unwrap();
        Self { database, stack, client: http_client(), lines, leaks }
    }

    /// Starts a world with a proxy between the functions and what they connect to: the pooler, if the tests run with it, or
    /// the database.
    pub(crate) async fn behind_proxy() -> (Self, Proxy) {
        let database = Database::new().await;
        let port = functions_port(&database).await;
        Self::on_database_behind_proxy(database, port).await
    }

    /// Starts a world with a proxy between the functions and the database itself. A pooler would keep connections that the
    /// database refuses to open or that the proxy cuts.
    pub(crate) async fn behind_proxy_without_pooler() -> (Self, Proxy) {
        let database = Database::new().await;
        let port = database.port;
        Self::on_database_behind_proxy(database, port).await
    }

    async fn on_database_behind_proxy(database: Database, port: u16) -> (Self, Proxy) {
        let proxy = Proxy::start(port, Duration::ZERO).await.unwrap();
        let settings = BTreeMap::from([("DATABASE_URL".into(), database.url_at_port(proxy.port(), "nofomo_api"))]);
        (Self::on_database(database, settings).await, proxy)
    }

    /// Id of the oldest bot of a user.
    pub(crate) async fn oldest_bot_of(&self, user: &str) -> String {
        let oldest = format!("select id from public.bots where user_id = '{user}' order by created_at limit 1");
        self.database.owner().await.text(&oldest).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.stack.url())
    }

    /// Signs in with the password; returns the access token.
    pub(crate) async fn sign_in(&self, email: &str) -> String {
        let answer = self
            .client
            .post(self.url("/auth/v1/token?grant_type=password"))
            .json(&json!({ "email": email, "password": PASSWORD }))
            .send()
            .await
            .unwrap();
        let session: Value = answer.json().await.unwrap();
        session["access_token"].as_str().unwrap_or_else(|| panic!("{session}")).to_owned()
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> HttpResponse {
        self.send(Method::GET, path, &[("authorization", &format!("Bearer {token}"))], "").await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> HttpResponse {
        self.post_with(path, token, &[], &body.to_string()).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> HttpResponse {
        let token = format!("Bearer {token}");
        let mut all = vec![("authorization", token.as_str()), ("content-type", "application/json")];
        all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
        all.extend(headers);
        self.send(Method::POST, path, &all, body).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> HttpResponse {
        self.send_bytes(method, path, headers, body.as_bytes().to_vec()).await
    }

    /// Sends a request; the response must be documented in `openapi.json`.
    pub(crate) async fn send_bytes(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> HttpResponse {
        let sent_method = method.clone();
        let mut request = self.client.request(method, self.url(path)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let headers = response.headers().iter();
        let answer = HttpResponse {
            status: response.status(),
            headers: headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect(),
            text: response.text().await.unwrap(),
        };
        contract::assert_documented(&sent_method, path, &answer);
        answer
    }

    /// Invokes a scheduled job as if it were this time.
    pub(crate) async fn invoke_job(&self, function: &str, time: &str) -> HttpResponse {
        let event = json!({ "time": time }).to_string();
        self.send(Method::POST, &format!("/_local/invoke/{function}"), &[], &event).await
    }

    /// Runs a scheduled job as if it were this time, which must succeed; returns its counts.
    pub(crate) async fn run_job(&self, function: &str, time: &str) -> Value {
        let answer = self.invoke_job(function, time).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Waits for at least this many log lines with this message; returns all of them.
    pub(crate) async fn log_lines(&self, message: &str, count: usize) -> Vec<Value> {
        for _ in 0..4_000 {
            let found: Vec<Value> = self
                .log()
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .filter(|line: &Value| line["message"] == message)
                .collect();
            if found.len() >= count {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("fewer than {count} log lines with the message {message}: {}", self.log());
    }

    /// Waits until every instance of a function has noticed that `cause` has closed its connection.
    pub(crate) async fn wait_until_connections_close(&self, function: &str, cause: impl Future<Output = ()>) {
        let instances = self.stack.fleet(function).unwrap().process_ids();
        let sockets = || -> usize {
            let files =
                instances.iter().filter_map(|id| fs::read_dir(format!("/proc/{id}/fd")).ok()).flatten().flatten();
            let kinds = files.filter_map(|file| fs::read_link(file.path()).ok());
            kinds.filter(|kind| kind.to_string_lossy().starts_with("socket:")).count()
        };
        let before = sockets();
        cause.await;
        if cfg!(target_os = "linux") {
            wait_until("the connections are closed", async || sockets() + instances.len() <= before).await;
        } else {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Everything that the functions have logged so far.
    pub(crate) fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

/// Builds an HTTP client. It needs a TLS provider although it does not use TLS; installing the provider again has no
/// effect.
pub(crate) fn http_client() -> reqwest::Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::new()
}

/// Asserts that the log of the test contains no secret.
impl Drop for World {
    fn drop(&mut self) {
        let leaks = self.leaks.lock().unwrap();
        if !std::thread::panicking() {
            assert!(leaks.is_empty(), "{leaks:#?}");
        }
    }
}

/// Asserts that a job's log line contains the counts of its result.
pub(crate) fn assert_log_reports(line: &Value, counts: &Value) {
    for (name, value) in counts.as_object().unwrap() {
        assert_eq!(&line[name], value, "{name}: {line}");
    }
}

/// Request body of a paper bot with this name.
pub(crate) fn new_bot(name: &str) -> Value {
    json!({
        "name": name,
        "exchange": "binance",
        "trading_pair": "BTC/USDT",
        "timeframe": "1h",
        "strategy": "EMA cross",
        "initial_balance": "1000",
        "stake_amount": "100",
    })
}
