//! Monte Carlo simulation of the balance, and the risk of ruin.

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;
use serde::Serialize;

use crate::record::{Record, float};
use crate::sample::{Sample, quantile};
use crate::simulation::Simulation;

/// Monte Carlo simulation of the balance. A path adds N trade profits, drawn with replacement, to the initial balance.
/// A path that reaches 0 or less ends at 0.
///
/// Path i draws from SplitMix64(seed + i), and the index of a draw is the high 64 bits of next * N. The results are
/// therefore the same in every language and in every order of execution. Quantiles are interpolated linearly (Hyndman
/// and Fan's type 7); a balance is null only if no decimal number can represent it.
#[cfg_attr(
    feature = "openapi",
    serde_with::apply(
        Option<Decimal> => #[schema(value_type = Option<nofomo_contract::values::Decimal>)],
        usize => #[schema(value_type = u64)],
    )
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MonteCarlo {
    /// Number of paths: 1,000, or 200 with more than 20,000 trades.
    pub sims: usize,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Description of the method.
    pub method: &'static str,
    /// 5 % quantile of the final balances, in the account's currency.
    pub final_p05: Option<Decimal>,
    /// Median of the final balances, in the account's currency.
    pub final_p50: Option<Decimal>,
    /// 95 % quantile of the final balances, in the account's currency.
    pub final_p95: Option<Decimal>,
    /// Median of the paths' maximum drawdowns, as a fraction; the initial balance counts as a peak.
    pub max_drawdown_p50: f64,
    /// 95 % quantile of the paths' maximum drawdowns, as a fraction: 5 % of the paths exceed it.
    pub max_drawdown_p95: f64,
    /// 99 % quantile of the paths' maximum drawdowns, as a fraction: 1 % of the paths exceed it.
    pub max_drawdown_p99: f64,
    /// Share of the paths that end below the initial balance, as a fraction.
    pub prob_loss: f64,
    /// Share of the paths that end at half of the initial balance or less, as a fraction.
    pub prob_ruin: f64,
}

const METHOD: &str = "iid trades with replacement; path i draws from SplitMix64(seed + i), index = (next * n) >> 64; \
                      a path ends at 0";

/// Fraction of the initial balance at or below which a simulated account counts as ruined.
pub(crate) const RUIN_LEVEL: f64 = 0.5;

impl Record<'_> {
    /// Summarises the Monte Carlo simulation. `None` below two trades.
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

    /// Computes [`Metrics::risk_of_ruin`](crate::Metrics::risk_of_ruin). The distance B is positive whenever m is.
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
