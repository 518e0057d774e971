//! Result of `private.run_analysis`: the reserved request, with the accounts and the backtest to analyse.

use chrono::{DateTime, TimeDelta, Utc};
use nofomo_analytics::{ComparedBacktest, Settings};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::request::AnalysisRequest;

/// Outcome of `private.run_analysis`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReservationOutcome {
    /// The request counts against the quota, and can be analysed.
    Reserved(Reservation),
    /// The same request created this analysis before.
    Existing(Box<RawValue>),
    /// The idempotency key belongs to another request.
    KeyReused,
    /// The bot or the strategy does not exist, or not for this user.
    NotFound,
    /// There is no backtest to compare with.
    NoBacktest,
    /// All analyses of the plan are used up.
    QuotaExceeded { limit: i64, plan: String },
}

/// Accounts and backtest to analyse.
#[derive(Deserialize)]
pub(crate) struct Reservation {
    /// Number of bots.
    pub(crate) bots: u64,
    pub(crate) accounts: Vec<Account>,
    pub(crate) backtest: Option<Backtest>,
}

/// All bots with the same currency, treated as one account.
#[derive(Deserialize)]
pub(crate) struct Account {
    pub(crate) currency: String,
    /// Balance at the start of the requested period: the bots' initial balances plus their profit before it.
    pub(crate) initial_balance: Decimal,
    /// Widest stop-loss of the bots, as a fraction. None unless every bot has one.
    pub(crate) max_loss: Option<Decimal>,
    /// Earliest entry of the trades.
    first_entry: Option<DateTime<Utc>>,
    /// Number of trades in the requested period.
    pub(crate) trades: u64,
}

/// Backtest to compare the live trades with.
#[derive(Deserialize)]
pub(crate) struct Backtest {
    #[serde(flatten)]
    pub(crate) compared: ComparedBacktest,
    /// `true` if one of the compared bots is running.
    pub(crate) is_running: bool,
}

impl Account {
    /// Settings of the record of this account.
    pub(crate) fn settings(&self, request: &AnalysisRequest) -> Settings {
        Settings {
            // Days before the first entry are not part of the record.
            period_start: request.body.from.filter(|from| self.first_entry.is_some_and(|entry| entry < *from)),
            // The end of the requested period is exclusive. A future end is ignored.
            period_end: request.body.to.filter(|to| *to <= Utc::now()).map(|to| to - TimeDelta::microseconds(1)),
            max_loss: self.max_loss.and_then(|loss| loss.to_f64()).filter(|loss| *loss > 0.0),
            ..Settings::new(self.initial_balance)
        }
    }
}
