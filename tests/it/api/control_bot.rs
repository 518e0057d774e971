//! `POST /bots/{bot_id}/{action}`.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::database::{FREE, PRO};
use crate::support::world::{HttpResponse, World, new_bot};

const STATES: [&str; 4] = ["stopped", "running", "paused", "error"];

async fn control(world: &World, token: &str, bot: &str, action: &str) -> HttpResponse {
    let body =
        if action == "fail" { json!({"message": "exchange\nrefused the key"}).to_string() } else { String::new() };
    world.post_with(&format!("/bots/{bot}/{action}"), token, &[], &body).await
}

#[tokio::test]
async fn every_transition_follows_the_contract() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let bot = world.oldest_bot_of(PRO).await;
    let owner = world.database.owner().await;
    for (action, target, sources) in [
        ("start", "running", vec!["stopped", "paused", "error"]),
        ("stop", "stopped", vec!["running", "paused", "error"]),
        ("pause", "paused", vec!["running"]),
        ("fail", "error", vec!["running"]),
    ] {
        for from in STATES {
            owner.run(&format!("update public.bots set status = '{from}' where id = '{bot}'; delete from public.logs where source = 'api'")).await.unwrap();
            let answer = control(&world, &token, &bot, action).await;
            let status = owner.text(&format!("select status from public.bots where id = '{bot}'")).await;
            let audit = owner.text(&format!("select string_agg(concat_ws(' ', log_level, context ->> 'action', context ->> 'from'), ';') from public.logs where bot_id = '{bot}' and source = 'api'")).await;
            if from == target {
                assert_eq!(
                    (answer.status.as_u16(), status.as_str(), audit.as_str()),
                    (200, from, ""),
                    "{action} {from}"
                );
                assert_eq!(answer.json()["status"], target);
            } else if sources.contains(&from) {
                assert_eq!((answer.status.as_u16(), status.as_str()), (200, target), "{action} {from}: {answer:?}");
                assert_eq!((&answer.json()["id"], &answer.json()["status"]), (&json!(bot), &json!(target)));
                let level = if action == "fail" { "error" } else { "info" };
                assert_eq!(audit, format!("{level} {action} {from}"));
            } else {
                assert_eq!(answer.status_and_problem(), (409, "wrong-state".into()), "{action} {from}");
                assert!(answer.json()["detail"].as_str().unwrap().contains(from));
                assert_eq!((status.as_str(), audit.as_str()), (from, ""));
            }
        }
    }
}

#[tokio::test]
async fn the_message_of_a_failure_is_stored_until_the_next_start() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let bot = world.oldest_bot_of(PRO).await;
    let failed = control(&world, &token, &bot, "fail").await.json();
    assert_eq!((&failed["status"], &failed["error_message"]), (&json!("error"), &json!("exchange\nrefused the key")));
    let started = control(&world, &token, &bot, "start").await.json();
    assert_eq!((&started["status"], &started["error_message"]), (&json!("running"), &Value::Null));
    for (body, status) in
        [("", 400), ("{}", 422), ("{\"message\": \"\"}", 422), ("{\"message\": \"x\", \"y\": 1}", 422)]
    {
        let answer = world.post_with(&format!("/bots/{bot}/fail"), &token, &[], body).await;
        assert_eq!(answer.status, status, "{body}");
    }
}

#[tokio::test]
async fn a_bot_that_the_plan_no_longer_covers_does_not_start() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    let newest = owner
        .text(&format!("select id from public.bots where user_id = '{PRO}' order by created_at desc limit 1"))
        .await;
    let oldest = world.oldest_bot_of(PRO).await;
    owner.run(&format!("update public.subscriptions set expires_at = now() where user_id = '{PRO}'; update public.bots set status = 'stopped'")).await.unwrap();
    let refused = control(&world, &token, &newest, "start").await;
    assert_eq!(refused.status_and_problem(), (403, "plan-limit".into()));
    assert_eq!((&refused.json()["limit"], &refused.json()["plan"]), (&json!(1), &json!("Free")));
    assert_eq!(control(&world, &token, &oldest, "start").await.status, 200, "the Free plan covers the oldest bot");
    // A running bot can be stopped whatever the plan.
    owner.run(&format!("update public.bots set status = 'running' where id = '{newest}'")).await.unwrap();
    assert_eq!(control(&world, &token, &newest, "start").await.status, 200, "it is running already");
    assert_eq!(control(&world, &token, &newest, "stop").await.status, 200);
}

#[tokio::test]
async fn a_live_bot_without_credentials_does_not_start() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let owner = world.database.owner().await;
    let save = |keys: &str| format!("update public.users set exchange_credentials = '{keys}' where id = '{PRO}'");
    owner.run(&save("{\"binance\": {}}")).await.unwrap();
    let live = world
        .post("/bots", &token, &{
            let mut bot = new_bot("live");
            bot["is_paper_trade"] = json!(false);
            bot
        })
        .await
        .json();
    let bot = live["id"].as_str().unwrap();
    owner.run(&save("{}")).await.unwrap();
    let refused = control(&world, &token, bot, "start").await;
    assert_eq!(refused.status_and_problem(), (409, "credentials-missing".into()));
    owner.run(&save("{\"binance\": {}}")).await.unwrap();
    assert_eq!(control(&world, &token, bot, "start").await.status, 200);
}

#[tokio::test]
async fn concurrent_actions_change_the_state_once_each() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let bot = world.oldest_bot_of(PRO).await;
    let answers =
        join_all((0..20).map(|n| control(&world, &token, &bot, if n % 2 == 0 { "stop" } else { "pause" }))).await;
    // The sample bot is running: it is paused at most once and stopped once; a pause after the stop is refused.
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.status == 409), "{answers:?}");
    let audit = world.database.owner().await.text(&format!("select string_agg(context ->> 'action', ' ' order by id) from public.logs where bot_id = '{bot}' and context ? 'from'")).await;
    assert!(audit == "start stop" || audit == "start pause stop", "{audit}");
}

#[tokio::test]
async fn another_users_bot_and_an_unknown_action_are_not_found() {
    let world = World::new().await;
    let token = world.sign_in("pro@nofomo.test").await;
    let (own, theirs) = (world.oldest_bot_of(PRO).await, world.oldest_bot_of(FREE).await);
    for (bot, action) in [
        (theirs.as_str(), "start"),
        (theirs.as_str(), "fail"),
        (own.as_str(), "explode"),
        ("x", "start"),
        (own.as_str(), "START"),
    ] {
        let answer = control(&world, &token, bot, action).await;
        assert_eq!(answer.status, 404, "{bot} {action}");
    }
    assert_eq!(
        world.database.owner().await.text(&format!("select status from public.bots where id = '{theirs}'")).await,
        "stopped"
    );
}
