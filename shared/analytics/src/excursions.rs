//! How far the price went against and for each trade while it was open, and what a stop-loss would have done.

use rust_decimal::{Decimal, dec};
use serde::Serialize;

use crate::downsample::downsample;
use crate::record::{Record, float};
use crate::sample::{quantile, sorted};
use crate::trade::{PriceRange, Side, Trade};

/// Known only if somebody has watched the prices of every trade. From closed trades alone it cannot be computed, and is not guessed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Excursions {
    /// By exit, thinned to what a plot can show.
    pub trades: Vec<Excursion>,
    /// Median over the winning trades of the part of the best price that was kept. None without one that had a better price.
    pub kept_of_best: Option<f64>,
    /// By distance.
    pub stop_losses: Vec<StopLoss>,
}

/// One trade. Fractions of the entry price, before fees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Excursion {
    /// Maximum adverse excursion: how far the price went against the trade, 0 or more. Long: (price - low) / price; short mirrored.
    pub mae: f64,
    /// Maximum favourable excursion: how far it went for the trade, 0 or more. Long: (high - price) / price; short mirrored.
    pub mfe: f64,
    /// profit / notional, net.
    pub profit: f64,
}

/// What would have been with a stop-loss: trades whose price went as far against them end there, and pay their fees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StopLoss {
    /// Fraction of the entry price.
    pub distance: f64,
    /// Trades that it would have closed.
    pub stopped: usize,
    /// Of them, those that were closed with a profit.
    pub winners_stopped: usize,
    /// Of all trades, in the account's currency.
    pub net_profit: Decimal,
}

const STOP_LOSS_DISTANCES: [Decimal; 7] =
    [dec!(0.005), dec!(0.01), dec!(0.02), dec!(0.03), dec!(0.05), dec!(0.10), dec!(0.20)];

impl Record<'_> {
    /// None unless every trade has its price range.
    pub fn excursions(&self) -> Option<Excursions> {
        let watched = || self.closed().filter_map(|trade| Some((trade, against_and_for(trade, trade.range?))));
        if self.trades.is_empty() || watched().count() < self.trades.len() {
            return None;
        }
        let seen = || watched().map(|(trade, (against, along))| excursion(trade, against, along));
        let kept = seen().filter(|seen| seen.profit > 0.0 && seen.mfe > 0.0).map(|seen| seen.profit / seen.mfe);
        let stop_loss = |distance: Decimal| {
            let mut what_if =
                StopLoss { distance: float(distance), stopped: 0, winners_stopped: 0, net_profit: Decimal::ZERO };
            for (trade, (against, _)) in watched() {
                if against >= distance * trade.price {
                    what_if.stopped += 1;
                    what_if.winners_stopped += usize::from(trade.profit > Decimal::ZERO);
                    what_if.net_profit -= distance * trade.notional() + trade.fee;
                } else {
                    what_if.net_profit += trade.profit;
                }
            }
            what_if
        };
        Some(Excursions {
            trades: downsample(seen(), self.trades.len(), |seen| Some(seen.profit)),
            kept_of_best: quantile(&sorted(kept.collect()), 0.5),
            stop_losses: STOP_LOSS_DISTANCES.map(stop_loss).to_vec(),
        })
    }
}

/// In the price's own unit.
fn against_and_for(trade: &Trade<'_>, range: PriceRange) -> (Decimal, Decimal) {
    let below = (trade.price - range.low).max(Decimal::ZERO);
    let above = (range.high - trade.price).max(Decimal::ZERO);
    match trade.side {
        Side::Buy => (below, above),
        Side::Sell => (above, below),
    }
}

fn excursion(trade: &Trade<'_>, against: Decimal, along: Decimal) -> Excursion {
    let of_price = |difference: Decimal| float(difference) / float(trade.price);
    Excursion { mae: of_price(against), mfe: of_price(along), profit: float(trade.profit) / float(trade.notional()) }
}
