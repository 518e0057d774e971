//! Sample statistics: moments, quantiles, and the two distributions behind the p-values.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Central moments of a sample. Computed in two passes, to avoid cancellation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) count: usize,
    pub(crate) mean: f64,
    second: f64,
    third: f64,
    fourth: f64,
    /// `true` if all values are equal, apart from the rounding of money.
    flat: bool,
}

/// Relative difference up to which values count as equal. Rounding profits to eight decimal places changes equal
/// returns by less.
const FLATNESS_TOLERANCE: f64 = 1e-9;

impl Sample {
    pub(crate) fn of(values: &[f64]) -> Self {
        let count = values.len();
        let mean = values.iter().sum::<f64>() / (count.max(1)) as f64;
        let (mut second, mut third, mut fourth) = (0.0, 0.0, 0.0);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for &value in values {
            let deviation = value - mean;
            let square = deviation * deviation;
            second += square;
            third += square * deviation;
            fourth += square * square;
            low = low.min(value);
            high = high.max(value);
        }
        let flat = count > 0 && high - low <= FLATNESS_TOLERANCE * low.abs().max(high.abs());
        Self { count, mean, second, third, fourth, flat }
    }

    pub(crate) fn size(&self) -> f64 {
        self.count as f64
    }

    /// Sample variance, with n - 1 in the denominator. None below two values.
    pub(crate) fn variance(&self) -> Option<f64> {
        (self.count >= 2).then(|| self.second / (self.size() - 1.0))
    }

    /// Sample standard deviation. None below two values.
    pub(crate) fn deviation(&self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }

    /// Standard deviation for use as a divisor: `None` if all values are equal.
    pub(crate) fn spread(&self) -> Option<f64> {
        self.deviation().filter(|_| !self.flat)
    }

    pub(crate) fn is_flat(&self) -> bool {
        self.flat
    }

    /// Bias-adjusted skewness, G1. None below three values, or if all are equal.
    pub(crate) fn skew(&self) -> Option<f64> {
        if self.count < 3 || self.flat {
            return None;
        }
        let n = self.size();
        let biased = (self.third / n) / (self.second / n).powf(1.5);
        finite(biased * (n * (n - 1.0)).sqrt() / (n - 2.0))
    }

    /// Bias-adjusted excess kurtosis, G2. None below four values, or if all are equal.
    pub(crate) fn kurtosis_excess(&self) -> Option<f64> {
        if self.count < 4 || self.flat {
            return None;
        }
        let n = self.size();
        let biased = (self.fourth / n) / (self.second / n).powi(2) - 3.0;
        finite((n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * biased + 6.0))
    }

    /// Lag-1 autocorrelation. None below two values, or if all are equal.
    pub(crate) fn lag1_autocorrelation(&self, values: &[f64]) -> Option<f64> {
        if self.count < 2 || self.flat {
            return None;
        }
        let products = values.iter().zip(values.iter().skip(1));
        let covariance: f64 = products.map(|(one, next)| (one - self.mean) * (next - self.mean)).sum();
        finite(covariance / self.second)
    }
}

/// Returns a quantile by linear interpolation between order statistics (Hyndman and Fan's type 7). `None` without
/// values.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let position = share * sorted.len().checked_sub(1)? as f64;
    let below = *sorted.get(position.floor() as usize)?;
    let above = *sorted.get(position.ceil() as usize)?;
    Some(below + (above - below) * position.fract())
}

pub(crate) fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The value, or None if it is NaN or infinite.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// Cumulative distribution function of the standard normal distribution.
pub(crate) fn normal_cdf(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// Quantile of the standard normal distribution.
pub(crate) fn normal_quantile(probability: f64) -> f64 {
    Normal::standard().inverse_cdf(probability)
}

/// Two-sided p-value of t under Student's t distribution.
pub(crate) fn two_sided_p(t: f64, degrees: f64) -> Option<f64> {
    let distribution = StudentsT::new(0.0, 1.0, degrees).ok()?;
    finite(2.0 * distribution.sf(t.abs()))
}
