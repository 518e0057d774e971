//! HTTP requests.

use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use lambda_http::http::header;
use lambda_http::request::RequestContext;
use lambda_http::{Body, RequestExt};
use nofomo_contract::{
    FieldError, MAX_IDEMPOTENCY_KEY_LENGTH, ObjectReader, OneOrMany, RequestBody, read_body, read_body_with,
};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{Problem, User};

/// Maximum size of a JSON body.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Maximum size of an uploaded file. Encoded in base64 it stays below the 6 MB that Lambda accepts.
const MAX_UPLOAD_BYTES: usize = 4 * 1024 * 1024;

/// One HTTP request.
#[derive(Debug)]
pub struct Request {
    event: lambda_http::Request,
    pub(crate) info: Arc<RequestInfo>,
}

/// Properties of a request for its log record and response. The path is left out: it can contain a bot token.
#[derive(Debug)]
pub(crate) struct RequestInfo {
    pub(crate) id: String,
    pub(crate) route: String,
    /// Trace header, as in `Root=1-…;Parent=…;Sampled=1`.
    pub(crate) trace: Option<String>,
    pub(crate) user_id: OnceLock<Uuid>,
    pub(crate) outcome: OnceLock<String>,
}

impl Request {
    /// Wraps an event of an API Gateway HTTP API.
    pub fn new(event: lambda_http::Request) -> Self {
        let (id, route) = match event.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => (context.request_id.clone(), context.route_key.clone()),
            _ => (None, None),
        };
        let info = RequestInfo {
            id: id.or_else(|| event.lambda_context_ref().map(|context| context.request_id.clone())).unwrap_or_default(),
            route: route.unwrap_or_default(),
            trace: event.lambda_context_ref().and_then(|context| context.xray_trace_id.clone()),
            user_id: OnceLock::new(),
            outcome: OnceLock::new(),
        };
        Self { event, info: Arc::new(info) }
    }

    /// Sets the outcome in the log record and its metrics, instead of `ok` or the problem's kind. Only the first call
    /// has an effect.
    pub fn record_outcome(&self, outcome: &str) {
        self.info.outcome.get_or_init(|| outcome.to_owned());
    }

    /// The token of `Authorization: Bearer …`.
    pub(crate) fn bearer_token(&self) -> Option<&str> {
        let value = self.event.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// The route, as in `POST /bots/{bot_id}/trades`.
    pub fn route(&self) -> &str {
        &self.info.route
    }

    /// A parameter of the path, by its name in the route.
    pub fn path_parameter(&self, name: &str) -> Option<String> {
        self.event.path_parameters_ref()?.first(name).map(ToOwned::to_owned)
    }

    /// The `{bot_id}` of the path.
    ///
    /// # Errors
    ///
    /// 404 if it is not a UUID.
    pub fn bot_id(&self) -> Result<Uuid, Problem> {
        self.path_parameter("bot_id").and_then(|id| id.parse().ok()).ok_or(Problem::NotFound)
    }

    /// The first query parameter with this name.
    pub fn query_parameter(&self, name: &str) -> Option<String> {
        self.event.query_string_parameters_ref()?.first(name).map(ToOwned::to_owned)
    }

    /// A header, or `None` if it is absent or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.event.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// The media type of the body, without parameters; empty if the header is absent.
    pub fn content_type(&self) -> &str {
        let declared = self.header(header::CONTENT_TYPE.as_str());
        declared.and_then(|value| value.split(';').next()).unwrap_or_default().trim()
    }

    /// The body.
    ///
    /// # Errors
    ///
    /// 413 above 1 MiB.
    pub fn body(&self) -> Result<&[u8], Problem> {
        self.bytes(MAX_BODY_BYTES)
    }

    /// The body of a file upload, of any type.
    ///
    /// # Errors
    ///
    /// 413 above 4 MiB.
    pub fn upload(&self) -> Result<&[u8], Problem> {
        self.bytes(MAX_UPLOAD_BYTES)
    }

    fn bytes(&self, limit: usize) -> Result<&[u8], Problem> {
        let body = match self.event.body() {
            Body::Text(text) => text.as_bytes(),
            Body::Binary(bytes) => bytes,
            _ => &[],
        };
        if body.len() > limit { Err(Problem::TooLarge { limit }) } else { Ok(body) }
    }

    /// Reads the body as a JSON object.
    ///
    /// # Errors
    ///
    /// 415 unless the content type is JSON, 413 above 1 MiB, 400 if the body is not JSON, 422 with the errors of all
    /// fields.
    pub fn body_as<T: RequestBody>(&self) -> Result<T, Problem> {
        read_body(self.json()?).map_err(Problem::Invalid)
    }

    /// Reads the body as a JSON object, and applies `check`, a rule that needs more than the body.
    ///
    /// # Errors
    ///
    /// Same as [`Request::body_as`].
    pub fn body_as_with<T: RequestBody>(&self, check: impl FnOnce(&T, &mut ObjectReader<'_>)) -> Result<T, Problem> {
        read_body_with(self.json()?, check).map_err(Problem::Invalid)
    }

    /// Reads the body as a JSON object, or as an array whose length is in `size`.
    ///
    /// # Errors
    ///
    /// Same as [`Request::body_as`], and 422 for an array of another length.
    pub fn body_as_one_or_many<T: RequestBody>(&self, size: RangeInclusive<usize>) -> Result<OneOrMany<T>, Problem> {
        OneOrMany::read(self.json()?, &size).map_err(Problem::Invalid)
    }

    fn json(&self) -> Result<&RawValue, Problem> {
        if !self.content_type().eq_ignore_ascii_case("application/json") {
            return Err(Problem::UnsupportedMediaType);
        }
        serde_json::from_slice(self.body()?)
            .map_err(|error| Problem::NotJson(format!("The body is not JSON: {error}.")))
    }

    /// Derives the id of the row that this request creates. With an `Idempotency-Key`, the same user, endpoint and key
    /// result in the same id; without one, the id is new.
    ///
    /// # Errors
    ///
    /// Same as [`Request::idempotency_key`].
    pub fn row_id(&self, endpoint: &str, user: &User) -> Result<Uuid, Problem> {
        let key = self.idempotency_key()?;
        let id = key.map(|key| Uuid::new_v5(&user.id(), format!("{endpoint}:{key}").as_bytes()));
        Ok(id.unwrap_or_else(Uuid::now_v7))
    }

    /// The `Idempotency-Key` header.
    ///
    /// # Errors
    ///
    /// 422 unless the key is 1 to 255 printable ASCII characters.
    pub fn idempotency_key(&self) -> Result<Option<&str>, Problem> {
        let Some(key) = self.event.headers().get("idempotency-key") else { return Ok(None) };
        let is_valid = |key: &&str| {
            (1..=MAX_IDEMPOTENCY_KEY_LENGTH).contains(&key.len())
                && key.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        };
        match key.to_str().ok().filter(is_valid) {
            Some(key) => Ok(Some(key)),
            None => {
                let detail = format!("must be 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} printable ASCII characters");
                Err(Problem::Invalid(vec![FieldError::header("Idempotency-Key", detail)]))
            }
        }
    }
}
