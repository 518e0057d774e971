//! Tripay's sandbox on this machine: its API, a page where one pays without money, and signed callbacks.

mod api;
mod callback;
mod channel;
mod order;
mod page;
mod storage;
mod transaction;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use chrono::{DateTime, SubsecRound, Utc};
use tokio::{sync::oneshot, time::sleep};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::runtime::log::Log;
use local_database::Result;
use order::Order;
use transaction::Action;
pub use transaction::{Delivery, Item, Status, Transaction};

const MERCHANT_CODE: &str = "T0000";
const API_KEY: &str = "DEV-local-sandbox-key";
const PRIVATE_KEY: &str = "local-sandbox-private-key";

/// How often a callback is sent again that was not taken.
const RESENDS: usize = 3;

/// How soon after its deadline a transaction expires by itself.
const EXPIRY_PERIOD: Duration = Duration::from_secs(1);

pub struct Options {
    /// The file that keeps the transactions; without one they end with the sandbox.
    pub file: Option<PathBuf>,
    /// How long after a callback that was not taken it is sent again.
    pub callback_retry_delay: Duration,
}

impl Options {
    /// As Tripay says it does.
    pub const CALLBACK_RETRY_DELAY: Duration = Duration::from_secs(120);
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FeeBearer {
    Merchant,
    Customer,
}

/// The sandbox of one stack. Its callbacks stop when this is dropped.
pub struct Sandbox {
    shared: Arc<Shared>,
    _stop: DropGuard,
}

impl Sandbox {
    /// `origin` is the stack's, such as `http://127.0.0.1:9000`.
    pub(crate) fn start(options: Options, origin: String, log: Log) -> Result<Self> {
        let Options { file, callback_retry_delay } = options;
        let transactions = file.as_deref().map(storage::load).transpose()?.unwrap_or_default();
        let shared = Arc::new(Shared {
            origin,
            file,
            transactions: Mutex::new(transactions),
            customers_pay_fees: AtomicBool::new(false),
            callback_retry_delay,
            client: callback::client()?,
            tasks: TaskTracker::new(),
            stopped: CancellationToken::new(),
            log,
        });
        let expiring = shared.clone();
        shared.spawn(async move {
            loop {
                expiring.expire_due();
                sleep(EXPIRY_PERIOD).await;
            }
        });
        let stop = shared.stopped.clone().drop_guard();
        Ok(Self { shared, _stop: stop })
    }

    /// Everything below `/_local/tripay`.
    pub(crate) fn router(&self) -> Router {
        api::router(self.shared.clone()).merge(page::router(self.shared.clone()))
    }

