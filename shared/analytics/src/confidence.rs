//! Confidence that a bot's expected daily return, after costs, is positive.

use serde::{Deserialize, Serialize};

use crate::daily_metrics::sharpe;
use crate::record::Record;
use crate::sample::{Sample, finite, normal_cdf, normal_quantile};
use crate::significance::{SharpeEstimate, expected_maximum};
use crate::trade::ASSUMED_MAX_LOSS;

/// Confidence that the expected daily return, after costs, is positive. A bot without an edge gets `score >= c` with a
/// probability of at most 1 - c, whatever the distribution of its returns and however often it is analysed.
///
/// The score makes no other claim; it does not predict future returns. It ignores unrealised losses, relies on the
/// stated number of trials, and assumes a maximum loss per position.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = EmptyConfidence, description = "Confidence without evidence: no trades, fewer than two daily returns, or a ruined account."))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// Number of runs from which the trades were selected as the best; 1 if they were not selected.
    pub trials: u32,
    /// Assumed maximum loss of an open position, as a fraction of its notional.
    pub assumed_max_loss: f64,
    /// Parts of the score. `None` without trades, below two daily returns, or if the account is ruined.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub parts: Option<Evidence>,
    /// Confidence score: floor(100 * raw) / 100, at most 0.99. 0 without trades, below two daily returns, or if the
    /// account is ruined.
    pub score: f64,
    pub reason: Reason,
}

/// Parts of the confidence score. SR, n, g3, g4 and rho are the Sharpe ratio (not annualised), the number, the
/// skewness, the raw kurtosis and the lag-1 autocorrelation (`rho_used`) of the daily returns r.
#[cfg_attr(feature = "openapi", serde_with::apply(usize => #[schema(value_type = u64)]))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Number of days with a closed trade.
    pub active_days: usize,
    /// Peak exposure: largest notional open at once, as a multiple of the balance at that time.
    pub peak_exposure: f64,
    /// Loss l of a worst-case day, as a positive fraction of the balance: max(assumed_max_loss * peak_exposure,
    /// -min(r)). On such a day, every position open at the peak exposure loses the assumed maximum, or the worst
    /// observed day repeats.
    pub worst_day_assumed: f64,
    /// Natural logarithm of the e-value E: final wealth of five betting strategies that start with 1 together and stake
    /// the fractions b of the worst-case day: E = sum of w prod(1 + b r / l), with b of 0.9, 0.3, 0.1, 0.033 and 0.011
    /// and shares w of 0.40, 0.30, 0.15, 0.10 and 0.05. Without an edge, E ever reaches 1 / a with a probability of at
    /// most a (Ville 1939).
    pub log_e_value: f64,
    /// Worst-case guard: max(0, 1 - 1 / E).
    pub tail_guard: f64,
    /// Daily Sharpe ratio: SR = mean(r) / sd(r), not annualised. Null if all returns are equal.
    pub daily_sharpe: Option<f64>,
    /// Lag-1 autocorrelation of r, limited to 0 to 0.95.
    pub rho_used: f64,
    /// Variance of sqrt(n - 1) times the estimated SR: 1 - g3 SR + (g4 - 1) / 4 SR^2 (Bailey and López de Prado 2012).
    /// Null if all returns are equal.
    pub variance_observed: Option<f64>,
    /// Variance of sqrt(n) times the estimated SR if the true SR is 0: (1 + rho) / (1 - rho) (López de Prado, Lipton
    /// and Zoonekynd 2026).
    pub variance_null: f64,
    /// Probabilistic Sharpe ratio of 2012, the probability that the true SR is positive: Phi(SR sqrt(n - 1) /
    /// sqrt(variance_observed)). Null if all returns are equal, or unless `variance_observed` is positive.
    pub psr_2012: Option<f64>,
    /// Probabilistic Sharpe ratio of 2026: Phi(SR sqrt(n) / sqrt(variance_null)). Null if all returns are equal.
    pub psr_null: Option<f64>,
    /// Minimum track record length, in days: number of days at which `psr_2012` is 0.95 at the current SR, 1 +
    /// variance_observed (1.645 / SR)^2. Null unless SR is positive.
    pub min_trl_days_2012: Option<f64>,
    /// Minimum track record length, in days: number of days at which `edge_probability` is 0.95 at the current SR, 1 +
    /// v (1.645 / (SR - benchmark_sharpe))^2, with the v of `z`. Null unless SR is above `benchmark_sharpe`.
    pub min_trl_days: Option<f64>,
    /// Expected SR of the best of the trials if none has an edge: standard deviation of the trials' SR, sqrt(v / (n -
    /// 1)) unless it is known, times the expected maximum of as many standard normal values (Bailey and López de Prado
    /// 2014). 0 for one trial.
    pub benchmark_sharpe: f64,
    /// Test statistic of SR against the benchmark: (SR - benchmark_sharpe) sqrt(n - 1) / sqrt(v), with v the larger of
    /// `variance_observed` and `variance_null`. Null if all returns are equal.
    pub z: Option<f64>,
    /// Probability of an edge, Phi(z): probabilistic Sharpe ratio or, with several trials, deflated Sharpe ratio
    /// (Bailey and López de Prado 2014). If all returns are equal, 1 if they are positive, else 0.
    pub edge_probability: f64,
    /// Available share of the required track record: min(1, (z / 1.645)^2), or 0 unless z is positive.
    pub track_record_factor: f64,
    /// Available share of the required observations: min(1, trades / 50, active days / 30).
    pub sample_factor: f64,
    /// Probability of backtest overfitting, from 0 to 1. Absent unless the returns of all trials are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub overfit_probability: Option<f64>,
    /// Statistical evidence: edge_probability * track_record_factor * sample_factor.
    pub statistical: f64,
    /// Score before rounding: min(statistical, tail_guard, 1 - overfit_probability).
    pub raw: f64,
}

