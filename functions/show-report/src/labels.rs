//! Labels of the codes in an analysis.

use nofomo_analytics::{
    AnalysisType, ConfidenceLevel, Dimension, Note, NoteCode, PairingOutcome, Reason, Scenario, Side, SliceVerdict,
};
use serde_json::{Value, json};

/// Code of a value, as the analysis stores it.
pub(crate) fn code_of(value: impl serde::Serialize) -> String {
    match json!(value) {
        Value::String(code) => code,
        _ => String::new(),
    }
}

pub(crate) fn analysis_type(kind: AnalysisType) -> &'static str {
    match kind {
        AnalysisType::Performance => "Performance",
        AnalysisType::Risk => "Risk",
        AnalysisType::Optimization => "Optimization",
        AnalysisType::Backtest => "Backtest comparison",
    }
}

pub(crate) fn confidence_level(level: ConfidenceLevel) -> &'static str {
    match level {
        ConfidenceLevel::Insufficient => "insufficient",
        ConfidenceLevel::Weak => "weak",
        ConfidenceLevel::Fair => "fair",
        ConfidenceLevel::Strong => "strong",
    }
}

/// Label of a note. The code of an unknown one is shown with spaces instead of underscores.
pub(crate) fn note_code(code: &NoteCode) -> String {
    match code {
        NoteCode::Known(known) => note(*known).to_owned(),
        NoteCode::Unknown(code) => code.replace('_', " "),
    }
}

pub(crate) fn note(note: Note) -> &'static str {
    match note {
        Note::NoTrades => "There are no closed trades, so no metric is defined.",
        Note::NoLosses => "No trade has lost, so ratios to losses have no value. Future trades can still lose.",
        Note::AnnualisedFromUnder30Days => {
            "Annualised metrics are based on fewer than 30 days, so they exaggerate the results of a few days."
        }
        Note::Ruined => "The balance was zero or below at the end of a day. The daily returns end with that day.",
        Note::OneDay => "There is only one daily return, which has no standard deviation.",
        Note::ZeroVariance => "All daily returns are equal, so ratios to their standard deviation have no value.",
        Note::Under20DaysNoTailMetrics => "Value at risk, expected shortfall and tail ratio need at least 20 days.",
    }
}

/// Main reason why the confidence score is not higher.
pub(crate) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NoTrades => "There are no closed trades.",
        Reason::OneDay => "There is only one daily return.",
        Reason::Ruined => "The account is ruined.",
        Reason::NoEdgeShown => "The daily returns are no better than chance.",
        Reason::FewObservations => "There are too few trades, or too few days with a trade.",
        Reason::ShortTrackRecord => "The track record is too short.",
        Reason::ProfitBelowWorstCase => "The profit is too small compared with the loss of one worst-case day.",
        Reason::LikelyOverfit => "The trades may be the best of many runs by chance.",
        Reason::Sufficient => "The evidence is sufficient; the maximum score is 0.99.",
    }
}

pub(crate) fn dimension(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Pair => "Pair",
        Dimension::Side => "Side",
        Dimension::Weekday => "Weekday of the entry, UTC",
        Dimension::Hour => "Hour of the entry, UTC",
        Dimension::Duration => "Duration",
    }
}

pub(crate) fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "Long",
        Side::Sell => "Short",
    }
}

/// Label of a slice. A pair is its own label.
pub(crate) fn slice(by: Dimension, key: &str) -> String {
    let label = match key {
        hour if by == Dimension::Hour => return format!("{hour}:00 to {hour}:59"),
        pair if by == Dimension::Pair => pair,
        "buy" => side(Side::Buy),
        "sell" => side(Side::Sell),
        "monday" => "Monday",
        "tuesday" => "Tuesday",
        "wednesday" => "Wednesday",
        "thursday" => "Thursday",
        "friday" => "Friday",
        "saturday" => "Saturday",
        "sunday" => "Sunday",
        "under_15_minutes" => "under 15 minutes",
        "15_minutes_to_1_hour" => "15 minutes to 1 hour",
        "1_to_4_hours" => "1 to 4 hours",
        "4_to_24_hours" => "4 to 24 hours",
        "1_to_7_days" => "1 to 7 days",
        "over_7_days" => "over 7 days",
        other => other,
    };
    label.to_owned()
}

