//! A private PostgreSQL server whose databases look like a Supabase project's.
//!
//! `cargo dev` serves from one, `cargo ops verify` compares with one, and `cargo measure` and the tests use several.

mod connect;
mod console;
mod error;
mod paths;
pub mod postgres;
pub mod private_database;
pub mod running_dev;
pub mod supabase;

pub use connect::{connect, describe_error};
pub use console::print_line;
pub use error::{Error, Result};
pub use paths::{default_data_dir, workspace};
