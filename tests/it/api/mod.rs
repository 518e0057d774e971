//! The HTTP API: a file for each endpoint, and what holds for all of them.

mod callback_delivery;
mod control_bot;
mod create_bot;
mod create_invoice;
mod create_invoice_failures;
mod create_strategy;
mod freqtrade;
mod generate_strategy;
mod get_portfolio;
mod hostile_input;
mod import_backtest;
mod issue_bot_token;
mod logs;
mod manage_subscription;
mod open_credentials;
mod payment_flow;
mod publish_strategy;
mod record_logs;
mod record_trade;
mod run_analysis;
mod save_credentials;
mod show_report;
mod supabase_client;
mod tokens;
mod tripay_callback;
