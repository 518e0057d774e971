//! Input of a record: closed trades, the settings of their account, and the checks of both.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::{Decimal, dec};
use serde::{Deserialize, Serialize};

/// Closed trade. All money is in the account's currency, which is the quote currency of the pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trade<'a> {
    pub entry_time: DateTime<Utc>,
    /// Time at which the trade was closed. Its profit counts from then on.
    pub exit_time: DateTime<Utc>,
    pub side: Side,
    pub pair: &'a str,
    /// Amount, in the base currency of the pair. `amount * price` is the notional at the entry.
    pub amount: Decimal,
    /// Entry price, in the account's currency per unit of the base currency.
    pub price: Decimal,
    /// Fees of entry and exit. `profit` is already net of them.
    pub fee: Decimal,
    /// Profit, net of all fees.
    pub profit: Decimal,
    /// Price range while the trade was open, if known.
    pub range: Option<PriceRange>,
}

/// Side of the entry: `buy` opens a long position, `sell` a short one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Buy,
    Sell,
}

/// Lowest and highest price from the entry to the exit, both included. If it is computed from candles, use only candles
/// that lie entirely within the trade: the candle of the entry also contains prices before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PriceRange {
    pub low: Decimal,
    pub high: Decimal,
}

/// Account that made the trades, and how the trades were selected.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Balance before the first trade, in the account's currency.
    pub initial_balance: Decimal,
    /// Time on the first day of the period. Default: the day of the first entry.
    pub period_start: Option<DateTime<Utc>>,
    /// Time on the last day of the period. Default: the day of the last exit.
    pub period_end: Option<DateTime<Utc>>,
    /// Maximum loss of an open position, as a fraction of its notional: the distance of its stop-loss. Default:
    /// [`ASSUMED_MAX_LOSS`].
    pub max_loss: Option<f64>,
    pub trials: Trials,
    /// Seed of the Monte Carlo simulation. Equal seeds draw equal paths on every machine.
    pub seed: u64,
}

/// Runs from which the trades were selected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trials {
    /// Number of configurations tried, this one included; 1 if no other is known.
    pub runs: u32,
    /// Standard deviation of the runs' daily (not annualised) Sharpe ratios, if known.
    pub sharpe_deviation: Option<f64>,
    /// Probability of backtest overfitting, if the returns of the runs are known. See
    /// [`TrialMatrix`](crate::TrialMatrix).
    pub overfit_probability: Option<f64>,
}

/// Assumed maximum loss of a position without a stop-loss, as a fraction of its notional. Bitcoin fell further on 12
/// March 2020.
pub const ASSUMED_MAX_LOSS: f64 = 0.25;

/// Minimum of `max_loss`, which is a divisor. No real stop-loss is this close.
const MIN_MAX_LOSS: f64 = 1e-9;

/// Maximum amount of money, of base currency and of a price. Within it, every sum of money is exact.
const MAX_MONEY: Decimal = dec!(1_000_000_000_000);
/// Maximum notional. Within it, no sum and no product leaves the range of a decimal.
const MAX_NOTIONAL: Decimal = dec!(1_000_000_000_000_000_000);
const MAX_TRADES: usize = 1 << 31;

/// Maximum length of the period, in days: a hundred years. Without it, a wrong date could allocate a gigabyte of days.
const MAX_PERIOD_DAYS: i64 = 36_525;

/// Error in the trades, the settings or a trial matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInput {
    #[error("the initial balance must be above 0 and at most {MAX_MONEY}")]
    InitialBalance,
    #[error("the period must not end before it starts, nor be longer than {MAX_PERIOD_DAYS} days")]
    Period,
    #[error("max_loss must be at least {MIN_MAX_LOSS}")]
    MaxLoss,
    #[error("trials must have at least one run, a standard deviation of at least 0, and a probability between 0 and 1")]
    Trials,
    #[error("the matrix must have at least two configurations, and whole rows of finite returns")]
    Matrix,
    #[error("blocks must be an even number from 2 to 20, and each block must have at least two rows")]
    Blocks,
    #[error("there must be fewer than {MAX_TRADES} trades")]
    TooManyTrades,
    #[error("trade {index} {problem}")]
    Trade { index: usize, problem: &'static str },
}

