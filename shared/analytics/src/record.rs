//! A bot's record: its trades on two clocks, from one sort and one pass.

use std::cmp::Ordering;
use std::sync::OnceLock;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use rust_decimal::Decimal;

use crate::simulation::{Simulation, simulate};
use crate::trade::{InvalidInput, Settings, Trade, checked_period};

/// Closed trades in the order of their exits, and what they make of each day. All metrics are read from it.
///
/// Two clocks, never mixed. The *trade clock* ticks with each closed trade, ordered by (exit time, entry time, input order), with
/// the initial balance as point 0. The *daily clock* ticks at the end of each calendar day in UTC, days without a trade included:
/// `r_d = E_d / E_(d-1) - 1`, with the initial balance before the first day.
#[derive(Debug)]
pub struct Record<'a> {
    pub(crate) trades: &'a [Trade<'a>],
    pub(crate) settings: Settings,
    /// Indices into `trades`, by exit.
    by_exit: Vec<u32>,
    /// By exit.
    pub(crate) profits: Vec<f64>,
    pub(crate) final_balance: Decimal,
    pub(crate) first_day: Option<NaiveDate>,
    /// Calendar days of the period.
    pub(crate) days: usize,
    /// One for each day, up to the day of ruin.
    pub(crate) returns: Vec<f64>,
    /// At the end of each day that has a return.
    pub(crate) daily_balances: Vec<f64>,
    /// Days with a closed trade, among those that have a return.
    pub(crate) active_days: usize,
    pub(crate) ruined: bool,
    /// Microseconds within the period in which at least one trade was open.
    pub(crate) busy: i64,
    /// Microseconds within the period, added over all trades.
    pub(crate) open: i128,
    /// The largest notional open at once, as a multiple of the balance then.
    pub(crate) peak_exposure: f64,
    simulation: OnceLock<Option<Simulation>>,
}

pub(crate) const MICROSECONDS: f64 = 1e6;

/// A trade is opened, or closed. Small, because a million trades make two million of them.
#[derive(Clone, Copy)]
struct Event {
    /// Microseconds since 1970.
    at: i64,
    trade: u32,
    kind: Kind,
}

/// In this order at one and the same moment: what is closed frees the balance for what is opened; and what is closed the moment it
/// is opened was open, if only then.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Exit,
    Entry,
    ExitAtOnce,
}

