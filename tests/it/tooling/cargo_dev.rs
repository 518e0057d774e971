//! `cargo dev`: its output, its routes, its end, and the data and processes that remain.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Instant;

use dev::template::Template;
use futures_util::future::join_all;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::json;

use crate::support::cargo_dev::{
    DataDirectory, Dev, Process, dev_command, failure, free_port, migration_files, processes, run_command,
    wait_until_ended,
};
use crate::support::database::{Session, workspace};
use crate::support::waiting::WAIT_TIMEOUT;
use crate::support::world::{PASSWORD, new_bot};

#[tokio::test]
async fn a_fresh_start_serves_sign_in_the_api_and_the_local_routes() {
    let data = DataDirectory::new("fresh").await;
    let port = free_port();
    let dev = Dev::start(&data, &["--port", &port.to_string()]).await;
    assert_eq!(dev.url, format!("http://127.0.0.1:{port}"));
    assert_eq!(dev.applied_migrations(), migration_files());

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
    assert_eq!((&key["alg"], key.get("d")), (&json!("ES256"), None), "the private key is not published");

    let event = json!({
        "version": "2.0", "routeKey": "GET /portfolio", "rawPath": "/portfolio", "headers": {}, "isBase64Encoded": false,
        "requestContext": {
            "http": { "method": "GET", "path": "/portfolio", "protocol": "HTTP/1.1" }, "requestId": "id",
            "routeKey": "GET /portfolio", "stage": "$default", "timeEpoch": 1_772_323_200_000_i64,
        },
    });
    let invoke = async |name: &str| dev.send(Method::POST, &format!("/_local/invoke/{name}"), "", &event).await;
    let (status, answer) = invoke("get-portfolio").await;
    assert_eq!((status, &answer["statusCode"]), (200, &json!(401)), "response of the function: {answer}");
    assert_eq!(invoke("get-nothing").await, (404, json!({ "message": "there is no function get-nothing" })));
}

#[tokio::test]
async fn an_interrupt_or_kill_during_a_request_leaves_no_process_and_loses_no_data() {
    let data = DataDirectory::new("ended").await;
    // When interrupted, either the database or the instance may end first.
    let interrupted = [Some(502), Some(503)];
    for (signal, code, expected) in [(Signal::SIGINT, Some(0), &interrupted[..]), (Signal::SIGKILL, None, &[None])] {
        let mut command = dev_command(&data, &["--port", "0"]).await;
        // A terminal signals the whole foreground process group.
        command.process_group(0);
        let mut dev = Dev::spawn(command, &data);
        dev.wait_until_ready().await;
        let token = dev.token().await;
        assert_eq!(dev.create_bot(&token, "acknowledged").await, 201);
        dev.bot_names(&token).await;
        let lock = dev.lock_bots().await;
        let held = dev.client.post(format!("{}/bots", dev.url)).bearer_auth(&token).json(&new_bot("held")).send();
        let held = tokio::spawn(async move { held.await.ok().map(|answer| answer.status().as_u16()) });
        lock.wait_until_blocking(1).await;

        let descendants = dev.descendants().await;
        for program in ["/create-bot", "/get-portfolio", "/cluster"] {
            assert!(descendants.iter().any(|process| process.command.contains(program)), "{program}");
        }
        killpg(dev.id(), signal).unwrap();
        assert_eq!(dev.wait().await.code(), code);
        wait_until_ended(&descendants).await;
        let answer = held.await.unwrap();
        assert!(expected.contains(&answer), "{answer:?}");
    }
    let dev = Dev::start(&data, &["--port", "0"]).await;
    let bots = dev.bot_names(&dev.token().await).await;
    assert_eq!(bots.iter().filter(|name| *name == "acknowledged").count(), 2, "{bots:?}");
}

