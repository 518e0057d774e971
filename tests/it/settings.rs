//! Settings and secrets: what is missing is named, and a rotated password is no outage.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;

use dev::postgres::Postgres;

use crate::support::database::{Database, Session, migrate_template, run_directory};
use crate::support::world::{World, functions, new_bot};

/// Starts a function with these variables alone, and gives what it wrote before it gave up.
async fn start(variables: &[(&str, &str)]) -> String {
    let output = Command::new(&functions().await["create-bot"])
        .env_clear()
        .envs(variables.iter().copied())
        .envs([("AWS_LAMBDA_FUNCTION_NAME", "create-bot"), ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")])
        .envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"), ("AWS_LAMBDA_FUNCTION_VERSION", "1")])
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn what_is_missing_or_malformed_is_named_at_once() {
    let url = "postgres://nofomo_api:planted@db.example.test:6543/postgres";
    let issuer = ("AUTH_ISSUER", "https://abc.supabase.co/auth/v1");
    for (variables, expected) in [
        (vec![], "`DATABASE_URL`, `AUTH_ISSUER` not set"),
        (vec![("DATABASE_URL", ""), issuer], "`DATABASE_URL` not set"),
        (vec![("DATABASE_URL", url)], "`AUTH_ISSUER` not set"),
        (vec![("DATABASE_URL", "mysql://x"), issuer], "`DATABASE_URL`: not a postgres:// URL"),
        (
            vec![("DATABASE_URL", "postgres://a:planted@db.example.test/x?sslmode=disable"), issuer],
            "`DATABASE_URL`: sslmode=disable is only for a database on this machine",
        ),
        (
            vec![("SECRET_ID", "nofomo/api"), issuer],
            "`AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` not set",
        ),
        (vec![("DATABASE_URL", url), issuer, ("DATABASE_ROOT_CERTIFICATE", "x")], "root certificate"),
    ] {
        let log = start(&variables).await;
        assert!(log.contains(expected), "{expected}: {log}");
        assert!(!log.contains("planted"), "{log}");
        let line: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
        assert_eq!((&line["level"], &line["function"]), (&json!("ERROR"), &json!("create-bot")));
    }
}

/// AWS Secrets Manager, as far as its client speaks with it.
struct SecretsManager {
    endpoint: String,
    secret: Arc<Mutex<Option<String>>>,
    reads: Arc<AtomicUsize>,
}

impl SecretsManager {
    async fn start(secret: &Value) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let manager = Self {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            secret: Arc::new(Mutex::new(Some(secret.to_string()))),
            reads: Arc::default(),
        };
        let (secret, reads) = (manager.secret.clone(), manager.reads.clone());
        let answer = async move |body: Bytes| {
            let request: Value = serde_json::from_slice(&body).unwrap();
            reads.fetch_add(1, Ordering::SeqCst);
            match secret.lock().unwrap().clone() {
                Some(text) if request["SecretId"] == "nofomo/api" => {
                    (StatusCode::OK, Json(json!({"Name": "nofomo/api", "SecretString": text})))
                }
                _ => (
                    StatusCode::BAD_REQUEST,
                    Json(json!({"__type": "ResourceNotFoundException", "message": "not there"})),
                ),
            }
        };
        tokio::spawn(axum::serve(listener, Router::new().route("/", post(answer))).into_future());
        manager
    }

    fn variables(&self, id: &str) -> BTreeMap<String, String> {
        [
            ("SECRET_ID", id),
            ("AWS_REGION", "ap-southeast-3"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "planted-key"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &self.endpoint),
            // The secret supplies what the environment does not.
            ("DATABASE_URL", ""),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}

#[tokio::test]
async fn a_secret_that_is_not_there_or_not_readable_is_named_and_not_shown() {
    let manager = SecretsManager::start(&json!({})).await;
    let start_with = async |id: &str| {
        let variables = manager.variables(id);
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        start(&variables).await
    };
    let log = start_with("nofomo/other").await;
    assert!(log.contains("secret `nofomo/other`") && log.contains("ResourceNotFoundException"), "{log}");
    *manager.secret.lock().unwrap() = Some("planted-secret".into());
    let log = start_with("nofomo/api").await;
    assert!(log.contains("not a JSON object of strings") && !log.contains("planted"), "{log}");
    *manager.secret.lock().unwrap() = Some("{}".into());
    assert!(start_with("nofomo/api").await.contains("`DATABASE_URL`, `AUTH_ISSUER` not set"));
}

/// On a server of its own: passwords belong to a whole server.
#[tokio::test]
async fn a_rotated_password_is_read_again_once_and_no_request_fails() {
    let postgres = Postgres::start(&run_directory("postgres-rotated"), None).await.unwrap();
    migrate_template(&postgres).await;
    let url = |password: &str| postgres.url("nofomo_api", "migrated").replace(postgres.password(), password);
    let manager = SecretsManager::start(&json!({ "DATABASE_URL": url(postgres.password()) })).await;
    let world = World::on(Database::template_of(&postgres), manager.variables("nofomo/api")).await;
    let token = world.sign_in("pro@nofomo.test").await;
    assert_eq!(world.post("/bots", &token, &new_bot("before")).await.status, 201);
    assert_eq!(manager.reads.swap(0, Ordering::SeqCst), 1, "at start-up");

    let admin = Session::open(&postgres.url("supabase_admin", "migrated")).await;
    let disconnect = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'nofomo_api'";
    admin.run("alter role nofomo_api password 'rotated'").await.unwrap();
    *manager.secret.lock().unwrap() = Some(json!({ "DATABASE_URL": url("rotated") }).to_string());
    admin.run(disconnect).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    for n in 0..3 {
        assert_eq!(world.post("/bots", &token, &new_bot(&format!("after {n}"))).await.status, 201);
    }
    assert_eq!(manager.reads.swap(0, Ordering::SeqCst), 1, "once, and the new password is kept");

    // Rotated again, and the secret has not heard of it: refused, and told as what it is.
    admin.run("alter role nofomo_api password 'again'").await.unwrap();
    admin.run(disconnect).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let answer = world.post("/bots", &token, &new_bot("locked out")).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "unavailable".into()));
    let log = world.log();
    assert!(log.contains("password authentication failed"), "{log}");
    for secret in ["planted-key", "rotated@", postgres.password(), token.as_str()] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}
