//! A command costs one round trip between function and database, and nothing else goes that way.

use crate::support::world::{World, new_bot};

#[tokio::test]
async fn a_command_of_a_warm_instance_costs_exactly_one_round_trip() {
    let (world, proxy) = World::behind_proxy().await;
    let token = world.sign_in("pro@nofomo.test").await;

    // Start-up opens the connection; the first request finds it open.
    assert_eq!(world.post("/bots", &token, &new_bot("first")).await.status, 201);
    assert_eq!(world.get("/portfolio", &token).await.status, 200);
    assert_eq!(proxy.take_connections(), 2, "one connection for each of the two functions");
    proxy.take_round_trips();

    for n in 0..5 {
        assert_eq!(world.post("/bots", &token, &new_bot(&format!("bot {n}"))).await.status, 201);
        assert_eq!(proxy.take_round_trips(), 1, "create-bot");
        assert_eq!(world.get("/portfolio", &token).await.status, 200);
        assert_eq!(proxy.take_round_trips(), 1, "get-portfolio");
    }
    // What is refused before it reaches the database costs nothing there.
    assert_eq!(world.post_with("/bots", &token, &[], "{}").await.status, 422);
    assert_eq!((proxy.take_round_trips(), proxy.take_connections()), (0, 0));
}
