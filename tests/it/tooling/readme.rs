//! The documents: their commands work, their links lead to files, and the README lists every function.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;
use tokio::process::Command;

use crate::support::database::{PRO, run_directory, workspace};
use crate::support::world::World;

/// Text of every document for readers, by its path in the repository.
fn documents() -> BTreeMap<PathBuf, String> {
    let folders = [".", "clients/typescript", "docs", "migrations"].map(|folder| workspace().join(folder));
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let documents = files.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// Shell commands of the first block in any document that contains the words.
fn session_with(words: &str) -> String {
    let blocks = documents().into_values().flat_map(|text| {
        let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned());
        blocks.collect::<Vec<_>>()
    });
    blocks.into_iter().find(|block| block.contains(words)).unwrap()
}

/// Pastes the commands into one shell; returns the JSON values that they print.
async fn pasted(world: &World, sessions: &[String]) -> Vec<Value> {
    let session = sessions.join("\n");
    assert!(session.contains("http://127.0.0.1:9000"));
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &session.replace("http://127.0.0.1:9000", &world.stack.url())])
        .current_dir(workspace())
        .output()
        .await
        .unwrap();
    let (out, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}\n{errors}");
    serde_json::Deserializer::from_str(&out).into_iter().collect::<Result<_, _>>().unwrap_or_else(|_| panic!("{out}"))
}

#[tokio::test]
async fn the_curl_session_works_as_pasted() {
    let world = World::new().await;
    let answers = pasted(&world, &[session_with("my-first-bot")]).await;
    let [bot, portfolio] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(bot["name"], "My first bot");
    assert_eq!(portfolio["user"]["email"], "pro@nofomo.test");
    assert!(portfolio["bots"].as_array().unwrap().contains(bot), "{portfolio}");
    let row = format!("select user_id from public.bots where id = '{}'", bot["id"].as_str().unwrap());
    assert_eq!(world.database.owner().await.text(&row).await, PRO);
}

#[tokio::test]
async fn the_payment_session_works_as_pasted() {
    let world = World::new().await;
    let sessions = ["my-first-bot", "/invoices", "/_local/invoke/expire-subscriptions"].map(session_with);
    let answers = pasted(&world, &sessions).await;
    let [_, _, invoice, counts] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((&invoice["plan"], &invoice["status"]), (&"Enterprise".into(), &"pending".into()), "{invoice}");
    assert!(invoice["checkout_url"].as_str().unwrap().starts_with(&world.stack.url()));
    assert_eq!(counts["is_complete"], true, "{counts}");
    let plan = format!("select subscription_plan from public.users where id = '{PRO}'");
    assert_eq!(world.database.owner().await.text(&plan).await, "free", "the expired period has ended");
}

#[tokio::test]
async fn the_analysis_session_works_as_pasted() {
    let world = World::new().await;
    let directory = run_directory("readme");
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("report.html");
    let session = session_with("report.html").replace("report.html", file.to_str().unwrap());
    let answers = pasted(&world, &[session_with("my-first-bot"), session, session_with("/backtests")]).await;
    let [_, _, backtest] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((&backtest["total_trades"], &backtest["trading_pair"]), (&455.into(), &"4 pairs".into()), "{backtest}");
    assert!(std::fs::read_to_string(file).unwrap().contains("<h1>Risk of all your trades</h1>"));
}

#[tokio::test]
async fn the_strategies_session_works_as_pasted() {
    let world = World::with_settings(BTreeMap::from([("TEMPLATES_FOR_PROMPTS".into(), "true".into())])).await;
    let answers = pasted(&world, &[session_with("my-first-bot"), session_with("/strategies/generate")]).await;
    let [_, _, generated, stored] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(generated["check"]["verdict"], "clean", "{generated}");
    let rules: BTreeSet<_> =
        stored["check"]["findings"].as_array().unwrap().iter().map(|finding| finding["rule"].as_str()).collect();
    assert_eq!((&stored["check"]["verdict"], rules.len()), (&"refused".into(), 2), "{stored}");
}

#[test]
fn every_link_between_documents_leads_to_a_file() {
    let mut links = 0;
    for (path, text) in documents() {
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        let images = text.split("src=\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(target, _)| target);
        for target in targets.chain(images).filter(|target| !target.contains("://")) {
            let (file, section) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(file.exists(), "{}: {target}", path.display());
            let is_heading = |line: &str| {
                line.starts_with('#') && line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-") == section
            };
            let has_section = || std::fs::read_to_string(&file).unwrap().lines().any(is_heading);
            assert!(section.is_empty() || has_section(), "{}: {target}", path.display());
            links += 1;
        }
    }
    assert!(links > 100, "{links}");
}

/// The folder, binary, resource, SQL file, test and README row of a function have its name.
#[test]
fn every_function_has_the_same_name_everywhere() {
    let template = std::fs::read_to_string(workspace().join("template.yaml")).unwrap();
    let listed = |folder: &str| {
        let entries = std::fs::read_dir(workspace().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<BTreeSet<_>>()
    };
    let tests: BTreeSet<_> = ["tests/it/api", "tests/it/jobs"].into_iter().flat_map(listed).collect();
    let (migrations, readme) = (listed("migrations"), std::fs::read_to_string(workspace().join("README.md")).unwrap());
    for name in listed("functions") {
        let resource: String = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        let snake = name.replace('-', "_");
        assert!(template.contains(&format!("\n  {resource}Function:")), "{name}: no resource");
        assert!(template.contains(&format!("Binary: {name} ")), "{name}: no binary");
        // ingest-trades executes the SQL function of record-trade.
        let statement = if name == "ingest-trades" { "record_trade" } else { &snake };
        assert!(migrations.iter().any(|file| file.ends_with(&format!("_{statement}.sql"))), "{name}: no SQL");
        assert!(tests.contains(&format!("{snake}.rs")), "{name}: no test");
        assert!(readme.contains(&format!("[{name}](functions/{name}/src/lib.rs)")), "{name}: not in the README");
    }
}
