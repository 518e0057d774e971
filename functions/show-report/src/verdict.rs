//! What the confidence says, in one sentence; what holds it down, and what would raise it.

use rust_decimal::Decimal;

use crate::analysis::CurrencyAnalysis;
use crate::catalogue::{Account, CONFIDENCE, Row};
use crate::figures::Figures;
use crate::format::{MoneyFormat, Sign, about, counted, percent, times};
use crate::labels;

pub(crate) struct Verdict {
    /// Which of its colours the page takes.
    pub(crate) class: &'static str,
    pub(crate) wording: &'static str,
    pub(crate) sentence: String,
    /// `0.17`.
    pub(crate) score: String,
    /// For the scale, 0 to 100.
    pub(crate) percent: u32,
    pub(crate) reason: String,
    pub(crate) raises: Vec<String>,
    pub(crate) assumption: String,
    pub(crate) parts: Vec<Row>,
}

/// How long the bot would have to go on at this rate.
#[derive(Debug, PartialEq, Eq)]
enum TrackRecord {
    LongEnough,
    MoreDays(u64),
    NotInTenYears,
}

const TEN_YEARS: f64 = 3_650.0;

/// What is known of the trades of one account.
struct VerdictInput<'a> {
    block: &'a CurrencyAnalysis,
    /// How many were asked for, which not every kind of analysis tells among its figures.
    trades: Option<u64>,
    cents: MoneyFormat,
}

/// None for an analysis without a confidence.
pub(crate) fn verdict(block: &CurrencyAnalysis, trades: Option<u64>) -> Option<Verdict> {
    let score = block.confidence.number("score")?.clamp(0.0, 1.0);
    let reason = block.confidence.text("reason").unwrap_or_default();
    let known = VerdictInput { block, trades, cents: MoneyFormat::of_account(block.initial_balance) };
    let (class, wording) = wording(score);
    Some(Verdict {
        class: if reason == "ruined" { "lost" } else { class },
        wording,
        sentence: format!("{}: {}", opening(class), known.because(reason)),
        score: format!("{score:.2}"),
        percent: (100.0 * score).round() as u32,
        reason: labels::or_code(labels::reason(reason), reason),
        raises: known.raises(reason),
        assumption: known.assumption(),
        parts: CONFIDENCE
            .rows(&block.confidence, Account { currency: &block.currency, cents: known.cents, is_young: false }),
    })
}

/// The class and the word of a score.
pub(crate) fn wording(score: f64) -> (&'static str, &'static str) {
    match score {
        score if score >= 0.95 => ("strong", "strong"),
        score if score >= 0.80 => ("fair", "fair"),
        score if score >= 0.50 => ("weak", "weak"),
        _ => ("not-shown", "not shown"),
    }
}

fn opening(class: &str) -> &'static str {
    match class {
        "strong" => "Strong evidence of an edge",
        "fair" => "Fair evidence of an edge",
        "weak" => "Weak evidence of an edge",
        _ => "No edge is shown",
    }
}

