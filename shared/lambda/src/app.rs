//! Functions that users call.

use std::sync::Arc;

use nofomo_db::Claims;

use crate::function::{Function, leak};
use crate::user::Verifier;
use crate::{BotToken, Error, Problem, Request, Response, User};

/// A function that users and their bots call, through API Gateway.
pub type App = Function<Verifier>;

impl App {
    /// Reads the settings, opens the database connection and fetches the signing keys. An unavailable database or
    /// issuer is logged and does not prevent the start.
    ///
    /// # Errors
    ///
    /// Names the settings that are missing or malformed.
    pub async fn start(name: &'static str) -> Result<Self, Error> {
        let app = Self::init(name, Verifier::from_settings).await?;
        app.warm_up(app.verifier.warm_up()).await;
        Ok(app)
    }

    /// Verifies the request's access token.
    ///
    /// # Errors
    ///
    /// 401 without a valid token, 403 for anonymous sessions and for tokens issued to other applications, 503 while the
    /// signing keys cannot be fetched.
    pub async fn user(&self, request: &Request) -> Result<Arc<User>, Problem> {
        let user = self.verifier.verify(request.bearer_token()).await?;
        request.info.user_id.get_or_init(|| user.id());
        Ok(user)
    }

    /// Returns the claims of a caller who reports for a bot: its owner, with an access token, or its runner, with the
    /// bot token. The database checks whether a bot token is known.
    ///
    /// # Errors
    ///
    /// Same as [`App::user`].
    pub async fn reporter_claims(&self, request: &Request) -> Result<Claims, Problem> {
        match request.bearer_token().and_then(BotToken::parse) {
            Some(token) => Ok(token.claims()),
            None => Ok(self.user(request).await?.claims().clone()),
        }
    }

    /// Returns the claims of a bot's runner, which must send the bot token; the owner's access token is refused. The
    /// database checks whether the bot token is known.
    ///
    /// # Errors
    ///
    /// 401 without a token, 403 for any token other than a bot token.
    pub fn runner_claims(&self, request: &Request) -> Result<Claims, Problem> {
        let token =
            request.bearer_token().ok_or(Problem::Unauthenticated("Send `Authorization: Bearer <bot token>`."))?;
        let refused = "This route accepts only the bot's own token. Issue one with POST /bots/{bot_id}/token.";
        BotToken::parse(token).map(|token| token.claims()).ok_or(Problem::Forbidden(refused))
    }

    /// Serves requests until Lambda ends the process.
    ///
    /// # Errors
    ///
    /// Errors of the Lambda runtime.
    pub async fn serve<H, F>(self, handle: H) -> Result<(), Error>
    where
        H: Fn(&'static Self, Request) -> F + Send + Sync,
        F: Future<Output = Result<Response, Problem>> + Send,
    {
        let app = leak(self);
        app.serve_http(|request| handle(app, request), Problem::into_http).await
    }
}
