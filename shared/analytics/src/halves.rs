//! Comparison of the first half of the days with the second, to test whether the performance has changed.

use serde::{Deserialize, Serialize};

use crate::balance_metrics::DAYS_PER_YEAR;
use crate::daily_metrics::sharpe;
use crate::record::Record;
use crate::sample::{Sample, finite, two_sided_p};

/// Comparison of the first and the second half of the days with a return. The middle day of an odd number belongs to
/// the second half.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Halves {
    pub first: Half,
    pub second: Half,
    /// Welch's t statistic of the difference of the mean daily returns, second half minus first half (Welch 1947). Null
    /// if the returns of neither half vary.
    pub t: Option<f64>,
    /// Two-sided p-value of t, from 0 to 1, with the degrees of freedom of Welch and Satterthwaite. Null if `t` is
    /// null.
    pub p_value_two_sided: Option<f64>,
}

/// Metrics of the daily returns r in one half.
#[cfg_attr(feature = "openapi", serde_with::apply(usize => #[schema(value_type = u64)]))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Half {
    /// Number of days.
    pub days: usize,
    /// Compounded return: prod(1 + r) - 1, as a fraction.
    pub compounded: f64,
    /// Mean daily return: mean(r), as a fraction per day.
    pub daily_mean: f64,
    /// Annualised Sharpe ratio: mean(r) / sd(r) * sqrt(365). Null if all returns are equal.
    pub sharpe: Option<f64>,
}

impl Record<'_> {
    /// Compares the first half of the days with the second. `None` below four days.
    pub fn halves(&self) -> Option<Halves> {
        let (first, second) = self.returns.split_at(self.returns.len() / 2);
        let (one, other) = (Sample::of(first), Sample::of(second));
        let squared_error = |sample: &Sample| sample.variance().map(|variance| variance / sample.size());
        let (one_error, other_error) = squared_error(&one).zip(squared_error(&other))?;
        let variance = one_error + other_error;
        let varies = !(one.is_flat() && other.is_flat());
        let t = varies.then(|| (other.mean - one.mean) / variance.sqrt()).and_then(finite);
        let weight = one_error.powi(2) / (one.size() - 1.0) + other_error.powi(2) / (other.size() - 1.0);
        let p_value_two_sided = t.and_then(|t| two_sided_p(t, variance.powi(2) / weight));
        Some(Halves { first: half(first, &one), second: half(second, &other), t, p_value_two_sided })
    }
}

fn half(returns: &[f64], sample: &Sample) -> Half {
    Half {
        days: returns.len(),
        compounded: returns.iter().map(|r| 1.0 + r).product::<f64>() - 1.0,
        daily_mean: sample.mean,
        sharpe: sharpe(sample).map(|daily| daily * DAYS_PER_YEAR.sqrt()),
    }
}