/// Main reason why the score is not higher.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There are no closed trades.
    NoTrades,
    /// There is only one daily return.
    OneDay,
    /// The balance was 0 or less at the end of a day.
    Ruined,
    /// The Sharpe ratio is not above the benchmark: the daily returns are no better than chance.
    NoEdgeShown,
    /// Fewer than 50 trades, or fewer than 30 days with a closed trade.
    FewObservations,
    /// The track record is too short.
    ShortTrackRecord,
    /// The profit is too small compared with the loss of a worst-case day: `tail_guard` limits the score.
    ProfitBelowWorstCase,
    /// The trades may be the best of many runs by chance: `overfit_probability` limits the score.
    LikelyOverfit,
    /// The score is 0.95 or higher.
    Sufficient,
}

/// Level of the confidence score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfidenceLevel {
    /// Below 0.50.
    Insufficient,
    /// 0.50 to below 0.80.
    Weak,
    /// 0.80 to below 0.95.
    Fair,
    /// 0.95 or higher.
    Strong,
}

/// Track record that is missing for an `edge_probability` of 0.95 at the current Sharpe ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackRecord {
    /// No day is missing.
    LongEnough,
    /// Number of missing days, rounded up.
    MoreDays(u32),
    /// More than ten years (3,650 days) are missing.
    NotInTenYears,
}

/// Stakes, as fractions of the worst-case day, and initial shares of the wealth. Small stakes detect a small edge;
/// large stakes detect a large edge early.
const BETTING_STRATEGIES: [(f64, f64); 5] =
    [(0.9, 0.40), (0.3, 0.30), (0.1, 0.15), (0.1 / 3.0, 0.10), (0.1 / 9.0, 0.05)];

/// Minimum probability at which an edge counts as shown.
const REQUIRED_PROBABILITY: f64 = 0.95;
const MIN_TRADES: f64 = 50.0;
const MIN_ACTIVE_DAYS: f64 = 30.0;
const MAX_SCORE: f64 = 0.99;
const TEN_YEARS_IN_DAYS: f64 = 3_650.0;

