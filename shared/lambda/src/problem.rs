//! Failed requests: their responses as `application/problem+json` (RFC 9457), and their causes for the log.

use lambda_http::Body;
use lambda_http::http::{self, HeaderValue, StatusCode, header};
use nofomo_contract::{FieldError, ProblemKind};
use serde::Serialize;

/// Reason why a request failed. If the client can fix it, the response says how; otherwise the cause goes only to the
/// log.
#[derive(Debug)]
pub enum Problem {
    /// The body is not JSON. The text says where the error is.
    NotJson(String),
    /// The request has no token, or an invalid one. The text says only which check failed.
    Unauthenticated(&'static str),
    /// The user is deactivated.
    Deactivated,
    /// The caller has no right to do this. The text says why.
    Forbidden(&'static str),
    /// The caller has as many resources as the plan allows.
    PlanLimit { resource: LimitedResource, limit: i64, plan: String },
    /// The caller has used the plan's monthly quota.
    Quota { resource: LimitedResource, limit: i64, plan: String },
    /// The resource does not exist, or belongs to another user; the response does not say which.
    NotFound,
    /// The current state does not allow the request. `kind` is one of the kinds with status 409.
    Conflict { kind: ProblemKind, detail: String },
    /// The body is larger than `limit` bytes.
    TooLarge { limit: usize },
    /// The content type is not JSON.
    UnsupportedMediaType,
    /// Some fields are not valid.
    Invalid(Vec<FieldError>),
    /// The caller sent more requests than are allowed per hour. The text names the limit.
    TooMany(&'static str),
    /// An external service refused the request for a reason that the client cannot fix, or sent an unusable response.
    /// The cause is for the log.
    BadGateway(String),
    /// An external service sent no response, or an inconclusive one. The cause is for the log.
    NoAnswer { cause: String, detail: String },
    /// A feature is not configured in this deployment. The text says which setting is missing.
    NotConfigured(&'static str),
    /// The database or the signing keys are unavailable; the client may retry. The cause is for the log.
    Unavailable(String),
    /// A bug. The cause is for the log.
    Internal(String),
}

/// Countable resource that a plan limits.
#[derive(Clone, Copy, Debug)]
pub struct LimitedResource {
    pub singular: &'static str,
    pub plural: &'static str,
}

impl LimitedResource {
    pub const BOTS: Self = Self { singular: "bot", plural: "bots" };
    pub const STRATEGIES: Self = Self { singular: "strategy", plural: "strategies" };
    /// Analyses and generated strategies, which share one quota.
    pub const AI_REQUESTS: Self =
        Self { singular: "analysis or generated strategy", plural: "analyses and generated strategies" };
    pub const BACKTEST_MINUTES: Self = Self { singular: "minute of backtests", plural: "minutes of backtests" };

    fn noun(&self, count: i64) -> &'static str {
        if count == 1 { self.singular } else { self.plural }
    }
}

/// Response body: the members of RFC 9457, and additional ones.
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
    /// Problem of a kind with status 409.
    pub fn conflict(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self::Conflict { kind, detail: detail.into() }
    }

    /// Problem of an idempotency key that was used before with another body. `resource` names the created resource, in
    /// the singular.
    pub fn key_reused(resource: &str) -> Self {
        let detail =
            format!("This Idempotency-Key was used with another body. Use a new key to create another {resource}.");
        Self::conflict(ProblemKind::KeyReused, detail)
    }

    /// Problem of a strategy that a live bot may not run. `findings` is `None` if there is no checked strategy with this
    /// name.
    pub fn unsafe_strategy(name: &str, findings: Option<u32>) -> Self {
        let reason = match findings {
            None => "does not exist or has not been checked. Store its source first".to_owned(),
            Some(1) => "has 1 finding. Fix it".to_owned(),
            Some(count) => format!("has {count} findings. Fix them"),
        };
        Self::conflict(ProblemKind::UnsafeStrategy, format!("The strategy {name} {reason}, or use paper trading."))
    }

    pub(crate) fn kind(&self) -> ProblemKind {
        match self {
            Self::NotJson(_) => ProblemKind::NotJson,
            Self::Unauthenticated(_) => ProblemKind::Unauthenticated,
            Self::Deactivated => ProblemKind::Deactivated,
            Self::Forbidden(_) => ProblemKind::Forbidden,
            Self::PlanLimit { .. } => ProblemKind::PlanLimit,
            Self::Quota { .. } => ProblemKind::Quota,
            Self::NotFound => ProblemKind::NotFound,
            Self::Conflict { kind, .. } => *kind,
            Self::TooLarge { .. } => ProblemKind::TooLarge,
            Self::UnsupportedMediaType => ProblemKind::UnsupportedMediaType,
            Self::Invalid(_) => ProblemKind::Invalid,
            Self::TooMany(_) => ProblemKind::TooMany,
            Self::BadGateway(_) => ProblemKind::BadGateway,
            Self::NoAnswer { .. } => ProblemKind::NoAnswer,
            Self::NotConfigured(_) => ProblemKind::NotConfigured,
            Self::Unavailable(_) => ProblemKind::Unavailable,
            Self::Internal(_) => ProblemKind::Internal,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Cause for the log. It is never in the response.
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
            | Self::UnsupportedMediaType
            | Self::Invalid(_)
            | Self::TooMany(_)
            | Self::NotConfigured(_) => None,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NotJson(detail) | Self::Conflict { detail, .. } | Self::NoAnswer { detail, .. } => detail.clone(),
            Self::Unauthenticated(detail)
            | Self::Forbidden(detail)
            | Self::TooMany(detail)
            | Self::NotConfigured(detail) => (*detail).into(),
            Self::Deactivated => "Contact support to reactivate the account.".into(),
            Self::PlanLimit { resource, limit: 0, plan } => {
                format!("The {plan} plan does not include {}. Upgrade to use them.", resource.plural)
            }
            Self::PlanLimit { resource, limit, plan } => {
                let (LimitedResource { singular, .. }, noun) = (resource, resource.noun(*limit));
                format!("The {plan} plan allows {limit} {noun}. Delete a {singular} or upgrade.")
            }
            Self::Quota { resource, limit: 0, plan } => {
                format!("The {plan} plan does not include {}. Upgrade to use them.", resource.plural)
            }
            Self::Quota { resource, limit, plan } => {
                let noun = resource.noun(*limit);
                format!("The {plan} plan allows {limit} {noun} per month. Wait until next month or upgrade.")
            }
            Self::NotFound => "The resource was not found, or is not yours.".into(),
            Self::TooLarge { limit } => format!("The body may have at most {limit} bytes."),
            Self::UnsupportedMediaType => "Send `Content-Type: application/json`.".into(),
            Self::Invalid(errors) => match errors.len() {
                1 => "1 field is not valid. See `errors`.".into(),
                count => format!("{count} fields are not valid. See `errors`."),
            },
            Self::Unavailable(_) => {
                "The request may have taken effect. It is safe to send it again with the same Idempotency-Key; \
                 without a key, check first."
                    .into()
            }
            Self::BadGateway(_) | Self::Internal(_) => "The cause is in the log under `request_id`.".into(),
        }
    }

    pub(crate) fn into_http(self, request_id: &str) -> http::Response<Body> {
        let (status, kind) = (self.status(), self.kind());
        let mut details = Details {
            r#type: format!("https://nofomo.dev/problems/{}", kind.slug()),
            title: kind.title(),
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
        let mut response = http::Response::new(Body::Text(serde_json::to_string(&details).unwrap_or_default()));
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
