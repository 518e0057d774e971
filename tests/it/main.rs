//! End-to-end tests: the functions' real binaries, API Gateway's events, real tokens, a real Postgres.

mod access;
mod create_bot;
mod get_portfolio;
mod marketplace;
mod round_trips;
mod schema;
mod statistics;
mod support;
mod verify;
