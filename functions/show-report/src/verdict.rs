//! Verdict: the confidence in one sentence, the main reason for the score, and what would raise it.

use nofomo_analytics::{Confidence, ConfidenceLevel, CurrencyAnalysis, Evidence, MetricValues, Reason, TrackRecord};
use rust_decimal::Decimal;

use crate::catalogue::{CONFIDENCE, MetricFormat, MetricRow};
use crate::format::{MoneyFormat, Sign, counted, multiple, percent, short_percent};
use crate::labels;
use crate::report::series_of;

pub(crate) struct Verdict {
    /// CSS class.
    pub(crate) class: &'static str,
    pub(crate) level: &'static str,
    pub(crate) sentence: String,
    /// Score with two decimal places: `0.17`.
    pub(crate) score: String,
    /// Score in percent, for the scale.
    pub(crate) percent: u32,
    pub(crate) reason: &'static str,
    /// Changes that would raise the score.
    pub(crate) improvements: Vec<String>,
    /// Assumptions that the score depends on.
    pub(crate) assumptions: String,
    /// Parts of the score, for a table.
    pub(crate) parts: Vec<MetricRow>,
}

/// Input of a verdict.
struct VerdictInput<'a> {
    analysis: &'a CurrencyAnalysis,
    confidence: &'a Confidence,
    /// Number of trades in the request. Not every type of analysis has it among its metrics.
    trades: Option<u64>,
    money: MoneyFormat,
}

/// Verdict on an account, or None if the analysis has no confidence.
pub(crate) fn verdict(analysis: &CurrencyAnalysis, trades: Option<u64>) -> Option<Verdict> {
    let confidence = analysis.confidence.as_ref()?;
    let money = MoneyFormat::of_account(Some(analysis.initial_balance));
    let input = VerdictInput { analysis, confidence, trades, money };
    let score = confidence.score.clamp(0.0, 1.0);
    let level = confidence.level();
    let parts = MetricValues::select(confidence, |_| true).unwrap_or_default();
    let format = MetricFormat { currency: &analysis.currency, money, is_under_30_days: false };
    Some(Verdict {
        class: if confidence.reason == Reason::Ruined { "ruined" } else { class(level) },
        level: labels::confidence_level(level),
        sentence: format!("{}: {}", opening(level), input.explanation()),
        score: format!("{score:.2}"),
        percent: (100.0 * score).round() as u32,
        reason: labels::reason(confidence.reason),
        improvements: input.improvements(),
        assumptions: input.assumptions(),
        parts: CONFIDENCE.rows(&parts, format),
    })
}

fn class(level: ConfidenceLevel) -> &'static str {
    match level {
        ConfidenceLevel::Insufficient => "insufficient",
        ConfidenceLevel::Weak => "weak",
        ConfidenceLevel::Fair => "fair",
        ConfidenceLevel::Strong => "strong",
    }
}

fn opening(level: ConfidenceLevel) -> &'static str {
    match level {
        ConfidenceLevel::Insufficient => "No edge shown",
        ConfidenceLevel::Weak => "Weak evidence of an edge",
        ConfidenceLevel::Fair => "Fair evidence of an edge",
        ConfidenceLevel::Strong => "Strong evidence of an edge",
    }
}

