//! Trades that clients report without a pause during a fault.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use local_database::postgres::Postgres;
use ops::verify::verify_migrations;
use serde_json::json;
use tokio::time::sleep;

use super::database::{PRO, migrations};
use super::waiting::wait_until;
use super::world::World;

/// HTTP status of a report that can be sent again later.
pub(crate) const UNAVAILABLE: u16 = 503;

/// Query: order ids of the stored trades of a `TradeLoad`.
const STORED_ORDER_IDS: &str =
    "select exchange_order_id::text from public.trades where exchange_order_id ~ '^(first|[0-9]+)-'";

pub(crate) const fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Clients that report trades of one bot without a pause, each trade until it is acknowledged.
pub(crate) struct TradeLoad<'a> {
    pub(crate) world: &'a World,
    path: String,
    pub(crate) token: RefCell<String>,
    is_finished: Cell<bool>,
    /// Order ids of all reports, and of the acknowledged ones.
    sent: RefCell<BTreeSet<String>>,
    pub(crate) acknowledged: RefCell<BTreeSet<String>>,
    /// Number of acknowledged trades that an earlier report had stored without an acknowledgement.
    pub(crate) already_stored: Cell<usize>,
    /// Number of refused reports, by status.
    pub(crate) refused: RefCell<BTreeMap<u16, usize>>,
}

impl<'a> TradeLoad<'a> {
    /// Number of clients.
    pub(crate) const WRITERS: usize = 3;

    pub(crate) async fn new(world: &'a World) -> Self {
        let bot = world.oldest_bot_of(PRO).await;
        let token = world.sign_in("pro@nofomo.test").await;
        let load = Self {
            world,
            path: format!("/bots/{bot}/trades"),
            token: RefCell::new(token),
            is_finished: Cell::default(),
            sent: RefCell::default(),
            acknowledged: RefCell::default(),
            already_stored: Cell::default(),
            refused: RefCell::default(),
        };
        // Starts an instance for each client.
        join_all((0..Self::WRITERS).map(|n| load.report(format!("first-{n}")))).await;
        assert_eq!((load.acknowledged.borrow().len(), load.refused.borrow().len()), (Self::WRITERS, 0));
        load
    }

    /// Reports a trade with this order id once.
    async fn report(&self, order_id: String) {
        let trade = json!({
            "exchange_order_id": order_id, "side": "buy", "order_type": "market", "status": "closed", "amount": "0.1",
            "price": "150", "exit_price": "151", "entry_time": "2026-01-01T00:00:00Z", "exit_time": "2026-01-01T01:00:00Z",
        });
        self.sent.borrow_mut().insert(order_id.clone());
        let token = self.token.borrow().clone();
        let answer = self.world.post(&self.path, &token, &trade).await;
        match answer.status.as_u16() {
            status @ (200 | 201) => {
                self.already_stored.set(self.already_stored.get() + usize::from(status == 200));
                self.acknowledged.borrow_mut().insert(order_id);
            }
            status => {
                let is_expected = status != UNAVAILABLE || answer.problem() == "unavailable";
                assert!(is_expected, "{answer:?}");
                *self.refused.borrow_mut().entry(status).or_default() += 1;
            }
        }
    }

    /// Reports one trade after the other until the load is over.
    async fn report_trades(&self, writer: usize) {
        for n in 0.. {
            let order_id = format!("{writer}-{n}");
            while !self.acknowledged.borrow().contains(&order_id) {
                if self.is_finished.get() {
                    return;
                }
                self.report(order_id.clone()).await;
                sleep(milliseconds(20)).await;
            }
        }
    }

    /// Reports trades during the fault, and until reports are acknowledged again. Returns the number of refused
    /// reports, by status.
    pub(crate) async fn during(&self, fault: impl Future<Output = ()>) -> BTreeMap<u16, usize> {
        let faulting = async {
            sleep(milliseconds(300)).await;
            fault.await;
            // After the fault, reports succeed again without intervention.
            self.wait_until_acknowledged().await;
            self.is_finished.set(true);
        };
        tokio::join!(faulting, join_all((0..Self::WRITERS).map(|writer| self.report_trades(writer))));
        self.refused.take()
    }

    /// Waits for five more acknowledged reports per client.
    pub(crate) async fn wait_until_acknowledged(&self) {
        let before = self.acknowledged.borrow().len();
        let enough = before + 5 * Self::WRITERS;
        wait_until("reports are acknowledged", async || self.acknowledged.borrow().len() >= enough).await;
    }

    /// Waits until every instance accepts a report. A lock makes the reports of all writers wait in the database at the
    /// same time, so each report is in a separate instance; and there are no more instances than writers.
    pub(crate) async fn wait_until_every_instance_accepts(&self) {
        let owner = self.world.database.owner().await;
        owner.run("begin; lock table public.trades in share row exclusive mode").await.unwrap();
        owner.wait_until_blocking(Self::WRITERS).await;
        owner.run("commit").await.unwrap();
    }

    /// Waits until a report is refused as unavailable.
    pub(crate) async fn wait_until_refused(&self) {
        wait_until("reports are refused", async || self.refused.borrow().contains_key(&UNAVAILABLE)).await;
    }

    async fn stored_order_ids(&self) -> BTreeSet<String> {
        self.world.database.owner().await.list(STORED_ORDER_IDS).await.into_iter().collect()
    }

    /// Asserts that no acknowledged trade is lost, that each trade is stored once, and that the schema is unchanged.
    pub(crate) async fn assert_recovered(&self, postgres: &Postgres) {
        let stored = self.stored_order_ids().await;
        let lost: Vec<_> = self.acknowledged.borrow().difference(&stored).cloned().collect();
        assert_eq!(lost, Vec::<String>::new(), "acknowledged and not stored");

        // Reports the trades without an acknowledgement again, now without a fault.
        let unacknowledged: Vec<_> = self.sent.borrow().difference(&self.acknowledged.borrow()).cloned().collect();
        for order_id in unacknowledged {
            self.report(order_id).await;
        }
        assert_eq!(self.refused.take(), BTreeMap::new());
        let mut found = self.world.database.owner().await.list(STORED_ORDER_IDS).await;
        found.sort();
        assert_eq!(found, self.sent.borrow().iter().cloned().collect::<Vec<_>>(), "each trade is stored once");
        let token = self.token.borrow().clone();
        assert_eq!(self.world.get("/portfolio", &token).await.status, 200);
        let url = self.world.database.url("postgres");
        let verified = verify_migrations(postgres, &url, &migrations()).await.unwrap();
        assert_eq!(verified.differences.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    }
}

/// Asserts that reports were refused, all of them with this status.
pub(crate) fn assert_only_status(refused: &BTreeMap<u16, usize>, status: u16) {
    assert_eq!(refused.keys().copied().collect::<Vec<_>>(), [status], "{refused:?}");
}
