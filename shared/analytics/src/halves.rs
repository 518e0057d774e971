//! The first half of the days against the second: whether what worked has gone on working.

use serde::Serialize;

use crate::balance_metrics::YEAR;
use crate::daily_metrics::sharpe;
use crate::record::Record;
use crate::sample::{Sample, finite, two_sided_p};

/// The days with a return, cut in the middle; the day in the middle of an odd number belongs to the second half.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Halves {
    pub first: Half,
    pub second: Half,
    /// Welch's t of the difference of the means, second less first. None if neither half varies.
    pub t: Option<f64>,
    /// Of t, with Welch and Satterthwaite's degrees of freedom.
    pub p_value_two_sided: Option<f64>,
}

/// Of the daily returns r.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Half {
    pub days: usize,
    /// prod(1 + r) - 1, fraction.
    pub compounded: f64,
    /// mean(r).
    pub daily_mean: f64,
    /// mean(r) / sd(r) * sqrt(365). None if all days are the same.
    pub sharpe: Option<f64>,
}

impl Record<'_> {
    /// None below four days.
    pub fn halves(&self) -> Option<Halves> {
        let (first, second) = self.returns.split_at(self.returns.len() / 2);
        let (one, other) = (Sample::of(first), Sample::of(second));
        let share = |sample: &Sample| sample.variance().map(|variance| variance / sample.size());
        let (share_of_one, share_of_other) = share(&one).zip(share(&other))?;
        let variance = share_of_one + share_of_other;
        let varies = !(one.is_flat() && other.is_flat());
        let t = varies.then(|| (other.mean - one.mean) / variance.sqrt()).and_then(finite);
        let spent = share_of_one.powi(2) / (one.size() - 1.0) + share_of_other.powi(2) / (other.size() - 1.0);
        let p_value_two_sided = t.and_then(|t| two_sided_p(t, variance.powi(2) / spent));
        Some(Halves { first: half(first, &one), second: half(second, &other), t, p_value_two_sided })
    }
}

fn half(returns: &[f64], sample: &Sample) -> Half {
    Half {
        days: returns.len(),
        compounded: returns.iter().map(|r| 1.0 + r).product::<f64>() - 1.0,
        daily_mean: sample.mean,
        sharpe: sharpe(sample).map(|daily| daily * YEAR.sqrt()),
    }
}
