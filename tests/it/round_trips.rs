//! A command costs one round trip between function and database, and nothing else goes that way.

use std::collections::BTreeMap;

use crate::support::database::Database;
use crate::support::proxy::Proxy;
use crate::support::world::{World, functions_port, new_bot};

#[tokio::test]
async fn a_command_of_a_warm_instance_costs_exactly_one_round_trip() {
    let database = Database::new().await;
    let proxy = Proxy::start(functions_port(&database).await).await;
    let settings = BTreeMap::from([("DATABASE_URL".into(), database.url_at(proxy.port, "nofomo_api"))]);
    let world = World::on(database, settings).await;
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
