//! Serving HTTP requests from API Gateway.

use std::convert::Infallible;

use lambda_http::http::{self, HeaderValue, StatusCode, header};
use lambda_http::{Body, service_fn};

use crate::function::{Function, InvocationRecord};
use crate::log_record::Subject;
use crate::{Error, Problem, Request, Response};

impl<V: Sync> Function<V> {
    /// Serves HTTP requests until Lambda ends the process. `refuse` turns a problem and the request id into a response.
    pub(crate) async fn serve_http<H, F, R>(&self, handle: H, refuse: R) -> Result<(), Error>
    where
        H: Fn(Request) -> F + Send + Sync,
        F: Future<Output = Result<Response, Problem>> + Send,
        R: Fn(Problem, &str) -> http::Response<Body> + Send + Sync,
    {
        let (handle, refuse) = (&handle, &refuse);
        lambda_http::run(service_fn(move |event: lambda_http::Request| async move {
            let request = Request::new(event);
            let info = request.info.clone();
            let finish = |result: Result<Response, Problem>| {
                let kind = result.as_ref().map_or_else(|problem| problem.kind().slug(), |_| "ok");
                let cause = result.as_ref().err().and_then(Problem::cause).map(ToOwned::to_owned);
                let mut response = match result {
                    Ok(response) => response.into_http(),
                    Err(problem) => refuse(problem, &info.id),
                };
                let headers = response.headers_mut();
                // Every response is personal.
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
                if let Ok(id) = HeaderValue::from_str(&info.id) {
                    headers.insert("x-request-id", id);
                }
                let (route, status) = (info.route.as_str(), response.status().as_u16());
                let record = InvocationRecord {
                    message: format!("{route} {status}"),
                    request_id: &info.id,
                    trace: info.trace.as_deref(),
                    subject: Subject::Request { route, user_id: info.user_id.get().copied(), status },
                    outcome: info.outcome.get().map_or(kind, String::as_str),
                    cause,
                };
                (response, record)
            };
            Ok::<_, Infallible>(self.invoke(handle(request), finish).await)
        }))
        .await
    }
}

/// Builds the response to a failed callback: `{"success": false}`. The calling service reads only the status and
/// `success`.
pub(crate) fn callback_failure(problem: &Problem) -> http::Response<Body> {
    let status = match problem.status() {
        // The calling service does not distinguish an unavailable database from other failures.
        StatusCode::SERVICE_UNAVAILABLE => StatusCode::INTERNAL_SERVER_ERROR,
        status => status,
    };
    let mut response = http::Response::new(Body::Text(r#"{"success":false}"#.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
