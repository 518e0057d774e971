//! The local cloud: gateway, functions, schedules, sign-in and Tripay's sandbox behind one port.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::Utc;
use local_database::postgres::{Postgres, SUPERUSER};
use local_database::{Error, Result};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tower_http::cors::CorsLayer;
use url::Url;

use crate::{
    auth::{self, Auth, SigningKey},
    docs, gateway, reports,
    runtime::{self, Fleet, InvokeError, log::Log},
    schedule,
    template::{Cors, Function, Login, Template},
    tripay::{self, Sandbox},
};

/// Time that open connections have to receive their responses.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Options of a stack.
pub struct Options {
    pub template: Template,
    /// Binaries of the functions by name, as [`crate::build::build`] returns them.
    pub functions: BTreeMap<String, PathBuf>,
    pub database: Database,
    pub signing_key: SigningKey,
    /// Port on 127.0.0.1; 0 for any free port.
    pub port: u16,
    /// Environment variables of every function. They override the function's own.
    pub environment: BTreeMap<String, String>,
    /// Maximum number of instances of a function.
    pub concurrency: usize,
    /// `true` to invoke functions on their schedules.
    pub has_schedules: bool,
    pub tripay: tripay::Options,
    pub log: Log,
}

/// URLs of a database, one for each role.
#[derive(Clone, Debug)]
pub struct Database {
    /// Administrator, for sign-in, which switches to Supabase Auth's role.
    pub admin_url: String,
    /// `nofomo_api`, for functions that act for a user.
    pub api_url: String,
    /// `nofomo_jobs`, for callbacks and schedules.
    pub jobs_url: String,
}

impl Database {
    /// Database of a private server.
    pub fn of(postgres: &Postgres, name: &str) -> Self {
        let url = |role| postgres.url(role, name);
        Self { admin_url: url(SUPERUSER), api_url: url("nofomo_api"), jobs_url: url("nofomo_jobs") }
    }

    /// Database of another server, whose two login roles have this password.
    ///
    /// # Errors
    ///
    /// The URL is not valid, or the server is not on this machine: a start changes the passwords of its login roles.
    pub fn at(admin_url: &str, password: &str) -> Result<Self> {
        let invalid = |reason: &str| {
            let remedy = "write it as postgres://user:password@127.0.0.1:5432/database";
            Error::new(format!("the database URL cannot be used ({reason})"), remedy)
        };
        let url = Url::parse(admin_url).map_err(|error| invalid(&error.to_string()))?;
        let host = url.host_str().unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let is_local = address.map_or(host == "localhost", |address| address.is_loopback());
        if !is_local || url.query_pairs().any(|(name, _)| name.starts_with("host")) {
            return Err(invalid("the passwords of its login roles would be changed, so it must be on this machine"));
        }
        let as_role = |role| {
            let mut url = url.clone();
            url.set_username(role)
                .and_then(|()| url.set_password(Some(password)))
                .map_err(|()| invalid("it cannot contain a user"))?;
            Ok(url.to_string())
        };
        let (api_url, jobs_url) = (as_role("nofomo_api")?, as_role("nofomo_jobs")?);
        Ok(Self { admin_url: admin_url.to_owned(), api_url, jobs_url })
    }
}

/// A running local cloud.
pub struct Stack {
    address: SocketAddr,
    auth: Arc<Auth>,
    tripay: Sandbox,
    fleets: Fleets,
    server: JoinHandle<()>,
    stopped: CancellationToken,
    _schedules: Vec<AbortOnDropHandle<()>>,
}

type Fleets = Arc<BTreeMap<String, (Function, Fleet)>>;

impl Stack {
    /// Starts the gateway, the functions, sign-in, the schedules and the sandbox.
    ///
    /// # Errors
    ///
    /// The port is in use, or a function has no binary.
    pub async fn start(options: Options) -> Result<Self> {
        let Options {
            template,
            functions,
            database,
            signing_key,
            port,
            environment,
            concurrency,
            has_schedules,
            tripay,
            log,
        } = options;
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| cannot_listen(port, &error))?;
        let address = listener.local_addr().map_err(|error| cannot_listen(port, &error))?;
        let origin = format!("http://{address}");
        let issuer = format!("{origin}/auth/v1");
        let auth = Arc::new(Auth::new(signing_key, issuer.clone(), database.admin_url.clone()));
        let tripay = Sandbox::start(tripay, origin.clone(), log.clone())?;

