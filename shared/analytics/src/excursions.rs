//! Price excursions of open trades, and the effect of a stop-loss.

use rust_decimal::{Decimal, dec};
use serde::Serialize;

use crate::downsample::downsample;
use crate::record::{Record, float};
use crate::sample::{quantile, sorted};
use crate::trade::{PriceRange, Side, Trade};

/// Price excursions of all trades. They need the price range of every trade, which is not part of a closed trade and is
/// never estimated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Excursions {
    /// Trades by exit, downsampled for a plot.
    pub trades: Vec<Excursion>,
    /// Exit efficiency: median of profit / `mfe` over the winning trades. `None` without a winning trade that has a
    /// favourable excursion.
    pub exit_efficiency: Option<f64>,
    /// Effects of stop-losses at several distances, the closest first.
    pub stop_losses: Vec<StopLoss>,
}

/// Price excursions of one trade, as fractions of the entry price, before fees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Excursion {
    /// Maximum adverse excursion, at least 0. Long: (price - low) / price; short: (high - price) / price.
    pub mae: f64,
    /// Maximum favourable excursion, at least 0. Long: (high - price) / price; short: (price - low) / price.
    pub mfe: f64,
    /// Return of the trade: profit / notional, after fees.
    pub profit: f64,
}

/// Effect of a stop-loss: a trade whose adverse excursion reaches the distance is closed there and still pays its fees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StopLoss {
    /// Distance from the entry price, as a fraction of it.
    pub distance: f64,
    /// Number of trades that the stop-loss would have closed.
    pub stopped: usize,
    /// Number of stopped trades that in fact closed with a profit.
    pub winners_stopped: usize,
    /// Net profit of all trades, in the account's currency.
    pub net_profit: Decimal,
}

const STOP_LOSS_DISTANCES: [Decimal; 7] =
    [dec!(0.005), dec!(0.01), dec!(0.02), dec!(0.03), dec!(0.05), dec!(0.10), dec!(0.20)];

impl Record<'_> {
    /// Computes the excursions. `None` unless there are trades and each has its price range.
    pub fn excursions(&self) -> Option<Excursions> {
        let with_range =
            || self.closed().filter_map(|trade| Some((trade, adverse_and_favourable(trade, trade.range?))));
        if self.trades.is_empty() || with_range().count() < self.trades.len() {
            return None;
        }
        let excursions = || with_range().map(|(trade, (adverse, favourable))| excursion(trade, adverse, favourable));
        let realised =
            excursions().filter(|trade| trade.profit > 0.0 && trade.mfe > 0.0).map(|trade| trade.profit / trade.mfe);
        let stop_loss = |distance: Decimal| {
            let mut effect =
                StopLoss { distance: float(distance), stopped: 0, winners_stopped: 0, net_profit: Decimal::ZERO };
            for (trade, (adverse, _)) in with_range() {
                if adverse >= distance * trade.price {
                    effect.stopped += 1;
                    effect.winners_stopped += usize::from(trade.profit > Decimal::ZERO);
                    effect.net_profit -= distance * trade.notional() + trade.fee;
                } else {
                    effect.net_profit += trade.profit;
                }
            }
            effect
        };
        Some(Excursions {
            trades: downsample(excursions(), self.trades.len(), |trade| Some(trade.profit)),
            exit_efficiency: quantile(&sorted(realised.collect()), 0.5),
            stop_losses: STOP_LOSS_DISTANCES.map(stop_loss).to_vec(),
        })
    }
}

/// Adverse and favourable excursion, in units of the price.
fn adverse_and_favourable(trade: &Trade<'_>, range: PriceRange) -> (Decimal, Decimal) {
    let below = (trade.price - range.low).max(Decimal::ZERO);
    let above = (range.high - trade.price).max(Decimal::ZERO);
    match trade.side {
        Side::Buy => (below, above),
        Side::Sell => (above, below),
    }
}

fn excursion(trade: &Trade<'_>, adverse: Decimal, favourable: Decimal) -> Excursion {
    let fraction_of_price = |difference: Decimal| float(difference) / float(trade.price);
    Excursion {
        mae: fraction_of_price(adverse),
        mfe: fraction_of_price(favourable),
        profit: float(trade.profit) / float(trade.notional()),
    }
}
