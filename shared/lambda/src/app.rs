//! A function that acts for users: what it sets up once, and what it does with each request.

use std::sync::Arc;
use std::time::Duration;

use nofomo_db::{Claims, Db};
use tokio::time::timeout;
use tracing::{error, warn};

use crate::jwks::Jwks;
use crate::process::{Process, leak, log_as_json};
use crate::settings::Settings;
use crate::timings::Timings;
use crate::user::Verifier;
use crate::{Answer, BotToken, Error, Problem, Request, User};

/// Lambda gives start-up ten seconds; what is not ready by then is tried again by the first request.
const WARM_UP_LIMIT: Duration = Duration::from_secs(4);

/// Everything that outlives a request.
pub struct App {
    process: Process,
    pub db: Db,
    verifier: Verifier,
    settings: Settings,
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
        app.process.forget_start();
        Ok(app)
    }

    async fn configured(name: &'static str) -> Result<Self, Error> {
        let settings = Settings::load().await?;
        // `AUTH_ISSUER`: `https://<project>.supabase.co/auth/v1`. Its keys are below it, unless `AUTH_JWKS_URL` says where.
        let [_, issuer] = settings.required(["DATABASE_URL", "AUTH_ISSUER"])?;
        let jwks_url = settings.get("AUTH_JWKS_URL").unwrap_or_else(|| format!("{issuer}/.well-known/jwks.json"));
        // Set only for a project that still signs with one shared secret.
        let hs256_secret = settings.get("AUTH_HS256_SECRET");
        let timings = Arc::<Timings>::default();
        Ok(Self {
            db: settings.database(timings.clone())?,
            verifier: Verifier::new(issuer, Jwks::new(jwks_url, timings.clone())?, hs256_secret.as_deref()),
            process: Process::new(name, &settings, timings),
            settings,
        })
    }

    /// Something else that outlives a request, made of settings by their names.
    ///
    /// # Errors
    ///
    /// Those of `make`, which are logged.
    pub fn init_static<T, E: Into<Error>>(
        &self,
        make: impl FnOnce(&dyn Fn(&str) -> Option<String>) -> Result<T, E>,
    ) -> Result<&'static T, Error> {
        leak(self.process.name, make(&|name| self.settings.get(name)))
    }

    /// The signed-in user of a request; without one a function goes no further.
    ///
    /// # Errors
    ///
    /// 401, 403 for users who may not call functions, 503 while the signing keys cannot be fetched.
    pub async fn user(&self, request: &Request) -> Result<Arc<User>, Problem> {
        let user = self.verifier.verify(request.bearer_token()).await?;
        request.info.user_id.get_or_init(|| user.id());
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

    /// A bot's runner, with the bot's own token; what is his alone is not its owner's to ask for either.
    ///
    /// # Errors
    ///
    /// 403 for whoever has no token of a bot's. Whether it is known, the database tells.
    pub fn runner(&self, request: &Request) -> Result<Claims, Problem> {
        let token =
            request.bearer_token().ok_or(Problem::Unauthenticated("Send `Authorization: Bearer <bot token>`."))?;
        let refused = "Only a bot's own token may ask for this; POST /bots/{bot_id}/token issues one.";
        BotToken::parse(token).map(|token| token.claims()).ok_or(Problem::Forbidden(refused))
    }

    /// Waits for somebody outside, so that the log and the trace of a request tell how long.
    pub async fn time_external_call<T>(&self, whom: &'static str, answer: impl Future<Output = T>) -> T {
        self.process.time_external_call(whom, answer).await
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
        app.process.serve(|request| handle(app, request), Problem::into_response).await
    }
}
