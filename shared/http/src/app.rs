//! One function's process: what it sets up once, and what it does with each request.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use lambda_http::http::{HeaderValue, Response, header};
use lambda_http::{Body, service_fn};
use nofomo_db::{Claims, Db, tls_connector};
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::jwks::Jwks;
use crate::request::About;
use crate::settings::Settings;
use crate::user::Verifier;
use crate::{Answer, BotToken, Error, Problem, Request, User};

/// Lambda gives start-up ten seconds; what is not ready by then is tried again by the first request.
const WARM_UP_LIMIT: Duration = Duration::from_secs(4);

/// Everything that outlives a request.
pub struct App {
    name: &'static str,
    pub db: Db,
    verifier: Verifier,
}

impl App {
    /// Reads the settings, opens the database connection and fetches the signing keys. A database or an issuer that is
    /// away is logged and no reason not to start; a missing setting is.
    ///
    /// # Errors
    ///
    /// What is missing or malformed among the settings.
    pub async fn start(name: &'static str) -> Result<Self, Error> {
        log_as_json();
        let app = Self::configured(name).await.inspect_err(|cause| error!(function = name, %cause, "Not started"))?;
        let ready = async { tokio::join!(app.db.warm_up(), app.verifier.warm_up()) };
        match timeout(WARM_UP_LIMIT, ready).await {
            Ok((database, _)) => {
                if let Err(cause) = database {
                    warn!(function = name, %cause, "Started without a database");
                }
            }
            Err(_) => warn!(function = name, "Started before the database or the signing keys answered"),
        }
        Ok(app)
    }

    async fn configured(name: &'static str) -> Result<Self, Error> {
        let settings = Settings::load().await?;
        let reload = settings.reload();
        let tls = tls_connector(settings.database_root.as_deref())?;
        Ok(Self {
            name,
            db: Db::new(settings.database, tls, reload)?,
            verifier: Verifier::new(
                settings.auth_issuer,
                Jwks::new(settings.auth_jwks_url)?,
                settings.auth_hs256_secret.as_deref(),
            ),
        })
    }

    /// The signed-in user of a request; without one a function goes no further.
    ///
    /// # Errors
    ///
    /// 401, 403 for users who may not call functions, 503 while the signing keys cannot be fetched.
    pub async fn user(&self, request: &Request) -> Result<Arc<User>, Problem> {
        let user = self.verifier.verify(request.bearer_token()).await?;
        request.about.user_id.get_or_init(|| user.id());
        Ok(user)
    }

    /// Whoever may report for a bot: its owner with his access token, or its runner with the bot's own.
    ///
    /// # Errors
    ///
    /// As [`App::user`]. Whether a bot's token is known, the database tells.
    pub async fn reporter(&self, request: &Request) -> Result<Claims, Problem> {
        match request.bearer_token().and_then(BotToken::parse) {
            Some(token) => Ok(token.claims()),
            None => Ok(self.user(request).await?.claims().clone()),
        }
    }

    /// Answers requests until Lambda ends the process.
    ///
    /// # Errors
    ///
    /// The runtime's own.
    pub async fn serve<H, F>(self, handle: H) -> Result<(), Error>
    where
        H: Fn(&'static Self, Request) -> F + Send + Sync,
        F: Future<Output = Result<Answer, Problem>> + Send,
    {
        // Once per process, which lives as long as it.
        let app: &'static Self = Box::leak(Box::new(self));
        let handle = &handle;
        lambda_http::run(service_fn(move |event: lambda_http::Request| async move {
            let started = Instant::now();
            let request = Request::new(event);
            let about = request.about.clone();
            // A panic is a mistake of ours like any other: it has an answer and a line in the log, and ends nothing.
            let outcome = AssertUnwindSafe(handle(app, request))
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(Problem::Internal("panicked".into())));
            Ok::<_, std::convert::Infallible>(app.respond(&about, outcome, started))
        }))
        .await
    }

    /// The answer with its headers, and the one line that the log gets of a request.
    fn respond(&self, about: &About, outcome: Result<Answer, Problem>, started: Instant) -> Response<Body> {
        let kind = outcome.as_ref().map_or_else(Problem::kind, |_| "ok");
        let cause = outcome.as_ref().err().and_then(Problem::cause).map(ToOwned::to_owned);
        let mut response = match outcome {
            Ok(answer) => answer.into_response(),
            Err(problem) => problem.into_response(&about.id),
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(id) = HeaderValue::from_str(&about.id) {
            headers.insert("x-request-id", id);
        }
        let status = response.status().as_u16();
        let function = self.name;
        let request_id = about.id.as_str();
        let route = about.route.as_str();
        let user_id = about.user_id.get().map(tracing::field::display);
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Some(cause) = cause {
            error!(
                function,
                request_id,
                route,
                user_id,
                status,
                outcome = kind,
                duration_ms,
                cause,
                "{route} {status}"
            );
        } else {
            info!(function, request_id, route, user_id, status, outcome = kind, duration_ms, "{route} {status}");
        }
        response
    }
}

/// One JSON object a line, with a timestamp: without one Lambda takes every line for INFO.
fn log_as_json() {
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
