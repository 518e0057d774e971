//! Significance of a Sharpe ratio: probabilistic and deflated Sharpe ratio, minimum track record length.

use crate::sample::{finite, normal_cdf, normal_quantile};

/// Sharpe ratio estimated from returns. All values are per period (a day, a month), not annualised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SharpeEstimate {
    /// Sharpe ratio: mean / standard deviation of the returns.
    pub sharpe: f64,
    /// Number of returns.
    pub observations: f64,
    /// Skewness of the returns; 0 for a normal distribution.
    pub skew: f64,
    /// Raw kurtosis of the returns; 3 for a normal distribution.
    pub kurtosis: f64,
    /// Lag-1 autocorrelation of the returns. Only the formulas of 2026 use it.
    pub autocorrelation: f64,
}

impl SharpeEstimate {
    /// Returns the estimate for independent, normally distributed returns.
    pub fn normal(sharpe: f64, observations: f64) -> Self {
        Self { sharpe, observations, skew: 0.0, kurtosis: 3.0, autocorrelation: 0.0 }
    }

    /// Returns the variance of sqrt(n - 1) times the estimate: 1 - g3 SR + (g4 - 1) / 4 SR^2, with the skewness g3 and
    /// the raw kurtosis g4 (Bailey and López de Prado 2012).
    pub fn variance_2012(&self) -> f64 {
        1.0 - self.skew * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe.powi(2)
    }

    /// Returns the variance of sqrt(n) times the estimate for a true ratio SR0: a - b g3 SR0 + c (g4 - 1) / 4 SR0^2,
    /// with a = (1 + rho) / (1 - rho), b = 1 + rho / (1 - rho) + rho^2 / (1 - rho^2) and c = 1 + 2 rho^2 / (1 - rho^2)
    /// (López de Prado, Lipton and Zoonekynd 2026).
    pub fn variance_2026(&self, true_sharpe: f64) -> f64 {
        let rho = self.autocorrelation;
        let square = rho * rho;
        let first = (1.0 + rho) / (1.0 - rho);
        let second = 1.0 + rho / (1.0 - rho) + square / (1.0 - square);
        let third = 1.0 + 2.0 * square / (1.0 - square);
        first - second * self.skew * true_sharpe + third * (self.kurtosis - 1.0) / 4.0 * true_sharpe.powi(2)
    }

    /// Returns the standard deviation of the estimate for a true ratio. `None` if the variance is not positive.
    pub fn deviation_2026(&self, true_sharpe: f64) -> Option<f64> {
        finite((self.variance_2026(true_sharpe) / self.observations).sqrt())
    }

    /// Returns the probabilistic Sharpe ratio: probability that the true ratio is above the benchmark (Bailey and López
    /// de Prado 2012). If the benchmark is the standard deviation of the tried ratios times [`expected_maximum`], it is
    /// the deflated Sharpe ratio (2014). `None` if the variance is not positive.
    pub fn psr_2012(&self, benchmark: f64) -> Option<f64> {
        let z = (self.sharpe - benchmark) * (self.observations - 1.0).sqrt() / self.variance_2012().sqrt();
        finite(z).map(normal_cdf)
    }

    /// Returns the probabilistic Sharpe ratio with the variance at the benchmark (López de Prado, Lipton and Zoonekynd
    /// 2026). `None` if the variance is not positive.
    pub fn psr_2026(&self, benchmark: f64) -> Option<f64> {
        finite((self.sharpe - benchmark) / self.deviation_2026(benchmark)?).map(normal_cdf)
    }

    /// Returns the minimum track record length: number of returns at which `psr_2012` reaches `level`, a probability.
    /// `None` unless the estimate is above the benchmark.
    pub fn min_track_record_2012(&self, benchmark: f64, level: f64) -> Option<f64> {
        self.track_record(self.variance_2012(), benchmark, level).map(|length| 1.0 + length)
    }

    /// Returns the minimum track record length: number of returns at which `psr_2026` reaches `level`, a probability.
    /// `None` unless the estimate is above the benchmark.
    pub fn min_track_record_2026(&self, benchmark: f64, level: f64) -> Option<f64> {
        self.track_record(self.variance_2026(benchmark), benchmark, level)
    }

    fn track_record(&self, variance: f64, benchmark: f64, level: f64) -> Option<f64> {
        let excess = self.sharpe - benchmark;
        (excess > 0.0).then(|| variance * (normal_quantile(level) / excess).powi(2)).and_then(finite)
    }
}

/// Returns the expected maximum of K = `runs` independent standard normal values: (1 - g) PPF(1 - 1 / K) + g PPF(1 - 1
/// / (K e)), with the Euler-Mascheroni constant g = 0.5772 and the normal quantile function PPF (Bailey and López de
/// Prado 2014). 0 for K = 1.
pub fn expected_maximum(runs: u32) -> f64 {
    if runs <= 1 {
        return 0.0;
    }
    let exceeded = 1.0 / f64::from(runs);
    let gamma = std::f64::consts::EULER_GAMMA;
    (1.0 - gamma) * normal_quantile(1.0 - exceeded) + gamma * normal_quantile(1.0 - exceeded / std::f64::consts::E)
}
