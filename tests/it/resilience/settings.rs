//! Settings and secrets: missing ones are named, and a rotated password causes no outage.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use dev::python;
use local_database::postgres::Postgres;

use crate::support::database::{Database, PRO, Session, migrate_template, run_directory, target};
use crate::support::waiting::wait_until;
use crate::support::world::{World, functions, http_client, new_bot};

/// Starts a function with only these variables, which must fail; returns its log.
async fn log_of_failed_start(variables: &[(&str, &str)]) -> String {
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
async fn missing_and_malformed_settings_are_named_at_startup() {
    let url = "postgres://nofomo_api:planted@db.example.test:6543/postgres";
    let issuer = ("AUTH_ISSUER", "https://abc.supabase.co/auth/v1");
    for (variables, expected) in [
        (vec![], "`DATABASE_URL`, `AUTH_ISSUER` not set"),
        (vec![("DATABASE_URL", ""), issuer], "`DATABASE_URL` not set"),
        (vec![("DATABASE_URL", url)], "`AUTH_ISSUER` not set"),
        (vec![("DATABASE_URL", "mysql://x"), issuer], "`DATABASE_URL`: not a postgres:// URL"),
        (
            vec![("DATABASE_URL", "postgres://a:planted@db.example.test/x?sslmode=disable"), issuer],
            "`DATABASE_URL`: sslmode=disable is allowed only for a database on this machine",
        ),
        (
            vec![("SECRET_ID", "nofomo/api"), issuer],
            "`AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` not set",
        ),
        (vec![("DATABASE_URL", url), issuer, ("DATABASE_ROOT_CERTIFICATE", "x")], "root certificate"),
    ] {
        let log = log_of_failed_start(&variables).await;
        assert!(log.contains(expected), "{expected}: {log}");
        assert!(!log.contains("planted"), "{log}");
        let line: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
        assert_eq!((&line["level"], &line["function"]), (&json!("ERROR"), &json!("create-bot")));
    }
}

/// AWS Secrets Manager as emulated by moto, behind a proxy that counts requests and can throttle them.
struct SecretsManager {
    endpoint: String,
    moto: String,
    client: reqwest::Client,
    /// Number of requests for the secret.
    reads: Arc<AtomicUsize>,
    /// Number of further requests to throttle.
    throttled: Arc<AtomicUsize>,
    _process: Child,
}

impl SecretsManager {
    async fn start() -> Self {
        let programs = python::install_programs(target(), "moto", &["moto[server]==5.2.5"]).await.unwrap();
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let process = Command::new(programs.join("moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let moto = format!("http://127.0.0.1:{port}");
        let (reads, throttled) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (counted, refused, target) = (reads.clone(), throttled.clone(), moto.clone());
        let client = http_client();
        let to_moto = client.clone();
        let forward = async move |headers: HeaderMap, body: Bytes| {
            counted.fetch_add(1, Ordering::SeqCst);
            if refused.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                let refusal = json!({"__type": "ThrottlingException", "message": "Rate exceeded"});
                return (StatusCode::BAD_REQUEST, refusal.to_string());
            }
            let answer = to_moto.post(&target).headers(headers).body(body).send().await.unwrap();
            (answer.status(), answer.text().await.unwrap())
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, Router::new().route("/", post(forward))).into_future());
        let manager = Self { endpoint, moto, client, reads, throttled, _process: process };
        let listed = async || manager.call("ListSecrets", &json!({})).await.is_some();
        while !listed().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        manager
    }

    /// Calls the API as an administrator; `None` while the server is not reachable.
    async fn call(&self, action: &str, parameters: &Value) -> Option<StatusCode> {
        let signed = "AWS4-HMAC-SHA256 Credential=id/20260101/ap-southeast-3/secretsmanager/aws4_request, SignedHeaders=host, Signature=0";
        let request = self
            .client
            .post(&self.moto)
            .header("x-amz-target", format!("secretsmanager.{action}"))
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", signed)
            .body(parameters.to_string());
        request.send().await.ok().map(|answer| answer.status())
    }

    async fn create(&self, secret: &str) {
        let created = self.call("CreateSecret", &json!({"Name": "nofomo/api", "SecretString": secret})).await;
        assert_eq!(created, Some(StatusCode::OK));
    }

    async fn put(&self, secret: &str) {
        let put = self.call("PutSecretValue", &json!({"SecretId": "nofomo/api", "SecretString": secret})).await;
        assert_eq!(put, Some(StatusCode::OK));
    }

    async fn delete(&self) {
        let deleted =
            self.call("DeleteSecret", &json!({"SecretId": "nofomo/api", "ForceDeleteWithoutRecovery": true})).await;
        assert_eq!(deleted, Some(StatusCode::OK));
    }

    fn variables(&self, id: &str) -> BTreeMap<String, String> {
        [
            ("SECRET_ID", id),
            ("AWS_REGION", "ap-southeast-3"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "planted-key"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &self.endpoint),
            // The secret supplies the settings that are not in the environment.
            ("DATABASE_URL", ""),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// Log of a function that starts with this secret, which must fail.
    async fn log_of_start(&self, id: &str) -> String {
        let variables = self.variables(id);
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        log_of_failed_start(&variables).await
    }
}

#[tokio::test]
async fn a_missing_or_unreadable_secret_is_named_without_its_content() {
    let manager = SecretsManager::start().await;
    manager.create("planted-secret").await;
    let log = manager.log_of_start("nofomo/other").await;
    assert!(log.contains("secret `nofomo/other`") && log.contains("ResourceNotFoundException"), "{log}");
    let log = manager.log_of_start("nofomo/api").await;
    assert!(log.contains("not a JSON object of strings") && !log.contains("planted"), "{log}");
    manager.put("{}").await;
    assert!(manager.log_of_start("nofomo/api").await.contains("`DATABASE_URL`, `AUTH_ISSUER` not set"));
}

#[tokio::test]
async fn a_throttled_secret_is_requested_three_times_and_then_named() {
    let manager = SecretsManager::start().await;
    manager.create("{}").await;
    manager.throttled.store(2, Ordering::SeqCst);
    assert!(manager.log_of_start("nofomo/api").await.contains("`DATABASE_URL`, `AUTH_ISSUER` not set"), "it was read");
    assert_eq!(manager.reads.swap(0, Ordering::SeqCst), 3, "two throttled requests and one answered");
    manager.throttled.store(usize::MAX, Ordering::SeqCst);
    let log = manager.log_of_start("nofomo/api").await;
    assert!(log.contains("secret `nofomo/api`") && log.contains("ThrottlingException"), "{log}");
    assert!(!log.contains("planted"), "{log}");
    assert_eq!(manager.reads.load(Ordering::SeqCst), 3, "at most three attempts");
}

/// Starts a separate database server, as passwords belong to the whole server, and functions that read its URL from the
/// secret only.
async fn start_world_with_secret(manager: &SecretsManager, name: &str) -> (Postgres, World) {
    let postgres = Postgres::start(&run_directory(name), None).await.unwrap();
    migrate_template(&postgres).await;
    manager.create(&json!({ "DATABASE_URL": url(&postgres, postgres.password()) }).to_string()).await;
    let world = World::on_database(Database::migrated_on(&postgres), manager.variables("nofomo/api")).await;
    world.database.owner().await.run("update public.plans set max_bots = -1").await.unwrap();
    (postgres, world)
}

fn url(postgres: &Postgres, password: &str) -> String {
    postgres.url("nofomo_api", "migrated").replace(postgres.password(), password)
}

/// Changes the role's password, and closes the connections that were opened with the old one.
async fn rotate_password(admin: &Session, password: &str) {
    admin.run(&format!("alter role nofomo_api password '{password}'")).await.unwrap();
    let disconnect = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'nofomo_api'";
    admin.run(disconnect).await.unwrap();
}

#[tokio::test]
async fn a_rotated_password_is_read_again_once_and_no_request_fails() {
    let manager = SecretsManager::start().await;
    let (postgres, world) = start_world_with_secret(&manager, "postgres-rotated").await;
    let token = world.sign_in("pro@nofomo.test").await;
    assert_eq!(world.post("/bots", &token, &new_bot("before")).await.status, 201);
    assert_eq!(manager.reads.swap(0, Ordering::SeqCst), 1, "at start-up");

    let admin = Session::open(&postgres.url("supabase_admin", "migrated")).await;
    manager.put(&json!({ "DATABASE_URL": url(&postgres, "rotated") }).to_string()).await;
    world.wait_until_connections_close("create-bot", rotate_password(&admin, "rotated")).await;
    for n in 0..3 {
        assert_eq!(world.post("/bots", &token, &new_bot(&format!("after {n}"))).await.status, 201);
    }
    assert_eq!(manager.reads.swap(0, Ordering::SeqCst), 1, "once; the new password stays in use");

    // After a rotation without a new secret, requests fail and the log gives the cause.
    world.wait_until_connections_close("create-bot", rotate_password(&admin, "again")).await;
    let answer = world.post("/bots", &token, &new_bot("locked out")).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "unavailable".into()));
    // The secret is deleted.
    manager.delete().await;
    let answer = world.post("/bots", &token, &new_bot("without a secret")).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "unavailable".into()));
    let log = world.log();
    assert!(log.contains("password authentication failed") && log.contains("ResourceNotFoundException"), "{log}");
    for secret in ["planted-key", "rotated@", postgres.password(), token.as_str()] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    // As soon as the secret has the right password, the same instance recovers.
    manager.create(&json!({ "DATABASE_URL": url(&postgres, "again") }).to_string()).await;
    assert_eq!(world.post("/bots", &token, &new_bot("back")).await.status, 201);
    assert_eq!(world.stack.fleet("create-bot").unwrap().process_ids().len(), 1);
}