impl Record<'_> {
    /// Computes the confidence in one pass over the days, without simulation.
    pub fn confidence(&self) -> Confidence {
        let confidence = |parts: Option<Evidence>, score, reason| Confidence {
            trials: self.settings.trials.runs,
            assumed_max_loss: self.settings.max_loss.unwrap_or(ASSUMED_MAX_LOSS),
            parts,
            score,
            reason,
        };
        if self.trades.is_empty() {
            return confidence(None, 0.0, Reason::NoTrades);
        }
        if self.ruined {
            return confidence(None, 0.0, Reason::Ruined);
        }
        if self.returns.len() < 2 {
            return confidence(None, 0.0, Reason::OneDay);
        }
        let evidence = self.evidence();
        let score = ((100.0 * evidence.raw).floor() / 100.0).min(MAX_SCORE);
        let reason = evidence.reason(score);
        confidence(Some(evidence), score, reason)
    }

    fn evidence(&self) -> Evidence {
        let sample = Sample::of(&self.returns);
        let trials = self.settings.trials;
        let days = sample.size();
        let rho = sample.lag1_autocorrelation(&self.returns).unwrap_or(0.0).clamp(0.0, 0.95);
        let variance_null = (1.0 + rho) / (1.0 - rho);
        let estimate = sharpe(&sample).map(|sharpe| SharpeEstimate {
            skew: sample.skew().unwrap_or(0.0),
            kurtosis: sample.kurtosis_excess().unwrap_or(0.0) + 3.0,
            autocorrelation: rho,
            ..SharpeEstimate::normal(sharpe, days)
        });
        let variance = estimate.map_or(variance_null, |estimate| estimate.variance_2012().max(variance_null));
        let deviation = trials.sharpe_deviation.unwrap_or_else(|| (variance / (days - 1.0)).sqrt());
        let benchmark = deviation * expected_maximum(trials.runs);
        let excess = estimate.map(|estimate| estimate.sharpe - benchmark);
        // Equal returns have no Sharpe ratio; a constant gain is then infinitely far above 0.
        let z = match excess {
            Some(excess) => excess * (days - 1.0).sqrt() / variance.sqrt(),
            None if sample.mean > 0.0 => f64::INFINITY,
            None => f64::NEG_INFINITY,
        };
        let required_z = normal_quantile(REQUIRED_PROBABILITY);
        let edge_probability = normal_cdf(z);
        let track_record_factor = if z > 0.0 { (z / required_z).powi(2).min(1.0) } else { 0.0 };
        let trades = self.profits.len() as f64;
        let sample_factor = (trades / MIN_TRADES).min(self.active_days as f64 / MIN_ACTIVE_DAYS).min(1.0);
        let statistical = edge_probability * track_record_factor * sample_factor;

        let max_loss = self.settings.max_loss.unwrap_or(ASSUMED_MAX_LOSS);
        let worst_observed = -self.returns.iter().copied().fold(0.0, f64::min);
        let worst_day = (max_loss * self.peak_exposure).max(worst_observed);
        let log_e_value = log_wealth(&self.returns, worst_day);
        let tail_guard = (1.0 - (-log_e_value).exp()).max(0.0);
        let no_overfit_probability = trials.overfit_probability.map_or(1.0, |probability| 1.0 - probability);
        Evidence {
            active_days: self.active_days,
            peak_exposure: self.peak_exposure,
            worst_day_assumed: worst_day,
            log_e_value,
            tail_guard,
            daily_sharpe: estimate.map(|estimate| estimate.sharpe),
            rho_used: rho,
            variance_observed: estimate.map(|estimate| estimate.variance_2012()),
            variance_null,
            psr_2012: estimate.and_then(|estimate| estimate.psr_2012(0.0)),
            psr_null: estimate.and_then(|estimate| estimate.psr_2026(0.0)),
            min_trl_days_2012: estimate.and_then(|estimate| estimate.min_track_record_2012(0.0, REQUIRED_PROBABILITY)),
            min_trl_days: excess
                .filter(|excess| *excess > 0.0)
                .and_then(|excess| finite(1.0 + variance * (required_z / excess).powi(2))),
            benchmark_sharpe: benchmark,
            z: finite(z),
            edge_probability,
            track_record_factor,
            sample_factor,
            overfit_probability: trials.overfit_probability,
            statistical,
            raw: statistical.min(tail_guard).min(no_overfit_probability),
        }
    }
}

impl Evidence {
    fn reason(&self, score: f64) -> Reason {
        if score >= REQUIRED_PROBABILITY {
            Reason::Sufficient
        } else if self.track_record_factor <= 0.0 {
            Reason::NoEdgeShown
        } else if self.raw < self.statistical.min(self.tail_guard) {
            Reason::LikelyOverfit
        } else if self.tail_guard < self.statistical {
            Reason::ProfitBelowWorstCase
        } else if self.sample_factor < self.track_record_factor {
            Reason::FewObservations
        } else {
            Reason::ShortTrackRecord
        }
    }
}

impl Confidence {
    /// Level of the score.
    pub fn level(&self) -> ConfidenceLevel {
        match self.score {
            score if score >= REQUIRED_PROBABILITY => ConfidenceLevel::Strong,
            score if score >= 0.80 => ConfidenceLevel::Fair,
            score if score >= 0.50 => ConfidenceLevel::Weak,
            _ => ConfidenceLevel::Insufficient,
        }
    }

    /// Compares a record of `return_days` days with the minimum track record. `None` unless the Sharpe ratio is above
    /// the benchmark.
    pub fn track_record(&self, return_days: usize) -> Option<TrackRecord> {
        let evidence = self.parts.as_ref()?;
        let missing_days = evidence.min_trl_days? - return_days as f64;
        Some(match missing_days {
            days if days <= 0.0 => TrackRecord::LongEnough,
            days if days > TEN_YEARS_IN_DAYS => TrackRecord::NotInTenYears,
            days => TrackRecord::MoreDays(days.ceil() as u32),
        })
    }
}

/// Logarithm of the final wealth of all betting strategies. The wealth itself would overflow for a good bot.
fn log_wealth(returns: &[f64], worst_day: f64) -> f64 {
    let logs = BETTING_STRATEGIES.map(|(stake, share)| {
        let growth: f64 = returns.iter().map(|day| (stake * day / worst_day).ln_1p()).sum();
        share.ln() + growth
    });
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + logs.iter().map(|log| (log - largest).exp()).sum::<f64>().ln()
}
