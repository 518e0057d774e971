//! Reference model of the billing rules, independent of the database: replays payment events, in order, into a queue of
//! periods. Computes in whole seconds and ten-thousandths of a rupiah, with its own calendar.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, FixedOffset, Months, NaiveDateTime, TimeDelta, TimeZone, Utc};
use serde_json::Value;

/// Time zone of Jakarta, which has no daylight saving time.
const JAKARTA: FixedOffset = FixedOffset::east_opt(7 * 3600).unwrap();

/// Immutable fields of an invoice.
#[derive(Clone, Debug)]
pub(super) struct Invoice {
    pub(super) id: String,
    pub(super) merchant_ref: String,
    /// Reference of its Tripay transaction.
    pub(super) reference: Option<String>,
    pub(super) plan: String,
    pub(super) rank: i64,
    pub(super) months: u32,
    /// Amount in rupiah.
    pub(super) amount: i64,
}

/// Stored payment event.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) moment: DateTime<Utc>,
    pub(super) is_signed: bool,
    /// Body as received.
    pub(super) body: Value,
}

/// Effect of an event. Other events have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Paid,
    Refunded,
    /// Refunded before a payment was reported; the invoice can no longer be paid.
    RefundedUnpaid,
}

/// Length of a period: calendar months if bought, a duration if converted by an upgrade.
#[derive(Clone, Copy, Debug)]
enum Length {
    Months(u32),
    Time(TimeDelta),
}

#[derive(Clone, Debug)]
struct Period<'a> {
    invoice: &'a Invoice,
    /// Number of upgrades that have converted its value.
    upgrades: usize,
    plan: &'a str,
    rank: i64,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    length: Length,
    /// Value in ten-thousandths of a rupiah.
    value: i64,
    /// Start of the first of consecutive periods, from which months are counted.
    anchor: DateTime<Utc>,
}

/// Periods of one user, without gaps from the running period to the end of the queue.
pub(super) struct BillingModel<'a> {
    invoices: &'a [Invoice],
    /// Paying transaction of each paid invoice.
    paid: BTreeMap<&'a str, String>,
    refunded: BTreeSet<&'a str>,
    past: Vec<Period<'a>>,
    running: Option<Period<'a>>,
    queue: Vec<Period<'a>>,
    pub(super) effects: Vec<Option<Effect>>,
}

impl<'a> BillingModel<'a> {
    pub(super) fn replay(invoices: &'a [Invoice], events: &[Event]) -> Self {
        let mut model = Self {
            invoices,
            paid: BTreeMap::new(),
            refunded: BTreeSet::new(),
            past: Vec::new(),
            running: None,
            queue: Vec::new(),
            effects: Vec::new(),
        };
        for event in events {
            let effect = model.apply(event);
            model.effects.push(effect);
        }
        model
    }

    /// State of each invoice: paid, refunded or neither.
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
                let Period { invoice, upgrades, plan, start, end, value, .. } = period;
                period_line(&invoice.id, *upgrades, plan, *start, *end, *value)
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
        let text = |name: &str| event.body[name].as_str();
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
        let is_open_payment = matches!(&event.body["is_closed_payment"], Value::Bool(false))
            || event.body["is_closed_payment"].as_i64() == Some(0);
        if !event.is_signed || belongs_to_another || is_open_payment {
            return None;
        }
        let is_refunded = self.refunded.contains(id);
        let paid_by = self.paid.get(id);
        match text("status")? {
            "PAID" if paid_by.is_none() && !is_refunded && paid_amount(&event.body) == Some(invoice.amount) => {
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
                self.refund(id, event.moment);
                Some(effect)
            }
            _ => None,
        }
    }

    fn buy(&mut self, invoice: &'a Invoice, now: DateTime<Utc>) {
        self.advance(now);
        let bought = Period {
            invoice,
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
                let rest = proportion(running.value, left, whole);
                running.end = now;
                running.value -= rest;
                if rest > 0 {
                    let length = purchasable_time(rest, &bought);
                    let upgrades = running.upgrades + 1;
                    let credit = Period {
                        invoice: running.invoice,
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
                let position = self.queue.iter().position(|other| other.rank < bought.rank).unwrap_or(self.queue.len());
                self.running = Some(running);
                self.queue.insert(position, bought);
            }
        }
        self.arrange_queue();
    }

    fn refund(&mut self, id: &str, now: DateTime<Utc>) {
        self.advance(now);
        let (refunded, mut remaining): (Vec<_>, Vec<_>) =
            self.queue.drain(..).partition(|period| period.invoice.id == id);
        self.past.extend(refunded);
        if self.running.as_ref().is_some_and(|running| running.invoice.id == id) {
            self.past.extend(self.running.take());
        }
        for period in self.past.iter_mut().filter(|period| period.invoice.id == id) {
            period.value = 0;
            period.start = period.start.min(now);
            period.end = period.end.min(now);
        }
        if self.running.is_none() && !remaining.is_empty() {
            let mut next = remaining.remove(0);
            next.place(now, now);
            self.running = Some(next);
        }
        self.queue = remaining;
        self.arrange_queue();
    }

    /// Moves periods that have ended to the past.
    fn advance(&mut self, now: DateTime<Utc>) {
        while self.running.as_ref().is_some_and(|running| running.end <= now) {
            self.past.extend(self.running.take());
            if !self.queue.is_empty() {
                self.running = Some(self.queue.remove(0));
            }
        }
    }

    /// Places the queued periods one after the other.
    fn arrange_queue(&mut self) {
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

/// Paid amount without the customer's fee, or `None` if the figures are incomplete or inconsistent.
fn paid_amount(callback: &Value) -> Option<i64> {
    let figure = |name: &str| callback[name].as_i64();
    let (total, received) = (figure("total_amount")?, figure("amount_received")?);
    let (merchant_fee, customer_fee, total_fee) =
        (figure("fee_merchant")?, figure("fee_customer")?, figure("total_fee")?);
    (total > 0 && total_fee == merchant_fee + customer_fee && total == received + total_fee)
        .then_some(total - customer_fee)
}

/// Proportion of a value, rounded half up to a ten-thousandth of a rupiah.
fn proportion(value: i64, part: TimeDelta, whole: TimeDelta) -> i64 {
    let (value, part, whole) = (i128::from(value), i128::from(part.num_seconds()), i128::from(whole.num_seconds()));
    i64::try_from((2 * value * part + whole) / (2 * whole)).unwrap()
}

/// Time that a value buys at the price of a period, rounded up to a second.
fn purchasable_time(value: i64, priced: &Period<'_>) -> TimeDelta {
    let seconds = i128::from((priced.end - priced.start).num_seconds());
    let (value, price) = (i128::from(value), i128::from(priced.value));
    TimeDelta::seconds(i64::try_from((value * seconds + price - 1) / price).unwrap())
}

pub(super) fn local_time(moment: DateTime<Utc>) -> NaiveDateTime {
    moment.with_timezone(&JAKARTA).naive_local()
}

/// Same day of a later month, or the last day of that month.
pub(super) fn add_months(moment: DateTime<Utc>, months: u32) -> DateTime<Utc> {
    JAKARTA.from_local_datetime(&(local_time(moment) + Months::new(months))).unwrap().to_utc()
}

/// Months between the two, or `None` if that is not a whole number.
fn months_since(anchor: DateTime<Utc>, moment: DateTime<Utc>) -> Option<u32> {
    (0..).find(|months| add_months(anchor, *months) >= moment).filter(|months| add_months(anchor, *months) == moment)
}
