//! One request, as a function sees it.

use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use lambda_http::http::header;
use lambda_http::request::RequestContext;
use lambda_http::{Body, RequestExt};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{Batch, FieldError, Fields, Problem, User};

const BODY_LIMIT: usize = 1024 * 1024;
/// With what encoding adds to a binary body, below the 6 MB that Lambda takes.
const UPLOAD_LIMIT: usize = 4 * 1024 * 1024;

#[derive(Debug)]
pub struct Request {
    event: lambda_http::Request,
    pub(crate) info: Arc<RequestInfo>,
}

/// What the log line and every answer tell of a request. No path: it can hold a bot's token.
#[derive(Debug)]
pub(crate) struct RequestInfo {
    pub(crate) id: String,
    pub(crate) route: String,
    /// As `Root=1-…;Parent=…;Sampled=1`.
    pub(crate) trace: Option<String>,
    pub(crate) user_id: OnceLock<Uuid>,
    pub(crate) outcome: OnceLock<String>,
}

impl Request {
    /// Of an event of API Gateway's HTTP API.
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

    /// By which name the log and its metrics are to know what came of it, where that is more than went well or did not.
    pub fn record_outcome(&self, outcome: &str) {
        self.info.outcome.get_or_init(|| outcome.to_owned());
    }

    /// The token of `Authorization: Bearer …`.
    pub(crate) fn bearer_token(&self) -> Option<&str> {
        let value = self.event.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// As in the template: `POST /bots/{bot_id}/trades`.
    pub fn route(&self) -> &str {
        &self.info.route
    }

    /// A part of the path, by its name in the route.
    pub fn path_parameter(&self, name: &str) -> Option<String> {
        self.event.path_parameters_ref()?.first(name).map(ToOwned::to_owned)
    }

    /// The `{bot_id}` of the path.
    ///
    /// # Errors
    ///
    /// 404: what is no id is nothing's id.
    pub fn bot_id(&self) -> Result<Uuid, Problem> {
        self.path_parameter("bot_id").and_then(|id| id.parse().ok()).ok_or(Problem::NotFound)
    }

    /// What stands behind the `?`, by its name; of several the first.
    pub fn query_parameter(&self, name: &str) -> Option<String> {
        self.event.query_string_parameters_ref()?.first(name).map(ToOwned::to_owned)
    }

    /// None if it is not there, or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.event.headers().get(name).and_then(|value| value.to_str().ok())
    }

    pub fn content_type(&self) -> &str {
        let declared = self.header(header::CONTENT_TYPE.as_str());
        declared.and_then(|value| value.split(';').next()).unwrap_or_default().trim()
    }

    /// # Errors
    ///
    /// 413 above 1 MiB.
    pub fn body(&self) -> Result<&[u8], Problem> {
        self.bytes(BODY_LIMIT)
    }

    /// The body where it is a file, of whatever type.
    ///
    /// # Errors
    ///
    /// 413 above 4 MiB.
    pub fn upload(&self) -> Result<&[u8], Problem> {
        self.bytes(UPLOAD_LIMIT)
    }

    fn bytes(&self, limit: usize) -> Result<&[u8], Problem> {
        let body = match self.event.body() {
            Body::Text(text) => text.as_bytes(),
            Body::Binary(bytes) => bytes,
            _ => &[],
        };
        if body.len() > limit { Err(Problem::TooLarge { limit }) } else { Ok(body) }
    }

    /// The body as the fields of one JSON object.
    ///
    /// # Errors
    ///
    /// 415 unless JSON by its type, 413 above 1 MiB, 400 if it is not JSON, 422 if it is not an object.
    pub fn fields(&self) -> Result<Fields<'_>, Problem> {
        Fields::of(self.json()?, String::new())
    }

    /// The body as one JSON object, or an array of so many.
    ///
    /// # Errors
    ///
    /// As [`Request::fields`], and 422 for another number of elements.
    pub fn batch(&self, size: RangeInclusive<usize>) -> Result<Batch<'_>, Problem> {
        Batch::of(self.json()?, &size)
    }

    fn json(&self) -> Result<&RawValue, Problem> {
        if !self.content_type().eq_ignore_ascii_case("application/json") {
            return Err(Problem::NotJsonByType);
        }
        serde_json::from_slice(self.body()?)
            .map_err(|error| Problem::NotJson(format!("The body is not JSON: {error}.")))
    }

    /// The id of the row that this request makes: out of `Idempotency-Key` the same for the same user, endpoint and key;
    /// without one a new id.
    ///
    /// # Errors
    ///
    /// As [`Request::idempotency_key`].
    pub fn row_id(&self, endpoint: &str, user: &User) -> Result<Uuid, Problem> {
        let key = self.idempotency_key()?;
        let id = key.map(|key| Uuid::new_v5(&user.id(), format!("{endpoint}:{key}").as_bytes()));
        Ok(id.unwrap_or_else(Uuid::now_v7))
    }

    /// # Errors
    ///
    /// 422 unless the key is 1 to 255 printable ASCII characters.
    pub fn idempotency_key(&self) -> Result<Option<&str>, Problem> {
        let Some(key) = self.event.headers().get("idempotency-key") else { return Ok(None) };
        match key.to_str() {
            Ok(key) if (1..=255).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => {
                Ok(Some(key))
            }
            _ => {
                let detail = "must be 1 to 255 printable ASCII characters";
                Err(Problem::Invalid(vec![FieldError::header("Idempotency-Key", detail)]))
            }
        }
    }
}
