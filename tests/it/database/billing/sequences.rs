//! Any sequence of payment events and job runs, also concurrent: every payment is credited exactly once, and the stored
//! events suffice to recompute all periods.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use uuid::Uuid;

use super::ledger::Ledger;
use super::{BillingFixture, job, settlement_input};
use crate::support::database::Session;

const PLANS: [&str; 4] = ["Basic", "Pro", "Plus", "Enterprise"];

/// Time zones of the sessions, which must not affect any result.
const TIME_ZONES: [&str; 4] = ["UTC", "America/New_York", "Asia/Jakarta", "Pacific/Kiritimati"];

/// A wait, then an optional new invoice and concurrent actions at the same moment.
#[derive(Clone, Debug)]
struct Step {
    wait: Wait,
    invoice: Option<NewInvoice>,
    actions: Vec<Action>,
}

#[derive(Clone, Debug)]
enum Wait {
    None,
    Hours(i64),
    /// Until the end of one of the future periods, plus this many seconds.
    End(usize, i64),
}

#[derive(Clone, Debug)]
enum NewInvoice {
    /// Requested through `POST /invoices`; Tripay's response may be lost.
    Requested { plan: usize, yearly: bool, is_recorded: bool },
    /// Inserted with any price and expiry, in hours from now.
    Inserted { plan: usize, yearly: bool, amount: i64, hours: i64 },
}

#[derive(Clone, Debug)]
enum Action {
    PaymentEvent(PaymentEvent),
    Expire,
    ExpireInvoices,
    Renew,
    /// Action of the user on the subscription.
    Manage(&'static str),
}

#[derive(Clone, Debug)]
struct PaymentEvent {
    /// Index into the invoices, with the likely ones first: paid ones for a refund, unpaid ones otherwise.
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
    WithCustomerFee,
    TooLittle,
    TooMuch,
    Zero,
    Missing,
    Inconsistent,
    OpenPayment,
}

#[derive(Clone, Copy, Debug)]
enum Transaction {
    Own,
    /// The invoice's own transaction, without `merchant_ref`.
    OwnWithoutMerchantRef,
    Second,
    OfAnotherInvoice,
}

impl Step {
    fn any() -> impl Strategy<Value = Self> {
        let wait = prop_oneof![
            4 => Just(Wait::None),
            5 => (1..200_i64).prop_map(Wait::Hours),
            1 => (200..1500_i64).prop_map(Wait::Hours),
            1 => (0..8_usize, -1..=1_i64).prop_map(|(of, seconds)| Wait::End(of, seconds)),
            1 => (0..8_usize, 1..=72_i64).prop_map(|(of, hours)| Wait::End(of, -3600 * hours)),
        ];
        let invoice = prop_oneof![Just(None), NewInvoice::any().prop_map(Some)];
        let actions = prop_oneof![
            8 => Action::any().prop_map(|action| vec![action]),
            3 => Action::any().prop_map(|action| vec![action.clone(), action]),
            4 => prop::collection::vec(Action::any(), 2..=4),
        ];
        (wait, invoice, actions).prop_map(|(wait, invoice, actions)| Self { wait, invoice, actions })
    }
}

impl NewInvoice {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            (0..4_usize, prop::bool::weighted(0.2), prop::bool::weighted(0.7))
                .prop_map(|(plan, yearly, is_recorded)| Self::Requested { plan, yearly, is_recorded }),
            (0..4_usize, prop::bool::weighted(0.2), 10_000..1_000_000_i64, 1..2000_i64)
                .prop_map(|(plan, yearly, amount, hours)| Self::Inserted { plan, yearly, amount, hours }),
        ]
    }
}

impl Action {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            20 => PaymentEvent::any().prop_map(Self::PaymentEvent),
            4 => Just(Self::Expire),
            1 => Just(Self::ExpireInvoices),
            2 => Just(Self::Renew),
            1 => Just(Self::Manage("cancel")),
            1 => Just(Self::Manage("resume")),
        ]
    }
}

