//! Any sequence of what Tripay may tell and of what runs at its times, also at once: no time that was paid for is lost or given
//! twice, and what was told is enough to work out all of it again.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use uuid::Uuid;

use super::model::{self, Account, Effect, Event, line, local, standing};
use super::{Books, delivery, job};
use crate::support::database::Session;

const PLANS: [&str; 4] = ["Basic", "Pro", "Plus", "Enterprise"];

/// Of the sessions that act: none of it may depend on where they are.
const TIME_ZONES: [&str; 4] = ["UTC", "America/New_York", "Asia/Jakarta", "Pacific/Kiritimati"];

/// What happens at one moment.
#[derive(Clone, Debug)]
struct Step {
    wait: Wait,
    order: Option<Order>,
    /// At once.
    acts: Vec<Act>,
}

#[derive(Clone, Debug)]
enum Wait {
    Not,
    Hours(i64),
    /// So many seconds from the end of one of the periods to come.
    End(usize, i64),
}

#[derive(Clone, Debug)]
enum Order {
    /// Through `POST /invoices`; Tripay's answer may be lost.
    Asked { plan: usize, yearly: bool, is_answered: bool },
    /// At a price of its own.
    Made { plan: usize, yearly: bool, amount: i64, hours: i64 },
}

#[derive(Clone, Debug)]
enum Act {
    Tell(Tell),
    Expire,
    ExpireInvoices,
    Renew,
    /// The user himself.
    Manage(&'static str),
}

#[derive(Clone, Debug)]
struct Tell {
    /// Of those that such news mostly is about, the others coming after them.
    invoice: usize,
    status: &'static str,
    amount: Amount,
    transaction: Transaction,
    source: &'static str,
    is_signed: bool,
}

#[derive(Clone, Copy, Debug)]
enum Amount {
    Right,
    WithPayersFee,
    TooLittle,
    TooMuch,
    Zero,
    Untold,
    Inconsistent,
    OpenPayment,
}

#[derive(Clone, Copy, Debug)]
enum Transaction {
    Own,
    /// Without our reference.
    OwnByItsReference,
    Second,
    OfAnotherInvoice,
}

impl Step {
    fn any() -> impl Strategy<Value = Self> {
        let wait = prop_oneof![
            4 => Just(Wait::Not),
            5 => (1..200_i64).prop_map(Wait::Hours),
            1 => (200..1500_i64).prop_map(Wait::Hours),
            1 => (0..8_usize, -1..=1_i64).prop_map(|(of, seconds)| Wait::End(of, seconds)),
            1 => (0..8_usize, 1..=72_i64).prop_map(|(of, hours)| Wait::End(of, -3600 * hours)),
        ];
        let order = prop_oneof![Just(None), Order::any().prop_map(Some)];
        let acts = prop_oneof![
            8 => Act::any().prop_map(|act| vec![act]),
            3 => Act::any().prop_map(|act| vec![act.clone(), act]),
            4 => prop::collection::vec(Act::any(), 2..=4),
        ];
        (wait, order, acts).prop_map(|(wait, order, acts)| Self { wait, order, acts })
    }
}

impl Order {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            (0..4_usize, prop::bool::weighted(0.2), prop::bool::weighted(0.7))
                .prop_map(|(plan, yearly, is_answered)| Self::Asked { plan, yearly, is_answered }),
            (0..4_usize, prop::bool::weighted(0.2), 10_000..1_000_000_i64, 1..2000_i64)
                .prop_map(|(plan, yearly, amount, hours)| Self::Made { plan, yearly, amount, hours }),
        ]
    }
}

impl Act {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            20 => Tell::any().prop_map(Self::Tell),
            4 => Just(Self::Expire),
            1 => Just(Self::ExpireInvoices),
            2 => Just(Self::Renew),
            1 => Just(Self::Manage("cancel")),
            1 => Just(Self::Manage("resume")),
        ]
    }
}

