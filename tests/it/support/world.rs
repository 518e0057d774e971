//! One test's world: a database, the functions' binaries behind the gateway, people who sign in, and what was logged.

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
use super::leaks::leak_in;
use super::pooler;
use super::waiting::until;

pub(crate) const PASSWORD: &str = "nofomo-dev";

/// Long enough to look at what one attempt did before the next, short enough to wait for all of them.
const CALLBACK_RETRY_DELAY: Duration = Duration::from_secs(1);

/// What exchange credentials are sealed with, unless a test says otherwise.
pub(crate) const FIRST_KEY: &str = "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(crate) struct World {
    pub(crate) stack: Stack,
    client: reqwest::Client,
    lines: Arc<Mutex<Vec<String>>>,
    /// Lines that hold what no log may.
    leaks: Arc<Mutex<Vec<String>>>,
    /// Dropped last, when nobody uses it any more.
    pub(crate) database: Database,
}

/// What came back, in full.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

impl Answer {
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

/// Where functions reach a database: at the server's port, or at that of the pooler in front of the shared server.
pub(crate) async fn functions_port(database: &Database) -> u16 {
    if through_pooler() && database.port == server().await.port() { pooler::port().await } else { database.port }
}

/// Once for all tests: building is the slow part of a first run.
pub(crate) async fn functions() -> &'static BTreeMap<String, PathBuf> {
    static BUILT: OnceCell<BTreeMap<String, PathBuf>> = OnceCell::const_new();
    BUILT.get_or_init(|| async { dev::build::build(workspace(), &template(), false).await.unwrap() }).await
}

fn template() -> Template {
    Template::load(workspace()).unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(BTreeMap::new()).await
    }

    /// With other settings of the functions than the usual ones.
    pub(crate) async fn with(environment: BTreeMap<String, String>) -> Self {
        Self::on(Database::new().await, environment).await
    }

    pub(crate) async fn on(database: Database, environment: BTreeMap<String, String>) -> Self {
        Self::of(template(), database, environment).await
    }

    /// With so many seconds for a run of this function.
    pub(crate) async fn with_time_limit(
        database: Database,
        environment: BTreeMap<String, String>,
        function: &str,
        seconds: u64,
    ) -> Self {
        let mut template = template();
        template.functions.iter_mut().find(|limited| limited.name == function).unwrap().timeout_seconds = seconds;
        Self::of(template, database, environment).await
    }

    async fn of(template: Template, database: Database, mut environment: BTreeMap<String, String>) -> Self {
        environment.entry("CREDENTIALS_KEYS".into()).or_insert_with(|| FIRST_KEY.into());
        let port = functions_port(&database).await;
        let urls = stack::Database {
            admin_url: database.url("supabase_admin"),
            api_url: database.url_at(port, "nofomo_api"),
            jobs_url: database.url_at(port, "nofomo_jobs"),
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
            schedules: false,
            tripay: tripay::Options { file: None, callback_retry_delay: CALLBACK_RETRY_DELAY },
            log: Arc::new(move |_, line| {
                if let Some(leak) = leak_in(line, &password) {
                    leaked.lock().unwrap().push(format!("{leak} in {line}"));
                }
                logged.lock().unwrap().push(line.to_owned());
            }),
        })
        .await
        .unwrap();
        Self { database, stack, client: http_client(), lines, leaks }
    }

    /// With a proxy between the functions and what they take for the database.
    pub(crate) async fn behind_proxy() -> (Self, Proxy) {
        let database = Database::new().await;
        let proxy = Proxy::start(functions_port(&database).await, Duration::ZERO).await.unwrap();
        let settings = BTreeMap::from([("DATABASE_URL".into(), database.url_at(proxy.port(), "nofomo_api"))]);
        (Self::on(database, settings).await, proxy)
    }

    /// The oldest bot of a user.
    pub(crate) async fn bot_of(&self, user: &str) -> String {
        let oldest = format!("select id from public.bots where user_id = '{user}' order by created_at limit 1");
        self.database.owner().await.text(&oldest).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.stack.url())
    }

    /// Signs in as a person would, with the password.
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

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(Method::GET, path, &[("authorization", &format!("Bearer {token}"))], "").await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.post_with(path, token, &[], &body.to_string()).await
    }

    pub(crate) async fn post_with(&self, path: &str, token: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let token = format!("Bearer {token}");
        let mut all = vec![("authorization", token.as_str()), ("content-type", "application/json")];
        all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
        all.extend(headers);
        self.send(Method::POST, path, &all, body).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send_bytes(method, path, headers, body.as_bytes().to_vec()).await
    }

    /// Whatever a test asks, the answer must be one that `openapi.json` has.
    pub(crate) async fn send_bytes(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let asked = method.clone();
        let mut request = self.client.request(method, self.url(path)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let headers = response.headers().iter();
        let answer = Answer {
            status: response.status(),
            headers: headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect(),
            text: response.text().await.unwrap(),
        };
        contract::assert_documented(&asked, path, &answer);
        answer
    }

    /// Has a schedule's function run as if it were this time; what it answers.
    pub(crate) async fn run(&self, function: &str, time: &str) -> Answer {
        let event = json!({ "time": time }).to_string();
        self.send(Method::POST, &format!("/_local/invoke/{function}"), &[], &event).await
    }

    /// The same, of a run that must not fail.
    pub(crate) async fn counts(&self, function: &str, time: &str) -> Value {
        let answer = self.run(function, time).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// The lines of this message, of which the last may still be on its way.
    pub(crate) async fn logged(&self, message: &str, count: usize) -> Vec<Value> {
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
        panic!("not {count} lines of {message}: {}", self.log());
    }

    /// Waits until each instance of a function that loses its connection by this has noticed that.
    pub(crate) async fn lets_go(&self, function: &str, cause: impl Future<Output = ()>) {
        let instances = self.stack.fleet(function).unwrap().instances();
        let sockets = || -> usize {
            let files =
                instances.iter().filter_map(|id| fs::read_dir(format!("/proc/{id}/fd")).ok()).flatten().flatten();
            let kinds = files.filter_map(|file| fs::read_link(file.path()).ok());
            kinds.filter(|kind| kind.to_string_lossy().starts_with("socket:")).count()
        };
        let before = sockets();
        cause.await;
        if cfg!(target_os = "linux") {
            until("closed connections are let go", async || sockets() + instances.len() <= before).await;
        } else {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// What the functions wrote so far.
    pub(crate) fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

/// Nothing here is encrypted, but a client will not be built without knowing how it would be; a second call is none.
pub(crate) fn http_client() -> reqwest::Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::new()
}

/// Whatever a test is about, no log of it holds a secret.
impl Drop for World {
    fn drop(&mut self) {
        let leaks = self.leaks.lock().unwrap();
        if !std::thread::panicking() {
            assert!(leaks.is_empty(), "{leaks:#?}");
        }
    }
}

/// A run's line says what the run answered.
pub(crate) fn tells(line: &Value, counts: &Value) {
    for (name, value) in counts.as_object().unwrap() {
        assert_eq!(&line[name], value, "{name}: {line}");
    }
}

/// A bot that anyone may have.
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
