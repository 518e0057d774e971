//! Analyses of the sample users' bots, to look at in a browser, which cannot send an access token along with a link.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::json;

use crate::{auth::Auth, client::client};
use local_database::Result;

const USER_AGENT: &str = "cargo dev";

/// API Gateway's own.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Whose bots are judged, and how.
const SAMPLES: [(&str, &str); 3] =
    [("pro@nofomo.test", "performance"), ("pro@nofomo.test", "risk"), ("enterprise@nofomo.test", "optimization")];

/// One that can be looked at.
pub struct Sample {
    pub analysis_type: &'static str,
    pub email: &'static str,
    pub url: String,
}

#[derive(Deserialize)]
struct Analysis {
    id: String,
}

#[derive(Deserialize)]
struct Reader {
    email: String,
}

/// Links to them; each is made when it is looked at first, so that a start costs nobody a request of his plan.
pub fn samples(origin: &str) -> impl Iterator<Item = Sample> {
    SAMPLES
        .map(|(email, analysis_type)| Sample {
            analysis_type,
            email,
            url: format!("{origin}/_local/samples/{analysis_type}"),
        })
        .into_iter()
}

/// `GET /_local/samples/{analysis_type}`: a sample user's report, of an analysis that is made if there is none yet.
/// `GET /_local/reports/{analysis_id}?email=…`: a report as this user sees it.
pub(crate) fn router(auth: Arc<Auth>, origin: String) -> Result<Router> {
    let state = Arc::new(Reports { auth, client: client(USER_AGENT, TIME_LIMIT)?, origin });
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
    /// What a function answers to this user.
    async fn asked(&self, email: &str, ask: impl FnOnce(&Client, &str) -> RequestBuilder) -> Response {
        let token = match self.auth.token_for(email).await {
            Ok(token) => token,
            Err(error) => return refused(StatusCode::NOT_FOUND, &error),
        };
        match ask(&self.client, &self.origin).bearer_auth(token).send().await {
            Ok(answer) => axum::http::Response::from(answer).map(Body::new),
            Err(error) => refused(StatusCode::BAD_GATEWAY, &error),
        }
    }

    async fn report(&self, email: &str, id: &str) -> Response {
        self.asked(email, |client, origin| client.get(format!("{origin}/analyses/{id}/report"))).await
    }
}

fn refused(status: StatusCode, error: &dyn std::fmt::Display) -> Response {
    (status, Json(json!({ "message": error.to_string() }))).into_response()
}

async fn show_sample(State(reports): State<Arc<Reports>>, Path(wanted): Path<String>) -> Response {
    let Some((email, analysis_type)) = SAMPLES.into_iter().find(|(_, analysis_type)| *analysis_type == wanted) else {
        return refused(StatusCode::NOT_FOUND, &format!("there is no sample {wanted}"));
    };
    let made = reports.asked(email, |client, origin| {
        client
            .post(format!("{origin}/analyses"))
            .header("idempotency-key", format!("sample {analysis_type}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(json!({ "analysis_type": analysis_type }).to_string())
    });
    let made = made.await;
    if !made.status().is_success() {
        return made;
    }
    let analysis = to_bytes(made.into_body(), usize::MAX).await.unwrap_or_default();
    match serde_json::from_slice(&analysis) {
        Ok(Analysis { id }) => reports.report(email, &id).await,
        Err(error) => refused(StatusCode::BAD_GATEWAY, &error),
    }
}

async fn show(
    State(reports): State<Arc<Reports>>,
    Path(id): Path<String>,
    Query(Reader { email }): Query<Reader>,
) -> Response {
    reports.report(&email, &id).await
}
