//! Bot tokens, with which a bot reports without an access token of its owner.

use super::world::World;

/// Issues a new token for a bot, as its owner.
pub(crate) async fn issue_bot_token(world: &World, owner_token: &str, bot: &str) -> String {
    let answer = world.post_with(&format!("/bots/{bot}/token"), owner_token, &[], "").await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["token"].as_str().unwrap().to_owned()
}
