//! `openapi.json`, and a page to try its requests, signed in as a sample user. Nothing of it comes from elsewhere.

use std::sync::Arc;

use axum::{
    Router,
    extract::Path,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use utoipa_swagger_ui::Config;

const DOCUMENT: &str = include_str!("../../openapi.json");
const PAGE: &str = include_str!("../templates/docs.html");

/// The page may ask this server, and nobody else.
const POLICY: &str = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/// `GET /_local/openapi.json`, and `GET /_local/docs` with the parts of Swagger UI that it needs.
pub(crate) fn router() -> Router {
    let document = || async { ([(header::CONTENT_TYPE, "application/json")], DOCUMENT) };
    let page = || async { ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE)) };
    Router::new()
        .route("/_local/openapi.json", get(document))
        .route("/_local/docs", get(page))
        .route("/_local/docs/{file}", get(part))
}

async fn part(Path(file): Path<String>) -> Response {
    let is_needed = ["swagger-ui.css", "swagger-ui-bundle.js"].contains(&file.as_str());
    let found =
        is_needed.then(|| utoipa_swagger_ui::serve(&file, Arc::new(Config::default())).ok().flatten()).flatten();
    match found {
        Some(found) => ([(header::CONTENT_TYPE, found.content_type)], found.bytes.into_owned()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
