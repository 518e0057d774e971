//! `POST` and `DELETE /bots/{bot_id}/token`, and the rights of a bot token.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::bot_tokens::issue_bot_token;
use crate::support::database::{FREE, PRO};
use crate::support::world::{HttpResponse, World};

async fn revoke_bot_token(world: &World, token: &str, bot: &str) -> HttpResponse {
    let token = format!("Bearer {token}");
    world.send(Method::DELETE, &format!("/bots/{bot}/token"), &[("authorization", &token)], "").await
}

fn trade() -> Value {
    json!({"side": "buy", "order_type": "market", "amount": "1", "price": "10", "entry_time": "2026-01-01T00:00:00Z"})
}

#[tokio::test]
async fn a_token_is_shown_once_and_only_its_hash_is_stored() {
    let world = World::new().await;
    let user = world.sign_in("pro@nofomo.test").await;
    let bot = world.oldest_bot_of(PRO).await;
    let to_trade = json!({"scopes": ["report", "trade"]});
    let answer = world.post(&format!("/bots/{bot}/token"), &user, &to_trade).await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (409, "paper-bot"));
    let owner = world.database.owner().await;
    owner
        .run(&format!(
            "update public.users set exchange_credentials = '{{\"binance\": {{}}, \"bybit\": {{}}}}' where id = '{PRO}';
             update public.bots set is_paper_trade = false where id = '{bot}'"
        ))
        .await
        .unwrap();
    let answer = world.post(&format!("/bots/{bot}/token"), &user, &to_trade).await;
    let issued = answer.json();
    assert_eq!((answer.status.as_u16(), &issued["scopes"]), (201, &json!(["report", "trade"])));
    let token = issued["token"].as_str().unwrap();
    assert_eq!(token.len(), "nofomo_bot_".len() + 43, "256 bits in base64url");
    assert!(issued["created_at"].as_str().unwrap().ends_with("+00:00"));
    let admin = world.database.session("supabase_admin").await;
    let stored = admin.text("select string_agg(tokens::text, '') from private.bot_tokens as tokens").await;
    assert!(!stored.contains(token) && !stored.contains(&token[11..]));
    let hashed = format!("select token_hash = sha256('{token}'::bytea) from private.bot_tokens where bot_id = '{bot}'");
    assert_eq!(admin.text(&hashed).await, "true");
    let audit = format!("select context from public.logs where bot_id = '{bot}' and message = 'Issued bot token'");
    assert_eq!(admin.text(&audit).await, r#"{"action": "issue-bot-token", "scopes": ["report", "trade"]}"#);
    assert!(!world.log().contains(token));

    for (body, status) in [
        (json!({}), 201),
        (json!({"scopes": ["report"]}), 201),
        (json!({"scopes": ["trade"]}), 422),
        (json!({"scopes": []}), 422),
        (json!({"scopes": ["report", "admin"]}), 422),
        (json!({"scopes": "report"}), 422),
        (json!({"scope": ["report"]}), 422),
    ] {
        assert_eq!(world.post(&format!("/bots/{bot}/token"), &user, &body).await.status, status, "{body}");
    }
}

#[tokio::test]
async fn a_token_allows_reporting_for_its_own_bot_only() {
    let world = World::new().await;
    let user = world.sign_in("pro@nofomo.test").await;
    let bot = world.oldest_bot_of(PRO).await;
    let second = world
        .database
        .owner()
        .await
        .text(&format!("select id from public.bots where user_id = '{PRO}' and id <> '{bot}'"))
        .await;
    let token = issue_bot_token(&world, &user, &bot).await;
    let log = json!([{"log_level": "info", "message": "hello"}]);
    assert_eq!(world.post(&format!("/bots/{bot}/trades"), &token, &trade()).await.status, 201);
    assert_eq!(world.post(&format!("/bots/{bot}/logs"), &token, &log).await.status, 201);
    assert_eq!(world.post(&format!("/bots/{bot}/fail"), &token, &json!({"message": "x"})).await.status, 200);
    // The token is not valid for another bot of the same owner, nor for the bot of another user.
    for other in [second, world.oldest_bot_of(FREE).await] {
        assert_eq!(world.post(&format!("/bots/{other}/trades"), &token, &trade()).await.status, 404);
        assert_eq!(world.post(&format!("/bots/{other}/logs"), &token, &log).await.status, 404);
        assert_eq!(world.post(&format!("/bots/{other}/fail"), &token, &json!({"message": "x"})).await.status, 404);
    }
    for action in ["start", "stop", "pause"] {
        assert_eq!(world.post_with(&format!("/bots/{bot}/{action}"), &token, &[], "").await.status, 401, "{action}");
    }
    for (method, path) in [
        (Method::GET, "/portfolio".to_owned()),
        (Method::POST, "/bots".into()),
        (Method::POST, format!("/bots/{bot}/token")),
        (Method::DELETE, format!("/bots/{bot}/token")),
    ] {
        let header = format!("Bearer {token}");
        let headers = [("authorization", header.as_str()), ("content-type", "application/json")];
        assert_eq!(world.send(method, &path, &headers, "{}").await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn a_new_token_revokes_the_old_one_and_delete_revokes_the_current_one() {
    let world = World::new().await;
    let user = world.sign_in("pro@nofomo.test").await;
    let bot = world.oldest_bot_of(PRO).await;
    let path = format!("/bots/{bot}/trades");
    let first = issue_bot_token(&world, &user, &bot).await;
    assert_eq!(world.post(&path, &first, &trade()).await.status, 201);
    let second = issue_bot_token(&world, &user, &bot).await;
    let refused = world.post(&path, &first, &trade()).await;
    assert_eq!(refused.status_and_problem(), (401, "unauthenticated".into()));
    assert_eq!(world.post(&path, &second, &trade()).await.status, 201);
    for _ in 0..2 {
        let revoked = revoke_bot_token(&world, &user, &bot).await;
        assert_eq!((revoked.status.as_u16(), revoked.text.as_str()), (204, ""));
    }
    assert_eq!(world.post(&path, &second, &trade()).await.status, 401);
    let audit = format!("select count(*) from public.logs where bot_id = '{bot}' and message = 'Revoked bot token'");
    assert_eq!(world.database.owner().await.text(&audit).await, "1");
    for invented in ["nofomo_bot_", "nofomo_bot_x", &format!("nofomo_bot_{}", "A".repeat(43))] {
        assert_eq!(world.post(&path, invented, &trade()).await.status, 401, "{invented}");
    }
}

#[tokio::test]
async fn a_token_of_a_deactivated_owner_or_for_another_users_bot_is_refused() {
    let world = World::new().await;
    let user = world.sign_in("pro@nofomo.test").await;
    let bot = world.oldest_bot_of(PRO).await;
    let theirs = world.oldest_bot_of(FREE).await;
    assert_eq!(world.post_with(&format!("/bots/{theirs}/token"), &user, &[], "").await.status, 404);
    assert_eq!(revoke_bot_token(&world, &user, &theirs).await.status, 404);
    let token = issue_bot_token(&world, &user, &bot).await;
    world
        .database
        .owner()
        .await
        .run(&format!("update public.users set is_active = false where id = '{PRO}'"))
        .await
        .unwrap();
    let refused = world.post(&format!("/bots/{bot}/trades"), &token, &trade()).await;
    assert_eq!(refused.status_and_problem(), (403, "deactivated".into()));
}