#[tokio::test]
async fn every_instance_keeps_working_while_passwords_are_rotated() {
    let manager = SecretsManager::start().await;
    let (postgres, world) = start_world_with_secret(&manager, "postgres-rotating").await;
    let token = world.sign_in("pro@nofomo.test").await;
    let admin = Session::open(&postgres.url("supabase_admin", "migrated")).await;
    let (world, token) = (&world, token.as_str());
    let (acknowledged, is_finished) = (&AtomicUsize::new(0), &AtomicBool::new(false));
    let clients = join_all((0..8).map(async |client| {
        let mut refused = 0;
        for n in 0.. {
            if is_finished.load(Ordering::SeqCst) {
                break;
            }
            let answer = world.post("/bots", token, &new_bot(&format!("{client}-{n}"))).await;
            match answer.status.as_u16() {
                201 => acknowledged.fetch_add(1, Ordering::SeqCst),
                503 => {
                    refused += 1;
                    continue;
                }
                other => panic!("{other}: {answer:?}"),
            };
        }
        refused
    }));
    let wait_for_requests = async || {
        let enough = acknowledged.load(Ordering::SeqCst) + 80;
        wait_until("requests succeed", async || acknowledged.load(Ordering::SeqCst) >= enough).await;
    };
    let rotating = async {
        wait_for_requests().await;
        let instances = world.stack.fleet("create-bot").unwrap().process_ids();
        for password in ["second", "third"] {
            manager.put(&json!({ "DATABASE_URL": url(&postgres, password) }).to_string()).await;
            rotate_password(&admin, password).await;
            wait_for_requests().await;
        }
        is_finished.store(true, Ordering::SeqCst);
        instances
    };
    let (refused, instances) = tokio::join!(clients, rotating);
    // A statement whose connection is closed meanwhile is not repeated.
    assert!(refused.iter().all(|times| *times <= 2), "once for each rotation: {refused:?}");
    let last = world.stack.fleet("create-bot").unwrap().process_ids();
    assert!(instances.iter().all(|instance| last.contains(instance)), "no instance was restarted");
    let stored = format!("select count(*) from public.bots where user_id = '{PRO}' and name like '%-%'");
    let stored: usize = world.database.owner().await.text(&stored).await.parse().unwrap();
    assert!(stored >= acknowledged.load(Ordering::SeqCst), "every acknowledged bot is stored");
    assert!(manager.reads.load(Ordering::SeqCst) > instances.len(), "each instance has read the secret again");
}
