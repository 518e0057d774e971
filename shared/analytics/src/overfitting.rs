//! The probability of backtest overfitting: how the best of many configurations does where it was not chosen.

use serde::Serialize;

use crate::daily_metrics::sharpe;
use crate::sample::{Sample, quantile, sorted};
use crate::trade::{InvalidInput, Trials};

/// The returns of all configurations that were tried: a row for each day, a column for each configuration.
#[derive(Clone, Copy, Debug)]
pub struct TrialMatrix<'a> {
    /// Row after row.
    returns: &'a [f64],
    configurations: usize,
}

/// What combinatorially symmetric cross-validation found (Bailey, Borwein, López de Prado and Zhu 2015).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Overfitting {
    /// Blocks of days that the rows were cut into.
    #[serde(rename = "S")]
    pub blocks: usize,
    /// Ways to choose half of the blocks.
    pub combinations: usize,
    /// Share of them in which the configuration that is best in the chosen half has a relative rank of at most 1/2 in the other.
    pub pbo: f64,
    /// Share of them in which it loses in the other half.
    pub prob_oos_loss: f64,
    /// Median of ln(w / (1 - w)), w = rank / (configurations + 1) of it in the other half; above 0 is better than the middle.
    pub median_logit: f64,
}

/// Sums over one block of one configuration's returns.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: f64,
    sum: f64,
    squares: f64,
}

impl<'a> TrialMatrix<'a> {
    /// # Errors
    ///
    /// Fewer than two configurations or rows, a row that is not whole, a return that is not a number.
    pub fn new(returns: &'a [f64], configurations: usize) -> Result<Self, InvalidInput> {
        let whole = configurations >= 2 && returns.len().is_multiple_of(configurations);
        if !whole || returns.len() < 2 * configurations || !returns.iter().all(|value| value.is_finite()) {
            return Err(InvalidInput::Matrix);
        }
        Ok(Self { returns, configurations })
    }

    /// What the confidence needs to know of these trials, with the days cut into `blocks`.
    ///
    /// # Errors
    ///
    /// As [`overfitting`](Self::overfitting).
    pub fn trials(&self, blocks: usize) -> Result<Trials, InvalidInput> {
        Ok(Trials {
            runs: u32::try_from(self.configurations).unwrap_or(u32::MAX),
            sharpe_deviation: self.sharpe_deviation(),
            overfit_probability: Some(self.overfitting(blocks)?.pbo),
        })
    }

    /// Standard deviation of the configurations' daily Sharpe ratios. None unless at least two of them have one.
    fn sharpe_deviation(&self) -> Option<f64> {
        let column = |place: usize| -> Vec<f64> {
            self.returns.chunks_exact(self.configurations).filter_map(|row| row.get(place).copied()).collect()
        };
        let ratios: Vec<f64> =
            (0..self.configurations).filter_map(|place| sharpe(&Sample::of(&column(place)))).collect();
        Sample::of(&ratios).deviation()
    }

    /// Cuts the days into `blocks`, takes every half of the blocks as the sample in which the best configuration (by Sharpe ratio) is
    /// chosen, and looks at it in the other half. Days that do not fill the blocks evenly are left out, the oldest first.
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
        let (mut behind, mut lost, mut logits) = (0_usize, 0_usize, Vec::new());
        let (mut chosen, mut others) = (vec![0.0; self.configurations], vec![0.0; self.configurations]);
        for half in (0_u32..1 << blocks).filter(|half| half.count_ones() as usize == blocks / 2) {
            self.ratios(&sums, |block| (half >> block) & 1 == 1, &mut chosen);
            self.ratios(&sums, |block| (half >> block) & 1 == 0, &mut others);
            let best = chosen.iter().enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best });
            let Some(outside) = best.and_then(|(place, _)| others.get(place).copied()) else { continue };
            let below = others.iter().filter(|ratio| **ratio < outside).count() as f64;
            let equal = others.iter().filter(|ratio| **ratio == outside).count() as f64;
            let rank = below + (equal + 1.0) / 2.0;
            let relative = rank / (self.configurations as f64 + 1.0);
            behind += usize::from(relative <= 0.5);
            lost += usize::from(outside < 0.0);
            logits.push((relative / (1.0 - relative)).ln());
        }
        let combinations = logits.len();
        Ok(Overfitting {
            blocks,
            combinations,
            pbo: behind as f64 / combinations as f64,
            prob_oos_loss: lost as f64 / combinations as f64,
            median_logit: quantile(&sorted(logits), 0.5).unwrap_or(0.0),
        })
    }

    /// Block after block, one for each configuration.
    fn sums(&self, left_out: usize, length: usize) -> Vec<Sums> {
        let rows = self.returns.chunks_exact(self.configurations).skip(left_out);
        let rows: Vec<&[f64]> = rows.collect();
        let sum = |block: &[&[f64]], place: usize| {
            block.iter().filter_map(|row| row.get(place)).fold(Sums::default(), |sums, value| Sums {
                count: sums.count + 1.0,
                sum: sums.sum + value,
                squares: sums.squares + value * value,
            })
        };
        let blocks = rows.chunks_exact(length);
        blocks.flat_map(|block| (0..self.configurations).map(move |place| sum(block, place))).collect()
    }

    /// The Sharpe ratio of every configuration over some of the blocks. Without any spread a gain is better than everything, and a
    /// loss worse; no trade at all is 0.
    fn ratios(&self, sums: &[Sums], within: impl Fn(usize) -> bool, ratios: &mut [f64]) {
        for (place, ratio) in ratios.iter_mut().enumerate() {
            let mut total = Sums::default();
            for (_, block) in sums.chunks_exact(self.configurations).enumerate().filter(|(block, _)| within(*block)) {
                let Some(sums) = block.get(place) else { continue };
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
