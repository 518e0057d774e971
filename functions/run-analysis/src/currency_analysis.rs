//! Analysis of the trades in each currency. Amounts in different currencies are never added up.

use nofomo_analytics::{
    ASSUMED_MAX_LOSS, AnalysisType, Confidence, CurrencyAnalysis, InvalidInput, MetricValues, Metrics, Note, NoteCode,
    Reason, Record, Settings,
};
use nofomo_lambda::{Problem, ProblemKind};
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use serde::Serialize;

use crate::request::AnalysisRequest;
use crate::reservation::Account;
use crate::trade_set::{CurrencyTrades, TradeSet};

/// Analysis of an account.
pub(crate) struct AccountAnalysis {
    /// Stored part: what the type of the analysis shows.
    pub(crate) stored: CurrencyAnalysis,
    pub(crate) confidence: Confidence,
    /// All metrics, for recommendations. `None` if the balance was 0 or less at the start.
    pub(crate) metrics: Option<Metrics>,
    /// `true` if every bot of the account has a stop-loss.
    pub(crate) has_stop_loss: bool,
}

/// Analyses the accounts with trades, or all accounts if there are no trades at all.
pub(crate) fn analyse_accounts(
    request: &AnalysisRequest,
    accounts: &[Account],
    trade_set: &TradeSet,
) -> Result<Vec<AccountAnalysis>, Problem> {
    let trades_of =
        |account: &Account| trade_set.in_currency(&account.currency).filter(|trades| !trades.trades.is_empty());
    let has_trades = accounts.iter().any(|account| trades_of(account).is_some());
    let analysed = accounts.iter().filter(|account| !has_trades || trades_of(account).is_some());
    analysed.map(|account| analyse_account(request, account, trades_of(account))).collect()
}

/// Lowest confidence score of all accounts; 0 without any.
pub(crate) fn lowest_score(accounts: &[AccountAnalysis]) -> Decimal {
    let lowest = accounts.iter().map(|account| account.confidence.score).reduce(f64::min).unwrap_or_default();
    Decimal::from_f64(lowest).unwrap_or_default()
}

fn analyse_account(
    request: &AnalysisRequest,
    account: &Account,
    trades: Option<&CurrencyTrades>,
) -> Result<AccountAnalysis, Problem> {
    let record = match trades {
        Some(trades) => Record::new(&trades.trades, account.settings(request)),
        // Without trades, there is no period either, even if one was requested.
        None => Record::new(&[], Settings::new(account.initial_balance)),
    };
    match record {
        Ok(record) => analyse_record(request.kind(), account, &record),
        Err(InvalidInput::InitialBalance) if account.initial_balance <= Decimal::ZERO => Ok(ruined_before(account)),
        Err(invalid) => Err(Problem::conflict(
            ProblemKind::NotAnalysable,
            format!("The trades in {} cannot be analysed: {invalid}.", account.currency),
        )),
    }
}

fn analyse_record(kind: AnalysisType, account: &Account, record: &Record<'_>) -> Result<AccountAnalysis, Problem> {
    let metrics = record.metrics();
    let has_slices = matches!(kind, AnalysisType::Performance | AnalysisType::Optimization);
    let is_backtest = kind == AnalysisType::Backtest;
    let stored = CurrencyAnalysis {
        currency: account.currency.clone(),
        initial_balance: account.initial_balance,
        metrics: select_metrics(&metrics, |name| kind.shows(name))?,
        notes: metrics.historical.notes.iter().copied().map(NoteCode::Known).collect(),
        confidence: Some(metrics.confidence.clone()),
        slices: if has_slices { record.slices() } else { Vec::new() },
        series: (kind != AnalysisType::Optimization).then(|| record.series()),
        halves: if is_backtest { record.halves() } else { None },
        stress: if is_backtest { record.stress() } else { Vec::new() },
    };
    Ok(AccountAnalysis {
        stored,
        confidence: metrics.confidence.clone(),
        metrics: Some(metrics),
        has_stop_loss: account.max_loss.is_some(),
    })
}

/// Returns the analysis of an account whose balance was 0 or less at the start: returns on it are undefined.
fn ruined_before(account: &Account) -> AccountAnalysis {
    let assumed_max_loss = account.max_loss.and_then(|loss| loss.to_f64()).unwrap_or(ASSUMED_MAX_LOSS);
    let confidence = Confidence { trials: 1, assumed_max_loss, parts: None, score: 0.0, reason: Reason::Ruined };
    let stored = CurrencyAnalysis {
        currency: account.currency.clone(),
        initial_balance: account.initial_balance,
        notes: vec![NoteCode::Known(Note::Ruined)],
        confidence: Some(confidence.clone()),
        ..CurrencyAnalysis::default()
    };
    AccountAnalysis { stored, confidence, metrics: None, has_stop_loss: account.max_loss.is_some() }
}

/// Selects metrics by name.
pub(crate) fn select_metrics(
    metrics: &impl Serialize,
    is_shown: impl Fn(&str) -> bool,
) -> Result<MetricValues, Problem> {
    MetricValues::select(metrics, is_shown)
        .map_err(|error| Problem::Internal(format!("metrics cannot be written as JSON: {error}")))
}
