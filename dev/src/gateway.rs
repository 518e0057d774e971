//! API Gateway's HTTP API: finds the function of a request, and exchanges events and responses in payload format 2.0
//! with it.

mod event;
mod response;
mod route_matching;

use std::{
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Bytes, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::Utc;
use local_database::{Error, Result};
use serde_json::json;
use tokio::time::timeout;
use tower_http::cors::{AllowOrigin, CorsLayer};
use uuid::Uuid;

use self::{event::build_event, response::to_http, route_matching::find_route};
use crate::{
    runtime::{Fleet, InvokeError},
    template::{Cors, Route},
};

/// Maximum size of a request body, in bytes, as in an HTTP API. A longer body is not read.
const MAX_BODY_SIZE: usize = 10 * 1024 * 1024;

/// Time that an HTTP API waits for the function.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// Routes requests to the functions, with CORS headers if the template has any.
pub(crate) fn router(routes: Vec<(Route, Fleet)>, cors: Option<&Cors>) -> Result<Router> {
    let gateway = Router::new().fallback(handle).with_state(Arc::new(routes));
    Ok(match cors {
        Some(cors) => gateway.layer(cors_layer(cors)?),
        None => gateway,
    })
}

fn cors_layer(cors: &Cors) -> Result<CorsLayer> {
    fn parsed<T: FromStr>(words: &[String]) -> Result<Vec<T>> {
        let invalid = |word: &String| {
            Error::new(format!("CorsConfiguration: {word} is not valid"), "correct it in template.yaml")
        };
        words.iter().map(|word| word.parse().map_err(|_| invalid(word))).collect()
    }
    let origins = match &cors.allow_origins[..] {
        [any] if any == "*" => AllowOrigin::any(),
        some => AllowOrigin::list(parsed::<HeaderValue>(some)?),
    };
    Ok(CorsLayer::new()
        .allow_origin(origins)
        .allow_methods(parsed::<Method>(&cors.allow_methods)?)
        .allow_headers(parsed::<HeaderName>(&cors.allow_headers)?)
        .expose_headers(parsed::<HeaderName>(&cors.expose_headers)?)
        .max_age(Duration::from_secs(cors.max_age)))
}

async fn handle(
    State(routes): State<Arc<Vec<(Route, Fleet)>>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let candidates = routes.iter().map(|(route, fleet)| (route, fleet));
    let Some((route, parameters, fleet)) = find_route(candidates, parts.method.as_str(), parts.uri.path()) else {
        return error_response(StatusCode::NOT_FOUND, "Not Found");
    };
    let Ok(body) = to_bytes(body, MAX_BODY_SIZE).await else {
        return error_response(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long");
    };
    let id = Uuid::new_v4().to_string();
    let event = build_event(&parts, &body, client.ip(), route, parameters, &id, Utc::now());
    let mut response = match timeout(INTEGRATION_TIMEOUT, fleet.invoke(event.to_string().into())).await {
        Ok(Ok(payload)) => to_http(&payload).unwrap_or_else(|| {
            fleet.log("API Gateway cannot convert its response to HTTP");
            error_response(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }),
        Ok(Err(InvokeError::EventTooLarge)) => error_response(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long"),
        Ok(Err(InvokeError::Throttled)) | Err(_) => {
            error_response(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        }
        // An error, a crash or a timeout of the function. An HTTP API would respond with 500. A REST API responds with
        // 502, which distinguishes a failed function from one that returned 500 itself.
        Ok(Err(InvokeError::Failed { .. })) => error_response(StatusCode::BAD_GATEWAY, "Internal Server Error"),
    };
    if let Ok(id) = id.parse() {
        response.headers_mut().insert("apigw-requestid", id);
    }
    response
}

fn error_response(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

/// Finds the function of a request and builds its event.
pub fn route_request<'a, T>(
    routes: impl Iterator<Item = (&'a Route, T)>,
    request: axum::http::Request<Bytes>,
) -> Option<(T, Bytes)> {
    let (parts, body) = request.into_parts();
    let (route, parameters, target) = find_route(routes, parts.method.as_str(), parts.uri.path())?;
    let id = Uuid::new_v4().to_string();
    let event = build_event(&parts, &body, Ipv4Addr::LOCALHOST.into(), route, parameters, &id, Utc::now());
    Some((target, event.to_string().into()))
}
