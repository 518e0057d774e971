//! Tripay's sandbox on this machine: its API, a checkout page that moves no money, and signed callbacks.

mod api;
mod callback;
mod channel;
mod merchant;
mod order;
mod page;
mod paths;
mod payments;
mod qr;
mod rupiah;
mod storage;
#[cfg(test)]
mod tests;
mod transaction;

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::Router;
use local_database::Result;
use tokio_util::sync::DropGuard;

pub use self::transaction::{Delivery, FeeBearer, Item, Status, Transaction};
use self::{
    merchant::{API_KEY, MERCHANT_CODE, PRIVATE_KEY},
    payments::Payments,
};
use crate::runtime::log::Log;

/// Options of a sandbox.
pub struct Options {
    /// File that stores the transactions. Without one they are lost when the sandbox stops.
    pub file: Option<PathBuf>,
    /// Delay before a rejected callback is sent again.
    pub callback_retry_delay: Duration,
}

impl Options {
    /// Delay that Tripay documents.
    pub const CALLBACK_RETRY_DELAY: Duration = Duration::from_secs(120);
}

/// A running sandbox. Its callbacks stop when this is dropped.
pub struct Sandbox {
    payments: Arc<Payments>,
    _stop: DropGuard,
}

impl Sandbox {
    /// Starts a sandbox. `origin` is that of its stack, such as `http://127.0.0.1:9000`.
    pub(crate) fn start(options: Options, origin: String, log: Log) -> Result<Self> {
        let Options { file, callback_retry_delay } = options;
        let payments = Payments::start(file, callback_retry_delay, origin, log)?;
        let stop = payments.stop_when_dropped();
        Ok(Self { payments, _stop: stop })
    }

    /// Router of all paths below `/_local/tripay`.
    pub(crate) fn router(&self) -> Router {
        api::router(self.payments.clone()).merge(page::router(self.payments.clone()))
    }

    /// Environment variables with which a function uses this sandbox instead of Tripay.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("TRIPAY_URL", self.payments.api_url()),
            ("TRIPAY_MERCHANT_CODE", MERCHANT_CODE.to_owned()),
            ("TRIPAY_API_KEY", API_KEY.to_owned()),
            ("TRIPAY_PRIVATE_KEY", PRIVATE_KEY.to_owned()),
            ("TRIPAY_CALLBACK_URL", self.payments.callback_url()),
        ]
    }

    /// All transactions, oldest first.
    pub fn transactions(&self) -> Vec<Transaction> {
        self.payments.expire_due();
        self.payments.transactions().clone()
    }

    /// Transaction with this reference, or `None` if there is none.
    pub fn transaction(&self, reference: &str) -> Option<Transaction> {
        self.payments.find(reference)
    }

    /// Sends the callback for a transaction's current status once, as Tripay's dashboard can. Returns `None` if there
    /// is no such transaction.
    pub async fn deliver(&self, reference: &str) -> Option<Delivery> {
        let transaction = self.payments.find(reference)?;
        Some(self.payments.send_callback(&transaction).await)
    }

    /// Signature that Tripay sends with a callback of this body.
    pub fn sign(&self, body: &[u8]) -> String {
        callback::sign(PRIVATE_KEY, body)
    }

    /// Sets who pays the fees of new transactions; by default the merchant does.
    pub fn charge_fees_to(&self, bearer: FeeBearer) {
        self.payments.charge_fees_to(bearer);
    }

    /// Stops all tasks. After this returns nothing expires, and no callback is sent again.
    pub async fn stop(&self) {
        self.payments.stop().await;
    }
}