        let mut fleets = BTreeMap::new();
        for function in template.functions {
            let Some(binary) = functions.get(&function.name).cloned() else {
                return Err(Error::new(format!("{} has no binary", function.name), "build the functions first"));
            };
            let url = match function.login {
                Login::Api => &database.api_url,
                Login::Jobs => &database.jobs_url,
            };
            let mut variables = function.environment.clone();
            variables.insert("STAGE".to_owned(), "local".to_owned());
            variables.insert("DATABASE_URL".to_owned(), url.clone());
            variables.insert("AUTH_ISSUER".to_owned(), issuer.clone());
            variables.extend(tripay.environment().map(|(name, value)| (name.to_owned(), value)));
            variables.extend(environment.clone());
            let fleet = Fleet::new(runtime::Configuration {
                name: function.name.clone(),
                binary,
                environment: variables,
                timeout: Duration::from_secs(function.timeout_seconds),
                memory_megabytes: function.memory_megabytes,
                concurrency,
                log: log.clone(),
            });
            fleets.insert(function.name.clone(), (function, fleet));
        }

        let mut tasks = Vec::new();
        for (function, fleet) in fleets.values().filter(|_| has_schedules) {
            let runs = function.schedules.iter().map(|schedule| schedule::run(schedule.clone(), fleet.clone()));
            tasks.extend(runs.map(|run| AbortOnDropHandle::new(tokio::spawn(run))));
        }
        let fleets = Arc::new(fleets);
        let stopped = CancellationToken::new();
        let service = router(&fleets, template.cors.as_ref(), auth.clone(), database.admin_url)?
            .merge(tripay.router())
            .merge(docs::router())
            .merge(reports::router(auth.clone(), origin)?)
            .into_make_service_with_connect_info::<SocketAddr>();
        let server = axum::serve(listener, service).with_graceful_shutdown(stopped.clone().cancelled_owned());
        let server = tokio::spawn(async move { server.await.unwrap_or_default() });
        Ok(Self { address, auth, tripay, fleets, server, stopped, _schedules: tasks })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn auth(&self) -> &Auth {
        &self.auth
    }

    pub fn tripay(&self) -> &Sandbox {
        &self.tripay
    }

    /// Instances of a function, or `None` if there is no such function.
    pub fn fleet(&self, function: &str) -> Option<&Fleet> {
        self.fleets.get(function).map(|(_, fleet)| fleet)
    }

