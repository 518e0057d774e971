//! Bots of a user.

use super::world::World;

/// Number of a user's bots.
pub(crate) async fn count_bots(world: &World, user: &str) -> String {
    world.database.owner().await.text(&format!("select count(*) from public.bots where user_id = '{user}'")).await
}