impl VerdictInput<'_> {
    fn evidence(&self) -> Option<&Evidence> {
        self.confidence.parts.as_ref()
    }

    fn trades(&self) -> Option<u64> {
        self.analysis.metrics.count("trades").or(self.trades)
    }

    fn days(&self) -> Option<u64> {
        self.analysis.metrics.count("return_days").or_else(|| self.analysis.metrics.count("days"))
    }

    /// Net profit among the metrics or, if it is not among them, the last minus the first balance.
    fn net_profit(&self) -> Option<Decimal> {
        let from_curve = || {
            let series = series_of(self.analysis)?;
            let (first, last) = (series.equity.first()?.value?, series.equity.last()?.value?);
            Decimal::try_from(last - first).ok()
        };
        self.analysis.metrics.money("net_profit").or_else(from_curve)
    }

    fn total_return(&self) -> Option<f64> {
        let computed = || {
            let initial = Some(self.analysis.initial_balance).filter(|initial| *initial > Decimal::ZERO)?;
            f64::try_from(self.net_profit()?.checked_div(initial)?).ok()
        };
        self.analysis.metrics.number("total_return").or_else(computed)
    }

    /// Summary of the record: `the bot earned 165.86 USDT (+16.59 %) with 1,000 trades in 180 days`.
    fn record(&self) -> String {
        let mut record = match self.net_profit() {
            None => "the bot traded".to_owned(),
            Some(profit) if profit.is_zero() => "the bot made neither a profit nor a loss".to_owned(),
            Some(profit) => {
                let verb = if profit > Decimal::ZERO { "earned" } else { "lost" };
                let amount = self.money.money(profit.abs(), Sign::OnlyMinus).text;
                let total_return =
                    self.total_return().map(|fraction| format!(" ({})", percent(fraction, Sign::Always).text));
                format!("the bot {verb} {amount}\u{a0}{}{}", self.analysis.currency, total_return.unwrap_or_default())
            }
        };
        if let Some(trades) = self.trades() {
            record += &format!(" with {}", counted(trades, "trade", "trades"));
        }
        if let Some(days) = self.days() {
            record += &format!(" in {}", counted(days, "day", "days"));
        }
        record
    }

    fn runs(&self) -> String {
        counted(self.confidence.trials.into(), "run", "runs")
    }

    /// Net profit in multiples of the loss of one worst-case day.
    fn profit_in_worst_case_days(&self) -> Option<f64> {
        let worst = Some(self.evidence()?.worst_day_assumed).filter(|worst| *worst > 0.0)?;
        Some(self.total_return()? / worst)
    }

    fn explanation(&self) -> String {
        let record = self.record();
        let is_loss = self.net_profit().is_some_and(|profit| profit <= Decimal::ZERO);
        match self.confidence.reason {
            Reason::NoTrades => "there are no closed trades.".to_owned(),
            Reason::Ruined => "the account is ruined; its balance fell to zero or below.".to_owned(),
            Reason::OneDay => format!("{record}, and one day cannot distinguish skill from luck."),
            Reason::NoEdgeShown | Reason::ProfitBelowWorstCase | Reason::FewObservations | Reason::ShortTrackRecord
                if is_loss =>
            {
                format!("{record}.")
            }
            Reason::NoEdgeShown if self.confidence.trials > 1 => {
                format!("{record}, no more than the best of {} earns by luck.", self.runs())
            }
            Reason::NoEdgeShown => format!("{record}, no more than luck explains."),
            Reason::FewObservations => format!("{record}, too few observations to distinguish skill from luck."),
            Reason::ShortTrackRecord => format!("{record}, too short a time to distinguish skill from luck."),
            Reason::ProfitBelowWorstCase => match self.profit_in_worst_case_days() {
                Some(multiple_of_loss) if multiple_of_loss >= 1.0 => {
                    format!("{record}, only {} times the loss of one worst-case day.", multiple(multiple_of_loss))
                }
                Some(_) => format!("{record}, less than the loss of one worst-case day."),
                None => format!("{record}, too little compared with the loss of one worst-case day."),
            },
            Reason::LikelyOverfit => {
                format!("{record}, but it may be the best of {} by chance.", self.runs())
            }
            Reason::Sufficient => format!("{record}, more than luck and one worst-case day explain."),
        }
    }

    fn improvements(&self) -> Vec<String> {
        let track = self.track_record().map(|track| match track {
            TrackRecord::LongEnough => {
                "The track record is long enough; more days alone do not raise the score.".to_owned()
            }
            TrackRecord::MoreDays(days) => {
                format!("A longer track record: about {} at this rate.", counted(days.into(), "more day", "more days"))
            }
            TrackRecord::NotInTenYears => "A longer track record: more than ten more years at this rate.".to_owned(),
        });
        let active_days = self.evidence().map_or(0, |evidence| evidence.active_days);
        match self.confidence.reason {
            Reason::NoTrades => vec!["Closed trades: at least 50, on at least 30 days.".to_owned()],
            Reason::OneDay => vec!["More days: at least 30 with a closed trade, and at least 50 trades.".to_owned()],
            Reason::Ruined => vec!["Nothing: the account is ruined.".to_owned()],
            Reason::NoEdgeShown => vec!["Better returns. More days like these would not raise the score.".to_owned()],
            Reason::FewObservations => {
                let trades = self.trades().map(|trades| format!("{} and ", counted(trades, "trade", "trades")));
                let days = counted(active_days as u64, "day", "days");
                let present = format!("{}{days}", trades.unwrap_or_default());
                let needed = format!("At least 50 trades and 30 days with a closed trade; now there are {present}.");
                [Some(needed), track].into_iter().flatten().collect()
            }
            Reason::ShortTrackRecord => track.into_iter().collect(),
            Reason::ProfitBelowWorstCase => {
                let profit = self.profit_in_worst_case_days().map(|days| {
                    format!("More profit: now it is {} times the loss of one worst-case day.", multiple(days))
                });
                let stop = "A closer stop-loss or less exposure: each reduces the loss of a worst-case day.";
                [profit, Some(stop.to_owned()), track].into_iter().flatten().collect()
            }
            Reason::LikelyOverfit => {
                vec!["Trades made after the selection, or a selection from fewer runs.".to_owned()]
            }
            Reason::Sufficient => {
                vec!["Nothing: the score is as high as past trades allow. It does not predict the future.".to_owned()]
            }
        }
    }

    fn track_record(&self) -> Option<TrackRecord> {
        self.confidence.track_record(usize::try_from(self.days()?).ok()?)
    }

    /// Assumptions that the score depends on.
    fn assumptions(&self) -> String {
        let loss = short_percent(self.confidence.assumed_max_loss);
        let worst_day = self.evidence().map(|evidence| short_percent(evidence.worst_day_assumed));
        let worst_day = worst_day.map(|day| format!("; one worst-case day costs {day} of the balance"));
        let selection = if self.confidence.trials > 1 {
            format!("these trades are the best of {}", self.runs())
        } else {
            "these trades were not selected from several runs".to_owned()
        };
        format!(
            "Assumptions: an open position loses at most {loss} of its notional{}; {selection}; open positions have no unrealised loss.",
            worst_day.unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn analysis(confidence: Value, metrics: Value) -> CurrencyAnalysis {
        let analysis = json!({
            "currency": "USDT", "initial_balance": "1000", "metrics": metrics, "confidence": confidence,
        });
        serde_json::from_value(analysis).unwrap()
    }

    fn confidence(score: f64, min_trl_days: Option<f64>) -> Confidence {
        let parts = Evidence {
            active_days: 179,
            peak_exposure: 1.5,
            worst_day_assumed: 0.378,
            log_e_value: 0.19,
            tail_guard: 0.17,
            daily_sharpe: Some(0.096),
            rho_used: 0.0,
            variance_observed: Some(1.02),
            variance_null: 1.0,
            psr_2012: Some(0.897),
            psr_null: Some(0.9),
            min_trl_days_2012: min_trl_days,
            min_trl_days,
            benchmark_sharpe: 0.0,
            z: Some(1.27),
            edge_probability: 0.897,
            track_record_factor: 0.59,
            sample_factor: 1.0,
            overfit_probability: None,
            statistical: 0.53,
            raw: score,
        };
        Confidence { trials: 1, assumed_max_loss: 0.25, parts: Some(parts), score, reason: Reason::ShortTrackRecord }
    }

    #[test]
    fn the_level_of_the_verdict_is_that_of_the_confidence() {
        for hundredths in 0..=99 {
            let theirs = confidence(f64::from(hundredths) / 100.0, None);
            let word = match theirs.level() {
                ConfidenceLevel::Insufficient => "insufficient",
                ConfidenceLevel::Weak => "weak",
                ConfidenceLevel::Fair => "fair",
                ConfidenceLevel::Strong => "strong",
            };
            let analysis = analysis(json!(theirs), json!({}));
            assert_eq!(verdict(&analysis, None).unwrap().level, word, "{}", theirs.score);
        }
    }

    #[test]
    fn the_missing_track_record_is_that_of_the_confidence() {
        for needed in [None, Some(12.0), Some(180.0), Some(180.1), Some(303.6), Some(3_830.0), Some(3_830.5)] {
            let theirs = confidence(0.5, needed);
            let analysis = analysis(json!(theirs), json!({ "days": 180 }));
            let confidence = analysis.confidence.as_ref().unwrap();
            let input =
                VerdictInput { analysis: &analysis, confidence, trades: None, money: MoneyFormat::of_account(None) };
            assert_eq!(input.track_record(), theirs.track_record(180), "{needed:?}");
        }
    }

    #[test]
    fn each_reason_has_a_sentence_and_an_improvement() {
        let metrics = json!({ "net_profit": "165.86", "total_return": 0.16586, "trades": 1000, "days": 180 });
        let record = "the bot earned 165.86 USDT (+16.59 %) with 1,000 trades in 180 days";
        for (score, reason, sentence, improvement) in [
            (0.0, "no_trades", "No edge shown: there are no closed trades.", "at least 50"),
            (
                0.0,
                "one_day",
                "No edge shown: {record}, and one day cannot distinguish skill from luck.",
                "30 with a closed",
            ),
            (0.0, "ruined", "No edge shown: the account is ruined; its balance fell to zero or below.", "Nothing"),
            (0.0, "no_edge_shown", "No edge shown: {record}, no more than luck explains.", "Better returns"),
            (
                0.3,
                "few_observations",
                "No edge shown: {record}, too few observations to distinguish skill from luck.",
                "1,000 trades and 179 days",
            ),
            (
                0.6,
                "short_track_record",
                "Weak evidence of an edge: {record}, too short a time to distinguish skill from luck.",
                "about 124 more days",
            ),
            (
                0.17,
                "profit_below_worst_case",
                "No edge shown: {record}, less than the loss of one worst-case day.",
                "0.44 times",
            ),
            (
                0.85,
                "likely_overfit",
                "Fair evidence of an edge: {record}, but it may be the best of 1 run by chance.",
                "after the selection",
            ),
            (
                0.97,
                "sufficient",
                "Strong evidence of an edge: {record}, more than luck and one worst-case day explain.",
                "as high as",
            ),
        ] {
            let mut confidence = json!(confidence(score, Some(303.6)));
            confidence["reason"] = reason.into();
            let verdict = verdict(&analysis(confidence, metrics.clone()), None).unwrap();
            let sentence_shown = verdict.sentence.replace('\u{a0}', " ");
            assert_eq!(sentence_shown, sentence.replace("{record}", record));
            let improvements = verdict.improvements.join(" ").replace('\u{a0}', " ");
            assert!(improvements.contains(improvement), "{reason}: {improvements}");
            assert!(verdict.assumptions.contains("25\u{a0}%"), "{}", verdict.assumptions);
        }
    }

    #[test]
    fn a_loss_is_called_a_loss() {
        let mut confidence = json!(confidence(0.0, None));
        confidence["reason"] = "no_edge_shown".into();
        let metrics = json!({ "net_profit": "-41.67", "trades": 24, "days": 12 });
        let verdict = verdict(&analysis(confidence, metrics), None).unwrap();
        let sentence_shown = verdict.sentence.replace('\u{a0}', " ");
        assert_eq!(sentence_shown, "No edge shown: the bot lost 41.67 USDT (−4.17 %) with 24 trades in 12 days.");
    }

    #[test]
    fn more_than_ten_years_are_not_counted_in_days() {
        let verdict = verdict(&analysis(json!(confidence(0.5, Some(9_000.0))), json!({ "days": 180 })), None);
        assert!(verdict.unwrap().improvements.join(" ").contains("more than ten more years"));
    }
}