impl Tell {
    fn any() -> impl Strategy<Value = Self> {
        let status = prop_oneof![
            12 => Just("PAID"),
            3 => Just("REFUND"),
            1 => Just("EXPIRED"),
            1 => Just("FAILED"),
            1 => Just("UNPAID"),
            1 => Just("HELD"),
        ];
        let amount = prop_oneof![
            20 => Just(Amount::Right),
            2 => Just(Amount::WithPayersFee),
            1 => Just(Amount::TooLittle),
            1 => Just(Amount::TooMuch),
            1 => Just(Amount::Zero),
            1 => Just(Amount::Untold),
            1 => Just(Amount::Inconsistent),
            1 => Just(Amount::OpenPayment),
        ];
        let transaction = prop_oneof![
            16 => Just(Transaction::Own),
            1 => Just(Transaction::OwnByItsReference),
            2 => Just(Transaction::Second),
            1 => Just(Transaction::OfAnotherInvoice),
        ];
        let source = prop_oneof![2 => Just("callback"), 1 => Just("reconciliation")];
        let invoice = prop_oneof![0..2_usize, 0..10_usize];
        (invoice, status, amount, transaction, source, prop::bool::weighted(0.95)).prop_map(
            |(invoice, status, amount, transaction, source, is_signed)| Self {
                invoice,
                status,
                amount,
                transaction,
                source,
                is_signed,
            },
        )
    }

    /// Of which invoice, and as Tripay writes it. None if there is nothing yet that it could be about.
    fn about(&self, ledger: &Ledger) -> Option<(String, Value)> {
        let invoices = ledger.invoices_by_payment(self.status == "REFUND");
        let invoice = *invoices.get(self.invoice % invoices.len().max(1))?;
        let own = invoice.reference.clone().unwrap_or_else(|| format!("T-{}", invoice.id));
        let (reference, merchant_ref) = match self.transaction {
            Transaction::Own => (own, json!(invoice.merchant_ref)),
            // Until we know whose it is, it tells nothing.
            Transaction::OwnByItsReference => (invoice.reference.clone()?, Value::Null),
            Transaction::Second => (format!("S-{}", invoice.id), json!(invoice.merchant_ref)),
            Transaction::OfAnotherInvoice => {
                let other = invoices.iter().find(|other| other.id != invoice.id && other.reference.is_some())?;
                (other.reference.clone()?, json!(invoice.merchant_ref))
            }
        };
        let (total, ours, theirs) = match self.amount {
            Amount::TooLittle => (json!(invoice.amount - 1), 900, 0),
            Amount::TooMuch => (json!(invoice.amount + 900), 900, 0),
            Amount::Zero => (json!(0), 0, 0),
            Amount::Untold => (Value::Null, 900, 0),
            Amount::WithPayersFee => (json!(invoice.amount + 750), 150, 750),
            Amount::Right | Amount::Inconsistent | Amount::OpenPayment => (json!(invoice.amount), 900, 0),
        };
        let received = total.as_i64().unwrap_or(invoice.amount) - ours - theirs;
        let body = json!({
            "reference": reference,
            "merchant_ref": merchant_ref,
            "payment_method": "BRI Virtual Account",
            "payment_method_code": "BRIVA",
            "total_amount": total,
            "fee_merchant": ours,
            "fee_customer": theirs,
            "total_fee": ours + theirs,
            "amount_received": if matches!(self.amount, Amount::Inconsistent) { received - 1 } else { received },
            "is_closed_payment": u8::from(!matches!(self.amount, Amount::OpenPayment)),
            "status": self.status,
            "paid_at": null,
            "note": null,
        });
        Some((invoice.id.clone(), body))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_told_in_whatever_order_every_payment_makes_its_time_once_and_a_recount_agrees() {
    let case = (0..1500_i64, prop::collection::vec(Order::any(), 1..5), prop::collection::vec(Step::any(), 1..25));
    let books = Books::new().await;
    books.add_plan("Basic", 5, 49_000).await;
    books.add_plan("Plus", 15, 299_000).await;
    let mut sessions = Vec::new();
    for zone in TIME_ZONES {
        let session = books.database.session("nofomo_jobs").await;
        session.run(&format!("set timezone = '{zone}'")).await.unwrap();
        sessions.push(session);
    }
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        runner.run(&case, |(days, orders, steps)| {
            runtime.block_on(async {
                let mut play = Play::new(&books, &sessions, days).await;
                for order in &orders {
                    play.order(order).await;
                }
                for step in &steps {
                    play.step(step).await?;
                }
                books.owner.run(&format!("delete from public.users where id = '{}'", play.person)).await.unwrap();
                Ok(())
            })
        })
    })
    .unwrap();
}

