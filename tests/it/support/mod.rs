//! Helpers of more than one test.

pub(crate) mod bot_tokens;
pub(crate) mod browser;
pub(crate) mod contract;
pub(crate) mod database;
pub(crate) mod freqtrade;
pub(crate) mod issuer;
pub(crate) mod leaks;
pub(crate) mod payers;
pub(crate) mod pooler;
pub(crate) mod statistics;
pub(crate) mod tripay;
pub(crate) mod waiting;
pub(crate) mod world;