impl<'a> Record<'a> {
    /// # Errors
    ///
    /// The first thing that is wrong with the settings or with a trade. An empty list of trades is a record, too.
    pub fn new(trades: &'a [Trade<'a>], settings: Settings) -> Result<Self, InvalidInput> {
        let period = checked_period(trades, &settings)?;
        Ok(Self::of(trades, settings, period))
    }

    /// For trades that have been checked.
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
            busy: 0,
            open: 0,
            peak_exposure: 0.0,
            simulation: OnceLock::new(),
        };
        if let Some((first, last)) = period {
            record.walk(first, last);
        }
        record
    }

    fn walk(&mut self, first: NaiveDate, last: NaiveDate) {
        let start = midnight(first).timestamp_micros();
        let end = midnight(last).timestamp_micros() + MICROSECONDS_PER_DAY;
        let (mut open_trades, mut busy_since) = (0_usize, start);
        let mut open_notional = Decimal::ZERO;
        let mut day = Day { ends: start + MICROSECONDS_PER_DAY, began_with: self.final_balance, active: false };
        for event in events(self.trades) {
            let Some(trade) = self.trades.get(event.trade as usize) else { continue };
            let within = event.at.clamp(start, end);
            if event.kind == Kind::Entry {
                if open_trades == 0 {
                    busy_since = within;
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
                self.busy += within - busy_since;
            }
            open_notional -= trade.notional();
            self.open += i128::from(within - trade.entry_time.timestamp_micros().clamp(start, end));
            self.final_balance += trade.profit;
            day.active = true;
            self.by_exit.push(event.trade);
            self.profits.push(float(trade.profit));
        }
        while day.ends <= end {
            self.end_day(&mut day);
        }
    }

    /// The first day that ends with nothing left ends the series.
    fn end_day(&mut self, day: &mut Day) {
        day.ends += MICROSECONDS_PER_DAY;
        if self.ruined {
            return;
        }
        self.ruined = self.final_balance <= Decimal::ZERO;
        let change = if self.ruined { -day.began_with } else { self.final_balance - day.began_with };
        self.returns.push(float(change) / float(day.began_with));
        self.daily_balances.push(float(self.final_balance).max(0.0));
        self.active_days += usize::from(day.active);
        day.active = false;
        day.began_with = self.final_balance;
    }

    /// The trades in the order of their exits.
    pub(crate) fn closed(&self) -> impl Iterator<Item = &'a Trade<'a>> {
        self.by_exit.iter().filter_map(|&index| self.trades.get(index as usize))
    }

    /// The balance after each closed trade, in the order of exits.
    pub(crate) fn balances(&self) -> impl Iterator<Item = (DateTime<Utc>, Decimal)> {
        self.closed().scan(self.settings.initial_balance, |balance, trade| {
            *balance += trade.profit;
            Some((trade.exit_time, *balance))
        })
    }

    /// Each day that has a return, with it.
    pub(crate) fn daily(&self) -> impl Iterator<Item = (NaiveDate, f64)> {
        let days = self.first_day.into_iter().flat_map(|first| first.iter_days());
        days.zip(self.returns.iter().copied())
    }

    /// When the initial balance is taken to have been there.
    pub(crate) fn start(&self) -> Option<DateTime<Utc>> {
        self.first_day.map(midnight)
    }

    /// Drawn once, when it is first asked for. None below two trades.
    ///
    /// In one thread: a function gets a second core only with more memory than it needs for anything else.
    pub(crate) fn simulation(&self) -> Option<&Simulation> {
        let draw =
            || (self.profits.len() >= 2).then(|| simulate(&self.profits, self.initial_balance(), self.settings.seed));
        self.simulation.get_or_init(draw).as_ref()
    }

    pub(crate) fn initial_balance(&self) -> f64 {
        float(self.settings.initial_balance)
    }

    /// The period as it was checked.
    pub(crate) fn period(&self) -> Option<(NaiveDate, NaiveDate)> {
        let first = self.first_day?;
        Some((first, first.checked_add_days(Days::new(self.days.saturating_sub(1) as u64))?))
    }
}

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

struct Day {
    /// The first microsecond of the next.
    ends: i64,
    began_with: Decimal,
    active: bool,
}

/// All entries and exits, in the order in which they happened.
fn events(trades: &[Trade<'_>]) -> Vec<Event> {
    let mut events = Vec::with_capacity(2 * trades.len());
    // Trades usually come ordered by entry or by exit; the sort is fast on what is in order already.
    events.extend((0..).zip(trades).map(|(index, trade)| Event {
        at: trade.entry_time.timestamp_micros(),
        trade: index,
        kind: Kind::Entry,
    }));
    events.extend((0..).zip(trades).map(|(index, trade)| Event {
        at: trade.exit_time.timestamp_micros(),
        trade: index,
        kind: if trade.exit_time.timestamp_micros() == trade.entry_time.timestamp_micros() {
            Kind::ExitAtOnce
        } else {
            Kind::Exit
        },
    }));
    let entry = |event: &Event| trades.get(event.trade as usize).map(|trade| trade.entry_time);
    events.sort_by(|one, other| {
        let order = (one.at, one.kind).cmp(&(other.at, other.kind));
        // Only simultaneous events are worth a look at the trades themselves.
        order.then_with(|| if one.kind == Kind::Entry { Ordering::Equal } else { entry(one).cmp(&entry(other)) })
    });
    events
}

pub(crate) fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// The nearest binary number, or one beside it.
pub(crate) fn float(value: Decimal) -> f64 {
    value.as_f64()
}

/// None where the quotient says nothing.
pub(crate) fn ratio(part: Decimal, whole: Decimal) -> Option<f64> {
    (whole > Decimal::ZERO).then(|| float(part) / float(whole))
}
