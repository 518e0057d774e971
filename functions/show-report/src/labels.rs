//! What the codes in an analysis mean, in words.

/// Why a figure is missing, or not worth much.
pub(crate) fn note(code: &str) -> Option<&'static str> {
    Some(match code {
        "no_trades" => "There is no closed trade, so there is nothing to compute.",
        "no_losses" => "No trade has lost, so nothing can be divided by the losses. That is no proof that none will.",
        "annualised_from_under_30_days" => {
            "Annualised figures come from fewer than 30 days: what a few days made is multiplied many times."
        }
        "ruined" => "The balance was at zero or below at the end of a day. The daily returns end there.",
        "one_day" => "There is only one day of returns, and a single day has no spread.",
        "zero_variance" => "All daily returns are the same, so there is no risk to divide by.",
        "under_20_days_no_tail_metrics" => "With fewer than 20 days there is no such thing as the worst day in twenty.",
        _ => return None,
    })
}

/// What holds the confidence down.
pub(crate) fn reason(code: &str) -> Option<&'static str> {
    Some(match code {
        "no_trades" => "There is no closed trade.",
        "one_day" => "There is only one day of returns.",
        "ruined" => "The account was lost.",
        "no_edge_shown" => "It has not earned more than chance would.",
        "few_observations" => "There are too few trades, or too few days with one.",
        "short_track_record" => "The track record is too short.",
        "profit_below_worst_case" => "It has not earned enough to make up for one plausible bad day.",
        "likely_overfit" => "It may be the best of many by chance alone.",
        "sufficient" => "Nothing: the evidence suffices.",
        _ => return None,
    })
}

/// What the trades of a slice have in common.
pub(crate) fn dimension(code: &str) -> Option<&'static str> {
    Some(match code {
        "pair" => "Pair",
        "side" => "Side",
        "weekday" => "Weekday of the entry, UTC",
        "hour" => "Hour of the entry, UTC",
        "duration" => "Duration",
        _ => return None,
    })
}

/// Which of them a slice is; pairs have their own names.
pub(crate) fn slice(by: &str, key: &str) -> String {
    let known = match key {
        "buy" => "Long",
        "sell" => "Short",
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
        hour if by == "hour" => return format!("{hour}:00 to {hour}:59"),
        other => other,
    };
    if by == "pair" { key.to_owned() } else { known.to_owned() }
}

/// What may be said of a slice.
pub(crate) fn slice_verdict(code: &str) -> Option<&'static str> {
    Some(match code {
        "too_few_trades" => "too few trades",
        "not_shown" => "no different from chance",
        "earns" => "earns",
        "loses" => "loses",
        _ => return None,
    })
}

/// What costs more.
pub(crate) fn scenario(code: &str) -> Option<&'static str> {
    Some(match code {
        "fees_doubled" => "Every fee twice",
        "slippage" => "0.05 % of each trade lost to worse prices",
        "fees_doubled_and_slippage" => "Both",
        _ => return None,
    })
}

/// What became of a trade on the other side.
pub(crate) fn outcome(code: &str) -> Option<&'static str> {
    Some(match code {
        "matched" => "in both",
        "missing" => "backtest only",
        "extra" => "live only",
        _ => return None,
    })
}

/// A code that nobody has put into words yet is better than nothing.
pub(crate) fn or_code(words: Option<&'static str>, code: &str) -> String {
    words.map_or_else(|| code.replace('_', " "), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use nofomo_analytics::{Dimension, Note, Reason, Scenario, Side, Verdict};
    use serde::Serialize;

    use super::*;

    fn code(value: impl Serialize) -> String {
        serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
    }

    #[test]
    fn every_note_has_words() {
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
            assert!(note(&code(known)).is_some(), "{known:?}");
        }
    }

    #[test]
    fn every_reason_has_words() {
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
            assert!(reason(&code(known)).is_some(), "{known:?}");
        }
    }

    #[test]
    fn every_slice_has_words() {
        for by in [Dimension::Pair, Dimension::Side, Dimension::Weekday, Dimension::Hour, Dimension::Duration] {
            match by {
                Dimension::Pair | Dimension::Side | Dimension::Weekday | Dimension::Hour | Dimension::Duration => {}
            }
            assert!(dimension(&code(by)).is_some(), "{by:?}");
        }
        for verdict in [Verdict::TooFewTrades, Verdict::NotShown, Verdict::Earns, Verdict::Loses] {
            match verdict {
                Verdict::TooFewTrades | Verdict::NotShown | Verdict::Earns | Verdict::Loses => {}
            }
            assert!(slice_verdict(&code(verdict)).is_some(), "{verdict:?}");
        }
        for side in [Side::Buy, Side::Sell] {
            match side {
                Side::Buy | Side::Sell => {}
            }
            assert_ne!(slice("side", &code(side)), code(side));
        }
        assert_eq!(slice("hour", "09"), "09:00 to 09:59");
        assert_eq!(slice("pair", "buy"), "buy");
    }

    #[test]
    fn every_scenario_has_words() {
        for known in [Scenario::FeesDoubled, Scenario::Slippage, Scenario::FeesDoubledAndSlippage] {
            match known {
                Scenario::FeesDoubled | Scenario::Slippage | Scenario::FeesDoubledAndSlippage => {}
            }
            assert!(scenario(&code(known)).is_some(), "{known:?}");
        }
    }

    #[test]
    fn a_code_of_tomorrow_is_shown_as_it_is() {
        assert_eq!(or_code(note("sun_went_dark"), "sun_went_dark"), "sun went dark");
    }
}
