//! A server of Supabase Auth's signing keys that tests control.

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use tokio::net::TcpListener;

use super::world::World;

/// Server of signing keys that counts requests and can be made unavailable.
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) body: Arc<Mutex<String>>,
    fetches: Arc<AtomicUsize>,
    pub(crate) is_unavailable: Arc<AtomicBool>,
}

impl Issuer {
    /// Starts a server that publishes these keys.
    pub(crate) async fn start(body: &Value) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let issuer = Self {
            url: format!("http://{}/jwks.json", listener.local_addr().unwrap()),
            body: Arc::new(Mutex::new(body.to_string())),
            fetches: Arc::default(),
            is_unavailable: Arc::default(),
        };
        let (body, fetches, is_unavailable) =
            (issuer.body.clone(), issuer.fetches.clone(), issuer.is_unavailable.clone());
        let answer = async move || -> Response {
            fetches.fetch_add(1, Ordering::SeqCst);
            match is_unavailable.load(Ordering::SeqCst) {
                true => StatusCode::BAD_GATEWAY.into_response(),
                false => body.lock().unwrap().clone().into_response(),
            }
        };
        tokio::spawn(axum::serve(listener, Router::new().route("/jwks.json", get(answer))).into_future());
        issuer
    }

    /// World whose functions fetch the signing keys from this server.
    pub(crate) async fn world(&self) -> World {
        World::with_settings(BTreeMap::from([("AUTH_JWKS_URL".into(), self.url.clone())])).await
    }

    /// Number of requests since the last call.
    pub(crate) fn take_fetches(&self) -> usize {
        self.fetches.swap(0, Ordering::SeqCst)
    }
}

/// Signing keys that the world's own issuer publishes.
pub(crate) async fn published_keys(world: &World) -> Value {
    serde_json::from_str(&world.send(reqwest::Method::GET, "/auth/v1/.well-known/jwks.json", &[], "").await.text)
        .unwrap()
}
