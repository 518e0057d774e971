//! Closed trades of an analysis, read from the database and grouped by currency.

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

use crate::request::AnalysisRequest;
use crate::reservation::Reservation;

/// Maximum number of trades per statement. The database can send this many within its statement timeout.
const PAGE_SIZE: usize = 50_000;

/// Trades of an analysis in order of their exits, and their SHA-256.
///
/// The hash covers one line per trade: pair, side, entry and exit in microseconds since 1970, amount, price, fee and
/// profit without trailing zeros, separated by spaces. Equal trades have equal hashes.
pub(crate) struct TradeSet {
    by_currency: HashMap<String, CurrencyTrades>,
    hash: Sha256,
    count: usize,
}

/// Trades in one currency.
#[derive(Default)]
pub(crate) struct CurrencyTrades {
    pub(crate) trades: Vec<Trade<'static>>,
    /// Index in `trades` and exit price of each trade that is compared with a backtest.
    pub(crate) compared: Vec<(usize, Decimal)>,
}

/// Input of `private.analysed_trades`: the next page.
#[derive(Serialize)]
struct AnalysedTradesInput<'a> {
    #[serde(flatten)]
    request: &'a AnalysisRequest,
    /// Name of the strategy whose trades are compared with its backtest.
    strategy: Option<&'a str>,
    after: Option<Cursor>,
    limit: usize,
}

/// Last trade of the previous page.
#[derive(Serialize)]
struct Cursor {
    exit_time: DateTime<Utc>,
    id: Uuid,
}

impl TradeSet {
    /// Reads all trades of the requested period, page by page.
    pub(crate) async fn read(
        db: &Db,
        claims: &Claims,
        request: &AnalysisRequest,
        reservation: &Reservation,
    ) -> Result<Self, Error> {
        let mut trade_set = Self { by_currency: HashMap::new(), hash: Sha256::new(), count: 0 };
        for account in &reservation.accounts {
            // Reserves the memory at once: a list of a million trades that doubles its capacity briefly needs memory
            // for three million.
            let trades = Vec::with_capacity(usize::try_from(account.trades).unwrap_or_default());
            trade_set.by_currency.insert(account.currency.clone(), CurrencyTrades { trades, compared: Vec::new() });
        }
        let strategy = reservation.backtest.as_ref().map(|backtest| backtest.compared.strategy.as_str());
        let mut page = AnalysedTradesInput { request, strategy, after: None, limit: PAGE_SIZE };
        let mut pair_names = PairNames::default();
        loop {
            let count_before = trade_set.count;
            let mut last = None;
            let read_row = |row: &Row| {
                last = Some(Cursor { id: row.try_get("id")?, exit_time: row.try_get("exit_time")? });
                trade_set.add(row, &mut pair_names)
            };
            db.stream_rows(claims, "analysed_trades", &page, read_row).await?;
            if trade_set.count - count_before < PAGE_SIZE {
                return Ok(trade_set);
            }
            page.after = last;
        }
    }

    fn add(&mut self, row: &Row, pair_names: &mut PairNames) -> Result<(), Error> {
        let trade = trade(row, pair_names)?;
        let line = writeln!(
            HashWriter(&mut self.hash),
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
        // A currency that appeared after the reservation has no account.
        let Some(currency_trades) = self.by_currency.get_mut(currency) else { return Ok(()) };
        if row.try_get("is_compared")? {
            currency_trades.compared.push((currency_trades.trades.len(), row.try_get("exit_price")?));
        }
        currency_trades.trades.push(trade);
        Ok(())
    }

    pub(crate) fn in_currency(&self, currency: &str) -> Option<&CurrencyTrades> {
        self.by_currency.get(currency)
    }

    /// Number of trades in all currencies.
    pub(crate) fn count(&self) -> u64 {
        self.count as u64
    }

    /// SHA-256 of all trades, in hexadecimal.
    pub(crate) fn sha256(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }
}

/// Reads a trade from a row of `private.analysed_trades` or `private.compared_backtest_trades`.
pub(crate) fn trade(row: &Row, pair_names: &mut PairNames) -> Result<Trade<'static>, Error> {
    let side: &str = row.try_get("side")?;
    Ok(Trade {
        entry_time: row.try_get("entry_time")?,
        exit_time: row.try_get("exit_time")?,
        side: if side == "sell" { Side::Sell } else { Side::Buy },
        pair: pair_names.intern(row.try_get("trading_pair")?),
        amount: row.try_get("amount")?,
        price: row.try_get("price")?,
        fee: row.try_get("fee")?,
        profit: row.try_get("profit")?,
        range: None,
    })
}

/// Interned names of pairs. Each name is allocated once per process; a million trades share a few names.
#[derive(Default)]
pub(crate) struct PairNames {
    /// Pair of the previous trade, usually that of the next one.
    latest: &'static str,
}

static PAIR_NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

impl PairNames {
    fn intern(&mut self, pair: &str) -> &'static str {
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

/// Writer that adds the text to a hash.
struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text);
        Ok(())
    }
}
