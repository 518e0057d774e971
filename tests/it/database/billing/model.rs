//! The rules of periods once more, by other means than the database's: what Tripay told, in its order, makes a queue of a
//! user's time. In whole seconds and ten-thousandths of a rupiah, with a calendar of its own.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, FixedOffset, Months, NaiveDateTime, TimeDelta, TimeZone, Utc};
use serde_json::Value;

/// There is no summer time in Jakarta.
const JAKARTA: FixedOffset = FixedOffset::east_opt(7 * 3600).unwrap();

/// What of an invoice never changes.
#[derive(Clone, Debug)]
pub(super) struct Invoice {
    pub(super) id: String,
    pub(super) merchant_ref: String,
    /// Of the transaction that was opened for it.
    pub(super) reference: Option<String>,
    pub(super) plan: String,
    pub(super) rank: i64,
    pub(super) months: u32,
    /// In rupiah.
    pub(super) amount: i64,
}

#[derive(Debug)]
pub(super) struct Event {
    pub(super) moment: DateTime<Utc>,
    pub(super) is_signed: bool,
    /// As it came.
    pub(super) told: Value,
}

/// What an event can do; all others do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Paid,
    Refunded,
    /// Never to be paid: what was told to have gone back had never come.
    RefundedUnpaid,
}

#[derive(Clone, Copy, Debug)]
enum Length {
    Months(u32),
    Time(TimeDelta),
}

#[derive(Clone, Debug)]
struct Period<'a> {
    bought: &'a Invoice,
    /// How many upgrades its value has gone through since it was bought.
    upgrades: usize,
    plan: &'a str,
    rank: i64,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    length: Length,
    /// In ten-thousandths of a rupiah.
    value: i64,
    /// What its months are counted from.
    anchor: DateTime<Utc>,
}

/// A user's, with no gap from what runs to the end of the queue.
pub(super) struct BillingModel<'a> {
    invoices: &'a [Invoice],
    /// By which transaction.
    paid: BTreeMap<&'a str, String>,
    refunded: BTreeSet<&'a str>,
    past: Vec<Period<'a>>,
    running: Option<Period<'a>>,
    queue: Vec<Period<'a>>,
    pub(super) effects: Vec<Option<Effect>>,
}

impl<'a> BillingModel<'a> {
    pub(super) fn replay(invoices: &'a [Invoice], events: &[Event]) -> Self {
        let mut account = Self {
            invoices,
            paid: BTreeMap::new(),
            refunded: BTreeSet::new(),
            past: Vec::new(),
            running: None,
            queue: Vec::new(),
            effects: Vec::new(),
        };
        for event in events {
            let effect = account.apply(event);
            account.effects.push(effect);
        }
        account
    }

    /// Which invoices were paid or refunded.
    pub(super) fn invoices(&self) -> Vec<String> {
        let invoice_state = |invoice: &Invoice| {
            let id = invoice.id.as_str();
            invoice_state(id, self.paid.contains_key(id), self.refunded.contains(id))
        };
        self.invoices.iter().map(invoice_state).collect()
    }

    pub(super) fn periods(&self) -> Vec<String> {
        let all = self.past.iter().chain(&self.running).chain(&self.queue);
        let mut lines: Vec<_> = all
            .map(|period| {
                let Period { bought, upgrades, plan, start, end, value, .. } = period;
                period_line(&bought.id, *upgrades, plan, *start, *end, *value)
            })
            .collect();
        lines.sort();
        lines
    }

    pub(super) fn plan_at(&self, moment: DateTime<Utc>) -> &str {
        let ahead = || self.running.iter().chain(&self.queue);
        ahead().find(|period| period.start <= moment && moment < period.end).map_or("Free", |period| period.plan)
    }

    fn apply(&mut self, event: &Event) -> Option<Effect> {
        let text = |name: &str| event.told[name].as_str();
        let reference = text("reference");
        let is_about = |invoice: &&Invoice| match text("merchant_ref") {
            Some(merchant_ref) => invoice.merchant_ref == merchant_ref,
            None => reference.is_some() && invoice.reference.as_deref() == reference,
        };
        let invoice = self.invoices.iter().find(is_about)?;
        let id = invoice.id.as_str();
        let belongs_to_another = self
            .invoices
            .iter()
            .any(|other| other.id != id && other.reference.is_some() && other.reference.as_deref() == reference);
        let is_open_payment = matches!(&event.told["is_closed_payment"], Value::Bool(false))
            || event.told["is_closed_payment"].as_i64() == Some(0);
        if !event.is_signed || belongs_to_another || is_open_payment {
            return None;
        }
        let is_refunded = self.refunded.contains(id);
        let paid_by = self.paid.get(id);
        match text("status")? {
            "PAID" if paid_by.is_none() && !is_refunded && arrived(&event.told) == Some(invoice.amount) => {
                self.paid.insert(id, reference?.to_owned());
                self.buy(invoice, event.moment);
                Some(Effect::Paid)
            }
            "REFUND" if !is_refunded => {
                let opened = invoice.reference.as_ref();
                if paid_by.or(opened).map(String::as_str) != reference {
                    return None;
                }
                let effect = if paid_by.is_some() { Effect::Refunded } else { Effect::RefundedUnpaid };
                self.refunded.insert(id);
                self.take_back(id, event.moment);
                Some(effect)
            }
            _ => None,
        }
    }