impl VerdictInput<'_> {
    fn confidence(&self) -> &Figures {
        &self.block.confidence
    }

    fn trades(&self) -> Option<u64> {
        self.block.metrics.count("trades").or(self.trades)
    }

    fn days(&self) -> Option<u64> {
        self.block.metrics.count("return_days").or_else(|| self.block.metrics.count("days"))
    }

    /// NarrativeView, or the last balance less the first.
    fn net_profit(&self) -> Option<Decimal> {
        let drawn = || {
            let series = self.block.series()?;
            let (first, last) = (series.equity.first()?.value?, series.equity.last()?.value?);
            Decimal::try_from(last - first).ok()
        };
        self.block.metrics.money("net_profit").or_else(drawn)
    }

    fn total_return(&self) -> Option<f64> {
        let computed = || {
            let initial = self.block.initial_balance.filter(|initial| *initial > Decimal::ZERO)?;
            f64::try_from(self.net_profit()?.checked_div(initial)?).ok()
        };
        self.block.metrics.number("total_return").or_else(computed)
    }

    fn runs(&self) -> u64 {
        self.confidence().count("trials").unwrap_or(1)
    }

    /// `it earned 165.86 USDT (+16.59 %) with 1,000 trades in 180 days`.
    fn record(&self) -> String {
        let mut record = match self.net_profit() {
            None => "it traded".to_owned(),
            Some(profit) if profit.is_zero() => "it neither earned nor lost anything".to_owned(),
            Some(profit) => {
                let verb = if profit > Decimal::ZERO { "earned" } else { "lost" };
                let amount = self.cents.money(profit.abs(), Sign::OnlyMinus).text;
                let part = self.total_return().map(|part| format!(" ({})", percent(part, Sign::Always).text));
                format!("it {verb} {amount}\u{a0}{}{}", self.block.currency, part.unwrap_or_default())
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

    /// What was earned, in plausible bad days.
    fn bad_days(&self) -> Option<f64> {
        let worst = self.confidence().number("worst_day_assumed").filter(|worst| *worst > 0.0)?;
        Some(self.total_return()? / worst)
    }

    fn because(&self, reason: &str) -> String {
        let record = self.record();
        let lost = self.net_profit().is_some_and(|profit| profit <= Decimal::ZERO);
        match reason {
            "no_trades" => "there is no closed trade to judge.".to_owned(),
            "ruined" => "the account was lost; its balance fell to zero or below.".to_owned(),
            "one_day" => format!("{record}, and one day cannot tell skill from luck."),
            "no_edge_shown" | "profit_below_worst_case" | "few_observations" | "short_track_record" if lost => {
                format!("{record}.")
            }
            "no_edge_shown" if self.runs() > 1 => {
                format!("{record}, no more than the best of {} earns by luck.", counted(self.runs(), "run", "runs"))
            }
            "no_edge_shown" => format!("{record}, no more than luck would."),
            "few_observations" => format!("{record}, too few to tell skill from luck."),
            "short_track_record" => format!("{record}, too short a time to tell skill from luck."),
            "profit_below_worst_case" => match self.bad_days() {
                Some(days) if days >= 1.0 => {
                    let days = times(days);
                    format!("{record}, only {days} times what one plausible bad day would take.")
                }
                Some(_) => format!("{record}, less than one plausible bad day would take."),
                None => format!("{record}, not enough to make up for one plausible bad day."),
            },
            "likely_overfit" => {
                format!("{record}, but it may be the best of {} by chance.", counted(self.runs(), "run", "runs"))
            }
            "sufficient" => format!("{record}, more than luck and a plausible bad day explain."),
            other => format!("{record}; {}.", labels::or_code(None, other)),
        }
    }

    fn raises(&self, reason: &str) -> Vec<String> {
        let track = self.track_record().map(|track| match track {
            TrackRecord::LongEnough => {
                "The track record is long enough as it is; more days alone do not help.".to_owned()
            }
            TrackRecord::MoreDays(days) => {
                format!("A longer record: about {} at this rate.", counted(days, "more day", "more days"))
            }
            TrackRecord::NotInTenYears => "A longer record: at this rate, not in ten years.".to_owned(),
        });
        let active = self.confidence().count("active_days").unwrap_or_default();
        match reason {
            "no_trades" => vec!["Closed trades: at least 50, on at least 30 days.".to_owned()],
            "one_day" => vec!["More days: at least 30 with a closed trade, and 50 trades.".to_owned()],
            "ruined" => vec!["Nothing: what a lost account has shown is that it can be lost.".to_owned()],
            "no_edge_shown" => {
                vec!["Days that earn more than others lose. Going on as it did would not raise it.".to_owned()]
            }
            "few_observations" => {
                let trades = self.trades().map(|trades| format!("{}, and ", counted(trades, "trade", "trades")));
                let there = format!("{}{}", trades.unwrap_or_default(), counted(active, "day", "days"));
                let needed = format!("At least 50 trades, and 30 days with a closed one; there are {there}.");
                [Some(needed), track].into_iter().flatten().collect()
            }
            "short_track_record" => track.into_iter().collect(),
            "profit_below_worst_case" => {
                let earned = self.bad_days().map(|days| {
                    let days = times(days);
                    format!("More profit: what was earned is {days} times one plausible bad day.")
                });
                let stop = "A stop-loss in force that is nearer than the loss assumed below, or less open at once: \
                            either makes the plausible bad day smaller.";
                [earned, Some(stop.to_owned()), track].into_iter().flatten().collect()
            }
            "likely_overfit" => vec!["Trades made after the choice, or fewer runs to choose from.".to_owned()],
            "sufficient" => {
                vec!["It is as high as past trades can make it. They say nothing of a future unlike them.".to_owned()]
            }
            _ => track.into_iter().collect(),
        }
    }

    fn track_record(&self) -> Option<TrackRecord> {
        let more = self.confidence().number("min_trl_days")? - self.days()? as f64;
        Some(match more {
            more if more <= 0.0 => TrackRecord::LongEnough,
            more if more > TEN_YEARS => TrackRecord::NotInTenYears,
            more => TrackRecord::MoreDays(more.ceil() as u64),
        })
    }

    /// The score is worth no more than this.
    fn assumption(&self) -> String {
        let loss = self.confidence().number("assumed_max_loss").map(|loss| {
            let loss = about(loss);
            let day = self.confidence().number("worst_day_assumed").map(about);
            let day = day.map(|day| format!(", so that one plausible bad day takes {day} of the balance"));
            format!("an open position loses at most {loss} of what it was bought for{}; ", day.unwrap_or_default())
        });
        let runs = self.runs();
        let chosen = if runs > 1 {
            format!("these trades are the best of {}", counted(runs, "run", "runs"))
        } else {
            "nobody has picked these trades from several runs".to_owned()
        };
        format!("Assumed: {}{chosen}; what is still open hides no loss.", loss.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use nofomo_analytics::{Confidence, ConfidenceLevel, Evidence, Reason, TrackRecord as Theirs};
    use serde_json::{Value, json};

    use super::*;

    fn block(confidence: Value, metrics: Value) -> CurrencyAnalysis {
        let block = json!({
            "currency": "USDT", "initial_balance": "1000", "metrics": metrics, "confidence": confidence,
        });
        serde_json::from_value(block).unwrap()
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
    fn the_word_of_a_score_is_the_confidence_s_own() {
        for hundredths in 0..=99 {
            let theirs = confidence(f64::from(hundredths) / 100.0, None);
            let word = match theirs.level() {
                ConfidenceLevel::NotShown => "not shown",
                ConfidenceLevel::Weak => "weak",
                ConfidenceLevel::Fair => "fair",
                ConfidenceLevel::Strong => "strong",
            };
            assert_eq!(wording(theirs.score).1, word, "{}", theirs.score);
        }
    }

    #[test]
    fn the_days_to_go_are_the_confidence_s_own() {
        for needed in [None, Some(12.0), Some(180.0), Some(180.1), Some(303.6), Some(3_830.0), Some(3_830.5)] {
            let theirs = confidence(0.5, needed);
            let block = block(json!(theirs), json!({ "days": 180 }));
            let known = VerdictInput { block: &block, trades: None, cents: MoneyFormat::of_account(None) };
            let days = match theirs.track_record(180) {
                None => None,
                Some(Theirs::LongEnough) => Some(TrackRecord::LongEnough),
                Some(Theirs::MoreDays(days)) => Some(TrackRecord::MoreDays(u64::from(days))),
                Some(Theirs::NotInTenYears) => Some(TrackRecord::NotInTenYears),
            };
            assert_eq!(known.track_record(), days, "{needed:?}");
        }
    }

    #[test]
    fn each_reason_makes_a_sentence_and_says_what_would_help() {
        let metrics = json!({ "net_profit": "165.86", "total_return": 0.16586, "trades": 1000, "days": 180 });
        let record = "it earned 165.86 USDT (+16.59 %) with 1,000 trades in 180 days";
        for (score, reason, sentence, raise) in [
            (0.0, "no_trades", "No edge is shown: there is no closed trade to judge.", "at least 50"),
            (
                0.0,
                "one_day",
                "No edge is shown: {record}, and one day cannot tell skill from luck.",
                "30 with a closed",
            ),
            (0.0, "ruined", "No edge is shown: the account was lost; its balance fell to zero or below.", "Nothing"),
            (0.0, "no_edge_shown", "No edge is shown: {record}, no more than luck would.", "Days that earn more"),
            (
                0.3,
                "few_observations",
                "No edge is shown: {record}, too few to tell skill from luck.",
                "1,000 trades, and 179 days",
            ),
            (
                0.6,
                "short_track_record",
                "Weak evidence of an edge: {record}, too short a time to tell skill from luck.",
                "about 124 more days",
            ),
            (
                0.17,
                "profit_below_worst_case",
                "No edge is shown: {record}, less than one plausible bad day would take.",
                "0.44 times",
            ),
            (
                0.85,
                "likely_overfit",
                "Fair evidence of an edge: {record}, but it may be the best of 1 run by chance.",
                "after the choice",
            ),
            (
                0.97,
                "sufficient",
                "Strong evidence of an edge: {record}, more than luck and a plausible bad day explain.",
                "as high as",
            ),
        ] {
            let mut confidence = json!(confidence(score, Some(303.6)));
            confidence["reason"] = reason.into();
            let verdict = verdict(&block(confidence, metrics.clone()), None).unwrap();
            let said = verdict.sentence.replace('\u{a0}', " ");
            assert_eq!(said, sentence.replace("{record}", record));
            let raises = verdict.raises.join(" ").replace('\u{a0}', " ");
            assert!(raises.contains(raise), "{reason}: {raises}");
            assert!(verdict.assumption.contains("25\u{a0}%"), "{}", verdict.assumption);
        }
    }

    #[test]
    fn a_loss_is_called_a_loss() {
        let mut confidence = json!(confidence(0.0, None));
        confidence["reason"] = "no_edge_shown".into();
        let metrics = json!({ "net_profit": "-41.67", "trades": 24, "days": 12 });
        let verdict = verdict(&block(confidence, metrics), None).unwrap();
        let said = verdict.sentence.replace('\u{a0}', " ");
        assert_eq!(said, "No edge is shown: it lost 41.67 USDT (−4.17 %) with 24 trades in 12 days.");
    }

    #[test]
    fn ten_years_are_said_in_words() {
        let verdict = verdict(&block(json!(confidence(0.5, Some(9_000.0))), json!({ "days": 180 })), None);
        assert!(verdict.unwrap().raises.join(" ").contains("not in ten years"));
    }
}
