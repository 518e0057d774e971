//! Adapter between AWS Lambda and a function's handler: settings, start-up, verified users, requests and responses,
//! log records.
//!
//! A function that users call is an [`App`]; its `main` is two lines:
//!
//! ```text
//! let app = App::start("create-bot").await?;
//! app.serve(create_bot::handle).await
//! ```
//!
//! A function without users is a [`Job`]. It serves a schedule ([`Job::serve_schedule`]), a queue
//! ([`Job::serve_queue`]) or the callbacks of an external service ([`Job::serve_callbacks`]). Both are a [`Function`],
//! which holds the database connection and writes one log record, one set of metrics and one trace per invocation.
//!
//! An HTTP handler takes a [`Request`], reads its body with [`Request::body_as`], and returns a [`Response`] or a
//! [`Problem`].

mod app;
mod bot_token;
mod function;
mod http;
mod job;
mod jwks;
mod log_record;
mod logging;
mod problem;
mod queue;
mod request;
mod response;
mod schedule;
mod secret;
mod settings;
mod timings;
mod trace;
mod user;

pub use app::App;
pub use bot_token::BotToken;
pub use function::Function;
pub use job::Job;
pub use nofomo_contract::{FieldError, ProblemKind};
pub use problem::{LimitedResource, Problem};
pub use queue::Message;
pub use request::Request;
pub use response::Response;
pub use schedule::Run;
pub use user::User;

/// Error of a function's `main`, and of a run that fails.
pub type Error = lambda_http::Error;