#[tokio::test]
async fn the_start_after_an_interrupted_creation_of_the_database_succeeds() {
    let data = DataDirectory::new("early").await;
    let dev = Dev::spawn(dev_command(&data, &["--port", "0"]).await, &data);
    let is_initdb = |process: &Process| process.command.contains("initdb --pgdata");
    let deadline = Instant::now() + WAIT_TIMEOUT;
    let mut descendants = Vec::new();
    while !descendants.iter().any(is_initdb) {
        assert!(Instant::now() < deadline, "initdb never ran");
        descendants = dev.descendants().await;
    }
    assert_eq!(dev.stop(Signal::SIGINT).await.code(), Some(0));
    // Processes that initdb had started may still be writing.
    let dev = Dev::start(&data, &["--port", "0"]).await;
    assert_eq!(dev.create_bot(&dev.token().await, "mine").await, 201);
    wait_until_ended(&descendants).await;

    assert!(dev.stop(Signal::SIGINT).await.success());
    let dev = Dev::start(&data, &["--port", "0"]).await;
    assert!(dev.bot_names(&dev.token().await).await.contains(&"mine".to_owned()));
    let cluster = Session::open(&dev.database_url().await).await.text("select current_setting('data_directory')").await;
    let cluster_directory = Path::new(&cluster).parent().unwrap();
    let files = fs::read_dir(cluster_directory).unwrap().map(|entry| entry.unwrap().file_name());
    let incomplete: Vec<_> = files.filter(|name| name.to_string_lossy().contains("incomplete")).collect();
    assert!(incomplete.is_empty(), "{incomplete:?}");
}

#[tokio::test]
async fn the_next_start_keeps_bots_and_tokens_and_a_fresh_one_only_the_tokens() {
    let data = DataDirectory::new("again").await;
    let port = free_port().to_string();
    let dev = Dev::start(&data, &["--port", &port]).await;
    let token = dev.token().await;
    let sample = dev.bot_names(&token).await;
    assert_eq!(dev.create_bot(&token, "mine").await, 201);
    assert!(dev.stop(Signal::SIGINT).await.success());

    let dev = Dev::start(&data, &["--port", &port]).await;
    assert_eq!(dev.applied_migrations(), [""; 0]);
    let bots = dev.bot_names(&token).await;
    // Deleted sample data is not added again by the next start.
    let owner = Session::open(&dev.database_url().await).await;
    owner
        .run("delete from auth.users where email = 'free@nofomo.test'; delete from public.plans where name = 'Free'")
        .await
        .unwrap();
    drop(owner);
    assert!(bots.contains(&"mine".to_owned()) && bots.len() == sample.len() + 1, "{bots:?}");
    assert!(dev.stop(Signal::SIGTERM).await.success());

    let dev = Dev::start(&data, &["--port", &port]).await;
    let owner = Session::open(&dev.database_url().await).await;
    assert_eq!(owner.text("select count(*) from auth.users").await, "2");
    drop(owner);
    assert!(dev.stop(Signal::SIGTERM).await.success());

    let dev = Dev::start(&data, &["--port", &port, "--fresh"]).await;
    assert!(!sample.is_empty());
    assert_eq!(dev.bot_names(&token).await, sample);
}

#[tokio::test]
async fn each_concurrent_request_has_an_instance_and_a_killed_instance_loses_only_its_request() {
    let data = DataDirectory::new("instances").await;
    let dev = Dev::start(&data, &["--port", "0"]).await;
    let token = dev.token().await;
    Session::open(&dev.database_url().await).await.run("update public.plans set max_bots = -1").await.unwrap();

    let lock = dev.lock_bots().await;
    let requests = join_all(["one", "two", "three"].map(|name| dev.create_bot(&token, name)));
    let counting = async {
        lock.wait_until_blocking(3).await;
        let instances = dev.create_bot_instances().await;
        lock.rollback().await;
        instances
    };
    let (answers, instances) = tokio::join!(requests, counting);
    assert_eq!((answers, instances.len()), (vec![201; 3], 3));
    assert_eq!(dev.create_bot(&token, "four").await, 201);
    assert_eq!(dev.create_bot_instances().await.len(), 3, "an idle instance is reused");

    lock.run("begin; lock table public.bots in access exclusive mode").await.unwrap();
    let killing = async {
        lock.wait_until_blocking(1).await;
        instances.iter().for_each(|instance| kill(Pid::from_raw(instance.id), Signal::SIGKILL).unwrap());
    };
    let (answer, ()) = tokio::join!(dev.create_bot(&token, "five"), killing);
    assert_eq!(answer, 502);
    wait_until_ended(&instances).await;
    lock.rollback().await;
    assert_eq!(dev.create_bot(&token, "six").await, 201);
}

