//! Bots without an edge: the return of each trade is drawn from a distribution with mean 0.

use chrono::{DateTime, TimeDelta, Utc};
use nofomo_analytics::{Record, Settings, Side, Trade, Trials};
use rand_distr::{Distribution, Normal, StandardUniform, StudentT};
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::SeedableRng;
use rust_decimal::prelude::FromPrimitive;
use rust_decimal::{Decimal, dec};

/// Distribution of the return per trade, as a fraction of the notional.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Returns {
    Normal,
    /// 98 % small wins, and rare crashes.
    HiddenCrash,
    /// 90 % wins, and losses nine times as large.
    Grid,
    /// Alternating periods of low and high volatility.
    VolatilityClusters,
    /// Three degrees of freedom: the variance of the variance is infinite.
    StudentT3,
    /// Normal distribution with an edge: a mean of this many standard deviations.
    Edge(f64),
}

/// Bot with a number of trades, spread evenly over a number of days.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bot {
    pub(crate) returns: Returns,
    pub(crate) trades: usize,
    pub(crate) days: usize,
}

/// Standard deviation of the return per trade, unless the distribution has another one.
const DEVIATION: f64 = 0.03;

/// Largest loss of a trade, equal to the loss that the confidence assumes.
const MAX_LOSS: f64 = 0.25;

const NOTIONAL: Decimal = dec!(100);

impl Bot {
    /// Generates the trades of the bot from a seed.
    pub(crate) fn trades(self, seed: u64) -> Vec<Trade<'static>> {
        let mut random = SplitMix64::seed_from_u64(seed);
        let start: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let every = TimeDelta::days(self.days as i64) / self.trades as i32;
        let mut is_volatile = false;
        (0..self.trades as i32)
            .map(|trade| {
                let earned = self.returns.draw(&mut random, &mut is_volatile).clamp(-MAX_LOSS, MAX_LOSS);
                let entry_time = start + every * trade;
                Trade {
                    entry_time,
                    exit_time: entry_time + every / 2,
                    side: Side::Buy,
                    pair: "BTC/USDT",
                    amount: NOTIONAL / dec!(50000),
                    price: dec!(50000),
                    fee: dec!(0.1),
                    profit: (Decimal::from_f64(earned).unwrap() * NOTIONAL).round_dp(8),
                    range: None,
                }
            })
            .collect()
    }
}

impl Returns {
    fn draw(self, random: &mut SplitMix64, is_volatile: &mut bool) -> f64 {
        let share: f64 = StandardUniform.sample(random);
        let normal: f64 = Normal::new(0.0, DEVIATION).unwrap().sample(random);
        match self {
            Self::Normal => normal,
            Self::HiddenCrash => {
                if share < 0.98 {
                    0.005
                } else {
                    -0.245
                }
            }
            Self::Grid => {
                if share < 0.90 {
                    0.01
                } else {
                    -0.09
                }
            }
            Self::VolatilityClusters => {
                *is_volatile = if share < 0.05 { !*is_volatile } else { *is_volatile };
                if *is_volatile { 2.0 * normal } else { 0.5 * normal }
            }
            Self::StudentT3 => StudentT::new(3.0).unwrap().sample(random) * DEVIATION / 2.0,
            Self::Edge(deviations) => normal + deviations * DEVIATION,
        }
    }
}

/// Settings of all bots.
pub(crate) fn settings(runs: u32) -> Settings {
    Settings { trials: Trials { runs, ..Trials::default() }, ..Settings::new(dec!(1000)) }
}

pub(crate) fn score(trades: &[Trade<'_>], runs: u32) -> f64 {
    Record::new(trades, settings(runs)).unwrap().confidence().score
}

/// Probabilistic Sharpe ratio.
pub(crate) fn psr(trades: &[Trade<'_>]) -> f64 {
    let parts = Record::new(trades, settings(1)).unwrap().confidence().parts;
    parts.and_then(|parts| parts.psr_2012).unwrap_or(0.0)
}

/// Trades of the most profitable of several runs.
pub(crate) fn best_of(bot: Bot, runs: u64, seed: u64) -> Vec<Trade<'static>> {
    let earned = |trades: &Vec<Trade<'_>>| trades.iter().map(|trade| trade.profit).sum::<Decimal>();
    (0..runs).map(|run| bot.trades(seed * runs + run)).max_by_key(earned).unwrap()
}

/// Highest score if the score is computed after every ten trades.
pub(crate) fn best_ever(trades: &[Trade<'_>]) -> f64 {
    (10..=trades.len()).step_by(10).map(|count| score(&trades[..count], 1)).fold(0.0, f64::max)
}