impl Settings {
    /// Returns settings without a stop-loss, with a single run and the seed 42.
    pub fn new(initial_balance: Decimal) -> Self {
        Self {
            initial_balance,
            period_start: None,
            period_end: None,
            max_loss: None,
            trials: Trials::default(),
            seed: 42,
        }
    }

    fn check(&self) -> Result<(), InvalidInput> {
        if self.initial_balance <= Decimal::ZERO || self.initial_balance > MAX_MONEY {
            return Err(InvalidInput::InitialBalance);
        }
        if self.max_loss.is_some_and(|loss| !loss.is_finite() || loss < MIN_MAX_LOSS) {
            return Err(InvalidInput::MaxLoss);
        }
        let Trials { runs, sharpe_deviation, overfit_probability } = self.trials;
        if runs == 0
            || sharpe_deviation.is_some_and(|deviation| !deviation.is_finite() || deviation < 0.0)
            || overfit_probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability))
        {
            return Err(InvalidInput::Trials);
        }
        Ok(())
    }
}

impl Default for Trials {
    fn default() -> Self {
        Self { runs: 1, sharpe_deviation: None, overfit_probability: None }
    }
}

impl Trade<'_> {
    pub(crate) fn notional(&self) -> Decimal {
        self.amount * self.price
    }

    /// Returns the first error of the trade, as the end of a sentence that begins with `trade 5`.
    fn error(&self) -> Option<&'static str> {
        let positive = |value: Decimal| value > Decimal::ZERO && value <= MAX_MONEY;
        let bounded = |value: Decimal| value.abs() <= MAX_MONEY;
        if self.exit_time < self.entry_time {
            Some("is closed before it is opened")
        } else if !positive(self.amount) || !positive(self.price) {
            Some("needs an amount and a price above 0 and at most 10^12")
        } else if self.notional() <= Decimal::ZERO || self.notional() > MAX_NOTIONAL {
            Some("needs a notional above 0 and at most 10^18")
        } else if !bounded(self.fee) || !bounded(self.profit) {
            Some("has a fee, profit or loss above 10^12")
        } else if self
            .range
            .is_some_and(|range| !positive(range.low) || !positive(range.high) || range.low > range.high)
        {
            Some("needs a lowest price above 0 and not above the highest price, which is at most 10^12")
        } else {
            None
        }
    }
}

/// Checks the input, and returns the first and the last day of the period, both included. `None` without a trade and
/// without a period.
///
/// # Errors
///
/// The first error of the settings or of a trade.
pub(crate) fn checked_period(
    trades: &[Trade<'_>],
    settings: &Settings,
) -> Result<Option<(NaiveDate, NaiveDate)>, InvalidInput> {
    settings.check()?;
    if trades.len() >= MAX_TRADES {
        return Err(InvalidInput::TooManyTrades);
    }
    let mut entered: Option<NaiveDate> = None;
    let mut exited: Option<NaiveDate> = None;
    let start = settings.period_start.map(|time| time.date_naive());
    let end = settings.period_end.map(|time| time.date_naive());
    for (index, trade) in trades.iter().enumerate() {
        if let Some(problem) = trade.error() {
            return Err(InvalidInput::Trade { index, problem });
        }
        let (entry, exit) = (trade.entry_time.date_naive(), trade.exit_time.date_naive());
        if start.is_some_and(|start| exit < start) || end.is_some_and(|end| exit > end) {
            return Err(InvalidInput::Trade { index, problem: "is closed outside the period" });
        }
        entered = Some(entered.map_or(entry, |first| first.min(entry)));
        exited = Some(exited.map_or(exit, |last| last.max(exit)));
    }
    let (Some(first), Some(last)) = (start.or(entered), end.or(exited)) else { return Ok(None) };
    match (last - first).num_days() {
        0..MAX_PERIOD_DAYS => Ok(Some((first, last))),
        _ => Err(InvalidInput::Period),
    }
}
