//! Billing rows of one user as the database has them, and the invariants that hold for them.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use proptest::prelude::*;
use serde_json::Value;

use super::BillingFixture;
use super::model::{self, BillingModel, Effect, Event, invoice_state, local_time, period_line};

/// Billing rows of a user.
pub(super) struct Ledger {
    pub(super) plan: String,
    pub(super) invoices: Vec<model::Invoice>,
    pub(super) invoice_states: Vec<String>,
    pub(super) periods: Vec<Row>,
    pub(super) events: Vec<Event>,
    pub(super) outcomes: Vec<Option<Effect>>,
}

/// Stored period.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) invoice: Option<String>,
    pub(super) credited_from: Option<String>,
    pub(super) plan: String,
    pub(super) is_over: bool,
    pub(super) start: DateTime<Utc>,
    pub(super) end: DateTime<Utc>,
    pub(super) value: i64,
    pub(super) months: Option<i64>,
}

impl Ledger {
    pub(super) async fn read(billing: &BillingFixture, user: &str) -> Self {
        let sql = format!(
            "select json_build_object(
                'plan', (select subscription_plan from public.users where id = '{user}'),
                'invoices', (
                    select coalesce(json_agg(json_build_object(
                        'id', invoices.id, 'merchant_ref', reference_id, 'reference', tripay_invoice_id, 'plan', name,
                        'rank', sort_order, 'months', case period when 'yearly' then 12 else 1 end, 'amount', amount::bigint,
                        'is_paid', status = 'paid', 'is_refunded', refunded_at is not null
                    ) order by invoices.created_at, invoices.id), '[]')
                    from public.invoices inner join public.plans on plans.id = plan_id where user_id = '{user}'
                ),
                'periods', (
                    select coalesce(json_agg(json_build_object(
                        'id', subscriptions.id, 'invoice', invoice_id, 'credited_from', credited_from, 'plan', name,
                        'is_over', status = 'expired', 'start', (extract(epoch from started_at) * 1000000)::bigint,
                        'end', (extract(epoch from expires_at) * 1000000)::bigint, 'value', (value * 10000)::bigint,
                        'months', period_months
                    ) order by started_at, expires_at), '[]')
                    from public.subscriptions inner join public.plans on plans.id = plan_id where user_id = '{user}'
                ),
                'events', (
                    select coalesce(json_agg(json_build_object(
                        'moment', (extract(epoch from received_at) * 1000000)::bigint, 'is_signed', signature_valid,
                        'body', convert_from(body, 'UTF8'), 'outcome', outcome
                    ) order by sequence), '[]')
                    from private.payment_events inner join public.invoices on invoices.id = invoice_id
                    where user_id = '{user}'
                )
            )"
        );
        let read: Value = serde_json::from_str(&billing.owner.text(&sql).await).unwrap();
        let list = |name: &str| read[name].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let time = |value: &Value| DateTime::from_timestamp_micros(value.as_i64().unwrap()).unwrap();
        let invoice = |row: &Value| model::Invoice {
            id: text(&row["id"]).unwrap(),
            merchant_ref: text(&row["merchant_ref"]).unwrap(),
            reference: text(&row["reference"]),
            plan: text(&row["plan"]).unwrap(),
            rank: row["rank"].as_i64().unwrap(),
            months: u32::try_from(row["months"].as_u64().unwrap()).unwrap(),
            amount: row["amount"].as_i64().unwrap(),
        };
        let invoice_state = |row: &Value| {
            invoice_state(
                row["id"].as_str().unwrap(),
                row["is_paid"].as_bool().unwrap(),
                row["is_refunded"].as_bool().unwrap(),
            )
        };
        let period = |row: &Value| Row {
            id: text(&row["id"]).unwrap(),
            invoice: text(&row["invoice"]),
            credited_from: text(&row["credited_from"]),
            plan: text(&row["plan"]).unwrap(),
            is_over: row["is_over"].as_bool().unwrap(),
            start: time(&row["start"]),
            end: time(&row["end"]),
            value: row["value"].as_i64().unwrap(),
            months: row["months"].as_i64(),
        };
        let event = |row: &Value| Event {
            moment: time(&row["moment"]),
            is_signed: row["is_signed"].as_bool().unwrap(),
            body: serde_json::from_str(row["body"].as_str().unwrap()).unwrap(),
        };
        let outcome = |row: &Value| match row["outcome"].as_str().unwrap() {
            "paid" => Some(Effect::Paid),
            "refunded" => Some(Effect::Refunded),
            "refunded_unpaid" => Some(Effect::RefundedUnpaid),
            _ => None,
        };
        Self {
            plan: text(&read["plan"]).unwrap(),
            invoices: list("invoices").iter().map(invoice).collect(),
            invoice_states: list("invoices").iter().map(invoice_state).collect(),
            periods: list("periods").iter().map(period).collect(),
            events: list("events").iter().map(event).collect(),
            outcomes: list("events").iter().map(outcome).collect(),
        }
    }

    /// Invoices, with the paid ones first if `paid_first`, otherwise last.
    pub(super) fn invoices_by_payment(&self, paid_first: bool) -> Vec<&model::Invoice> {
        let mut invoice_states: Vec<_> = self.invoices.iter().zip(&self.invoice_states).collect();
        invoice_states.sort_by_key(|(_, invoice_state)| invoice_state.ends_with(" paid") != paid_first);
        invoice_states.into_iter().map(|(invoice, _)| invoice).collect()
    }

    pub(super) fn effects(&self) -> impl Iterator<Item = Effect> {
        self.outcomes.iter().flatten().copied()
    }

    pub(super) fn plan_at(&self, now: DateTime<Utc>) -> &str {
        let mut in_force = self.periods.iter().filter(|row| !row.is_over && row.start <= now && now < row.end);
        in_force.next().map_or("Free", |row| &row.plan)
    }

    /// Returns the invoice that paid for the period, and the number of upgrades since.
    pub(super) fn origin<'a>(&'a self, row: &'a Row) -> (&'a str, usize) {
        let mut row = row;
        let mut upgrades = 0;
        while let Some(from) = &row.credited_from {
            row = self.periods.iter().find(|other| other.id == *from).unwrap();
            upgrades += 1;
        }
        (row.invoice.as_deref().unwrap(), upgrades)
    }

    pub(super) fn check(&self, now: DateTime<Utc>) -> Result<(), TestCaseError> {
        self.check_periods(now)?;
        self.check_money()?;
        let model = BillingModel::replay(&self.invoices, &self.events);
        prop_assert_eq!(&self.outcomes, &model.effects);
        prop_assert_eq!(&self.invoice_states, &model.invoices());
        let mut lines: Vec<_> = self
            .periods
            .iter()
            .map(|row| {
                let (invoice, upgrades) = self.origin(row);
                period_line(invoice, upgrades, &row.plan, row.start, row.end, row.value)
            })
            .collect();
        lines.sort();
        prop_assert_eq!(lines, model.periods());
        prop_assert_eq!(self.plan_at(now), model.plan_at(now));
        Ok(())
    }

    /// Checks that periods do not overlap, have no gaps from now on, and have the bought length.
    pub(super) fn check_periods(&self, now: DateTime<Utc>) -> Result<(), TestCaseError> {
        let live: Vec<_> = self.periods.iter().filter(|row| !row.is_over).collect();
        for pair in live.windows(2) {
            prop_assert!(pair[0].end <= pair[1].start, "{} and {} overlap", pair[0].id, pair[1].id);
        }
        let ahead: Vec<_> = live.into_iter().filter(|row| row.end > now).collect();
        prop_assert!(ahead.first().is_none_or(|first| first.start <= now), "a gap before the first");
        for pair in ahead.windows(2) {
            prop_assert_eq!(pair[0].end, pair[1].start, "a gap");
        }
        for row in &self.periods {
            let Some((invoice, months)) = row.invoice.as_ref().zip(row.months) else { continue };
            let bought = self.invoices.iter().find(|other| other.id == *invoice).unwrap();
            prop_assert_eq!(i64::from(bought.months), months);
            // A period that an upgrade or a refund ended early is shorter.
            if row.value == 10_000 * bought.amount {
                prop_assert!(spans_months(row.start, row.end, bought.months), "{} to {}", row.start, row.end);
            }
        }
        Ok(())
    }

    /// Checks that each paid invoice has one period, which with its credits is worth the amount, or nothing after a
    /// refund.
    pub(super) fn check_money(&self) -> Result<(), TestCaseError> {
        let mut worth: BTreeMap<&str, i64> = BTreeMap::new();
        for row in &self.periods {
            prop_assert!(row.value >= 0);
            *worth.entry(self.origin(row).0).or_default() += row.value;
        }
        for (invoice, invoice_state) in self.invoices.iter().zip(&self.invoice_states) {
            let period_count = self.periods.iter().filter(|row| row.invoice.as_ref() == Some(&invoice.id)).count();
            prop_assert_eq!(period_count, usize::from(invoice_state.contains(" paid")), "periods of {}", invoice_state);
            let has_value = invoice_state.ends_with(" paid");
            let expected = if has_value { 10_000 * invoice.amount } else { 0 };
            prop_assert_eq!(worth.get(invoice.id.as_str()).copied().unwrap_or_default(), expected, "{}", invoice_state);
        }
        Ok(())
    }
}

/// `true` if `end` is this many months after `start`: at the same time of day and on the same day of the month,
/// where the last day of a month counts as each day that the month lacks.
pub(super) fn spans_months(start: DateTime<Utc>, end: DateTime<Utc>, months: u32) -> bool {
    let (start, end) = (local_time(start), local_time(end));
    let last = |month: NaiveDate| (month + Months::new(1)).pred_opt().unwrap().day();
    let (first_month, last_month) = (start.date().with_day(1).unwrap(), end.date().with_day(1).unwrap());
    first_month + Months::new(months) == last_month
        && start.time() == end.time()
        && (1..=31).any(|day| day.min(last(first_month)) == start.day() && day.min(last(last_month)) == end.day())
}
