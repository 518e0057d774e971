//! One request, as a function sees it.

use std::sync::{Arc, OnceLock};

use lambda_http::http::header;
use lambda_http::request::RequestContext;
use lambda_http::{Body, RequestExt};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{FieldError, Fields, Problem, User};

const BODY_LIMIT: usize = 1024 * 1024;

#[derive(Debug)]
pub struct Request {
    event: lambda_http::Request,
    pub(crate) about: Arc<About>,
}

/// What the log line and every answer tell of a request. No path: it can hold a bot's token.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) id: String,
    pub(crate) route: String,
    pub(crate) user_id: OnceLock<Uuid>,
}

impl Request {
    pub(crate) fn new(event: lambda_http::Request) -> Self {
        let (id, route) = match event.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => (context.request_id.clone(), context.route_key.clone()),
            _ => (None, None),
        };
        let about = About {
            id: id.or_else(|| event.lambda_context_ref().map(|context| context.request_id.clone())).unwrap_or_default(),
            route: route.unwrap_or_default(),
            user_id: OnceLock::new(),
        };
        Self { event, about: Arc::new(about) }
    }

    /// The token of `Authorization: Bearer …`.
    pub(crate) fn bearer_token(&self) -> Option<&str> {
        let value = self.event.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// The body as the fields of one JSON object.
    ///
    /// # Errors
    ///
    /// 415 unless JSON by its type, 413 above 1 MiB, 400 if it is not JSON, 422 if it is not an object.
    pub fn fields(&self) -> Result<Fields<'_>, Problem> {
        Fields::of(self.json()?)
    }

    fn json(&self) -> Result<&RawValue, Problem> {
        let declared = self.event.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = declared.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Problem::NotJsonByType);
        }
        let body = match self.event.body() {
            Body::Text(text) => text.as_bytes(),
            Body::Binary(bytes) => bytes,
            _ => &[],
        };
        if body.len() > BODY_LIMIT {
            return Err(Problem::TooLarge { limit: BODY_LIMIT });
        }
        serde_json::from_slice(body).map_err(|error| Problem::NotJson(format!("The body is not JSON: {error}.")))
    }

    /// The id of the row that this request makes: out of `Idempotency-Key` the same for the same user, endpoint and key;
    /// without one a new id.
    ///
    /// # Errors
    ///
    /// 422 unless the key is 1 to 255 printable ASCII characters.
    pub fn row_id(&self, endpoint: &str, user: &User) -> Result<Uuid, Problem> {
        let Some(key) = self.event.headers().get("idempotency-key") else {
            return Ok(Uuid::now_v7());
        };
        let key = key.as_bytes();
        if key.is_empty() || key.len() > 255 || !key.iter().all(|byte| (b' '..=b'~').contains(byte)) {
            let detail = "must be 1 to 255 printable ASCII characters";
            return Err(Problem::Invalid(vec![FieldError::header("Idempotency-Key", detail)]));
        }
        let name = [endpoint.as_bytes(), b":", key].concat();
        Ok(Uuid::new_v5(&user.id(), &name))
    }
}