/// One user's story.
struct Play<'a> {
    books: &'a Books,
    sessions: &'a [Session],
    person: String,
    now: DateTime<Utc>,
    seen: Ledger,
}

impl<'a> Play<'a> {
    async fn new(books: &'a Books, sessions: &'a [Session], days: i64) -> Self {
        let person = books.person().await;
        let seen = Ledger::read(books, &person).await;
        Self { books, sessions, person, now: super::at("2027-01-01 09:30") + TimeDelta::days(days), seen }
    }

    async fn order(&self, order: &Order) {
        match *order {
            Order::Asked { plan, yearly, is_answered } => {
                let id = Uuid::new_v4();
                let wanted = json!({
                    "id": id, "plan": PLANS[plan], "period": period(yearly), "method": "BRIVA", "customer_phone": null,
                });
                let answer = self.books.command("create_invoice", &self.person, &wanted).await;
                if is_answered && answer["opened"].is_object() {
                    self.record(&self.books.jobs, &id.to_string()).await;
                }
            }
            Order::Made { plan, yearly, amount, hours } => {
                let id = Uuid::new_v4();
                let made = format!(
                    "insert into public.invoices (id, user_id, plan_id, reference_id, tripay_invoice_id, amount, status, period,
                         payment_method, description, customer_name, customer_email, created_at, expired_at)
                     select '{id}', '{}', plans.id, 'INV-{id}', 'T-{id}', {amount}, 'pending', '{}', 'QRIS', 'x', 'x', 'x',
                         '{}', '{}'
                     from public.plans where name = '{}'",
                    self.person,
                    period(yearly),
                    self.now,
                    self.now + TimeDelta::hours(hours),
                    PLANS[plan],
                );
                self.books.owner.run(&made).await.unwrap();
            }
        }
    }

    /// What Tripay opened.
    async fn record(&self, jobs: &Session, id: &str) {
        let transaction = json!({"reference": format!("T-{id}"), "payment_name": "BRI Virtual Account"});
        let opened = json!({"now": self.now, "id": id, "merchant_code": "T0001", "transaction": transaction});
        job(jobs, "record_tripay_response", &opened).await;
    }

    async fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let ends: Vec<_> = self.seen.periods.iter().map(|period| period.end).filter(|end| *end > self.now).collect();
        self.now = match step.wait {
            Wait::Hours(hours) => self.now + TimeDelta::hours(hours),
            Wait::End(of, seconds) if !ends.is_empty() => {
                self.now.max(ends[of % ends.len()] + TimeDelta::seconds(seconds))
            }
            Wait::Not | Wait::End(..) => self.now,
        };
        if let Some(order) = &step.order {
            self.order(order).await;
            self.seen = Ledger::read(self.books, &self.person).await;
        }
        join_all(step.acts.iter().zip(self.sessions).map(|(act, jobs)| self.act(jobs, act))).await;
        let ledger = Ledger::read(self.books, &self.person).await;
        ledger.check(self.now).map_err(|broken| broken_after(broken, step))?;
        // That time has passed is for the next run to notice, or the next payment.
        let has_changed = ledger.effects().count() > self.seen.effects().count();
        let has_run = step.acts.iter().all(|act| matches!(act, Act::Expire));
        if has_changed || has_run {
            let in_force = ledger.plan_at(self.now);
            prop_assert_eq!(&ledger.plan, &in_force.to_lowercase(), "the plan in force, after {:?}", step);
        }
        for (before, after) in self.seen.standings.iter().zip(&ledger.standings) {
            prop_assert!(!before.contains(" paid") || after.contains(" paid"), "{} became {}", before, after);
        }
        self.seen = ledger;
        Ok(())
    }

    async fn act(&self, jobs: &Session, act: &Act) {
        let batch = json!({"now": self.now, "limit": 500, "after": null});
        match act {
            Act::Tell(tell) => {
                let Some((id, body)) = tell.about(&self.seen) else { return };
                // So does reconcile-invoices.
                if tell.source == "reconciliation" {
                    self.record(jobs, &id).await;
                }
                let is_signed = tell.is_signed || tell.source == "reconciliation";
                job(jobs, "settle_payment", &delivery(tell.source, &body, is_signed, self.now)).await;
            }
            Act::Expire => {
                let expired = job(jobs, "expire_subscriptions", &batch).await;
                assert_eq!(expired["failures"], json!([]));
            }
            Act::ExpireInvoices => {
                job(jobs, "expire_invoices", &batch).await;
            }
            Act::Renew => {
                let renewed = job(jobs, "renew_subscriptions", &batch).await;
                assert_eq!(renewed["failures"], json!([]));
            }
            Act::Manage(action) => {
                self.books.command("manage_subscription", &self.person, &json!({"action": action})).await;
            }
        }
    }
}

