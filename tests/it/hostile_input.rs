//! What the fuzzing targets in `tests/fuzz` have found interesting, sent to the functions as they are, with the database behind them.

use std::collections::BTreeMap;
use std::path::Path;

use dev::verify::verify_migrations;
use futures_util::{StreamExt, stream};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use sha2::Sha256;

use crate::issue_bot_token::issue;
use crate::support::database::{PRO, migrations, server, workspace};
use crate::support::world::{Answer, World};

const OVERSOLD_RSI: &str = "0190e000-0000-7000-8000-000000000001";

/// The key that the target signs with, of Tripay's documentation.
const TRIPAY_PRIVATE_KEY: &str = "ytf6ooi2gmlNPfpchd94jDOk8hRWOu";

/// At once: each waits for its instance.
const WIDTH: usize = 8;

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = workspace().join("tests/fuzz/corpus").join(target);
    let read = |path: &Path| (path.display().to_string(), std::fs::read(path).unwrap());
    let inputs: Vec<_> = folder.read_dir().unwrap().map(|entry| read(&entry.unwrap().path())).collect();
    assert!(inputs.len() > 2, "{target} has a corpus");
    inputs
}

/// Sends each input of a corpus; whatever it is, the answer is no mistake of ours.
async fn send_all<F: Future<Output = Option<Answer>>>(
    target: &str,
    send: impl Fn(Vec<u8>) -> F,
) -> Vec<(String, Answer)> {
    let sent = stream::iter(corpus(target)).map(|(file, input)| {
        let answer = send(input);
        async { answer.await.map(|answer| (file, answer)) }
    });
    let answers: Vec<_> = sent.buffer_unordered(WIDTH).filter_map(async |answer| answer).collect().await;
    for (file, answer) in &answers {
        assert!(answer.status.as_u16() < 500, "{file}: {answer:?}");
    }
    answers
}

#[tokio::test]
async fn nothing_that_anybody_sends_is_a_mistake_of_ours_or_breaks_a_rule() {
    let world = World::with(BTreeMap::from([("TRIPAY_PRIVATE_KEY".into(), TRIPAY_PRIVATE_KEY.into())])).await;
    let user = world.sign_in("pro@nofomo.test").await;
    let bot = world.bot_of(PRO).await;
    let token = issue(&world, &user, &bot).await;

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
        // It does not send again: whatever it says is kept.
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
    let json_of_user = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let sources = send_all("strategy_source", async |source| {
        let body = serde_json::json!({ "content": String::from_utf8(source).ok()? });
        Some(world.send(Method::PUT, path, &json_of_user, &body.to_string()).await)
    });
    assert!(sources.await.iter().any(|(_, answer)| answer.status == 200), "some are strategies");

    // As the target has it: the first byte says whether Tripay has signed the rest, or the header comes first.
    let delivered = send_all("callback", async |data| {
        let (first, rest) = data.split_first()?;
        let (signature, body) = if first & 1 == 1 {
            let mac = Hmac::<Sha256>::new_from_slice(TRIPAY_PRIVATE_KEY.as_bytes()).unwrap();
            (hex::encode(mac.chain_update(rest).finalize().into_bytes()), rest)
        } else {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            (String::from_utf8(rest[..end].to_vec()).ok()?, rest.get(end + 1..).unwrap_or_default())
        };
        // What HTTP itself does not take never arrives.
        reqwest::header::HeaderValue::from_str(&signature).ok()?;
        let headers = [("x-callback-signature", signature.as_str()), ("x-callback-event", "payment_status")];
        Some(world.send_bytes(Method::POST, "/callbacks/tripay", &headers, body.to_vec()).await)
    });
    assert!(delivered.await.iter().any(|(_, answer)| answer.status == 200), "some are Tripay's");

    let tokens = send_all("access_token", async |token| {
        let token = format!("Bearer {}", String::from_utf8(token).ok()?);
        reqwest::header::HeaderValue::from_str(&token).ok()?;
        Some(world.send(Method::GET, "/portfolio", &[("authorization", &token)], "").await)
    });
    assert!(tokens.await.iter().all(|(_, answer)| answer.status == 401), "nobody here signed them");

    let report = verify_migrations(server().await, &world.database.url("postgres"), &migrations()).await.unwrap();
    assert!(report.differences.is_empty(), "{report}");
}
