//! What a caller gets when something did not go well: `application/problem+json` (RFC 9457), and what the log gets.

use lambda_http::Body;
use lambda_http::http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

/// The caller's fault says what to change; ours says nothing, and its cause goes to the log.
#[derive(Debug)]
pub enum Problem {
    /// The body is not JSON; says where it stops being so.
    NotJson(String),
    /// No token, or none that is valid; says which check it failed, not more.
    Unauthenticated(&'static str),
    Deactivated,
    Forbidden(&'static str),
    PlanLimit {
        /// What there is too much of, in the plural.
        things: &'static str,
        limit: i64,
        plan: String,
    },
    /// What a plan allows a month is used up.
    Quota {
        /// What there is so much of a month, in the plural.
        things: &'static str,
        limit: i64,
        plan: String,
    },
    /// Not there, or not the caller's: which of the two is not told.
    NotFound,
    Conflict {
        kind: &'static str,
        detail: String,
    },
    TooLarge {
        limit: usize,
    },
    NotJsonByType,
    Invalid(Vec<FieldError>),
    /// Too much of it within an hour.
    TooMany(&'static str),
    /// An outside service answered what is no fault of the caller's; its words are for the log.
    BadGateway(String),
    /// An outside service has not answered, or nothing that tells what it did.
    NoAnswer {
        cause: String,
        detail: String,
    },
    /// Not here, as this is set up; says what to set.
    NotConfigured(&'static str),
    /// Something that we need is away for now; the caller may send the same again.
    Unavailable(String),
    Internal(String),
}

/// The members of RFC 9457, and ours.
#[derive(Serialize)]
struct Details<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a str>,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
    request_id: &'a str,
}

/// What is wrong with one field of the body, with a parameter of the query, or with a header.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct FieldError {
    #[serde(flatten)]
    place: Place,
    #[serde(flatten)]
    line: Option<LineColumn>,
    detail: String,
}

/// Within a field that is a text of many lines; both from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
struct LineColumn {
    line: usize,
    column: usize,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    /// RFC 6901; the empty pointer is the whole body.
    Pointer(String),
    Header(&'static str),
    /// Behind the `?`.
    Parameter(&'static str),
}

impl FieldError {
    fn new(place: Place, detail: String) -> Self {
        Self { place, line: None, detail }
    }

    /// Within the lines of a field; both numbers from 1.
    #[must_use]
    pub fn in_line(self, line: usize, column: usize) -> Self {
        Self { line: Some(LineColumn { line, column }), ..self }
    }

    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Place::Pointer(pointer.into()), detail.into())
    }

    pub fn header(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Place::Header(name), detail.into())
    }

    pub fn parameter(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Place::Parameter(name), detail.into())
    }

    pub(crate) fn pointer(&self) -> Option<&str> {
        match &self.place {
            Place::Pointer(pointer) => Some(pointer),
            Place::Header(_) | Place::Parameter(_) => None,
        }
    }
}

impl From<nofomo_db::Error> for Problem {
    fn from(error: nofomo_db::Error) -> Self {
        match error {
            nofomo_db::Error::Unavailable(cause) => Self::Unavailable(cause),
            nofomo_db::Error::Deactivated => Self::Deactivated,
            nofomo_db::Error::UnknownToken => Self::Unauthenticated("The bot token is unknown or revoked."),
            nofomo_db::Error::Unstorable(_) => Self::Invalid(vec![FieldError::at(
                "",
                "has a value that cannot be stored, such as a number out of range",
            )]),
            nofomo_db::Error::Failed(cause) => Self::Internal(cause),
        }
    }
}

impl Problem {
    /// A strategy that no live bot may run, and how much was found in it; none if it was never checked.
    pub fn unsafe_strategy(name: &str, findings: Option<u32>) -> Self {
        let why = match findings {
            None => "has not been checked: store its source first".to_owned(),
            Some(1) => "has one finding in its check: change that".to_owned(),
            Some(count) => format!("has {count} findings in its check: change those"),
        };
        Self::Conflict { kind: "unsafe-strategy", detail: format!("The strategy {name} {why}, or trade on paper.") }
    }

