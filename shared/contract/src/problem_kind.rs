//! Kinds of problems: the `type`, `status` and `title` of an `application/problem+json` response (RFC 9457), and its
//! description in the OpenAPI document.

macro_rules! problem_kinds {
    ($($variant:ident = $slug:literal, $status:literal, $title:expr, $description:literal;)+) => {
        /// Kind of a problem.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum ProblemKind {
            $(#[doc = $description] $variant,)+
        }

        impl ProblemKind {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Last segment of `type`, by which programs distinguish problems.
            pub const fn slug(self) -> &'static str {
                match self {
                    $(Self::$variant => $slug,)+
                }
            }

            /// HTTP status.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)+
                }
            }

            /// Short summary, the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)+
                }
            }

            /// Cause of the problem and how to solve it, for the OpenAPI document.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => $description,)+
                }
            }
        }
    };
}

const CONFLICT: &str = "Not possible in the current state";

problem_kinds! {
    NotJson = "not-json", 400, "The body is not JSON", "The body is not JSON. `detail` says where the error is.";
    Unauthenticated = "unauthenticated", 401, "Not signed in",
        "The request has no valid token. Refresh the token or sign in again.";
    Deactivated = "deactivated", 403, "This account is deactivated",
        "The account is deactivated. Contact support to reactivate it.";
    Forbidden = "forbidden", 403, "Not allowed", "This kind of token or session may not call this operation.";
    PlanLimit = "plan-limit", 403, "Plan limit reached", "The user has reached the plan's limit, which is `limit`.";
    Quota = "quota", 403, "Monthly quota used up", "The user has used the plan's monthly quota, which is `limit`.";
    NotFound = "not-found", 404, "Not found", "The resource does not exist, or belongs to another user.";
    KeyReused = "key-reused", 409, CONFLICT,
        "The Idempotency-Key was used before with another body. Use a new key.";
    CredentialsMissing = "credentials-missing", 409, CONFLICT,
        "Live trading needs saved API keys for the exchange.";
    UnsafeStrategy = "unsafe-strategy", 409, CONFLICT,
        "A live bot may only run a strategy whose check has no findings.";
    WrongState = "wrong-state", 409, CONFLICT, "The bot's current status does not allow this.";
    PaperBot = "paper-bot", 409, CONFLICT, "The operation is for live bots, and this bot trades on paper.";
    StrategyInUse = "strategy-in-use", 409, CONFLICT,
        "A live bot runs a strategy with this name, and the check of the new source has findings.";
    HasFindings = "has-findings", 409, CONFLICT, "Only a strategy whose check has no findings can be published.";
    NoSource = "no-source", 409, CONFLICT, "The strategy has no source to publish.";
    FewTrades = "few-trades", 409, CONFLICT,
        "Publishing needs an imported backtest of this source with at least 30 trades.";
    NameTaken = "name-taken", 409, CONFLICT, "Another strategy in the marketplace has this name.";
    NotAStrategy = "not-a-strategy", 409, CONFLICT, "The stored source is not a valid strategy.";
    Changing = "changing", 409, CONFLICT,
        "The source is being changed at the same time. Publish again after the change.";
    NoBacktest = "no-backtest", 409, CONFLICT, "There is no backtest to compare with. Import one first.";
    NotAnalysable = "not-analysable", 409, CONFLICT,
        "The recorded trades cannot be analysed. `detail` gives the reason.";
    AlreadySubscribed = "already-subscribed", 409, CONFLICT, "A trial is only for users without a paid plan.";
    TrialUsed = "trial-used", 409, CONFLICT, "Each user has one trial, and this user has already used it.";
    TooLarge = "too-large", 413, "The body is too large",
        "The body is too large. `detail` gives the maximum size in bytes.";
    UnsupportedMediaType = "unsupported-media-type", 415, "The content type must be JSON",
        "The request has another content type. Send `application/json`.";
    Invalid = "invalid", 422, "Some fields are not valid",
        "Some fields are not valid. `errors` lists every invalid field and says what its value must be.";
    TooMany = "too-many", 429, "Too many requests",
        "Too many requests in a short time. Retry after the number of seconds in `Retry-After`.";
    Internal = "internal", 500, "Internal error", "The service failed. The cause is in its log under `request_id`.";
    NotConfigured = "not-configured", 501, "Not configured",
        "This deployment is not configured for the operation. `detail` names the setting.";
    BadGateway = "bad-gateway", 502, "Bad response from an external service",
        "An external service refused the request or sent an unusable response. The cause is in the log under `request_id`.";
    Unavailable = "unavailable", 503, "Temporarily unavailable",
        "The service is temporarily unavailable, and the request may have taken effect. It is safe to send it again with the same \
         Idempotency-Key.";
    NoAnswer = "no-answer", 504, "An external service did not answer",
        "An external service did not answer in time, or its answer was inconclusive. `detail` says how to proceed.";
}
