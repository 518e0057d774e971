//! What a caller gets when all went well.

use lambda_http::Body;
use lambda_http::http::{Response, StatusCode, header};
use serde_json::value::RawValue;

/// A status, perhaps a `Location`, and JSON that is passed on as the database wrote it.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    location: Option<String>,
    body: Box<RawValue>,
}

impl Answer {
    pub fn ok(body: Box<RawValue>) -> Self {
        Self { status: StatusCode::OK, location: None, body }
    }

    pub fn created(location: String, body: Box<RawValue>) -> Self {
        Self { status: StatusCode::CREATED, location: Some(location), body }
    }

    /// The row that an earlier request with the same key made.
    pub fn known(location: String, body: Box<RawValue>) -> Self {
        Self { status: StatusCode::OK, location: Some(location), body }
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::Text(String::from(Box::<str>::from(self.body))));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        if let Some(location) = self.location.and_then(|location| location.parse().ok()) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}
