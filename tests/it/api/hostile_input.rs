//! Inputs of the fuzzing corpus in `tests/fuzz`, and other hostile input, sent to the functions and the database.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use futures_util::{StreamExt, stream};
use hmac::{Hmac, KeyInit, Mac};
use ops::verify::verify_migrations;
use reqwest::Method;
use sha2::Sha256;
use zip::ZipArchive;

use crate::support::bot_tokens::issue_bot_token;
use crate::support::database::{PRO, migrations, server, workspace};
use crate::support::world::{HttpResponse, World, new_bot};

const OVERSOLD_RSI: &str = "0190e000-0000-7000-8000-000000000001";

/// Key that the fuzzing target signs with, from Tripay's documentation.
const TRIPAY_PRIVATE_KEY: &str = "ytf6ooi2gmlNPfpchd94jDOk8hRWOu";

/// Number of concurrent requests.
const CONCURRENCY: usize = 8;

/// Names and inputs of a fuzzing target's corpus: files named by a person, and an archive of those that the fuzzer
/// found.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = workspace().join("tests/fuzz/corpus").join(target);
    let mut found = ZipArchive::new(File::open(folder.with_extension("zip")).unwrap()).unwrap();
    assert!(found.len() > 50, "{target} has a corpus");
    let read = |path: &Path| (path.display().to_string(), std::fs::read(path).unwrap());
    let mut inputs: Vec<_> = folder.read_dir().unwrap().map(|entry| read(&entry.unwrap().path())).collect();
    for index in 0..found.len() {
        let mut entry = found.by_index(index).unwrap();
        let mut input = Vec::new();
        entry.read_to_end(&mut input).unwrap();
        inputs.push((format!("{target}.zip: {}", entry.name().unwrap()), input));
    }
    inputs
}

/// Sends each input of a corpus; no response may be a server error.
async fn send_all<F: Future<Output = Option<HttpResponse>>>(
    target: &str,
    send: impl Fn(Vec<u8>) -> F,
) -> Vec<(String, HttpResponse)> {
    let sent = stream::iter(corpus(target)).map(|(file, input)| {
        let answer = send(input);
        async { answer.await.map(|answer| (file, answer)) }
    });
    let answers: Vec<_> = sent.buffer_unordered(CONCURRENCY).filter_map(async |answer| answer).collect().await;
    for (file, answer) in &answers {
        assert!(answer.status.as_u16() < 500, "{file}: {answer:?}");
    }
    answers
}

#[tokio::test]
async fn no_input_causes_a_server_error_or_breaks_a_database_rule() {
    let world = World::with_settings(BTreeMap::from([("TRIPAY_PRIVATE_KEY".into(), TRIPAY_PRIVATE_KEY.into())])).await;
    let user = world.sign_in("pro@nofomo.test").await;
    let bot = world.oldest_bot_of(PRO).await;
    let token = issue_bot_token(&world, &user, &bot).await;

    let path = &format!("/bots/{bot}/trades");
    let bearer = &format!("Bearer {token}");
    let reporting = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let reported =
        send_all("trades", async |body| Some(world.send_bytes(Method::POST, path, &reporting, body).await)).await;
    assert!(reported.iter().any(|(_, answer)| answer.status == 201), "some are trades");

    let path = &format!("/freqtrade/{token}");
    for (target, content_type) in
        [("freqtrade_json", "application/json"), ("freqtrade_form", "application/x-www-form-urlencoded")]
    {
        let headers = [("content-type", content_type)];
        let answers =
            send_all(target, async |body| Some(world.send_bytes(Method::POST, path, &headers, body).await)).await;
        // Freqtrade does not repeat a request, so every event is accepted.
        assert!(answers.iter().all(|(_, answer)| answer.status == 200 && answer.text == "{}"), "{answers:?}");
    }

    let path = &format!("/strategies/{OVERSOLD_RSI}/backtests");
    let bearer = &format!("Bearer {user}");
    let uploading = [("authorization", bearer.as_str()), ("content-type", "application/octet-stream")];
    let uploaded =
        send_all("backtest_archive", async |body| Some(world.send_bytes(Method::POST, path, &uploading, body).await))
            .await;
    assert!(uploaded.iter().any(|(_, answer)| answer.status == 201), "some are exports");

    let path = &format!("/strategies/{OVERSOLD_RSI}");
    let replacing = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let sources = send_all("strategy_source", async |source| {
        let body = serde_json::json!({ "content": String::from_utf8(source).ok()? });
        Some(world.send(Method::PUT, path, &replacing, &body.to_string()).await)
    });
    assert!(sources.await.iter().any(|(_, answer)| answer.status == 200), "some are strategies");

    // As in the fuzzing target: if the lowest bit of the first byte is set, the rest is the body, and is signed;
    // otherwise the rest is the signature header, a line break, and the body.
    let delivered = send_all("callback", async |data| {
        let (first, rest) = data.split_first()?;
        let (signature, body) = if first & 1 == 1 {
            let mac = Hmac::<Sha256>::new_from_slice(TRIPAY_PRIVATE_KEY.as_bytes()).unwrap();
            (hex::encode(mac.chain_update(rest).finalize().into_bytes()), rest)
        } else {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            (String::from_utf8(rest[..end].to_vec()).ok()?, rest.get(end + 1..).unwrap_or_default())
        };
        // An invalid header value cannot be sent.
        reqwest::header::HeaderValue::from_str(&signature).ok()?;
        let headers = [("x-callback-signature", signature.as_str()), ("x-callback-event", "payment_status")];
        Some(world.send_bytes(Method::POST, "/callbacks/tripay", &headers, body.to_vec()).await)
    });
    assert!(
        delivered.await.iter().any(|(_, answer)| answer.status == 200),
        "some are callbacks with a valid signature"
    );

    let tokens = send_all("access_token", async |token| {
        let token = format!("Bearer {}", String::from_utf8(token).ok()?);
        reqwest::header::HeaderValue::from_str(&token).ok()?;
        Some(world.send(Method::GET, "/portfolio", &[("authorization", &token)], "").await)
    });
    assert!(tokens.await.iter().all(|(_, answer)| answer.status == 401), "no token is signed by this issuer");

    let report = verify_migrations(server().await, &world.database.url("postgres"), &migrations()).await.unwrap();
    assert!(report.differences.is_empty(), "{report}");
}