fn period(yearly: bool) -> &'static str {
    if yearly { "yearly" } else { "monthly" }
}

fn broken_after(broken: TestCaseError, step: &Step) -> TestCaseError {
    TestCaseError::fail(format!("{broken}\nafter {step:?}"))
}

/// All rows of a user that have to do with money.
struct Ledger {
    plan: String,
    invoices: Vec<model::Invoice>,
    standings: Vec<String>,
    periods: Vec<Row>,
    events: Vec<Event>,
    outcomes: Vec<Option<Effect>>,
}

struct Row {
    id: String,
    invoice: Option<String>,
    credited_from: Option<String>,
    plan: String,
    is_over: bool,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    value: i64,
    months: Option<i64>,
}

impl Ledger {
    async fn read(books: &Books, person: &str) -> Self {
        let sql = format!(
            "select json_build_object(
                'plan', (select subscription_plan from public.users where id = '{person}'),
                'invoices', (
                    select coalesce(json_agg(json_build_object(
                        'id', invoices.id, 'merchant_ref', reference_id, 'reference', tripay_invoice_id, 'plan', name,
                        'rank', sort_order, 'months', case period when 'yearly' then 12 else 1 end, 'amount', amount::bigint,
                        'is_paid', status = 'paid', 'is_refunded', refunded_at is not null
                    ) order by invoices.created_at, invoices.id), '[]')
                    from public.invoices inner join public.plans on plans.id = plan_id where user_id = '{person}'
                ),
                'periods', (
                    select coalesce(json_agg(json_build_object(
                        'id', subscriptions.id, 'invoice', invoice_id, 'credited_from', credited_from, 'plan', name,
                        'is_over', status = 'expired', 'start', (extract(epoch from started_at) * 1000000)::bigint,
                        'end', (extract(epoch from expires_at) * 1000000)::bigint, 'value', (value * 10000)::bigint,
                        'months', period_months
                    ) order by started_at, expires_at), '[]')
                    from public.subscriptions inner join public.plans on plans.id = plan_id where user_id = '{person}'
                ),
                'events', (
                    select coalesce(json_agg(json_build_object(
                        'moment', (extract(epoch from received_at) * 1000000)::bigint, 'is_signed', signature_valid,
                        'body', convert_from(body, 'UTF8'), 'outcome', outcome
                    ) order by sequence), '[]')
                    from private.payment_events inner join public.invoices on invoices.id = invoice_id
                    where user_id = '{person}'
                )
            )"
        );
        let read: Value = serde_json::from_str(&books.owner.text(&sql).await).unwrap();
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
        let standing = |row: &Value| {
            standing(
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
            told: serde_json::from_str(row["body"].as_str().unwrap()).unwrap(),
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
            standings: list("invoices").iter().map(standing).collect(),
            periods: list("periods").iter().map(period).collect(),
            events: list("events").iter().map(event).collect(),
            outcomes: list("events").iter().map(outcome).collect(),
        }
    }