    /// What a function must know to use this as it would use Tripay.
    pub(crate) fn settings(&self) -> [(&'static str, String); 5] {
        [
            ("TRIPAY_URL", format!("{}/_local/tripay/api-sandbox", self.shared.origin)),
            ("TRIPAY_MERCHANT_CODE", MERCHANT_CODE.to_owned()),
            ("TRIPAY_API_KEY", API_KEY.to_owned()),
            ("TRIPAY_PRIVATE_KEY", PRIVATE_KEY.to_owned()),
            ("TRIPAY_CALLBACK_URL", self.shared.callback_url()),
        ]
    }

    /// All there are, oldest first.
    pub fn transactions(&self) -> Vec<Transaction> {
        self.shared.expire_due();
        self.shared.transactions().clone()
    }

    pub fn transaction(&self, reference: &str) -> Option<Transaction> {
        self.shared.find(reference)
    }

    /// Sends the callback of a transaction's present status once, as Tripay's dashboard can; None if there is no such
    /// transaction.
    pub async fn deliver(&self, reference: &str) -> Option<Delivery> {
        let transaction = self.shared.find(reference)?;
        Some(self.shared.resend(&transaction).await)
    }

    /// What Tripay would send as the signature of a callback with this body.
    pub fn sign(&self, body: &[u8]) -> String {
        callback::sign(PRIVATE_KEY, body)
    }

    /// Who pays the fees of new transactions; the merchant, unless this says otherwise.
    pub fn charge_fees_to(&self, bearer: FeeBearer) {
        self.shared.customers_pay_fees.store(bearer == FeeBearer::Customer, Ordering::Relaxed);
    }

    /// Ends what is under way; nothing expires and no callback is sent again after this returns.
    pub async fn stop(&self) {
        self.shared.stopped.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

struct Shared {
    origin: String,
    file: Option<PathBuf>,
    transactions: Mutex<Vec<Transaction>>,
    customers_pay_fees: AtomicBool,
    callback_retry_delay: Duration,
    client: reqwest::Client,
    tasks: TaskTracker,
    stopped: CancellationToken,
    log: Log,
}

/// Why a transaction did not change.
enum Unchanged {
    Unknown,
    /// From the status that it has, it cannot.
    Impossible(Status),
}

impl Shared {
    /// Where callbacks go whose transaction names no address of its own.
    fn callback_url(&self) -> String {
        format!("{}/callbacks/tripay", self.origin)
    }

    fn checkout_url(&self, reference: &str) -> String {
        format!("{}{}", self.origin, page::path(reference))
    }

    fn fee_bearer(&self) -> FeeBearer {
        if self.customers_pay_fees.load(Ordering::Relaxed) { FeeBearer::Customer } else { FeeBearer::Merchant }
    }

    fn transactions(&self) -> MutexGuard<'_, Vec<Transaction>> {
        self.transactions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The transaction as it is now, which it may have become only by being looked at.
    fn find(self: &Arc<Self>, reference: &str) -> Option<Transaction> {
        self.expire_due();
        self.transactions().iter().find(|transaction| transaction.reference == reference).cloned()
    }

    /// Changes what is kept, in memory and in the file.
    fn alter<T>(&self, change: impl FnOnce(&mut Vec<Transaction>) -> T) -> T {
        let mut transactions = self.transactions();
        let outcome = change(&mut transactions);
        if let Some(file) = &self.file
            && let Err(error) = storage::save(file, &transactions)
        {
            (self.log)("tripay", &format!("cannot write {}: {error}", file.display()));
        }
        outcome
    }

    fn open(&self, order: Order) -> Transaction {
        if order.expires_at < order.created_at + order.channel.shortest() {
            let (code, minutes) = (order.channel.code, order.channel.shortest().num_minutes());
            let warning = format!("a payment by {code} asks for less than its {minutes} minutes; Tripay may refuse it");
            (self.log)("tripay", &warning);
        }
        let bearer = self.fee_bearer();
        self.alter(|transactions| {
            let transaction = Transaction::open(order, transactions.len() + 1, bearer);
            transactions.push(transaction.clone());
            transaction
        })
    }

    /// Does that to the transaction and has its callback sent. The receiver ends when this was tried once.
    fn change(
        self: &Arc<Self>,
        reference: &str,
        action: Action,
    ) -> Result<(Transaction, oneshot::Receiver<()>), Unchanged> {
        self.expire_due();
        let changed = self.alter(|transactions| {
            let found = transactions.iter_mut().find(|transaction| transaction.reference == reference);
            let transaction = found.ok_or(Unchanged::Unknown)?;
            transaction.change(action, now()).map_err(Unchanged::Impossible)?;
            Ok(transaction.clone())
        })?;
        let first_attempt = self.report(&changed);
        Ok((changed, first_attempt))
    }

    fn expire_due(self: &Arc<Self>) {
        let now = now();
        if !self.transactions().iter().any(|transaction| transaction.is_due(now)) {
            return;
        }
        let expired: Vec<_> = self.alter(|transactions| {
            let due = transactions.iter_mut().filter(|transaction| transaction.is_due(now));
            due.filter_map(|transaction| transaction.change(Action::Expire, now).ok().map(|()| transaction.clone()))
                .collect()
        });
        for transaction in expired {
            self.report(&transaction);
        }
    }

    /// Sends the callback of the transaction as it is now, again and again until it is taken or nobody can wait longer.
    fn report(self: &Arc<Self>, transaction: &Transaction) -> oneshot::Receiver<()> {
        let (attempted, first_attempt) = oneshot::channel();
        let (shared, transaction) = (self.clone(), transaction.clone());
        self.spawn(async move {
            // Whatever happens to the transaction meanwhile, each attempt says the same.
            let body = callback::body(&transaction);
            let mut delivery = shared.attempt(&transaction, body.clone()).await;
            drop(attempted);
            for _ in 0..RESENDS {
                if delivery.is_success() {
                    return;
                }
                sleep(shared.callback_retry_delay).await;
                delivery = shared.attempt(&transaction, body.clone()).await;
            }
        });
        first_attempt
    }

    async fn resend(&self, transaction: &Transaction) -> Delivery {
        self.attempt(transaction, callback::body(transaction)).await
    }

    /// Sends a callback once and writes down how it went.
    async fn attempt(&self, transaction: &Transaction, body: Vec<u8>) -> Delivery {
        let url = transaction.callback_url.clone().unwrap_or_else(|| self.callback_url());
        let (http_status, problem) = callback::send(&self.client, &url, body).await;
        let delivery = Delivery { at: now(), event: transaction.status, http_status, problem };
        (self.log)("tripay", &format!("callback {} {delivery}", transaction.reference));
        self.alter(|transactions| {
            let found = transactions.iter_mut().find(|other| other.reference == transaction.reference);
            if let Some(transaction) = found {
                transaction.deliveries.push(delivery.clone());
            }
        });
        delivery
    }

    /// Until it ends or the sandbox stops.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopped = self.stopped.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = stopped.cancelled() => {}
                () = work => {}
            }
        });
    }
}

/// Tripay's times are whole seconds.
fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(0)
}

/// As people write it: `Rp149.000`.
fn rupiah(amount: i64) -> String {
    let digits = amount.unsigned_abs().to_string();
    let mut text = String::from(if amount < 0 { "-Rp" } else { "Rp" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('.');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
