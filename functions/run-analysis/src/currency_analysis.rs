//! The judgement: a block for each currency, because amounts of different ones are never added up.

use chrono::{DateTime, TimeDelta, Utc};
use nofomo_analytics::{
    ASSUMED_MAX_LOSS, AnalysisType, Confidence, Halves, InvalidInput, Metrics, Note, Reason, Record, Series, Settings,
    Slice, Stress,
};
use nofomo_lambda::{Problem, ProblemKind};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::request::AnalysisRequest;
use crate::trade_set::{CurrencyTrades, TradeSet};

/// Bots whose money is in one currency, taken as one account.
#[derive(Deserialize)]
pub(crate) struct Account {
    pub(crate) currency: String,
    /// At the start of the window: what they began with, and what they had earned by then.
    initial_balance: Decimal,
    /// The widest stop-loss, as a fraction; only if every bot has one.
    max_loss: Option<Decimal>,
    first_entry: Option<DateTime<Utc>>,
    /// Within the window.
    pub(crate) trades: u64,
}

/// All that is said of the trades in one currency.
#[derive(Serialize)]
pub(crate) struct CurrencyAnalysis {
    pub(crate) currency: String,
    initial_balance: Decimal,
    metrics: Map<String, Value>,
    notes: Vec<Note>,
    pub(crate) confidence: Confidence,
    pub(crate) slices: Vec<Slice>,
    series: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    halves: Option<Halves>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) stress: Vec<Stress>,
    /// With what the type does not show; recommendations need more.
    #[serde(skip)]
    pub(crate) all: Option<Metrics>,
    #[serde(skip)]
    pub(crate) has_stop_loss: bool,
}

impl CurrencyAnalysis {
    /// What a model is told of it.
    pub(crate) fn without_series(&self) -> Value {
        json!({
            "currency": self.currency,
            "initial_balance": self.initial_balance,
            "metrics": self.metrics,
            "notes": self.notes,
            "confidence": self.confidence,
            "slices": self.slices,
            "halves": self.halves,
            "stress": self.stress,
        })
    }
}

/// Those of the accounts that have trades; if there are no trades at all, of each account.
pub(crate) fn blocks(
    request: &AnalysisRequest,
    accounts: &[Account],
    trade_set: &TradeSet,
) -> Result<Vec<CurrencyAnalysis>, Problem> {
    let book = |account: &Account| trade_set.book(&account.currency).filter(|book| !book.trades.is_empty());
    let has_trades = accounts.iter().any(|account| book(account).is_some());
    let judged = accounts.iter().filter(|account| !has_trades || book(account).is_some());
    judged.map(|account| block(request, account, book(account))).collect()
}

/// 0 where there is nothing to judge.
pub(crate) fn lowest_score(blocks: &[CurrencyAnalysis]) -> f64 {
    blocks.iter().map(|block| block.confidence.score).reduce(f64::min).unwrap_or_default()
}

fn block(
    request: &AnalysisRequest,
    account: &Account,
    book: Option<&CurrencyTrades>,
) -> Result<CurrencyAnalysis, Problem> {
    match book {
        Some(book) => shown(request.kind(), account, Record::new(&book.trades, account.settings(request))),
        // Without a trade a window has no days either.
        None => shown(request.kind(), account, Record::new(&[], Settings::new(account.initial_balance))),
    }
}

impl Account {
    pub(crate) fn settings(&self, request: &AnalysisRequest) -> Settings {
        Settings {
            // Days before anything was traded tell nothing of the bot.
            period_start: request.body.from.filter(|from| self.first_entry.is_some_and(|entry| entry < *from)),
            // The window's end is not in it, and what is yet to come neither.
            period_end: request.body.to.filter(|to| *to <= Utc::now()).map(|to| to - TimeDelta::microseconds(1)),
            max_loss: self.max_loss.and_then(|loss| loss.to_f64()).filter(|loss| *loss > 0.0),
            ..Settings::new(self.initial_balance)
        }
    }
}

fn shown(
    kind: AnalysisType,
    account: &Account,
    record: Result<Record<'_>, InvalidInput>,
) -> Result<CurrencyAnalysis, Problem> {
    let record = match record {
        Ok(record) => record,
        Err(InvalidInput::InitialBalance) if account.initial_balance <= Decimal::ZERO => {
            return Ok(ruined_before(account));
        }
        Err(invalid) => {
            return Err(Problem::conflict(
                ProblemKind::NotAnalysable,
                format!("The trades in {} cannot be analysed: {invalid}.", account.currency),
            ));
        }
    };
    let metrics = record.metrics();
    let with_slices = matches!(kind, AnalysisType::Performance | AnalysisType::Optimization);
    let with_series = kind != AnalysisType::Optimization;
    let is_backtest = kind == AnalysisType::Backtest;
    Ok(CurrencyAnalysis {
        currency: account.currency.clone(),
        initial_balance: account.initial_balance,
        metrics: only(&metrics, |name| kind.shows(name))?,
        notes: metrics.historical.notes.clone(),
        confidence: metrics.confidence.clone(),
        slices: if with_slices { record.slices() } else { Vec::new() },
        series: if with_series { series(&record.series())? } else { Value::Object(Map::new()) },
        halves: if is_backtest { record.halves() } else { None },
        stress: if is_backtest { record.stress() } else { Vec::new() },
        all: Some(metrics),
        has_stop_loss: account.max_loss.is_some(),
    })
}

/// A window that begins with nothing left cannot be measured in fractions of what was there.
fn ruined_before(account: &Account) -> CurrencyAnalysis {
    let assumed_max_loss = account.max_loss.and_then(|loss| loss.to_f64()).unwrap_or(ASSUMED_MAX_LOSS);
    CurrencyAnalysis {
        currency: account.currency.clone(),
        initial_balance: account.initial_balance,
        metrics: Map::new(),
        notes: vec![Note::Ruined],
        confidence: Confidence { trials: 1, assumed_max_loss, parts: None, score: 0.0, reason: Reason::Ruined },
        slices: Vec::new(),
        series: Value::Object(Map::new()),
        halves: None,
        stress: Vec::new(),
        all: None,
        has_stop_loss: account.max_loss.is_some(),
    }
}

fn series(series: &Series) -> Result<Value, Problem> {
    serde_json::to_value(series).map_err(unwritable)
}

/// The metrics of these names.
pub(crate) fn only(metrics: &impl Serialize, is_shown: impl Fn(&str) -> bool) -> Result<Map<String, Value>, Problem> {
    let Value::Object(mut all) = serde_json::to_value(metrics).map_err(unwritable)? else { return Ok(Map::new()) };
    all.retain(|name, _| is_shown(name));
    Ok(all)
}

fn unwritable(error: serde_json::Error) -> Problem {
    Problem::Internal(format!("figures are not JSON: {error}"))
}
