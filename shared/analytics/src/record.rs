//! Record of a bot: its trades in order of their exits and its daily returns, from one sort and one pass.

use std::cmp::Ordering;
use std::sync::OnceLock;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use rust_decimal::Decimal;

use crate::simulation::{Simulation, simulate};
use crate::trade::{InvalidInput, Settings, Trade, checked_period};

/// Closed trades in order of their exits, and the daily returns that follow from them. All metrics are computed from a
/// record.
///
/// A metric uses one of two series, never both. The *trade series* has the balance after each closed trade, ordered by
/// (exit time, entry time, input order), with the initial balance as point 0. The *daily series* has the balance E at
/// the end of each calendar day in UTC, days without a trade included: `r_d = E_d / E_(d-1) - 1`, with the initial
/// balance before the first day.
#[derive(Debug)]
pub struct Record<'a> {
    pub(crate) trades: &'a [Trade<'a>],
    pub(crate) settings: Settings,
    /// Indices into `trades`, in order of exits.
    by_exit: Vec<u32>,
    /// Profits in order of exits.
    pub(crate) profits: Vec<f64>,
    pub(crate) final_balance: Decimal,
    pub(crate) first_day: Option<NaiveDate>,
    /// Calendar days of the period.
    pub(crate) days: usize,
    /// Daily returns, up to the day of ruin.
    pub(crate) returns: Vec<f64>,
    /// Balances at the end of each day with a return.
    pub(crate) daily_balances: Vec<f64>,
    /// Number of days with a closed trade, among those with a return.
    pub(crate) active_days: usize,
    pub(crate) ruined: bool,
    /// Time within the period with at least one open trade, in microseconds.
    pub(crate) time_in_market: i64,
    /// Sum of the holding times within the period, in microseconds.
    pub(crate) total_holding_time: i128,
    /// Largest notional open at once, as a multiple of the balance at that time.
    pub(crate) peak_exposure: f64,
    simulation: OnceLock<Option<Simulation>>,
}

/// Microseconds per second.
pub(crate) const MICROSECONDS: f64 = 1e6;

/// Entry or exit of a trade. Small, because a million trades have two million events.
#[derive(Clone, Copy)]
struct Event {
    /// Time in microseconds since 1970.
    at: i64,
    trade: u32,
    kind: Kind,
}

/// Kinds of events, in the order in which simultaneous events are processed: an exit frees the balance for an entry; an
/// exit at the time of its own entry comes after that entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Exit,
    Entry,
    InstantExit,
}