    /// The paid ones first, or last.
    fn invoices_by_payment(&self, paid_first: bool) -> Vec<&model::Invoice> {
        let mut standings: Vec<_> = self.invoices.iter().zip(&self.standings).collect();
        standings.sort_by_key(|(_, standing)| standing.ends_with(" paid") != paid_first);
        standings.into_iter().map(|(invoice, _)| invoice).collect()
    }

    fn effects(&self) -> impl Iterator<Item = Effect> {
        self.outcomes.iter().flatten().copied()
    }

    fn plan_at(&self, now: DateTime<Utc>) -> &str {
        let mut in_force = self.periods.iter().filter(|row| !row.is_over && row.start <= now && now < row.end);
        in_force.next().map_or("Free", |row| &row.plan)
    }

    /// Of which invoice a period is, and how many upgrades away.
    fn origin<'a>(&'a self, row: &'a Row) -> (&'a str, usize) {
        let mut row = row;
        let mut upgrades = 0;
        while let Some(from) = &row.credited_from {
            row = self.periods.iter().find(|other| other.id == *from).unwrap();
            upgrades += 1;
        }
        (row.invoice.as_deref().unwrap(), upgrades)
    }

    fn check(&self, now: DateTime<Utc>) -> Result<(), TestCaseError> {
        self.check_periods(now)?;
        self.check_money()?;
        let recount = Account::recounted(&self.invoices, &self.events);
        prop_assert_eq!(&self.outcomes, &recount.effects);
        prop_assert_eq!(&self.standings, &recount.invoices());
        let mut lines: Vec<_> = self
            .periods
            .iter()
            .map(|row| {
                let (invoice, upgrades) = self.origin(row);
                line(invoice, upgrades, &row.plan, row.start, row.end, row.value)
            })
            .collect();
        lines.sort();
        prop_assert_eq!(lines, recount.periods());
        prop_assert_eq!(self.plan_at(now), recount.plan_at(now));
        Ok(())
    }

    /// One after the other, from now on without a gap, and of their length.
    fn check_periods(&self, now: DateTime<Utc>) -> Result<(), TestCaseError> {
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
            // What an upgrade or a refund ended has its length no more.
            if row.value == 10_000 * bought.amount {
                prop_assert!(are_months(row.start, row.end, bought.months), "{} to {}", row.start, row.end);
            }
        }
        Ok(())
    }

    /// One period for each paid invoice, that with its credits is worth what was paid, or nothing if it went back.
    fn check_money(&self) -> Result<(), TestCaseError> {
        let mut worth: BTreeMap<&str, i64> = BTreeMap::new();
        for row in &self.periods {
            prop_assert!(row.value >= 0);
            *worth.entry(self.origin(row).0).or_default() += row.value;
        }
        for (invoice, standing) in self.invoices.iter().zip(&self.standings) {
            let made = self.periods.iter().filter(|row| row.invoice.as_ref() == Some(&invoice.id)).count();
            prop_assert_eq!(made, usize::from(standing.contains(" paid")), "periods of {}", standing);
            let is_kept = standing.ends_with(" paid");
            let expected = if is_kept { 10_000 * invoice.amount } else { 0 };
            prop_assert_eq!(worth.get(invoice.id.as_str()).copied().unwrap_or_default(), expected, "{}", standing);
        }
        Ok(())
    }
}

/// At the same time of the day, and on days that one day of the month stands for in both months.
fn are_months(start: DateTime<Utc>, end: DateTime<Utc>, months: u32) -> bool {
    let (start, end) = (local(start), local(end));
    let last = |month: NaiveDate| (month + Months::new(1)).pred_opt().unwrap().day();
    let (first_month, last_month) = (start.date().with_day(1).unwrap(), end.date().with_day(1).unwrap());
    first_month + Months::new(months) == last_month
        && start.time() == end.time()
        && (1..=31).any(|day| day.min(last(first_month)) == start.day() && day.min(last(last_month)) == end.day())
}
