//! What a caller gets when all went well.

use lambda_http::Body;
use lambda_http::http::{HeaderValue, Response, StatusCode, header};
use serde_json::value::RawValue;

/// A status, perhaps a `Location`, and JSON, most often passed on as the database wrote it; or a page.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    location: Option<String>,
    content_type: &'static str,
    body: String,
}

const JSON: &str = "application/json";

const STANDS_ALONE: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";

impl Answer {
    pub fn ok(body: Box<RawValue>) -> Self {
        Self::json(String::from(Box::<str>::from(body)))
    }

    pub fn created(body: Box<RawValue>) -> Self {
        Self { status: StatusCode::CREATED, ..Self::ok(body) }
    }

    /// What came of each element of an array.
    pub fn results(results: &RawValue) -> Self {
        Self::json(format!("{{\"results\":{results}}}"))
    }

    /// `{}`, for a caller who only wants to know that it went well.
    pub fn empty() -> Self {
        Self::json("{}".into())
    }

    /// `{"success":true}`, for a service that calls back.
    pub fn success() -> Self {
        Self::json(r#"{"success":true}"#.into())
    }

    /// A page that stands alone.
    pub fn html(page: String) -> Self {
        Self { content_type: "text/html; charset=utf-8", ..Self::json(page) }
    }

    fn json(body: String) -> Self {
        Self { status: StatusCode::OK, location: None, content_type: JSON, body }
    }

    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, ..Self::json(String::new()) }
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
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
            if self.content_type != JSON {
                // Whatever a page quotes, it runs nothing and fetches nothing.
                headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(STANDS_ALONE));
            }
        }
        // All of it is somebody's own.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(location) = self.location.and_then(|location| location.parse().ok()) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}
