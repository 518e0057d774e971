//! What every function's process does: logs as JSON, answers each request, and writes one line about it.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;
use lambda_http::http::{HeaderValue, Response, header};
use lambda_http::{Body, service_fn};
use tracing::{error, info, warn};

use crate::request::About;
use crate::{Answer, Error, Problem, Request};

/// Answers HTTP requests until Lambda ends the process; `refuse` writes what a caller gets of a problem.
pub(crate) async fn serve<H, F, R>(name: &'static str, handle: H, refuse: R) -> Result<(), Error>
where
    H: Fn(Request) -> F + Send + Sync,
    F: Future<Output = Result<Answer, Problem>> + Send,
    R: Fn(Problem, &str) -> Response<Body> + Send + Sync,
{
    let (handle, refuse) = (&handle, &refuse);
    lambda_http::run(service_fn(move |event: lambda_http::Request| async move {
        let started = Instant::now();
        let request = Request::new(event);
        let about = request.about.clone();
        // A panic is a mistake of ours like any other: it has an answer and a line in the log, and ends nothing.
        let outcome = AssertUnwindSafe(handle(request))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(Problem::Internal("panicked".into())));
        Ok::<_, std::convert::Infallible>(respond(name, &about, outcome, started, refuse))
    }))
    .await
}

/// The answer with its headers, and the one line that the log gets of a request.
fn respond(
    function: &'static str,
    about: &About,
    outcome: Result<Answer, Problem>,
    started: Instant,
    refuse: impl Fn(Problem, &str) -> Response<Body>,
) -> Response<Body> {
    let kind = outcome.as_ref().map_or_else(Problem::kind, |_| "ok");
    let cause = outcome.as_ref().err().and_then(Problem::cause).map(ToOwned::to_owned);
    let mut response = match outcome {
        Ok(answer) => answer.into_response(),
        Err(problem) => refuse(problem, &about.id),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&about.id) {
        headers.insert("x-request-id", id);
    }
    let status = response.status().as_u16();
    let request_id = about.id.as_str();
    let route = about.route.as_str();
    let user_id = about.user_id.get().map(tracing::field::display);
    let duration_ms = milliseconds_since(started);
    if let Some(cause) = cause {
        error!(function, request_id, route, user_id, status, outcome = kind, duration_ms, cause, "{route} {status}");
    } else {
        info!(function, request_id, route, user_id, status, outcome = kind, duration_ms, "{route} {status}");
    }
    response
}

pub(crate) fn milliseconds_since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Keeps what was made at start for as long as the process lives, or logs why it was not made.
pub(crate) fn leak<T, E: Into<Error>>(function: &'static str, made: Result<T, E>) -> Result<&'static T, Error> {
    match made {
        Ok(made) => Ok(Box::leak(Box::new(made))),
        Err(cause) => {
            let cause = cause.into();
            error!(function, %cause, "Not started");
            Err(cause)
        }
    }
}

/// One JSON object a line, with a timestamp: without one Lambda takes every line for INFO.
pub(crate) fn log_as_json() {
    let already_set = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_ansi(false)
        .try_init()
        .is_err();
    if already_set {
        warn!("Logging was set up before");
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        // Not the message: it can quote the input.
        error!(place, "Panicked");
    }));
}
