//! Exchange credentials of a user.

use reqwest::Method;
use serde_json::Value;

use super::world::{HttpResponse, World};

/// Saves credentials of an exchange.
pub(crate) async fn save_credentials(world: &World, token: &str, exchange: &str, body: &Value) -> HttpResponse {
    send(world, Method::PUT, token, exchange, &body.to_string()).await
}

/// Deletes the credentials of an exchange.
pub(crate) async fn delete_credentials(world: &World, token: &str, exchange: &str) -> HttpResponse {
    send(world, Method::DELETE, token, exchange, "").await
}

pub(crate) async fn send(world: &World, method: Method, token: &str, exchange: &str, body: &str) -> HttpResponse {
    let headers = [("authorization", &*format!("Bearer {token}")), ("content-type", "application/json")];
    world.send(method, &format!("/credentials/{exchange}"), &headers, body).await
}
