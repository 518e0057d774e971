//! What goes in: closed trades, the account they ran on, and what may be wrong with either.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::{Decimal, dec};
use serde::Serialize;

/// One closed trade. All money is in the account's currency, which is the pair's quote currency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trade<'a> {
    pub entry_time: DateTime<Utc>,
    /// The trade's profit exists from here on.
    pub exit_time: DateTime<Utc>,
    pub side: Side,
    pub pair: &'a str,
    /// In the pair's base currency. `amount * price` is the entry notional.
    pub amount: Decimal,
    /// At which the trade was entered.
    pub price: Decimal,
    /// Of both legs. Already taken off `profit`: no metric subtracts it again.
    pub fee: Decimal,
    /// Net of all fees.
    pub profit: Decimal,
    /// What the price did while the trade was open, if somebody has watched.
    pub range: Option<PriceRange>,
}

/// The side of the entry: who buys first is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Buy,
    Sell,
}

/// The lowest and the highest price between entry and exit, both included. Of candles only those entirely within the trade may be used:
/// what an entry's own candle did before the entry is not the trade's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PriceRange {
    pub low: Decimal,
    pub high: Decimal,
}

/// The account the trades ran on, and what is known about how they came to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Before the first trade.
    pub initial_balance: Decimal,
    /// The first day that counts, if it is not that of the first entry.
    pub period_start: Option<DateTime<Utc>>,
    /// The last day that counts, if it is not that of the last exit.
    pub period_end: Option<DateTime<Utc>>,
    /// The most that an open position can lose, as a fraction of its notional: the distance of the stop-loss that is in force.
    /// Without one [`ASSUMED_MAX_LOSS`] is taken.
    pub max_loss: Option<f64>,
    pub trials: Trials,
    /// Of the Monte Carlo simulation: the same seed draws the same paths everywhere.
    pub seed: u64,
}

/// How many runs these trades are the best of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trials {
    /// Configurations that were tried, this one included; 1 if only this one is known of.
    pub runs: u32,
    /// Standard deviation of the runs' daily (not annualised) Sharpe ratios, if they are known.
    pub sharpe_deviation: Option<f64>,
    /// Probability of backtest overfitting, if the runs' returns are known. See [`TrialMatrix`](crate::TrialMatrix).
    pub overfit_probability: Option<f64>,
}

/// Bitcoin fell further than that on 12 March 2020.
pub const ASSUMED_MAX_LOSS: f64 = 0.25;

/// Nobody can stop a loss sooner, and it is divided by.
const MIN_MAX_LOSS: f64 = 1e-9;

/// Within this every sum of money is exact, and no sum or product leaves the range of a decimal.
const MAX_MONEY: Decimal = dec!(1_000_000_000_000);
const MAX_NOTIONAL: Decimal = dec!(1_000_000_000_000_000_000);
const MAX_TRADES: usize = 1 << 31;

/// A hundred years. A wrong date must not cost a gigabyte of days.
const MAX_PERIOD_DAYS: i64 = 36_525;

/// Why there are no metrics: the input contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInput {
    #[error("the initial balance must be above 0 and at most {MAX_MONEY}")]
    InitialBalance,
    #[error("the period must not end before it starts, nor be longer than {MAX_PERIOD_DAYS} days")]
    Period,
    #[error("max_loss must be at least {MIN_MAX_LOSS}")]
    MaxLoss,
    #[error("there must be at least one run, a deviation of at least 0, and a probability between 0 and 1")]
    Trials,
    #[error("the matrix must have at least two configurations, and whole rows of finite returns")]
    Matrix,
    #[error("blocks must be an even number from 2 to 20, and each block must have at least two rows")]
    Blocks,
    #[error("there are more than {MAX_TRADES} trades")]
    TooManyTrades,
    #[error("trade {index} {wrong}")]
    Trade { index: usize, wrong: &'static str },
}

impl Settings {
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

    /// The first thing that is wrong with it.
    fn wrong(&self) -> Option<&'static str> {
        let positive = |value: Decimal| value > Decimal::ZERO && value <= MAX_MONEY;
        let bounded = |value: Decimal| value.abs() <= MAX_MONEY;
        if self.exit_time < self.entry_time {
            Some("is closed before it is opened")
        } else if !positive(self.amount) || !positive(self.price) {
            Some("needs an amount and a price above 0 and at most 10^12")
        } else if self.notional() <= Decimal::ZERO || self.notional() > MAX_NOTIONAL {
            Some("needs a notional above 0 and at most 10^18")
        } else if !bounded(self.fee) || !bounded(self.profit) {
            Some("has a fee or a profit beyond 10^12")
        } else if self
            .range
            .is_some_and(|range| !positive(range.low) || !positive(range.high) || range.low > range.high)
        {
            Some("has a lowest price that is not above 0 or is above the highest")
        } else {
            None
        }
    }
}

/// The first and the last day that count, both included; none if there is neither a trade nor a period.
///
/// # Errors
///
/// Whatever is wrong with the settings or with a trade.
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
        if let Some(wrong) = trade.wrong() {
            return Err(InvalidInput::Trade { index, wrong });
        }
        let (entry, exit) = (trade.entry_time.date_naive(), trade.exit_time.date_naive());
        if start.is_some_and(|start| exit < start) || end.is_some_and(|end| exit > end) {
            return Err(InvalidInput::Trade { index, wrong: "is closed outside the period" });
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
