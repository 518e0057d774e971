//! End-to-end tests: the functions' real binaries, API Gateway's events, real tokens, a real Postgres.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets what it did not expect ends there; clippy knows test functions, not their helpers"
)]

mod access;
mod bench;
mod billing;
mod cargo_dev;
mod clean_logs;
mod control_bot;
mod create_bot;
mod create_invoice;
mod create_strategy;
mod dependencies;
mod expire_subscriptions;
mod faults;
mod freqtrade;
mod generate_strategy;
mod get_portfolio;
mod hostile_input;
mod import_backtest;
mod ingest_trades;
mod issue_bot_token;
mod logs;
mod manage_subscription;
mod marketplace;
mod migrations;
mod open_credentials;
mod openapi;
mod operations;
mod outage;
mod path_of_money;
mod peer;
mod publish_strategy;
mod readme;
mod reconcile_invoices;
mod record_logs;
mod record_trade;
mod renew_subscriptions;
mod round_trips;
mod rules;
mod run_analysis;
mod save_credentials;
mod schema;
mod settings;
mod show_report;
mod statistics;
mod support;
mod template;
mod tls;
mod tokens;
mod tripay_callback;
mod verify;
