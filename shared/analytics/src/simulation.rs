//! Monte Carlo paths: the profits of the trades, drawn with replacement and added up.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::sample::{quantile, sorted};

/// Where the paths went, for metrics and plots.
#[derive(Debug)]
pub(crate) struct Simulation {
    pub(crate) paths: usize,
    /// Ascending.
    pub(crate) finals: Vec<f64>,
    /// Ascending.
    pub(crate) drawdowns: Vec<f64>,
    pub(crate) cone: Vec<Section>,
}

/// The paths after a number of trades.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) trades: usize,
    pub(crate) p05: f64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
}

/// Draws are the only thing here that takes long: paths times trades.
const PATHS: usize = 1_000;
const MAX_TRADES_FOR_ALL_PATHS: usize = 20_000;
const REDUCED_PATHS: usize = 200;

/// As many as a plot of the cone can show.
const CONE_SECTIONS: usize = 50;

pub(crate) fn simulate(profits: &[f64], initial: f64, seed: u64) -> Simulation {
    let paths = if profits.len() > MAX_TRADES_FOR_ALL_PATHS { REDUCED_PATHS } else { PATHS };
    let sections = CONE_SECTIONS.min(profits.len());
    let ends: Vec<usize> = (1..=sections).map(|section| profits.len() * section / sections).collect();
    let mut passed: Vec<Vec<f64>> = ends.iter().map(|_| Vec::with_capacity(paths)).collect();
    let (mut finals, mut drawdowns) = (Vec::with_capacity(paths), Vec::with_capacity(paths));
    for path in 0..paths as u64 {
        let mut path = Path::new(profits, initial, seed.wrapping_add(path));
        let mut drawn = 0;
        for (&end, balances) in ends.iter().zip(&mut passed) {
            path.draw(end - drawn);
            drawn = end;
            balances.push(path.balance);
        }
        finals.push(path.balance);
        drawdowns.push(path.deepest());
    }
    let cone = ends.into_iter().zip(passed).filter_map(|(trades, balances)| {
        let balances = sorted(balances);
        let at = |share| quantile(&balances, share);
        Some(Section { trades, p05: at(0.05)?, p50: at(0.50)?, p95: at(0.95)? })
    });
    Simulation { paths, finals: sorted(finals), drawdowns: sorted(drawdowns), cone: cone.collect() }
}

/// Drawn before they are added up, so that the processor waits for many places of a long list at once.
const DRAW_BATCH: usize = 64;

struct Path<'a> {
    profits: &'a [f64],
    random: SplitMix64,
    balance: f64,
    peak: f64,
    /// The lowest balance since the peak.
    trough: f64,
    deepest: f64,
}

impl<'a> Path<'a> {
    fn new(profits: &'a [f64], initial: f64, seed: u64) -> Self {
        let random = SplitMix64::seed_from_u64(seed);
        Self { profits, random, balance: initial, peak: initial, trough: initial, deepest: 0.0 }
    }

    fn draw(&mut self, trades: usize) {
        let mut left = trades;
        let mut drawn = [0.0; DRAW_BATCH];
        while left > 0 && self.balance > 0.0 {
            let now = left.min(DRAW_BATCH);
            left -= now;
            for profit in drawn.iter_mut().take(now) {
                let place = (u128::from(self.random.next_u64()) * self.profits.len() as u128) >> 64;
                *profit = self.profits.get(place as usize).copied().unwrap_or_default();
            }
            self.add(drawn.get(..now).unwrap_or_default());
        }
    }

    fn add(&mut self, drawn: &[f64]) {
        for profit in drawn {
            self.balance += profit;
            self.trough = self.trough.min(self.balance);
            if self.balance > self.peak {
                // A division for each peak, not for each trade.
                self.deepest = self.deepest();
                (self.peak, self.trough) = (self.balance, self.balance);
            } else if self.balance <= 0.0 {
                (self.balance, self.trough) = (0.0, 0.0);
                return;
            }
        }
    }

    fn deepest(&self) -> f64 {
        self.deepest.max((self.peak - self.trough) / self.peak)
    }
}
