//! `openapi.json`, and a page to try its requests as a sample user. The page loads nothing from other servers.

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

/// Content security policy: the page may connect only to this server.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Routes `GET /_local/openapi.json`, and `GET /_local/docs` with the files of Swagger UI that it needs.
pub(crate) fn router() -> Router {
    let document = || async { ([(header::CONTENT_TYPE, "application/json")], DOCUMENT) };
    let page = || async { ([(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)], Html(PAGE)) };
    Router::new()
        .route("/_local/openapi.json", get(document))
        .route("/_local/docs", get(page))
        .route("/_local/docs/{file}", get(swagger_ui_file))
}

async fn swagger_ui_file(Path(file): Path<String>) -> Response {
    let is_needed = ["swagger-ui.css", "swagger-ui-bundle.js"].contains(&file.as_str());
    let found =
        is_needed.then(|| utoipa_swagger_ui::serve(&file, Arc::new(Config::default())).ok().flatten()).flatten();
    match found {
        Some(found) => ([(header::CONTENT_TYPE, found.content_type)], found.bytes.into_owned()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