pub(crate) fn slice_verdict(verdict: SliceVerdict) -> &'static str {
    match verdict {
        SliceVerdict::TooFewTrades => "too few trades",
        SliceVerdict::NotShown => "no different from chance",
        SliceVerdict::Earns => "profitable",
        SliceVerdict::Loses => "losing",
    }
}

/// Higher costs of a stress scenario.
pub(crate) fn scenario(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::FeesDoubled => "Doubled fees",
        Scenario::Slippage => "0.05 % slippage per trade",
        Scenario::FeesDoubledAndSlippage => "Both",
    }
}

pub(crate) fn outcome(outcome: PairingOutcome) -> &'static str {
    match outcome {
        PairingOutcome::Matched => "in both",
        PairingOutcome::Missing => "backtest only",
        PairingOutcome::Extra => "live only",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_note_has_a_label() {
        use Note::*;
        // A new one does not compile until it is in both lists.
        let all =
            [NoTrades, NoLosses, AnnualisedFromUnder30Days, Ruined, OneDay, ZeroVariance, Under20DaysNoTailMetrics];
        for known in all {
            match known {
                NoTrades
                | NoLosses
                | AnnualisedFromUnder30Days
                | Ruined
                | OneDay
                | ZeroVariance
                | Under20DaysNoTailMetrics => {}
            }
            assert!(note(known).ends_with('.'), "{known:?}");
            assert_eq!(note_code(&NoteCode::Known(known)), note(known));
            assert_ne!(code_of(known), "", "{known:?}");
        }
    }

    #[test]
    fn every_reason_has_a_label() {
        use Reason::*;
        let all = [
            NoTrades,
            OneDay,
            Ruined,
            NoEdgeShown,
            FewObservations,
            ShortTrackRecord,
            ProfitBelowWorstCase,
            LikelyOverfit,
            Sufficient,
        ];
        for known in all {
            match known {
                NoTrades | OneDay | Ruined | NoEdgeShown | FewObservations | ShortTrackRecord
                | ProfitBelowWorstCase | LikelyOverfit | Sufficient => {}
            }
            assert!(reason(known).ends_with('.'), "{known:?}");
        }
    }

    #[test]
    fn every_slice_has_a_label() {
        for by in [Dimension::Pair, Dimension::Side, Dimension::Weekday, Dimension::Hour, Dimension::Duration] {
            match by {
                Dimension::Pair | Dimension::Side | Dimension::Weekday | Dimension::Hour | Dimension::Duration => {}
            }
            assert!(!dimension(by).is_empty(), "{by:?}");
        }
        for verdict in [SliceVerdict::TooFewTrades, SliceVerdict::NotShown, SliceVerdict::Earns, SliceVerdict::Loses] {
            match verdict {
                SliceVerdict::TooFewTrades | SliceVerdict::NotShown | SliceVerdict::Earns | SliceVerdict::Loses => {}
            }
            assert!(!slice_verdict(verdict).is_empty(), "{verdict:?}");
        }
        for side in [Side::Buy, Side::Sell] {
            match side {
                Side::Buy | Side::Sell => {}
            }
            assert_ne!(slice(Dimension::Side, &code_of(side)), code_of(side));
        }
        assert_eq!(slice(Dimension::Hour, "09"), "09:00 to 09:59");
        assert_eq!(slice(Dimension::Pair, "buy"), "buy");
    }

    #[test]
    fn every_scenario_has_a_label() {
        for known in [Scenario::FeesDoubled, Scenario::Slippage, Scenario::FeesDoubledAndSlippage] {
            match known {
                Scenario::FeesDoubled | Scenario::Slippage | Scenario::FeesDoubledAndSlippage => {}
            }
            assert!(!scenario(known).is_empty(), "{known:?}");
        }
    }

    #[test]
    fn a_note_of_another_version_is_shown_without_underscores() {
        let unknown: NoteCode = serde_json::from_value(json!("sun_went_dark")).unwrap();
        assert_eq!(note_code(&unknown), "sun went dark");
    }
}
