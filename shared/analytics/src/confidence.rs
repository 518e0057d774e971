//! How sure one may be that a bot's expected daily return, after costs, is above zero.

use serde::Serialize;

use crate::daily_metrics::sharpe;
use crate::record::Record;
use crate::sample::{Sample, finite, normal, normal_quantile};
use crate::significance::{SharpeEstimate, expected_maximum};
use crate::trade::ASSUMED_MAX_LOSS;

/// A score that a bot without any edge cannot earn: it gets `score >= c` with a probability of at most 1 - c, whatever its returns are
/// distributed like, and whenever one looks.
///
/// It claims one thing: this bot's expected daily return, after costs, is above zero. Not that the future is like the past. Open
/// losses are not in it, the number of trials must be told honestly, and the maximal loss is an assumption.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confidence {
    /// Runs that these trades are the best of.
    pub trials: u32,
    /// The most that an open position is taken to lose, as a fraction of its notional.
    pub assumed_max_loss: f64,
    /// What it is made of. None where there is nothing to judge.
    #[serde(flatten)]
    pub parts: Option<Evidence>,
    /// floor(100 * raw) / 100, at most 0.99.
    pub score: f64,
    pub reason: Reason,
}

/// What the score is made of. SR, n, g3, g4 and rho are daily Sharpe ratio, days, skewness, raw kurtosis and autocorrelation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Days with a closed trade.
    pub active_days: usize,
    /// Largest notional open at once / balance then.
    pub peak_exposure: f64,
    /// l = max(assumed_max_loss * peak_exposure, -min(r)): the return of a day on which everything that was ever open at once loses the
    /// maximum, positive.
    pub worst_day_assumed: f64,
    /// ln E, with E the wealth that five cautious bettors on the bot's own days make of 1: the sum of w prod(1 + b r / l). Without an edge
    /// E is expected to stay at 1 or below, whenever one looks (Ville).
    pub log_e_value: f64,
    /// max(0, 1 - 1/E).
    pub tail_guard: f64,
    /// SR = mean(r) / sd(r), not annualised. None if all days are the same.
    pub daily_sharpe: Option<f64>,
    /// Lag-1 autocorrelation of r, at least 0 and at most 0.95.
    pub rho_used: f64,
    /// 1 - g3 SR + (g4 - 1) / 4 SR^2 (Bailey and López de Prado 2012).
    pub variance_observed: Option<f64>,
    /// (1 + rho) / (1 - rho) (López de Prado, Lipton and Zoonekynd 2026, at SR = 0).
    pub variance_null: f64,
    /// Probability that the true SR is above 0 by the first variance.
    pub psr_2012: Option<f64>,
    /// The same by the second.
    pub psr_null: Option<f64>,
    /// Days after which `psr_2012` would be 0.95 at this rate. None without a gain.
    pub min_trl_days_2012: Option<f64>,
    /// Days after which `edge_probability` would be 0.95 at this rate. None if SR is not above `benchmark_sharpe`.
    pub min_trl_days: Option<f64>,
    /// The SR that the best of the trials would have without any edge: deviation of the trials' SR * expected maximum of as many.
    pub benchmark_sharpe: f64,
    /// (SR - benchmark) sqrt(n - 1) / sqrt(v), v the larger of the two variances. None if all days are the same.
    pub z: Option<f64>,
    /// Phi(z): the probabilistic Sharpe ratio; with several trials the deflated one (Bailey and López de Prado 2014).
    pub edge_probability: f64,
    /// min(1, (z / 1.645)^2), 0 unless z > 0: which part of the track record that is needed is there.
    pub track_record_factor: f64,
    /// min(1, trades / 50, active days / 30).
    pub sample_factor: f64,
    /// Probability that the configuration is overfit, if the trials' returns are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overfit_probability: Option<f64>,
    /// edge_probability * track_record_factor * sample_factor.
    pub statistical: f64,
    /// min(statistical, tail_guard, 1 - overfit_probability).
    pub raw: f64,
}

/// What holds the score down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    NoTrades,
    /// There is only one day of returns.
    OneDay,
    Ruined,
    /// It has not earned more than chance would.
    NoEdgeShown,
    /// Fewer than 50 trades or 30 days with one.
    FewObservations,
    /// It would have to go on like this for longer.
    ShortTrackRecord,
    /// It has not earned enough to make up for one plausible bad day.
    ProfitBelowWorstCase,
    /// It may be the best of many by chance alone.
    LikelyOverfit,
    /// Nothing: the score is 0.95 or more.
    Sufficient,
}