    /// The last part of `type`, by which programs tell problems apart.
    pub(crate) fn kind(&self) -> &'static str {
        self.face().1
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.face().0
    }

    /// For the log alone.
    pub(crate) fn cause(&self) -> Option<&str> {
        match self {
            Self::Unavailable(cause)
            | Self::Internal(cause)
            | Self::BadGateway(cause)
            | Self::NoAnswer { cause, .. } => Some(cause),
            Self::NotJson(_)
            | Self::Unauthenticated(_)
            | Self::Deactivated
            | Self::Forbidden(_)
            | Self::PlanLimit { .. }
            | Self::Quota { .. }
            | Self::NotFound
            | Self::Conflict { .. }
            | Self::TooLarge { .. }
            | Self::NotJsonByType
            | Self::Invalid(_)
            | Self::TooMany(_)
            | Self::NotConfigured(_) => None,
        }
    }

    fn face(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NotJson(_) => (StatusCode::BAD_REQUEST, "not-json", "The body is not JSON"),
            Self::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthenticated", "Not signed in"),
            Self::Deactivated => (StatusCode::FORBIDDEN, "deactivated", "This account is deactivated"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Self::PlanLimit { .. } => (StatusCode::FORBIDDEN, "plan-limit", "The plan's limit is reached"),
            Self::Quota { .. } => (StatusCode::FORBIDDEN, "quota", "The plan's quota is used up"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::Conflict { kind, .. } => (StatusCode::CONFLICT, kind, "Not possible as things are"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large"),
            Self::NotJsonByType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body must be JSON by its type")
            }
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Some fields are not valid"),
            Self::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many requests"),
            Self::BadGateway(_) => (StatusCode::BAD_GATEWAY, "bad-gateway", "A service that we need refused"),
            Self::NoAnswer { .. } => {
                (StatusCode::GATEWAY_TIMEOUT, "no-answer", "A service that we need has not answered")
            }
            Self::NotConfigured(_) => (StatusCode::NOT_IMPLEMENTED, "not-configured", "Not configured here"),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again in a moment"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side"),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NotJson(detail) | Self::Conflict { detail, .. } | Self::NoAnswer { detail, .. } => detail.clone(),
            Self::Unauthenticated(detail) | Self::Forbidden(detail) | Self::TooMany(detail) | Self::NotConfigured(detail) => (*detail).into(),
            Self::Deactivated => "Write to support to have it activated again.".into(),
            Self::PlanLimit { things, limit, plan } => {
                format!("The plan {plan} allows this many {things}: {limit}. Delete one or choose a larger plan.")
            }
            Self::Quota { things, limit, plan } => {
                format!("The plan {plan} allows this many {things} a month: {limit}. Wait for the next or choose a larger plan.")
            }
            Self::NotFound => "There is no such thing, or it is not yours.".into(),
            Self::TooLarge { limit } => format!("At most {limit} bytes are taken."),
            Self::NotJsonByType => "Send `Content-Type: application/json`.".into(),
            Self::Invalid(errors) => match errors.len() {
                1 => "One field needs a change; see `errors`.".into(),
                count => format!("{count} fields need a change; see `errors`."),
            },
            Self::Unavailable(_) => {
                "It may or may not have taken effect. With the same Idempotency-Key it is safe to send again; without one, \
                 look first."
                    .into()
            }
            Self::BadGateway(_) | Self::Internal(_) => "It is logged under this request id.".into(),
        }
    }

    pub(crate) fn into_response(self, request_id: &str) -> Response<Body> {
        let (status, kind, title) = self.face();
        let mut details = Details {
            r#type: format!("https://nofomo.dev/problems/{kind}"),
            title,
            status: status.as_u16(),
            detail: self.detail(),
            limit: None,
            plan: None,
            errors: &[],
            request_id,
        };
        match &self {
            Self::Invalid(errors) => details.errors = errors,
            Self::PlanLimit { limit, plan, .. } | Self::Quota { limit, plan, .. } => {
                details.limit = Some(*limit);
                details.plan = Some(plan);
            }
            _ => {}
        }
        let mut response = Response::new(Body::Text(serde_json::to_string(&details).unwrap_or_default()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self {
            Self::Unauthenticated(_) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Unavailable(_) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
            }
            Self::TooMany(_) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("600"));
            }
            _ => {}
        }
        response
    }
}
