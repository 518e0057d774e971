//! Identity of a backtest run, to recognise repeated uploads.

use sha2::{Digest, Sha256};

use crate::Backtest;

impl Backtest {
    /// SHA-256 of the strategy, the time of the run, the period, and every trade with its profit.
    ///
    /// The hash covers values and not bytes, so the archive and the JSON of a run have the same identity, also after
    /// another program has rewritten the JSON. A second run has another identity even with the same trades: it started
    /// at another time.
    pub fn identity(&self) -> [u8; 32] {
        // Every part has a fixed number of lines and no text contains a line break, so the encoding is unambiguous.
        let mut hash = Sha256::new();
        let mut line = |part: &dyn ToString| {
            hash.update(part.to_string());
            hash.update("\n");
        };
        // Name and version of this encoding.
        line(&"a backtest by freqtrade, 1");
        line(&self.strategy);
        line(&self.timeframe);
        line(&self.stake_currency);
        line(&self.starting_balance);
        line(&self.final_balance);
        line(&self.start.timestamp_micros());
        line(&self.end.timestamp_micros());
        line(&self.run_start.map_or(-1, |start| start.timestamp()));
        line(&self.trades.len());
        for trade in &self.trades {
            line(&trade.pair);
            line(&trade.is_short);
            line(&trade.open_date.timestamp_micros());
            line(&trade.close_date.timestamp_micros());
            line(&trade.amount);
            line(&trade.open_rate);
            line(&trade.close_rate);
            line(&trade.profit_abs);
        }
        hash.finalize().into()
    }
}
