//! What a caller gets when all went well.

use lambda_http::Body;
use lambda_http::http::{Response, StatusCode, header};
use serde_json::value::RawValue;

/// A status, perhaps a `Location`, and JSON, most often passed on as the database wrote it.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    location: Option<String>,
    body: String,
}

impl Answer {
    pub fn ok(body: Box<RawValue>) -> Self {
        Self { status: StatusCode::OK, location: None, body: String::from(Box::<str>::from(body)) }
    }

    pub fn created(body: Box<RawValue>) -> Self {
        Self { status: StatusCode::CREATED, ..Self::ok(body) }
    }

    /// What came of each element of an array.
    pub fn results(results: &RawValue) -> Self {
        Self { status: StatusCode::OK, location: None, body: format!("{{\"results\":{results}}}") }
    }

    /// `{}`, for a caller who only wants to know that it went well.
    pub fn empty() -> Self {
        Self { status: StatusCode::OK, location: None, body: "{}".into() }
    }

    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, location: None, body: String::new() }
    }

    /// Where the row is that this answer shows.
    #[must_use]
    pub fn at(self, location: String) -> Self {
        Self { location: Some(location), ..self }
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let has_body = !self.body.is_empty();
        let mut response = Response::new(if has_body { Body::Text(self.body) } else { Body::Empty });
        *response.status_mut() = self.status;
        if has_body {
            let json = header::HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
        }
        if let Some(location) = self.location.and_then(|location| location.parse().ok()) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}
