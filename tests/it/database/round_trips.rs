//! Round trips between function and database.

use crate::support::world::{World, new_bot};

#[tokio::test]
async fn a_command_of_a_warm_instance_costs_one_round_trip() {
    let (world, proxy) = World::behind_proxy().await;
    let token = world.sign_in("pro@nofomo.test").await;

    // An instance connects at startup, before its first request.
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
    // A request that is refused by the function costs no round trip.
    assert_eq!(world.post_with("/bots", &token, &[], "{}").await.status, 422);
    assert_eq!((proxy.take_round_trips(), proxy.take_connections()), (0, 0));
}

#[tokio::test]
async fn the_first_request_of_an_instance_also_costs_one_round_trip() {
    let (world, proxy) = World::behind_proxy().await;
    let token = world.sign_in("pro@nofomo.test").await;
    assert_eq!((proxy.take_connections(), proxy.take_round_trips()), (0, 0), "no instance has started");

    // These requests are refused by the function, so the round trips counted here are those of the login.
    let login = 3;
    assert_eq!(world.post_with("/bots", &token, &[], "{}").await.status, 422);
    assert_eq!((proxy.take_connections(), proxy.take_round_trips()), (1, login), "create-bot");
    assert_eq!(world.get("/portfolio", "none").await.status, 401);
    assert_eq!((proxy.take_connections(), proxy.take_round_trips()), (1, login), "get-portfolio");

    assert_eq!(world.post("/bots", &token, &new_bot("first")).await.status, 201);
    assert_eq!((proxy.take_connections(), proxy.take_round_trips()), (0, 1), "create-bot");
    assert_eq!(world.get("/portfolio", &token).await.status, 200);
    assert_eq!((proxy.take_connections(), proxy.take_round_trips()), (0, 1), "get-portfolio");
    let bots = "select string_agg(name, ', ' order by created_at) from public.bots where user_id = (
        select id from public.users where email = 'pro@nofomo.test')";
    assert_eq!(world.database.owner().await.text(bots).await, "BTC swing, ETH perpetual, first");
}
