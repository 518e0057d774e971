//! The sandbox's transactions, their changes, and the callbacks that report each change.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, SubsecRound, Utc};
use local_database::Result;
use tokio::{sync::oneshot, time::sleep};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    callback,
    order::Order,
    paths::checkout_path,
    storage,
    transaction::{Action, Delivery, FeeBearer, Status, Transaction},
};
use crate::runtime::log::Log;

/// Number of times a rejected callback is sent again.
const MAX_CALLBACK_RETRIES: usize = 3;

/// Interval between two checks for transactions past their deadline.
const EXPIRY_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Transactions of a sandbox, and the tasks that expire them and send their callbacks.
pub(super) struct Payments {
    /// Origin of the stack, such as `http://127.0.0.1:9000`.
    pub(super) origin: String,
    file: Option<PathBuf>,
    transactions: Mutex<Vec<Transaction>>,
    customers_pay_fees: AtomicBool,
    callback_retry_delay: Duration,
    client: reqwest::Client,
    tasks: TaskTracker,
    stopped: CancellationToken,
    log: Log,
}

/// Reason why an action was rejected.
pub(super) enum ActionError {
    /// There is no such transaction.
    UnknownTransaction,
    /// The transaction's status does not allow the action.
    NotAllowed(Status),
}

impl Payments {
    /// Loads the transactions, and starts to expire those past their deadline.
    pub(super) fn start(
        file: Option<PathBuf>,
        callback_retry_delay: Duration,
        origin: String,
        log: Log,
    ) -> Result<Arc<Self>> {
        let transactions = file.as_deref().map(storage::load).transpose()?.unwrap_or_default();
        let payments = Arc::new(Self {
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
        let expiring = payments.clone();
        payments.spawn(async move {
            loop {
                expiring.expire_due();
                sleep(EXPIRY_CHECK_INTERVAL).await;
            }
        });
        Ok(payments)
    }

    /// Stops all tasks when the guard is dropped.
    pub(super) fn stop_when_dropped(&self) -> DropGuard {
        self.stopped.clone().drop_guard()
    }

    /// Stops all tasks and waits until they have ended.
    pub(super) async fn stop(&self) {
        self.stopped.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Base URL of the merchant's API.
    pub(super) fn api_url(&self) -> String {
        format!("{}/_local/tripay/api-sandbox", self.origin)
    }

    /// URL for callbacks of transactions that specify none.
    pub(super) fn callback_url(&self) -> String {
        format!("{}/callbacks/tripay", self.origin)
    }

    pub(super) fn checkout_url(&self, reference: &str) -> String {
        format!("{}{}", self.origin, checkout_path(reference))
    }

    /// Payer of the fees of new transactions.
    pub(super) fn fee_bearer(&self) -> FeeBearer {
        if self.customers_pay_fees.load(Ordering::Relaxed) { FeeBearer::Customer } else { FeeBearer::Merchant }
    }

    pub(super) fn charge_fees_to(&self, bearer: FeeBearer) {
        self.customers_pay_fees.store(bearer == FeeBearer::Customer, Ordering::Relaxed);
    }

    pub(super) fn transactions(&self) -> MutexGuard<'_, Vec<Transaction>> {
        self.transactions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds a transaction, after expiring it if it is past its deadline.
    pub(super) fn find(self: &Arc<Self>, reference: &str) -> Option<Transaction> {
        self.expire_due();
        self.transactions().iter().find(|transaction| transaction.reference == reference).cloned()
    }

    /// Changes the transactions in memory and in the file.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Vec<Transaction>) -> T) -> T {
        let mut transactions = self.transactions();
        let outcome = change(&mut transactions);
        if let Some(file) = &self.file
            && let Err(error) = storage::save(file, &transactions)
        {
            (self.log)("tripay", &format!("cannot write {}: {error}", file.display()));
        }
        outcome
    }

    /// Opens a transaction for an order.
    pub(super) fn open(&self, order: Order) -> Transaction {
        if order.expires_at < order.created_at + order.channel.min_lifetime() {
            let (code, minutes) = (order.channel.code, order.channel.min_lifetime().num_minutes());
            let warning = format!("a payment by {code} expires in less than {minutes} minutes; Tripay may reject it");
            (self.log)("tripay", &warning);
        }
        let bearer = self.fee_bearer();
        self.update(|transactions| {
            let transaction = order.into_transaction(transactions.len() + 1, bearer);
            transactions.push(transaction.clone());
            transaction
        })
    }

    /// Applies an action to a transaction and starts to send its callback. The receiver completes after the first
    /// attempt.
    pub(super) fn apply(
        self: &Arc<Self>,
        reference: &str,
        action: Action,
    ) -> Result<(Transaction, oneshot::Receiver<()>), ActionError> {
        self.expire_due();
        let changed = self.update(|transactions| {
            let found = transactions.iter_mut().find(|transaction| transaction.reference == reference);
            let transaction = found.ok_or(ActionError::UnknownTransaction)?;
            transaction.apply(action, current_second()).map_err(ActionError::NotAllowed)?;
            Ok(transaction.clone())
        })?;
        let first_attempt = self.report(&changed);
        Ok((changed, first_attempt))
    }

    /// Expires every unpaid transaction past its deadline.
    pub(super) fn expire_due(self: &Arc<Self>) {
        let now = current_second();
        if !self.transactions().iter().any(|transaction| transaction.is_due(now)) {
            return;
        }
        let expired: Vec<_> = self.update(|transactions| {
            let due = transactions.iter_mut().filter(|transaction| transaction.is_due(now));
            due.filter_map(|transaction| transaction.apply(Action::Expire, now).ok().map(|()| transaction.clone()))
                .collect()
        });
        for transaction in expired {
            self.report(&transaction);
        }
    }

    /// Sends the callback for the transaction's current status, with up to [`MAX_CALLBACK_RETRIES`] retries until it is
    /// accepted. The receiver completes after the first attempt.
    fn report(self: &Arc<Self>, transaction: &Transaction) -> oneshot::Receiver<()> {
        let (attempted, first_attempt) = oneshot::channel();
        let (payments, transaction) = (self.clone(), transaction.clone());
        self.spawn(async move {
            // Built once: each attempt sends the same body, even if the transaction changes meanwhile.
            let body = callback::body(&transaction);
            let mut delivery = payments.attempt_callback(&transaction, body.clone()).await;
            drop(attempted);
            for _ in 0..MAX_CALLBACK_RETRIES {
                if delivery.is_success() {
                    return;
                }
                sleep(payments.callback_retry_delay).await;
                delivery = payments.attempt_callback(&transaction, body.clone()).await;
            }
        });
        first_attempt
    }

    /// Sends the callback for the transaction's current status once.
    pub(super) async fn send_callback(&self, transaction: &Transaction) -> Delivery {
        self.attempt_callback(transaction, callback::body(transaction)).await
    }

    /// Sends a callback once and records the outcome with the transaction.
    async fn attempt_callback(&self, transaction: &Transaction, body: Vec<u8>) -> Delivery {
        let url = transaction.callback_url.clone().unwrap_or_else(|| self.callback_url());
        let (http_status, problem) = callback::send(&self.client, &url, body).await;
        let delivery = Delivery { at: current_second(), event: transaction.status, http_status, problem };
        (self.log)("tripay", &format!("callback {} {delivery}", transaction.reference));
        self.update(|transactions| {
            let found = transactions.iter_mut().find(|other| other.reference == transaction.reference);
            if let Some(transaction) = found {
                transaction.deliveries.push(delivery.clone());
            }
        });
        delivery
    }

    /// Runs a task until it ends or the sandbox stops.
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

/// Current time in whole seconds, the precision of Tripay's timestamps.
pub(super) fn current_second() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(0)
}
