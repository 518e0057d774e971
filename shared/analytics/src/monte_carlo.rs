//! What else could have come of the same trades: paths of profits drawn with replacement.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;
use serde::Serialize;

use crate::record::{Record, float};
use crate::sample::{Sample, quantile, sorted};

/// Paths of N trade profits each, drawn with replacement and added to the initial balance. A path at 0 or less ends at 0.
///
/// Path i draws from SplitMix64(seed + i), and the place of a draw is the high 64 bits of next * N, so that the figures are the same in
/// any language and in any order of execution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MonteCarlo {
    /// Paths: 1,000, and 200 of more than 20,000 trades.
    pub sims: usize,
    pub seed: u64,
    /// In words.
    pub method: &'static str,
    /// 5 % quantile of the final balances, in the account's currency.
    pub final_p05: Option<Decimal>,
    /// Their median.
    pub final_p50: Option<Decimal>,
    /// Their 95 % quantile.
    pub final_p95: Option<Decimal>,
    /// Median of the paths' deepest falls below a peak, the initial balance included; fraction.
    pub max_drawdown_p50: f64,
    /// Their 95 % quantile: one path in twenty falls further.
    pub max_drawdown_p95: f64,
    /// Their 99 % quantile.
    pub max_drawdown_p99: f64,
    /// Share of the paths that end below the initial balance.
    pub prob_loss: f64,
    /// Share of the paths that end at half of the initial balance or less.
    pub prob_ruin: f64,
}

/// Where the paths went, for metrics and plots.
#[derive(Debug)]
pub(crate) struct Simulation {
    paths: usize,
    /// Ascending.
    finals: Vec<f64>,
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

const METHOD: &str = "iid trades with replacement; path i draws from SplitMix64(seed + i), index = (next * n) >> 64; \
                      a path ends at 0";

/// Draws are the only thing here that takes long: paths times trades.
const PATHS: usize = 1_000;
const MANY_TRADES: usize = 20_000;
const PATHS_OF_MANY_TRADES: usize = 200;

/// The fraction of the initial balance at which an account counts as ruined.
pub(crate) const RUIN_LEVEL: f64 = 0.5;

/// As many as a plot of the cone can show.
const SECTIONS: usize = 50;

impl Record<'_> {
    /// Drawn once, when it is first asked for. None below two trades.
    ///
    /// In one thread: a function gets a second core only with more memory than it needs for anything else.
    pub(crate) fn simulation(&self) -> Option<&Simulation> {
        let draw =
            || (self.profits.len() >= 2).then(|| simulate(&self.profits, self.initial_balance(), self.settings.seed));
        self.simulation.get_or_init(draw).as_ref()
    }

    /// None below two trades.
    pub fn monte_carlo(&self) -> Option<MonteCarlo> {
        let Simulation { paths, finals, drawdowns, .. } = self.simulation()?;
        let money = |share| quantile(finals, share).and_then(Decimal::from_f64);
        let share = |below: usize| below as f64 / *paths as f64;
        let initial = self.initial_balance();
        Some(MonteCarlo {
            sims: *paths,
            seed: self.settings.seed,
            method: METHOD,
            final_p05: money(0.05),
            final_p50: money(0.50),
            final_p95: money(0.95),
            max_drawdown_p50: quantile(drawdowns, 0.50)?,
            max_drawdown_p95: quantile(drawdowns, 0.95)?,
            max_drawdown_p99: quantile(drawdowns, 0.99)?,
            prob_loss: share(finals.partition_point(|end| *end < initial)),
            prob_ruin: share(finals.partition_point(|end| *end <= RUIN_LEVEL * initial)),
        })
    }

    /// Diffusion in closed form: exp(-2 m B / s^2) with mean m and variance s^2 of the trades' profits and the cushion B = E_end - E_0 / 2,
    /// which is above 0 whenever m is; 1 unless m is. None below two trades.
    pub(crate) fn risk_of_ruin(&self) -> Option<f64> {
        let sample = Sample::of(&self.profits);
        let variance = sample.variance()?;
        let cushion = float(self.final_balance) - RUIN_LEVEL * self.initial_balance();
        if sample.mean <= 0.0 {
            return Some(1.0);
        }
        Some((-2.0 * sample.mean * cushion / variance).exp())
    }
}

fn simulate(profits: &[f64], initial: f64, seed: u64) -> Simulation {
    let paths = if profits.len() > MANY_TRADES { PATHS_OF_MANY_TRADES } else { PATHS };
    let sections = SECTIONS.min(profits.len());
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
const AT_ONCE: usize = 64;

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
        let mut drawn = [0.0; AT_ONCE];
        while left > 0 && self.balance > 0.0 {
            let now = left.min(AT_ONCE);
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