impl PaymentEvent {
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
            2 => Just(Amount::WithCustomerFee),
            1 => Just(Amount::TooLittle),
            1 => Just(Amount::TooMuch),
            1 => Just(Amount::Zero),
            1 => Just(Amount::Missing),
            1 => Just(Amount::Inconsistent),
            1 => Just(Amount::OpenPayment),
        ];
        let transaction = prop_oneof![
            16 => Just(Transaction::Own),
            1 => Just(Transaction::OwnWithoutMerchantRef),
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

    /// Returns the id of the invoice and the body of the callback. `None` if there is no suitable invoice yet.
    fn callback(&self, ledger: &Ledger) -> Option<(String, Value)> {
        let invoices = ledger.invoices_by_payment(self.status == "REFUND");
        let invoice = *invoices.get(self.invoice % invoices.len().max(1))?;
        let own = invoice.reference.clone().unwrap_or_else(|| format!("T-{}", invoice.id));
        let (reference, merchant_ref) = match self.transaction {
            Transaction::Own => (own, json!(invoice.merchant_ref)),
            // Without a recorded reference, the callback could not be assigned.
            Transaction::OwnWithoutMerchantRef => (invoice.reference.clone()?, Value::Null),
            Transaction::Second => (format!("S-{}", invoice.id), json!(invoice.merchant_ref)),
            Transaction::OfAnotherInvoice => {
                let other = invoices.iter().find(|other| other.id != invoice.id && other.reference.is_some())?;
                (other.reference.clone()?, json!(invoice.merchant_ref))
            }
        };
        let (total, merchant_fee, customer_fee) = match self.amount {
            Amount::TooLittle => (json!(invoice.amount - 1), 900, 0),
            Amount::TooMuch => (json!(invoice.amount + 900), 900, 0),
            Amount::Zero => (json!(0), 0, 0),
            Amount::Missing => (Value::Null, 900, 0),
            Amount::WithCustomerFee => (json!(invoice.amount + 750), 150, 750),
            Amount::Right | Amount::Inconsistent | Amount::OpenPayment => (json!(invoice.amount), 900, 0),
        };
        let received = total.as_i64().unwrap_or(invoice.amount) - merchant_fee - customer_fee;
        let body = json!({
            "reference": reference,
            "merchant_ref": merchant_ref,
            "payment_method": "BRI Virtual Account",
            "payment_method_code": "BRIVA",
            "total_amount": total,
            "fee_merchant": merchant_fee,
            "fee_customer": customer_fee,
            "total_fee": merchant_fee + customer_fee,
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
async fn any_sequence_of_events_credits_each_payment_once_and_matches_the_model() {
    let case = (0..1500_i64, prop::collection::vec(NewInvoice::any(), 1..5), prop::collection::vec(Step::any(), 1..25));
    let billing = BillingFixture::new().await;
    billing.add_plan("Basic", 5, 49_000).await;
    billing.add_plan("Plus", 15, 299_000).await;
    let mut sessions = Vec::new();
    for zone in TIME_ZONES {
        let session = billing.database.session("nofomo_jobs").await;
        session.run(&format!("set timezone = '{zone}'")).await.unwrap();
        sessions.push(session);
    }
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        runner.run(&case, |(days, invoices, steps)| {
            runtime.block_on(async {
                let mut simulation = Simulation::new(&billing, &sessions, days).await;
                for invoice in &invoices {
                    simulation.add_invoice(invoice).await;
                }
                for step in &steps {
                    simulation.step(step).await?;
                }
                billing.owner.run(&format!("delete from public.users where id = '{}'", simulation.user)).await.unwrap();
                Ok(())
            })
        })
    })
    .unwrap();
}

/// Simulation of one user.
struct Simulation<'a> {
    billing: &'a BillingFixture,
    sessions: &'a [Session],
    user: String,
    now: DateTime<Utc>,
    ledger: Ledger,
}

impl<'a> Simulation<'a> {
    async fn new(billing: &'a BillingFixture, sessions: &'a [Session], days: i64) -> Self {
        let user = billing.new_user().await;
        let ledger = Ledger::read(billing, &user).await;
        Self { billing, sessions, user, now: super::time("2027-01-01 09:30") + TimeDelta::days(days), ledger }
    }

    async fn add_invoice(&self, invoice: &NewInvoice) {
        match *invoice {
            NewInvoice::Requested { plan, yearly, is_recorded } => {
                let id = Uuid::new_v4();
                let input = json!({
                    "id": id, "plan": PLANS[plan], "period": period(yearly), "method": "BRIVA", "customer_phone": null,
                });
                let result = self.billing.command("create_invoice", &self.user, &input).await;
                if is_recorded && result["opened"].is_object() {
                    self.record(&self.billing.jobs, &id.to_string()).await;
                }
            }
            NewInvoice::Inserted { plan, yearly, amount, hours } => {
                let id = Uuid::new_v4();
                let insert = format!(
                    "insert into public.invoices (id, user_id, plan_id, reference_id, tripay_invoice_id, amount, status, period,
                         payment_method, description, customer_name, customer_email, created_at, expired_at)
                     select '{id}', '{}', plans.id, 'INV-{id}', 'T-{id}', {amount}, 'pending', '{}', 'QRIS', 'x', 'x', 'x',
                         '{}', '{}'
                     from public.plans where name = '{}'",
                    self.user,
                    period(yearly),
                    self.now,
                    self.now + TimeDelta::hours(hours),
                    PLANS[plan],
                );
                self.billing.owner.run(&insert).await.unwrap();
            }
        }
    }

    /// Records the transaction that Tripay created.
    async fn record(&self, jobs: &Session, id: &str) {
        let transaction = json!({"reference": format!("T-{id}"), "payment_name": "BRI Virtual Account"});
        let input = json!({"now": self.now, "id": id, "merchant_code": "T0001", "transaction": transaction});
        job(jobs, "record_tripay_response", &input).await;
    }

    async fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let ends: Vec<_> = self.ledger.periods.iter().map(|period| period.end).filter(|end| *end > self.now).collect();
        self.now = match step.wait {
            Wait::Hours(hours) => self.now + TimeDelta::hours(hours),
            Wait::End(of, seconds) if !ends.is_empty() => {
                self.now.max(ends[of % ends.len()] + TimeDelta::seconds(seconds))
            }
            Wait::None | Wait::End(..) => self.now,
        };
        if let Some(invoice) = &step.invoice {
            self.add_invoice(invoice).await;
            self.ledger = Ledger::read(self.billing, &self.user).await;
        }
        join_all(step.actions.iter().zip(self.sessions).map(|(action, jobs)| self.perform(jobs, action))).await;
        let ledger = Ledger::read(self.billing, &self.user).await;
        ledger.check(self.now).map_err(|broken| with_step(broken, step))?;
        // Only the next run or payment recomputes the plan.
        let has_changed = ledger.effects().count() > self.ledger.effects().count();
        let has_run = step.actions.iter().all(|action| matches!(action, Action::Expire));
        if has_changed || has_run {
            let in_force = ledger.plan_at(self.now);
            prop_assert_eq!(&ledger.plan, &in_force.to_lowercase(), "the plan in force, after {:?}", step);
        }
        for (before, after) in self.ledger.invoice_states.iter().zip(&ledger.invoice_states) {
            prop_assert!(!before.contains(" paid") || after.contains(" paid"), "{} became {}", before, after);
        }
        self.ledger = ledger;
        Ok(())
    }

    async fn perform(&self, jobs: &Session, action: &Action) {
        let batch = json!({"now": self.now, "limit": 500, "after": null});
        match action {
            Action::PaymentEvent(event) => {
                let Some((id, body)) = event.callback(&self.ledger) else { return };
                // reconcile-invoices records the transaction first.
                if event.source == "reconciliation" {
                    self.record(jobs, &id).await;
                }
                let is_signed = event.is_signed || event.source == "reconciliation";
                job(jobs, "settle_payment", &settlement_input(event.source, &body, is_signed, self.now)).await;
            }
            Action::Expire => {
                let expired = job(jobs, "expire_subscriptions", &batch).await;
                assert_eq!(expired["failures"], json!([]));
            }
            Action::ExpireInvoices => {
                job(jobs, "expire_invoices", &batch).await;
            }
            Action::Renew => {
                let renewed = job(jobs, "renew_subscriptions", &batch).await;
                assert_eq!(renewed["failures"], json!([]));
            }
            Action::Manage(action) => {
                self.billing.command("manage_subscription", &self.user, &json!({"action": action})).await;
            }
        }
    }
}

fn period(yearly: bool) -> &'static str {
    if yearly { "yearly" } else { "monthly" }
}

fn with_step(broken: TestCaseError, step: &Step) -> TestCaseError {
    TestCaseError::fail(format!("{broken}\nafter {step:?}"))
}
