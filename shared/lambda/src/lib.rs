//! The edge: from an API Gateway event to a verified user and checked fields, and from an outcome to an answer.
//!
//! A function's `main` is two lines:
//!
//! ```text
//! let app = App::start("create-bot").await?;
//! app.serve(create_bot::handle).await
//! ```
//!
//! [`App`] is a function that acts for users, [`Job`] one that acts at its times or when an outside service calls back.

mod answer;
mod app;
mod bot_token;
mod fields;
mod job;
mod jwks;
mod log_record;
mod problem;
mod process;
mod request;
mod secret;
mod settings;
mod timings;
mod trace;
mod user;
mod values;

pub use answer::Answer;
pub use app::App;
pub use bot_token::BotToken;
pub use fields::{Batch, Fields, collect};
pub use job::{Job, Message, Run};
pub use problem::{FieldError, Problem};
pub use request::Request;
pub use user::User;
pub use values::{decimal, flag, integer, lines, object, one_of, raw, text, time, trading_pair, uuid};

/// What a function's `main` returns.
pub type Error = lambda_http::Error;