/// The score in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfidenceLevel {
    /// Below 0.50.
    NotShown,
    /// Below 0.80.
    Weak,
    /// Below 0.95.
    Fair,
    Strong,
}

/// How long the bot would have to go on at this rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackRecord {
    LongEnough,
    /// About so many days.
    MoreDays(u32),
    NotInTenYears,
}

/// Stake as a fraction of the worst loss, and share of the wealth. A small stake sees a small edge, a large one sees it soon.
const BETTING_STRATEGIES: [(f64, f64); 5] =
    [(0.9, 0.40), (0.3, 0.30), (0.1, 0.15), (0.1 / 3.0, 0.10), (0.1 / 9.0, 0.05)];

/// The probability from which an edge counts as shown.
const REQUIRED_PROBABILITY: f64 = 0.95;
const MIN_TRADES: f64 = 50.0;
const MIN_ACTIVE_DAYS: f64 = 30.0;
const MAX_SCORE: f64 = 0.99;
const TEN_YEARS_IN_DAYS: f64 = 3_650.0;

impl Record<'_> {
    /// Costs one pass over the days, and no simulation.
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
        // Without any spread there is no ratio; a gain is then as far above 0 as can be.
        let z = match excess {
            Some(excess) => excess * (days - 1.0).sqrt() / variance.sqrt(),
            None if sample.mean > 0.0 => f64::INFINITY,
            None => f64::NEG_INFINITY,
        };
        let needed = normal_quantile(REQUIRED_PROBABILITY);
        let edge_probability = normal(z);
        let track_record_factor = if z > 0.0 { (z / needed).powi(2).min(1.0) } else { 0.0 };
        let trades = self.profits.len() as f64;
        let sample_factor = (trades / MIN_TRADES).min(self.active_days as f64 / MIN_ACTIVE_DAYS).min(1.0);
        let statistical = edge_probability * track_record_factor * sample_factor;

        let max_loss = self.settings.max_loss.unwrap_or(ASSUMED_MAX_LOSS);
        let worst_seen = -self.returns.iter().copied().fold(0.0, f64::min);
        let worst_day = (max_loss * self.peak_exposure).max(worst_seen);
        let log_e_value = log_wealth(&self.returns, worst_day);
        let tail_guard = (1.0 - (-log_e_value).exp()).max(0.0);
        let genuine = trials.overfit_probability.map_or(1.0, |probability| 1.0 - probability);
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
                .and_then(|excess| finite(1.0 + variance * (needed / excess).powi(2))),
            benchmark_sharpe: benchmark,
            z: finite(z),
            edge_probability,
            track_record_factor,
            sample_factor,
            overfit_probability: trials.overfit_probability,
            statistical,
            raw: statistical.min(tail_guard).min(genuine),
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
    pub fn level(&self) -> ConfidenceLevel {
        match self.score {
            score if score >= REQUIRED_PROBABILITY => ConfidenceLevel::Strong,
            score if score >= 0.80 => ConfidenceLevel::Fair,
            score if score >= 0.50 => ConfidenceLevel::Weak,
            _ => ConfidenceLevel::NotShown,
        }
    }

    /// For how many more days the bot would have to go on at this rate, to one of `return_days` days. None if it has shown no edge to go
    /// on with.
    pub fn track_record(&self, return_days: usize) -> Option<TrackRecord> {
        let evidence = self.parts.as_ref()?;
        let more = evidence.min_trl_days? - return_days as f64;
        Some(match more {
            more if more <= 0.0 => TrackRecord::LongEnough,
            more if more > TEN_YEARS_IN_DAYS => TrackRecord::NotInTenYears,
            more => TrackRecord::MoreDays(more.ceil() as u32),
        })
    }
}

/// The logarithm of what the bettors have in the end. In logarithms, because a good bot makes them richer than a number can hold.
fn log_wealth(returns: &[f64], worst_day: f64) -> f64 {
    let logs = BETTING_STRATEGIES.map(|(stake, share)| {
        let growth: f64 = returns.iter().map(|day| (stake * day / worst_day).ln_1p()).sum();
        share.ln() + growth
    });
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + logs.iter().map(|log| (log - largest).exp()).sum::<f64>().ln()
}
