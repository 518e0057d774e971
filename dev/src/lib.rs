//! The cloud on a laptop: the functions' real binaries behind an API gateway, on a real Postgres that looks like
//! Supabase.

pub mod auth;
pub mod build;
pub mod client;
pub mod credentials_keys;
mod docs;
pub mod gateway;
pub mod node;
pub mod proxy;
pub mod python;
pub mod reports;
pub mod runtime;
pub mod schedule;
pub mod serve;
pub mod stack;
pub mod template;
pub mod tripay;