impl<'a> Record<'a> {
    /// Checks the input, and orders the trades and their daily returns. An empty list of trades is valid.
    ///
    /// # Errors
    ///
    /// The first error of the settings or of a trade.
    pub fn new(trades: &'a [Trade<'a>], settings: Settings) -> Result<Self, InvalidInput> {
        let period = checked_period(trades, &settings)?;
        Ok(Self::of(trades, settings, period))
    }

    /// Builds the record of trades that have been checked.
    pub(crate) fn of(trades: &'a [Trade<'a>], settings: Settings, period: Option<(NaiveDate, NaiveDate)>) -> Self {
        let days = period.map_or(0, |(first, last)| (last - first).num_days() as usize + 1);
        let mut record = Self {
            trades,
            final_balance: settings.initial_balance,
            settings,
            by_exit: Vec::with_capacity(trades.len()),
            profits: Vec::with_capacity(trades.len()),
            first_day: period.map(|(first, _)| first),
            days,
            returns: Vec::with_capacity(days),
            daily_balances: Vec::with_capacity(days),
            active_days: 0,
            ruined: false,
            time_in_market: 0,
            total_holding_time: 0,
            peak_exposure: 0.0,
            simulation: OnceLock::new(),
        };
        if let Some((first, last)) = period {
            record.replay(first, last);
        }
        record
    }

    /// Replays all entries and exits in order of time.
    fn replay(&mut self, first: NaiveDate, last: NaiveDate) {
        let start = midnight(first).timestamp_micros();
        let end = midnight(last).timestamp_micros() + MICROSECONDS_PER_DAY;
        let (mut open_trades, mut in_market_since) = (0_usize, start);
        let mut open_notional = Decimal::ZERO;
        let mut day = Day { ends: start + MICROSECONDS_PER_DAY, start_balance: self.final_balance, active: false };
        for event in events(self.trades) {
            let Some(trade) = self.trades.get(event.trade as usize) else { continue };
            let within = event.at.clamp(start, end);
            if event.kind == Kind::Entry {
                if open_trades == 0 {
                    in_market_since = within;
                }
                open_trades += 1;
                open_notional += trade.notional();
                if let Some(exposure) = ratio(open_notional, self.final_balance)
                    && exposure > self.peak_exposure
                {
                    self.peak_exposure = exposure;
                }
                continue;
            }
            while event.at >= day.ends {
                self.end_day(&mut day);
            }
            open_trades -= 1;
            if open_trades == 0 {
                self.time_in_market += within - in_market_since;
            }
            open_notional -= trade.notional();
            self.total_holding_time += i128::from(within - trade.entry_time.timestamp_micros().clamp(start, end));
            self.final_balance += trade.profit;
            day.active = true;
            self.by_exit.push(event.trade);
            self.profits.push(float(trade.profit));
        }
        while day.ends <= end {
            self.end_day(&mut day);
        }
    }

    /// Ends a day. The first day that ends with a balance of 0 or less is the last day of the daily series.
    fn end_day(&mut self, day: &mut Day) {
        day.ends += MICROSECONDS_PER_DAY;
        if self.ruined {
            return;
        }
        self.ruined = self.final_balance <= Decimal::ZERO;
        let change = if self.ruined { -day.start_balance } else { self.final_balance - day.start_balance };
        self.returns.push(float(change) / float(day.start_balance));
        self.daily_balances.push(float(self.final_balance).max(0.0));
        self.active_days += usize::from(day.active);
        day.active = false;
        day.start_balance = self.final_balance;
    }

    /// Trades in order of their exits.
    pub(crate) fn closed(&self) -> impl Iterator<Item = &'a Trade<'a>> {
        self.by_exit.iter().filter_map(|&index| self.trades.get(index as usize))
    }

    /// Balance after each closed trade, in order of exits.
    pub(crate) fn balances(&self) -> impl Iterator<Item = (DateTime<Utc>, Decimal)> {
        self.closed().scan(self.settings.initial_balance, |balance, trade| {
            *balance += trade.profit;
            Some((trade.exit_time, *balance))
        })
    }

    /// Days with their returns.
    pub(crate) fn daily_returns(&self) -> impl Iterator<Item = (NaiveDate, f64)> {
        let days = self.first_day.into_iter().flat_map(|first| first.iter_days());
        days.zip(self.returns.iter().copied())
    }

    /// Time of the initial balance: midnight of the first day.
    pub(crate) fn start(&self) -> Option<DateTime<Utc>> {
        self.first_day.map(midnight)
    }

    /// Returns the Monte Carlo paths, which are simulated at the first call. `None` below two trades.
    ///
    /// Runs in one thread: Lambda gives a function a second core only with far more memory than this one needs.
    pub(crate) fn simulation(&self) -> Option<&Simulation> {
        let paths =
            || (self.profits.len() >= 2).then(|| simulate(&self.profits, self.initial_balance(), self.settings.seed));
        self.simulation.get_or_init(paths).as_ref()
    }

    pub(crate) fn initial_balance(&self) -> f64 {
        float(self.settings.initial_balance)
    }

    /// First and last day of the period.
    pub(crate) fn period(&self) -> Option<(NaiveDate, NaiveDate)> {
        let first = self.first_day?;
        Some((first, first.checked_add_days(Days::new(self.days.saturating_sub(1) as u64))?))
    }
}

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

struct Day {
    /// First microsecond of the next day.
    ends: i64,
    start_balance: Decimal,
    active: bool,
}

/// All entries and exits, in order of time.
fn events(trades: &[Trade<'_>]) -> Vec<Event> {
    let mut events = Vec::with_capacity(2 * trades.len());
    // Trades usually come ordered by entry or by exit, and the sort is fast on ordered runs.
    events.extend((0..).zip(trades).map(|(index, trade)| Event {
        at: trade.entry_time.timestamp_micros(),
        trade: index,
        kind: Kind::Entry,
    }));
    events.extend((0..).zip(trades).map(|(index, trade)| Event {
        at: trade.exit_time.timestamp_micros(),
        trade: index,
        kind: if trade.exit_time.timestamp_micros() == trade.entry_time.timestamp_micros() {
            Kind::InstantExit
        } else {
            Kind::Exit
        },
    }));
    let entry = |event: &Event| trades.get(event.trade as usize).map(|trade| trade.entry_time);
    events.sort_by(|one, other| {
        let order = (one.at, one.kind).cmp(&(other.at, other.kind));
        // Only simultaneous events need a look at the trades themselves.
        order.then_with(|| if one.kind == Kind::Entry { Ordering::Equal } else { entry(one).cmp(&entry(other)) })
    });
    events
}

pub(crate) fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// Converts to the nearest `f64` or a neighbour of it.
pub(crate) fn float(value: Decimal) -> f64 {
    value.as_f64()
}

/// Returns part / whole, or `None` unless `whole` is positive.
pub(crate) fn ratio(part: Decimal, whole: Decimal) -> Option<f64> {
    (whole > Decimal::ZERO).then(|| float(part) / float(whole))
}
