//! Helpers that several test modules use.

pub(crate) mod analyses;
pub(crate) mod backtests;
pub(crate) mod bot_tokens;
pub(crate) mod bots;
pub(crate) mod browser;
pub(crate) mod callbacks;
pub(crate) mod cargo_dev;
pub(crate) mod contract;
pub(crate) mod credentials;
pub(crate) mod database;
pub(crate) mod expiring_subscriptions;
pub(crate) mod fake_tripay;
pub(crate) mod freqtrade;
pub(crate) mod issuer;
pub(crate) mod language_model;
pub(crate) mod leaks;
pub(crate) mod manual_tripay;
pub(crate) mod payers;
pub(crate) mod pooler;
pub(crate) mod renewals;
pub(crate) mod statistics;
pub(crate) mod strategies;
pub(crate) mod trade_load;
pub(crate) mod trades;
pub(crate) mod waiting;
pub(crate) mod world;
