//! The closed trades, row by row from the database, each currency's by themselves.

use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Write};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use nofomo_analytics::{Side, Trade};
use nofomo_db::{Claims, Db, Error, Row};
use rust_decimal::Decimal;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Reserved;
use crate::request::AnalysisRequest;

/// Of one statement: as many as the database can surely send within its time limit.
const PAGE_SIZE: usize = 50_000;

/// Trades in the order of their exits, and the hash of them all.
///
/// Hashed is a line for each, of pair, side, entry and exit in microseconds since 1970, amount, price, fee and profit without trailing
/// zeros, with a space between them: whoever has the same trades has the same hash.
pub(crate) struct TradeSet {
    books: HashMap<String, CurrencyTrades>,
    hash: Sha256,
    count: usize,
}

/// The trades in one currency.
#[derive(Default)]
pub(crate) struct CurrencyTrades {
    pub(crate) trades: Vec<Trade<'static>>,
    /// Which of them are compared with a backtest, and the price of their exit.
    pub(crate) compared: Vec<(usize, Decimal)>,
}

/// What is asked for next.
#[derive(Serialize)]
struct AnalysedTradesInput<'a> {
    #[serde(flatten)]
    request: &'a AnalysisRequest,
    /// Whose bots' trades are compared.
    strategy: Option<&'a str>,
    after: Option<Cursor>,
    limit: usize,
}

#[derive(Serialize)]
struct Cursor {
    exit_time: DateTime<Utc>,
    id: Uuid,
}

impl TradeSet {
    pub(crate) async fn read(
        db: &Db,
        claims: &Claims,
        request: &AnalysisRequest,
        reserved: &Reserved,
    ) -> Result<Self, Error> {
        let mut trade_set = Self { books: HashMap::new(), hash: Sha256::new(), count: 0 };
        for account in &reserved.accounts {
            // A list that grows by doubling would hold a million trades thrice.
            let trades = Vec::with_capacity(usize::try_from(account.trades).unwrap_or_default());
            trade_set.books.insert(account.currency.clone(), CurrencyTrades { trades, compared: Vec::new() });
        }
        let strategy = reserved.backtest.as_ref().map(|backtest| backtest.strategy.as_str());
        let mut page = AnalysedTradesInput { request, strategy, after: None, limit: PAGE_SIZE };
        let mut pairs = PairNames::default();
        loop {
            let known = trade_set.count;
            let mut last = None;
            let take = |row: &Row| {
                last = Some(Cursor { id: row.try_get("id")?, exit_time: row.try_get("exit_time")? });
                trade_set.add(row, &mut pairs)
            };
            db.stream_rows(claims, "analysed_trades", &page, take).await?;
            if trade_set.count - known < PAGE_SIZE {
                return Ok(trade_set);
            }
            page.after = last;
        }
    }

    fn add(&mut self, row: &Row, pairs: &mut PairNames) -> Result<(), Error> {
        let trade = trade(row, pairs)?;
        let line = writeln!(
            Hashed(&mut self.hash),
            "{} {} {} {} {} {} {} {}",
            trade.pair,
            if trade.side == Side::Buy { "buy" } else { "sell" },
            trade.entry_time.timestamp_micros(),
            trade.exit_time.timestamp_micros(),
            trade.amount.normalize(),
            trade.price.normalize(),
            trade.fee.normalize(),
            trade.profit.normalize(),
        );
        line.map_err(|error| Error::Failed(error.to_string()))?;
        self.count += 1;
        let currency: &str = row.try_get("currency")?;
        // What came after the accounts were looked at may have none.
        let Some(book) = self.books.get_mut(currency) else { return Ok(()) };
        if row.try_get("is_compared")? {
            book.compared.push((book.trades.len(), row.try_get("exit_price")?));
        }
        book.trades.push(trade);
        Ok(())
    }

    pub(crate) fn book(&self, currency: &str) -> Option<&CurrencyTrades> {
        self.books.get(currency)
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn sha256(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }
}

/// A row of either function that returns trades.
pub(crate) fn trade(row: &Row, pairs: &mut PairNames) -> Result<Trade<'static>, Error> {
    let side: &str = row.try_get("side")?;
    Ok(Trade {
        entry_time: row.try_get("entry_time")?,
        exit_time: row.try_get("exit_time")?,
        side: if side == "sell" { Side::Sell } else { Side::Buy },
        pair: pairs.name(row.try_get("trading_pair")?),
        amount: row.try_get("amount")?,
        price: row.try_get("price")?,
        fee: row.try_get("fee")?,
        profit: row.try_get("profit")?,
        range: None,
    })
}

/// The names of pairs, each kept once for as long as the process lives: a million trades share a few of them.
#[derive(Default)]
pub(crate) struct PairNames {
    /// Most trades have the pair of the one before.
    latest: &'static str,
}

static PAIR_NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

impl PairNames {
    fn name(&mut self, pair: &str) -> &'static str {
        if self.latest != pair {
            let mut known = PAIR_NAMES.lock().unwrap_or_else(PoisonError::into_inner);
            self.latest = known.get(pair).copied().unwrap_or_else(|| {
                let name: &'static str = pair.to_owned().leak();
                known.insert(name);
                name
            });
        }
        self.latest
    }
}

/// Text goes into the hash as it is written.
struct Hashed<'a>(&'a mut Sha256);

impl Write for Hashed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text);
        Ok(())
    }
}
