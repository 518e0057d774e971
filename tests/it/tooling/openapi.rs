//! `openapi.json`: it is complete, it is correct, and clients can be generated from it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Output;

use dev::node::Node;
use dev::python::install_programs;
use dev::template::Template;
use fantoccini::Locator;
use reqwest::Method;
use serde_json::json;
use tokio::process::Command;

use crate::support::browser::Browser;
use crate::support::contract::{document, documented_path};
use crate::support::database::{PRO, target, workspace};
use crate::support::world::World;

#[test]
fn every_route_is_documented_and_no_other() {
    let template = Template::load(workspace()).unwrap();
    let routes = template.functions.into_iter().flat_map(|function| function.routes);
    let deployed: BTreeSet<String> = routes.map(|route| format!("{} {}", route.method, route.path)).collect();
    let mut documented = BTreeSet::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            // This action has a body, so it is documented separately.
            let route = if path == "/bots/{bot_id}/fail" { "/bots/{bot_id}/{action}" } else { path };
            documented.insert(format!("{} {route}", method.to_uppercase()));
        }
    }
    assert_eq!(documented, deployed);
    assert_eq!(documented_path("/bots/1/fail"), Some("/bots/{bot_id}/fail"));
    assert_eq!(documented_path("/bots/1/start?x=/"), Some("/bots/{bot_id}/{action}"));
}

#[test]
fn bots_and_strategies_have_the_same_timeframes() {
    assert_eq!(document()["components"]["schemas"]["Timeframe"]["enum"], json!(nofomo_strategy::TIMEFRAMES));
}

/// Runs a command that must succeed; a failure is reported with the remedy.
async fn run(command: &mut Command, remedy: &str) -> Output {
    let output = command.output().await.unwrap_or_else(|error| panic!("{remedy}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{remedy}: {}{}", text(&output.stdout), text(&output.stderr));
    output
}

#[tokio::test]
async fn generated_requests_receive_documented_responses_only() {
    // As with `cargo dev`, a template answers a prompt when there is no language model.
    let world = World::with_settings(BTreeMap::from([("TEMPLATES_FOR_PROMPTS".into(), "true".into())])).await;
    let token = world.sign_in("enterprise@nofomo.test").await;
    let schemathesis =
        install_programs(target(), "schemathesis", &["schemathesis==4.32.5"]).await.unwrap().join("schemathesis");
    let mut command = Command::new(schemathesis);
    command
        .arg("--config-file")
        .arg(workspace().join("tests/schemathesis.toml"))
        .arg("run")
        .arg(workspace().join("openapi.json"))
        .args(["--url", &world.stack.url(), "--header", &format!("Authorization: Bearer {token}")])
        .current_dir(env!("CARGO_TARGET_TMPDIR"));
    run(&mut command, "schemathesis received a response that openapi.json does not document").await;
}

/// Copies the committed files of the client; installed packages are kept from an earlier run.
fn copy_of_the_client() -> PathBuf {
    let source = workspace().join("clients/typescript");
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../typescript");
    std::fs::create_dir_all(copy.join("src")).unwrap();
    for file in
        ["package.json", "package-lock.json", "tsconfig.json", "src/client.ts", "src/database.ts", "src/example.ts"]
    {
        std::fs::copy(source.join(file), copy.join(file)).unwrap();
    }
    copy
}

#[tokio::test]
async fn a_typescript_client_is_generated_compiles_and_works() {
    let remedy = "make sure that the npm registry is reachable";
    let client = copy_of_the_client();
    let node = Node::find(target()).await.unwrap();
    let program = |name: &str| {
        let mut command = node.command(name);
        command.current_dir(&client);
        command
    };
    let lock = std::fs::read(client.join("package-lock.json")).unwrap();
    let installed = client.join("installed");
    if std::fs::read(&installed).ok().as_ref() != Some(&lock) {
        run(program("npm").args(["ci", "--no-audit", "--no-fund"]), remedy).await;
        std::fs::write(&installed, &lock).unwrap();
    }
    let generate = ["--no-install", "openapi-typescript"];
    run(program("npx").args(generate).arg(workspace().join("openapi.json")).args(["--output", "src/api.ts"]), remedy)
        .await;
    let types = |folder: &Path| std::fs::read_to_string(folder.join("src/api.ts")).unwrap();
    let committed = types(&workspace().join("clients/typescript"));
    assert!(types(&client) == committed, "src/api.ts is out of date: run `npm run generate` in clients/typescript");
    run(program("npx").args(["--no-install", "tsc"]), "the client does not compile").await;

    let world = World::new().await;
    let ran = run(program("node").args(["out/example.js", &world.stack.url()]), "the example failed").await;
    let output = String::from_utf8(ran.stdout).unwrap();
    let (message, bot) = output.trim().rsplit_once(": ").unwrap();
    assert_eq!(message, "pro@nofomo.test has A bot of TypeScript, which is stopped");
    let row = format!("select user_id from public.bots where id = '{bot}'");
    assert_eq!(world.database.owner().await.text(&row).await, PRO);
}

#[tokio::test]
async fn the_documentation_page_sends_requests_as_the_chosen_sample_user() {
    let world = World::new().await;
    let served = world.send(Method::GET, "/_local/openapi.json", &[], "").await;
    assert_eq!(&served.json(), document());
    assert_eq!(world.send(Method::GET, "/_local/docs/index.html", &[], "").await.status, 404);

    let browser = Browser::open(1280, 900).await;
    browser.go_to(&world.url("/_local/docs")).await;
    let operation = "#operations-Portfolio-getPortfolio";
    let wait = |css: String| {
        let client = browser.client.clone();
        async move { client.wait().for_element(Locator::Css(&css)).await.unwrap() }
    };
    wait(format!("{operation} button.opblock-summary-control")).await.click().await.unwrap();
    for user in ["enterprise@nofomo.test", "free@nofomo.test"] {
        let choice = browser.client.find(Locator::Css("#user")).await.unwrap();
        choice.select_by_label(user).await.unwrap();
        let signed_in = format!("//*[@id='session'][contains(., 'as {user}')]");
        browser.client.wait().for_element(Locator::XPath(&signed_in)).await.unwrap();
        wait(format!("{operation} button.execute")).await.click().await.unwrap();
        let answer = format!("//*[contains(@class, 'live-responses-table')][contains(., '{user}')]");
        browser.client.wait().for_element(Locator::XPath(&answer)).await.unwrap();
    }
    browser.save_screenshot("docs").await;
    let origin = world.stack.url();
    for url in browser.requests().await {
        assert!(url.starts_with(&origin) || url.starts_with("data:"), "{url}");
    }
    assert_eq!(browser.console_messages().await, Vec::<String>::new());
    browser.close().await;
}
