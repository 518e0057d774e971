//! `POST /bots/{bot_id}/credentials`.

use serde_json::{Value, json};

use crate::support::credentials::{delete_credentials, save_credentials};
use crate::support::database::ENTERPRISE;
use crate::support::world::{HttpResponse, World, new_bot};

fn keys() -> Value {
    json!({ "api_key": "PlantedKeyOfBybit1", "api_secret": "PlantedSecretOfBybit1PlantedSecretOf" })
}

/// Creates a running live bot; returns its id and a bot token with these scopes.
async fn create_live_bot(world: &World, user: &str, scopes: &[&str]) -> (String, String) {
    let mut bot = new_bot("live");
    bot["exchange"] = json!("bybit");
    bot["is_paper_trade"] = json!(false);
    let answer = world.post("/bots", user, &bot).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let bot = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(world.post(&format!("/bots/{bot}/start"), user, &json!({})).await.status, 200);
    let answer = world.post(&format!("/bots/{bot}/token"), user, &json!({ "scopes": scopes })).await;
    (bot, answer.json()["token"].as_str().unwrap().to_owned())
}

async fn open_credentials(world: &World, bot: &str, token: &str) -> HttpResponse {
    world.post(&format!("/bots/{bot}/credentials"), token, &json!({})).await
}

/// Status and problem of a refusal, which must not contain the credentials.
fn refusal(answer: &HttpResponse) -> (u16, String) {
    assert!(!answer.text.contains("Planted"), "{}", answer.text);
    answer.status_and_problem()
}

#[tokio::test]
async fn a_live_bots_runner_gets_its_credentials_and_each_access_is_logged() {
    let world = World::new().await;
    let user = world.sign_in("enterprise@nofomo.test").await;
    save_credentials(&world, &user, "bybit", &keys()).await;
    let (bot, token) = create_live_bot(&world, &user, &["report", "trade"]).await;
    for _ in 0..2 {
        let answer = open_credentials(&world, &bot, &token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut expected = keys();
        expected["exchange"] = json!("bybit");
        assert_eq!(answer.json(), expected);
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    let owner = world.database.owner().await;
    let uses = format!(
        "select user_id || ' ' || context::text from public.logs where bot_id = '{bot}' and message = 'Opened credentials'"
    );
    let expected = format!("{ENTERPRISE} {{\"action\": \"open-credentials\", \"exchange\": \"bybit\"}}");
    assert_eq!(owner.list(&uses).await, [expected.as_str(); 2]);
    assert!(!world.log().contains("Planted"));
}

#[tokio::test]
async fn only_the_runner_of_a_live_bot_gets_its_credentials() {
    let world = World::new().await;
    let user = world.sign_in("enterprise@nofomo.test").await;
    let owner = world.database.owner().await;
    save_credentials(&world, &user, "bybit", &keys()).await;
    let (bot, token) = create_live_bot(&world, &user, &["report", "trade"]).await;
    let (other_bot, reporting) = create_live_bot(&world, &user, &["report"]).await;
    assert_eq!(
        refusal(&open_credentials(&world, &bot, &user).await),
        (403, "forbidden".into()),
        "the owner has them already"
    );
    assert_eq!(refusal(&open_credentials(&world, &other_bot, &reporting).await), (403, "forbidden".into()));
    assert_eq!(refusal(&open_credentials(&world, &other_bot, &token).await), (404, "not-found".into()));
    assert_eq!(refusal(&open_credentials(&world, &bot, "nofomo_bot_none").await), (401, "unauthenticated".into()));
    let answer = world.send(reqwest::Method::POST, &format!("/bots/{bot}/credentials"), &[], "").await;
    assert_eq!(refusal(&answer), (401, "unauthenticated".into()));

    let refusal_after = async |change: &str, undo: &str| {
        owner.run(&change.replace("$bot", &bot)).await.unwrap();
        let answer = refusal(&open_credentials(&world, &bot, &token).await);
        owner.run(&undo.replace("$bot", &bot)).await.unwrap();
        answer
    };
    let paper = "update public.bots set is_paper_trade = true where id = '$bot'";
    let live = "update public.bots set is_paper_trade = false where id = '$bot'";
    assert_eq!(refusal_after(paper, live).await, (409, "paper-bot".into()));
    let stop = "update public.bots set status = 'paused' where id = '$bot'";
    let start = "update public.bots set status = 'running' where id = '$bot'";
    assert_eq!(refusal_after(stop, start).await, (409, "wrong-state".into()));
    let deactivate = format!("update public.users set is_active = false where id = '{ENTERPRISE}'");
    let activate = format!("update public.users set is_active = true where id = '{ENTERPRISE}'");
    assert_eq!(refusal_after(&deactivate, &activate).await, (403, "deactivated".into()));

    // Encrypted credentials are bound to their user and exchange, so swapping rows in the table makes them invalid.
    let swap = format!(
        "update public.users set exchange_credentials = exchange_credentials
             || jsonb_build_object('bybit', exchange_credentials -> 'binance') where id = '{ENTERPRISE}'"
    );
    save_credentials(
        &world,
        &user,
        "binance",
        &json!({ "api_key": "PlantedA".repeat(8), "api_secret": "PlantedB".repeat(8) }),
    )
    .await;
    assert_eq!(refusal_after(&swap, "select").await, (500, "internal".into()));
    assert!(world.log().contains("it was modified, or sealed for another owner or exchange"));
    assert!(!world.log().contains("Planted"));
    save_credentials(&world, &user, "bybit", &keys()).await;
    assert_eq!(open_credentials(&world, &bot, &token).await.status, 200);

    delete_credentials(&world, &user, "bybit").await;
    assert_eq!(
        refusal(&open_credentials(&world, &bot, &token).await),
        (409, "wrong-state".into()),
        "the bot was stopped"
    );
    world
        .send(
            reqwest::Method::DELETE,
            &format!("/bots/{bot}/token"),
            &[("authorization", &format!("Bearer {user}"))],
            "",
        )
        .await;
    assert_eq!(refusal(&open_credentials(&world, &bot, &token).await), (401, "unauthenticated".into()));
}
