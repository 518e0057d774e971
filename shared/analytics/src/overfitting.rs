//! Probability of backtest overfitting, by combinatorially symmetric cross-validation.

use serde::Serialize;

use crate::daily_metrics::sharpe;
use crate::sample::{Sample, quantile, sorted};
use crate::trade::{InvalidInput, Trials};

/// Daily returns of all configurations tried: a row per day, a column per configuration.
#[derive(Clone, Copy, Debug)]
pub struct TrialMatrix<'a> {
    /// Returns in row-major order.
    returns: &'a [f64],
    configurations: usize,
}

/// Result of combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado and Zhu 2015).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Overfitting {
    /// Number of blocks that the days are divided into.
    #[serde(rename = "S")]
    pub blocks: usize,
    /// Number of ways to choose half of the blocks.
    pub combinations: usize,
    /// Probability of backtest overfitting: share of the combinations whose best in-sample configuration has a relative
    /// rank of at most 1/2 out of sample.
    pub pbo: f64,
    /// Share of the combinations whose best in-sample configuration has a negative Sharpe ratio out of sample.
    pub prob_oos_loss: f64,
    /// Median of ln(w / (1 - w)), with the relative rank w = rank / (configurations + 1) of the best in-sample
    /// configuration out of sample. Positive if that configuration usually ranks in the upper half.
    pub median_logit: f64,
}

/// Sums over the returns of one configuration in one block.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: f64,
    sum: f64,
    squares: f64,
}

impl<'a> TrialMatrix<'a> {
    /// Checks the returns, which are in row-major order.
    ///
    /// # Errors
    ///
    /// There are fewer than two configurations or days, the last day is incomplete, or a return is not finite.
    pub fn new(returns: &'a [f64], configurations: usize) -> Result<Self, InvalidInput> {
        let is_complete = configurations >= 2 && returns.len().is_multiple_of(configurations);
        if !is_complete || returns.len() < 2 * configurations || !returns.iter().all(|value| value.is_finite()) {
            return Err(InvalidInput::Matrix);
        }
        Ok(Self { returns, configurations })
    }

    /// Returns the trials for the confidence, with the days divided into `blocks`.
    ///
    /// # Errors
    ///
    /// Same as [`overfitting`](Self::overfitting).
    pub fn trials(&self, blocks: usize) -> Result<Trials, InvalidInput> {
        Ok(Trials {
            runs: u32::try_from(self.configurations).unwrap_or(u32::MAX),
            sharpe_deviation: self.sharpe_deviation(),
            overfit_probability: Some(self.overfitting(blocks)?.pbo),
        })
    }

    /// Standard deviation of the configurations' daily Sharpe ratios. None unless at least two of them have one.
    fn sharpe_deviation(&self) -> Option<f64> {
        let returns_of = |column: usize| -> Vec<f64> {
            self.returns.chunks_exact(self.configurations).filter_map(|row| row.get(column).copied()).collect()
        };
        let ratios: Vec<f64> =
            (0..self.configurations).filter_map(|column| sharpe(&Sample::of(&returns_of(column)))).collect();
        Sample::of(&ratios).deviation()
    }

    /// Estimates the probability of backtest overfitting: divides the days into `blocks`, selects the best
    /// configuration (by Sharpe ratio) in every half of the blocks, and ranks it in the other half. Days that do not
    /// fill the blocks evenly are left out, the oldest first.
    ///
    /// # Errors
    ///
    /// `blocks` is odd, below 2, above 20, or leaves a block with fewer than two days.
    pub fn overfitting(&self, blocks: usize) -> Result<Overfitting, InvalidInput> {
        let rows = self.returns.len() / self.configurations;
        let length = rows.checked_div(blocks).unwrap_or(0);
        if !blocks.is_multiple_of(2) || blocks > 20 || length < 2 {
            return Err(InvalidInput::Blocks);
        }
        let sums = self.sums(rows % blocks, length);
        let (mut overfit, mut lost, mut logits) = (0_usize, 0_usize, Vec::new());
        let (mut in_sample, mut out_of_sample) = (vec![0.0; self.configurations], vec![0.0; self.configurations]);
        for half in (0_u32..1 << blocks).filter(|half| half.count_ones() as usize == blocks / 2) {
            self.ratios(&sums, |block| (half >> block) & 1 == 1, &mut in_sample);
            self.ratios(&sums, |block| (half >> block) & 1 == 0, &mut out_of_sample);
            let best = in_sample.iter().enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best });
            let Some(result) = best.and_then(|(column, _)| out_of_sample.get(column).copied()) else { continue };
            let below = out_of_sample.iter().filter(|ratio| **ratio < result).count() as f64;
            let equal = out_of_sample.iter().filter(|ratio| **ratio == result).count() as f64;
            let rank = below + (equal + 1.0) / 2.0;
            let relative = rank / (self.configurations as f64 + 1.0);
            overfit += usize::from(relative <= 0.5);
            lost += usize::from(result < 0.0);
            logits.push((relative / (1.0 - relative)).ln());
        }
        let combinations = logits.len();
        Ok(Overfitting {
            blocks,
            combinations,
            pbo: overfit as f64 / combinations as f64,
            prob_oos_loss: lost as f64 / combinations as f64,
            median_logit: quantile(&sorted(logits), 0.5).unwrap_or(0.0),
        })
    }

    /// Sums by block and configuration, in row-major order.
    fn sums(&self, left_out: usize, length: usize) -> Vec<Sums> {
        let rows = self.returns.chunks_exact(self.configurations).skip(left_out);
        let rows: Vec<&[f64]> = rows.collect();
        let sum = |block: &[&[f64]], column: usize| {
            block.iter().filter_map(|row| row.get(column)).fold(Sums::default(), |sums, value| Sums {
                count: sums.count + 1.0,
                sum: sums.sum + value,
                squares: sums.squares + value * value,
            })
        };
        let blocks = rows.chunks_exact(length);
        blocks.flat_map(|block| (0..self.configurations).map(move |column| sum(block, column))).collect()
    }

    /// Computes the Sharpe ratio of every configuration over the selected blocks. The ratio of constant returns is
    /// infinite, with their sign, or 0 if they are 0.
    fn ratios(&self, sums: &[Sums], is_selected: impl Fn(usize) -> bool, ratios: &mut [f64]) {
        for (column, ratio) in ratios.iter_mut().enumerate() {
            let mut total = Sums::default();
            for (_, block) in
                sums.chunks_exact(self.configurations).enumerate().filter(|(block, _)| is_selected(*block))
            {
                let Some(sums) = block.get(column) else { continue };
                total.count += sums.count;
                total.sum += sums.sum;
                total.squares += sums.squares;
            }
            let mean = total.sum / total.count;
            let variance = (total.squares - total.sum * mean) / (total.count - 1.0);
            *ratio = if variance > 0.0 {
                mean / variance.sqrt()
            } else if mean == 0.0 {
                0.0
            } else {
                f64::INFINITY.copysign(mean)
            };
        }
    }
}