    fn buy(&mut self, invoice: &'a Invoice, now: DateTime<Utc>) {
        self.advance(now);
        let bought = Period {
            bought: invoice,
            upgrades: 0,
            plan: &invoice.plan,
            rank: invoice.rank,
            start: now,
            end: add_months(now, invoice.months),
            length: Length::Months(invoice.months),
            value: invoice.amount * 10_000,
            anchor: now,
        };
        match self.running.take() {
            None => self.running = Some(bought),
            Some(mut running) if running.rank < bought.rank => {
                let (whole, left) = (running.end - running.start, running.end - now);
                let rest = share(running.value, left, whole);
                running.end = now;
                running.value -= rest;
                if rest > 0 {
                    let length = time_for(rest, &bought);
                    let upgrades = running.upgrades + 1;
                    let credit = Period {
                        bought: running.bought,
                        upgrades,
                        value: rest,
                        length: Length::Time(length),
                        ..bought.clone()
                    };
                    self.queue.insert(0, credit);
                }
                self.past.push(running);
                self.running = Some(bought);
            }
            Some(running) => {
                let place = self.queue.iter().position(|other| other.rank < bought.rank).unwrap_or(self.queue.len());
                self.running = Some(running);
                self.queue.insert(place, bought);
            }
        }
        self.line_up();
    }

    fn take_back(&mut self, id: &str, now: DateTime<Utc>) {
        self.advance(now);
        let (taken, mut kept): (Vec<_>, Vec<_>) = self.queue.drain(..).partition(|period| period.bought.id == id);
        self.past.extend(taken);
        if self.running.as_ref().is_some_and(|running| running.bought.id == id) {
            self.past.extend(self.running.take());
        }
        for period in self.past.iter_mut().filter(|period| period.bought.id == id) {
            period.value = 0;
            period.start = period.start.min(now);
            period.end = period.end.min(now);
        }
        if self.running.is_none() && !kept.is_empty() {
            let mut next = kept.remove(0);
            next.place(now, now);
            self.running = Some(next);
        }
        self.queue = kept;
        self.line_up();
    }

    /// What is over goes by.
    fn advance(&mut self, now: DateTime<Utc>) {
        while self.running.as_ref().is_some_and(|running| running.end <= now) {
            self.past.extend(self.running.take());
            if !self.queue.is_empty() {
                self.running = Some(self.queue.remove(0));
            }
        }
    }

    fn line_up(&mut self) {
        let Some(running) = &self.running else { return };
        let (mut start, mut anchor) = (running.end, running.anchor);
        for period in &mut self.queue {
            if months_since(anchor, start).is_none() {
                anchor = start;
            }
            period.place(start, anchor);
            start = period.end;
        }
    }
}

impl Period<'_> {
    fn place(&mut self, start: DateTime<Utc>, anchor: DateTime<Utc>) {
        self.start = start;
        self.anchor = anchor;
        self.end = match self.length {
            Length::Time(time) => start + time,
            Length::Months(months) => add_months(anchor, months_since(anchor, start).unwrap() + months),
        };
    }
}

pub(super) fn invoice_state(id: &str, is_paid: bool, is_refunded: bool) -> String {
    format!("{id}{}{}", if is_paid { " paid" } else { "" }, if is_refunded { " refunded" } else { "" })
}

pub(super) fn period_line(
    invoice: &str,
    upgrades: usize,
    plan: &str,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    value: i64,
) -> String {
    format!("{invoice} {upgrades} {plan} from {start} to {end} worth {value}")
}

/// For the invoice: what the payer paid without his fee, if the figures agree.
fn arrived(told: &Value) -> Option<i64> {
    let figure = |name: &str| told[name].as_i64();
    let (total, received) = (figure("total_amount")?, figure("amount_received")?);
    let (ours, theirs, fees) = (figure("fee_merchant")?, figure("fee_customer")?, figure("total_fee")?);
    (total > 0 && fees == ours + theirs && total == received + fees).then_some(total - theirs)
}

/// To the nearest ten-thousandth, half of one up.
fn share(value: i64, part: TimeDelta, whole: TimeDelta) -> i64 {
    let (value, part, whole) = (i128::from(value), i128::from(part.num_seconds()), i128::from(whole.num_seconds()));
    i64::try_from((2 * value * part + whole) / (2 * whole)).unwrap()
}

/// The seconds that a value buys at the price of a period, begun ones counted whole.
fn time_for(value: i64, priced: &Period<'_>) -> TimeDelta {
    let seconds = i128::from((priced.end - priced.start).num_seconds());
    let (value, price) = (i128::from(value), i128::from(priced.value));
    TimeDelta::seconds(i64::try_from((value * seconds + price - 1) / price).unwrap())
}

pub(super) fn local_time(moment: DateTime<Utc>) -> NaiveDateTime {
    moment.with_timezone(&JAKARTA).naive_local()
}

/// On the same day of a later month, or on its last.
pub(super) fn add_months(moment: DateTime<Utc>, months: u32) -> DateTime<Utc> {
    JAKARTA.from_local_datetime(&(local_time(moment) + Months::new(months))).unwrap().to_utc()
}

/// None if it is not a whole number of them.
fn months_since(anchor: DateTime<Utc>, moment: DateTime<Utc>) -> Option<u32> {
    (0..).find(|months| add_months(anchor, *months) >= moment).filter(|months| add_months(anchor, *months) == moment)
}