#[tokio::test]
async fn a_failed_start_reports_cause_and_remedy_and_leaves_no_process() {
    let data = DataDirectory::new("refused").await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let error = failure(dev_command(&data, &["--port", &port]).await).await;
    assert!(error.starts_with(&format!("error: cannot listen on port {port}: ")), "{error}");
    assert!(error.ends_with("; stop the program that listens there, or choose another --port"), "{error}");

    let elsewhere = ["--port", "0", "--database-url", "postgres://postgres:planted@db.example.test:5432/postgres"];
    let error = failure(dev_command(&data, &elsewhere).await).await;
    assert!(error.contains("it must be on this machine") && !error.contains("planted"), "{error}");

    let unreachable = format!("postgres://postgres:planted@127.0.0.1:{}/postgres?sslmode=disable", free_port());
    let error = failure(dev_command(&data, &["--port", "0", "--database-url", &unreachable]).await).await;
    assert!(error.contains("cannot connect to 127.0.0.1:") && error.contains("that the server is running"), "{error}");
    assert!(!error.contains("planted"), "{error}");

    // A compiler that always fails.
    let mut command = dev_command(&data, &["--port", "0"]).await;
    command.env("RUSTC_WORKSPACE_WRAPPER", "false");
    assert_eq!(failure(command).await, "error: the functions do not compile; fix the errors that cargo reports above");
    let path = data.path.to_string_lossy().into_owned();
    let mut remaining = processes().await;
    remaining.retain(|process| process.command.contains(&path));
    wait_until_ended(&remaining).await;
}

#[tokio::test]
async fn an_invalid_template_is_refused_with_the_place_of_the_error() {
    let data = DataDirectory::new("template").await;
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
async fn a_second_start_on_the_same_data_is_refused_and_the_first_keeps_running() {
    let data = DataDirectory::new("twice").await;
    let dev = Dev::start(&data, &["--port", "0"]).await;
    for arguments in [&["--port", "0"][..], &["--port", "0", "--fresh"]] {
        let error = failure(dev_command(&data, arguments).await).await;
        assert!(error.contains("another `cargo dev` is running with the data in "), "{error}");
        assert!(error.ends_with("; stop it, or give this one its own --data directory"), "{error}");
    }
    assert_eq!(dev.create_bot(&dev.token().await, "mine").await, 201);
}

#[tokio::test]
async fn a_token_is_printed_while_cargo_dev_runs() {
    let data = DataDirectory::new("token").await;
    let not_running = "start it in another terminal and wait until it is ready";
    assert!(failure(dev_command(&data, &["token", "pro@nofomo.test"]).await).await.ends_with(not_running));
    let dev = Dev::start(&data, &["--port", "0"]).await;
    let (code, token) = run_command(dev_command(&data, &["token", "pro@nofomo.test"]).await).await;
    assert_eq!((code, token.lines().count()), (0, 1), "{token}");
    assert_eq!(dev.create_bot(token.trim(), "mine").await, 201);
    let error = failure(dev_command(&data, &["token", "nobody@nofomo.test"]).await).await;
    assert_eq!(error, "error: there is no user nobody@nofomo.test; sign up at /auth/v1/signup");
    dev.stop(Signal::SIGKILL).await;
    assert!(failure(dev_command(&data, &["token", "pro@nofomo.test"]).await).await.ends_with(not_running));
}
