//! Links to reports on the sample users' bots. A browser sends no access token when it opens a link, so the server adds
//! one.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use local_database::Result;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::json;

use crate::{auth::Auth, client::client};

const USER_AGENT: &str = "cargo dev";

/// Timeout of API Gateway.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Sample users whose bots are analysed, with the types of the analyses.
const SAMPLES: [(&str, &str); 3] =
    [("pro@nofomo.test", "performance"), ("pro@nofomo.test", "risk"), ("enterprise@nofomo.test", "optimization")];

/// A report to open in a browser.
pub struct SampleReport {
    pub analysis_type: &'static str,
    pub email: &'static str,
    pub url: String,
}

#[derive(Deserialize)]
struct Analysis {
    id: String,
}

#[derive(Deserialize)]
struct ReportQuery {
    email: String,
}

/// Links to the sample reports. An analysis is created when its link is first opened, so that starting `cargo dev` does
/// not count against the users' quotas.
pub fn sample_reports(origin: &str) -> impl Iterator<Item = SampleReport> {
    SAMPLES
        .map(|(email, analysis_type)| SampleReport {
            analysis_type,
            email,
            url: format!("{origin}/_local/samples/{analysis_type}"),
        })
        .into_iter()
}

/// Routes `GET /_local/samples/{analysis_type}`, a sample user's report, whose analysis is created if there is none
/// yet, and `GET /_local/reports/{analysis_id}?email=…`, a report as this user sees it.
pub(crate) fn router(auth: Arc<Auth>, origin: String) -> Result<Router> {
    let state = Arc::new(Reports { auth, client: client(USER_AGENT, TIMEOUT)?, origin });
    Ok(Router::new()
        .route("/_local/samples/{analysis_type}", get(show_sample))
        .route("/_local/reports/{analysis_id}", get(show))
        .with_state(state))
}

struct Reports {
    auth: Arc<Auth>,
    client: Client,
    origin: String,
}

impl Reports {
    /// Sends a request as this user and returns the response.
    async fn send_as(&self, email: &str, request: impl FnOnce(&Client, &str) -> RequestBuilder) -> Response {
        let token = match self.auth.token_for(email).await {
            Ok(token) => token,
            Err(error) => return error_response(StatusCode::NOT_FOUND, &error),
        };
        match request(&self.client, &self.origin).bearer_auth(token).send().await {
            Ok(response) => axum::http::Response::from(response).map(Body::new),
            Err(error) => error_response(StatusCode::BAD_GATEWAY, &error),
        }
    }

    async fn report(&self, email: &str, id: &str) -> Response {
        self.send_as(email, |client, origin| client.get(format!("{origin}/analyses/{id}/report"))).await
    }
}

fn error_response(status: StatusCode, error: &dyn std::fmt::Display) -> Response {
    (status, Json(json!({ "message": error.to_string() }))).into_response()
}

async fn show_sample(State(reports): State<Arc<Reports>>, Path(requested): Path<String>) -> Response {
    let Some((email, analysis_type)) = SAMPLES.into_iter().find(|(_, analysis_type)| *analysis_type == requested)
    else {
        return error_response(StatusCode::NOT_FOUND, &format!("there is no sample {requested}"));
    };
    let created = reports.send_as(email, |client, origin| {
        client
            .post(format!("{origin}/analyses"))
            .header("idempotency-key", format!("sample {analysis_type}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(json!({ "analysis_type": analysis_type }).to_string())
    });
    let created = created.await;
    if !created.status().is_success() {
        return created;
    }
    let analysis = to_bytes(created.into_body(), usize::MAX).await.unwrap_or_default();
    match serde_json::from_slice(&analysis) {
        Ok(Analysis { id }) => reports.report(email, &id).await,
        Err(error) => error_response(StatusCode::BAD_GATEWAY, &error),
    }
}

async fn show(
    State(reports): State<Arc<Reports>>,
    Path(id): Path<String>,
    Query(ReportQuery { email }): Query<ReportQuery>,
) -> Response {
    reports.report(&email, &id).await
}