/// Texts with a meaning to a database, a shell, a template, a terminal, a log or a spreadsheet.
const INJECTION_TEXTS: [&str; 8] = [
    "'); drop table public.bots; --",
    "\" or 1 = 1 --",
    "${jndi:ldap://x.test/a} {{7*7}} %n%s",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "\u{202e}gnp.exe \u{200b}\u{feff}",
    "$1 $$ ; select pg_sleep(10) \\",
    "=cmd|' /C calc'!A0",
];

#[tokio::test]
async fn injection_texts_are_stored_as_text() {
    let world = World::new().await;
    let user = world.sign_in("enterprise@nofomo.test").await;
    let owner = world.database.owner().await;
    let before: usize = owner.text("select count(*) from public.bots").await.parse().unwrap();
    for text in INJECTION_TEXTS {
        let mut bot = new_bot(text);
        bot["strategy"] = text.into();
        bot["metadata"] = serde_json::json!({ text: text });
        let key: String = text.chars().filter(char::is_ascii).collect();
        let answer = world.post_with("/bots", &user, &[("idempotency-key", &key)], &bot.to_string()).await;
        assert_eq!(answer.status, 201, "{text}: {answer:?}");
        assert_eq!(answer.json()["name"], text);
        let stored =
            "select count(*)::text from public.bots where name = $1 and strategy = $1 and metadata ->> $1 = $1";
        assert_eq!(owner.rows(stored, &[&text]).await.unwrap()[0].get::<_, String>(0), "1", "{text}");
        // As an id in the path, the text is not found or invalid.
        let path: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        for route in ["/bots/{}/start", "/bots/{}/trades", "/strategies/{}/publish", "/freqtrade/{}"] {
            let answer = world.post(&route.replace("{}", &path), &user, &serde_json::json!({})).await;
            assert!([404, 422].contains(&answer.status.as_u16()), "{route} {text}: {answer:?}");
        }
    }
    let after: usize = owner.text("select count(*) from public.bots").await.parse().unwrap();
    assert_eq!(after, before + INJECTION_TEXTS.len());
    // Every line of the log is still JSON, and none contains such a text.
    let log = world.log();
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
    assert!(INJECTION_TEXTS.iter().all(|text| !log.contains(text)), "{log}");
}

#[tokio::test]
async fn an_excessive_body_is_refused() {
    let world = World::new().await;
    let user = world.sign_in("pro@nofomo.test").await;
    let nested = |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    for (body, statuses) in [
        (nested("[", "]", 100_000), [400, 422]),
        (nested(r#"{"a":"#, "}", 100_000), [400, 422]),
        (format!(r#"{{"name": "x", "metadata": {}}}"#, nested(r#"{"a":"#, "}", 200)), [400, 422]),
        (r#"{"name": "a", "name": "b"}"#.into(), [422, 422]),
        (r#"{"name": "\ud800"}"#.into(), [400, 422]),
        (r#"{"initial_balance": 1e999999}"#.into(), [422, 422]),
        (format!(r#"{{"name": "{}"}}"#, "x".repeat(500_000)), [422, 422]),
        (format!(r#"{{"initial_balance": {}}}"#, "9".repeat(500_000)), [422, 422]),
        ("null".into(), [422, 422]),
        ("\u{feff}{}".into(), [400, 422]),
    ] {
        let answer = world.post_with("/bots", &user, &[], &body).await;
        let start: String = body.chars().take(60).collect();
        assert!(statuses.contains(&answer.status.as_u16()), "{start}: {answer:?}");
        assert!(answer.text.len() < 100_000, "{start}: the body is not repeated");
    }
}

#[test]
fn every_attack_in_the_security_document_has_its_test() {
    let document = std::fs::read_to_string(workspace().join("SECURITY.md")).unwrap();
    let named: Vec<_> = document.split('`').filter(|code| code.contains("::") && !code.contains(' ')).collect();
    assert!(named.len() > 20);
    for name in named {
        let (module, function) = name.rsplit_once("::").unwrap();
        let file = workspace().join(format!("tests/it/{}.rs", module.replace("::", "/")));
        let source = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(source.contains(&format!("fn {function}(")), "{name}");
    }
}
