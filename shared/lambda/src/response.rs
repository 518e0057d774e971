//! Successful responses.

use lambda_http::Body;
use lambda_http::http::{self, HeaderValue, StatusCode, header};
use serde_json::value::RawValue;

/// A successful response: a status, an optional `Location` header, and a body of JSON or HTML.
///
/// JSON is usually passed on exactly as the database wrote it.
#[derive(Debug)]
pub struct Response {
    status: StatusCode,
    location: Option<String>,
    content_type: &'static str,
    body: String,
}

const JSON: &str = "application/json";

/// Content security policy of HTML pages: no scripts, no external resources, no frames.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";

impl Response {
    /// 200 with JSON.
    pub fn ok(body: Box<RawValue>) -> Self {
        Self::json(String::from(Box::<str>::from(body)))
    }

    /// 201 with JSON.
    pub fn created(body: Box<RawValue>) -> Self {
        Self { status: StatusCode::CREATED, ..Self::ok(body) }
    }

    /// 200 with `{"results": […]}`: one result for each element of the request's array.
    pub fn results(results: &RawValue) -> Self {
        Self::json(format!("{{\"results\":{results}}}"))
    }

    /// 200 with `{}`.
    pub fn empty() -> Self {
        Self::json("{}".into())
    }

    /// 200 with `{"success":true}`, for callbacks.
    pub fn success() -> Self {
        Self::json(r#"{"success":true}"#.into())
    }

    /// 200 with a self-contained HTML page.
    pub fn html(page: String) -> Self {
        Self { content_type: "text/html; charset=utf-8", ..Self::json(page) }
    }

    fn json(body: String) -> Self {
        Self { status: StatusCode::OK, location: None, content_type: JSON, body }
    }

    /// 204 without a body.
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, ..Self::json(String::new()) }
    }

    /// Adds the `Location` header, the path of the created or found resource.
    #[must_use]
    pub fn with_location(self, location: String) -> Self {
        Self { location: Some(location), ..self }
    }

    pub(crate) fn into_http(self) -> http::Response<Body> {
        let has_body = !self.body.is_empty();
        let mut response = http::Response::new(if has_body { Body::Text(self.body) } else { Body::Empty });
        *response.status_mut() = self.status;
        if has_body {
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
            if self.content_type != JSON {
                // A page can quote text from anyone; the policy lets it run and load nothing.
                headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
            }
        }
        if let Some(location) = self.location.and_then(|location| location.parse().ok()) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}
