//! The database by itself: schema, grants, rules and the billing model.

mod access;
mod billing;
mod marketplace;
mod migrations;
mod round_trips;
mod rules;
mod schema;
mod statistics;
mod verify;