    /// Stops all instances, including busy ones, and the gateway.
    pub async fn stop(mut self) {
        self.stopped.cancel();
        self.tripay.stop().await;
        for (_, fleet) in self.fleets.values() {
            fleet.stop().await;
        }
        if timeout(SHUTDOWN_TIMEOUT, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn cannot_listen(port: u16, error: &std::io::Error) -> Error {
    Error::new(
        format!("cannot listen on port {port}: {error}"),
        "stop the program that listens there, or choose another --port",
    )
}

fn router(fleets: &Fleets, cors: Option<&Cors>, auth: Arc<Auth>, admin_url: String) -> Result<Router> {
    let routes = fleets
        .values()
        .flat_map(|(function, fleet)| function.routes.iter().map(|route| (route.clone(), fleet.clone())));
    let local = Router::new().route("/_local/invoke/{function}", post(invoke)).with_state(fleets.clone());
    let health = Json(json!({ "status": "ready", "database_url": admin_url }));
    let health = Router::new().route("/_local/health", get(async move || health));
    let gateway = gateway::router(routes.collect(), cors)?;
    // Supabase Auth allows requests from every web page.
    let auth = auth::router(auth).layer(CorsLayer::permissive());
    Ok(auth.merge(local).merge(health).fallback_service(gateway))
}

/// Invokes a function now, with the event in the body, or else the event of its schedule.
async fn invoke(State(fleets): State<Fleets>, Path(name): Path<String>, body: Bytes) -> Response {
    let Some((function, fleet)) = fleets.get(&name) else {
        return (StatusCode::NOT_FOUND, Json(json!({ "message": format!("there is no function {name}") })))
            .into_response();
    };
    let event = match function.schedules.first() {
        _ if !body.is_empty() => body,
        Some(schedule) => schedule.event(Utc::now()).into(),
        None => Bytes::from_static(b"{}"),
    };
    match fleet.invoke(event).await {
        Ok(response) => ([(header::CONTENT_TYPE, "application/json")], response).into_response(),
        Err(InvokeError::Failed { error_type, error_message }) => {
            let error = json!({ "errorType": error_type, "errorMessage": error_message });
            (StatusCode::BAD_GATEWAY, Json(error)).into_response()
        }
        Err(error) => {
            let is_throttled = matches!(error, InvokeError::Throttled);
            let status = if is_throttled { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::PAYLOAD_TOO_LARGE };
            (status, Json(json!({ "message": error.to_string() }))).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn a_function_gets_the_addresses_and_credentials_of_its_services() {
        let function = |name: &str, login| Function {
            name: name.to_owned(),
            login,
            routes: Vec::new(),
            schedules: Vec::new(),
            timeout_seconds: 5,
            memory_megabytes: 128,
            environment: BTreeMap::new(),
        };
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let written = lines.clone();
        // Prints its environment and exits.
        let binary = |name: &str| (name.to_owned(), PathBuf::from("/usr/bin/env"));
        let stack = Stack::start(Options {
            template: Template {
                functions: vec![function("create-bot", Login::Api), function("settle", Login::Jobs)],
                cors: None,
            },
            functions: ["create-bot", "settle"].map(binary).into(),
            database: Database { admin_url: "admin".into(), api_url: "as-api".into(), jobs_url: "as-jobs".into() },
            signing_key: SigningKey::generate().expect("a key"),
            port: 0,
            environment: BTreeMap::from([("TRIPAY_MERCHANT_CODE".to_owned(), "T9999".to_owned())]),
            concurrency: 1,
            has_schedules: false,
            tripay: tripay::Options { file: None, callback_retry_delay: tripay::Options::CALLBACK_RETRY_DELAY },
            log: Arc::new(move |name, line| written.lock().expect("whole").push(format!("{name} {line}"))),
        })
        .await
        .expect("starts");
        let url = stack.url();
        for name in ["create-bot", "settle"] {
            stack.fleet(name).expect("there").invoke(Bytes::new()).await.expect_err("it has exited");
        }
        stack.stop().await;

        let lines = lines.lock().expect("whole");
        for expected in [
            "create-bot DATABASE_URL=as-api".to_owned(),
            "settle DATABASE_URL=as-jobs".to_owned(),
            format!("settle AUTH_ISSUER={url}/auth/v1"),
            format!("settle TRIPAY_URL={url}/_local/tripay/api-sandbox"),
            "settle TRIPAY_API_KEY=DEV-local-sandbox-key".to_owned(),
            "settle TRIPAY_PRIVATE_KEY=local-sandbox-private-key".to_owned(),
            format!("settle TRIPAY_CALLBACK_URL={url}/callbacks/tripay"),
            // Options of the stack take precedence.
            "settle TRIPAY_MERCHANT_CODE=T9999".to_owned(),
        ] {
            assert!(lines.contains(&expected), "{expected}: {lines:#?}");
        }
    }

    #[test]
    fn another_server_is_used_only_on_this_machine() {
        let database =
            Database::at("postgres://postgres:a%20b@127.0.0.1:54322/postgres?sslmode=disable", "new").expect("local");
        assert_eq!(database.api_url, "postgres://nofomo_api:new@127.0.0.1:54322/postgres?sslmode=disable");
        assert_eq!(database.jobs_url, "postgres://nofomo_jobs:new@127.0.0.1:54322/postgres?sslmode=disable");
        assert!(Database::at("postgresql://postgres@[::1]/postgres", "new").is_ok());
        assert!(Database::at("postgresql://postgres@localhost/postgres", "new").is_ok());
        for url in [
            "postgres://postgres:secret@db.example.supabase.co:5432/postgres",
            "postgres://postgres:secret@localhost/postgres?hostaddr=192.0.2.1",
            "postgres://postgres:secret@192.0.2.1/postgres",
            "127.0.0.1:5432/postgres",
        ] {
            let error = Database::at(url, "new").expect_err(url).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
