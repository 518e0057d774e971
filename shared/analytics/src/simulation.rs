//! Monte Carlo paths: profits of trades, drawn with replacement and added to the initial balance.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::sample::{quantile, sorted};

/// Simulated paths, summarised for metrics and plots.
#[derive(Debug)]
pub(crate) struct Simulation {
    pub(crate) paths: usize,
    /// Final balances, ascending.
    pub(crate) finals: Vec<f64>,
    /// Maximum drawdowns, ascending.
    pub(crate) drawdowns: Vec<f64>,
    pub(crate) cone: Vec<ConeSection>,
}

/// Quantiles of the simulated balances after a number of trades.
#[derive(Debug)]
pub(crate) struct ConeSection {
    pub(crate) trades: usize,
    pub(crate) p05: f64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
}

/// Number of paths. The run time is proportional to paths times trades.
const PATHS: usize = 1_000;
/// Maximum number of trades that are simulated with all paths.
const MAX_TRADES_FOR_ALL_PATHS: usize = 20_000;
/// Number of paths with more trades than that.
const REDUCED_PATHS: usize = 200;

/// Number of sections of the cone, as many as a plot can show.
const CONE_SECTIONS: usize = 50;

pub(crate) fn simulate(profits: &[f64], initial: f64, seed: u64) -> Simulation {
    let paths = if profits.len() > MAX_TRADES_FOR_ALL_PATHS { REDUCED_PATHS } else { PATHS };
    let sections = CONE_SECTIONS.min(profits.len());
    let ends: Vec<usize> = (1..=sections).map(|section| profits.len() * section / sections).collect();
    let mut balances_at_ends: Vec<Vec<f64>> = ends.iter().map(|_| Vec::with_capacity(paths)).collect();
    let (mut finals, mut drawdowns) = (Vec::with_capacity(paths), Vec::with_capacity(paths));
    for path in 0..paths as u64 {
        let mut path = Path::new(profits, initial, seed.wrapping_add(path));
        let mut drawn = 0;
        for (&end, balances) in ends.iter().zip(&mut balances_at_ends) {
            path.draw(end - drawn);
            drawn = end;
            balances.push(path.balance);
        }
        finals.push(path.balance);
        drawdowns.push(path.max_drawdown());
    }
    let cone = ends.into_iter().zip(balances_at_ends).filter_map(|(trades, balances)| {
        let balances = sorted(balances);
        let at = |probability| quantile(&balances, probability);
        Some(ConeSection { trades, p05: at(0.05)?, p50: at(0.50)?, p95: at(0.95)? })
    });
    Simulation { paths, finals: sorted(finals), drawdowns: sorted(drawdowns), cone: cone.collect() }
}

/// Number of profits that are drawn before they are added up, so that memory accesses to a long list overlap.
const DRAW_BATCH: usize = 64;

struct Path<'a> {
    profits: &'a [f64],
    random: SplitMix64,
    balance: f64,
    peak: f64,
    /// Lowest balance since the peak.
    trough: f64,
    max_drawdown: f64,
}

impl<'a> Path<'a> {
    fn new(profits: &'a [f64], initial: f64, seed: u64) -> Self {
        let random = SplitMix64::seed_from_u64(seed);
        Self { profits, random, balance: initial, peak: initial, trough: initial, max_drawdown: 0.0 }
    }

    fn draw(&mut self, trades: usize) {
        let mut remaining = trades;
        let mut drawn = [0.0; DRAW_BATCH];
        while remaining > 0 && self.balance > 0.0 {
            let batch = remaining.min(DRAW_BATCH);
            remaining -= batch;
            for profit in drawn.iter_mut().take(batch) {
                let index = (u128::from(self.random.next_u64()) * self.profits.len() as u128) >> 64;
                *profit = self.profits.get(index as usize).copied().unwrap_or_default();
            }
            self.add(drawn.get(..batch).unwrap_or_default());
        }
    }

    fn add(&mut self, drawn: &[f64]) {
        for profit in drawn {
            self.balance += profit;
            self.trough = self.trough.min(self.balance);
            if self.balance > self.peak {
                // One division per peak, not per trade.
                self.max_drawdown = self.max_drawdown();
                (self.peak, self.trough) = (self.balance, self.balance);
            } else if self.balance <= 0.0 {
                (self.balance, self.trough) = (0.0, 0.0);
                return;
            }
        }
    }

    fn max_drawdown(&self) -> f64 {
        self.max_drawdown.max((self.peak - self.trough) / self.peak)
    }
}
