//! Confidence score and its reasons.

use chrono::TimeDelta;
use nofomo_analytics::{
    Confidence, ConfidenceLevel, Evidence, InvalidInput, Reason, Record, Settings, TrackRecord, Trade, TrialMatrix,
    Trials,
};
use rust_decimal::{Decimal, dec};

use crate::support::{close, fixture, one_a_day, record, settings, split};

fn confidence(trades: &[Trade<'_>], settings: Settings) -> Confidence {
    Record::new(trades, settings).unwrap().confidence()
}

fn evidence(trades: &[Trade<'_>], settings: Settings) -> Evidence {
    confidence(trades, settings).parts.unwrap()
}

fn with_runs(runs: u32) -> Settings {
    Settings { trials: Trials { runs, ..Trials::default() }, ..settings() }
}

#[test]
fn a_record_without_anything_to_judge_scores_zero_with_a_reason() {
    let of = |trades: &[Trade<'_>]| {
        let Confidence { parts, score, reason, .. } = record(trades).confidence();
        (parts, score, reason)
    };
    assert_eq!(of(&[]), (None, 0.0, Reason::NoTrades));
    assert_eq!(of(&fixture("one_win")), (None, 0.0, Reason::OneDay));
    assert_eq!(of(&fixture("ruin")), (None, 0.0, Reason::Ruined));
    // A bot that loses everything on its first day is ruined.
    assert_eq!(of(&one_a_day(&[dec!(-1000)])), (None, 0.0, Reason::Ruined));
}

#[test]
fn one_worst_case_day_limits_the_score_of_a_good_record() {
    let main = record(&fixture("main")).confidence();
    assert_eq!(
        (main.score, main.reason, main.level()),
        (0.17, Reason::ProfitBelowWorstCase, ConfidenceLevel::Insufficient)
    );
    assert_eq!(main.track_record(180), Some(TrackRecord::MoreDays(124)));
    let parts = main.parts.unwrap();
    close(parts.statistical, 0.530652, 1e-6);
    close(parts.tail_guard, 0.172832, 1e-5);
    close(parts.min_trl_days.unwrap(), 303.60, 1e-4);

    let all_wins = record(&fixture("all_wins")).confidence();
    assert_eq!((all_wins.score, all_wins.reason), (0.32, Reason::ProfitBelowWorstCase));
    assert_eq!(all_wins.track_record(30), Some(TrackRecord::LongEnough));
    let parts = all_wins.parts.unwrap();
    // 24 active days of 30.
    close(parts.statistical, 0.80, 1e-9);
    assert!(parts.psr_2012.unwrap() > 0.9999);
}

#[test]
fn more_runs_lower_the_score_of_the_best() {
    let main = fixture("main");
    for (runs, statistical) in [(2, 0.158), (5, 0.001), (10, 0.0)] {
        let parts = evidence(&main, with_runs(runs));
        assert!((parts.statistical - statistical).abs() < 5e-4, "{runs}: {}", parts.statistical);
    }
    let scores: Vec<f64> = (1..=20).map(|runs| confidence(&main, with_runs(runs)).score).collect();
    assert!(scores.is_sorted_by(|fewer, more| fewer >= more));
    let last = confidence(&main, with_runs(20));
    assert_eq!((last.score, last.reason, last.track_record(180)), (0.0, Reason::NoEdgeShown, None));
}

#[test]
fn a_known_deviation_of_the_trials_is_used() {
    let main = fixture("main");
    let trials = Trials { runs: 10, sharpe_deviation: Some(0.02), overfit_probability: None };
    let parts = evidence(&main, Settings { trials, ..settings() });
    close(parts.benchmark_sharpe, 0.02 * 1.5745983013457505, 1e-9);
    let estimated = evidence(&main, with_runs(10));
    close(estimated.benchmark_sharpe, (estimated.variance_observed.unwrap() / 179.0).sqrt() * 1.5745983013457505, 1e-9);
}

#[test]
fn a_closer_stop_loss_raises_the_tail_guard() {
    let main = fixture("main");
    for (max_loss, guard) in [(0.05, 0.416), (0.1, 0.337), (0.25, 0.173), (0.5, 0.093), (1.0, 0.048)] {
        let parts = evidence(&main, Settings { max_loss: Some(max_loss), ..settings() });
        assert!((parts.tail_guard - guard).abs() < 5e-4, "{max_loss}: {}", parts.tail_guard);
    }
}

#[test]
fn an_observed_day_worse_than_assumed_is_the_worst_day() {
    // A loss of half of the balance, on a position of a tenth of it.
    let mut profits = vec![dec!(20); 60];
    profits[30] = dec!(-800);
    let parts = evidence(&one_a_day(&profits), settings());
    close(parts.peak_exposure, 0.125, 1e-12);
    close(parts.worst_day_assumed, 0.5, 1e-12);
}

#[test]
fn the_exposure_counts_trades_that_are_open_together() {
    let mut trades = one_a_day(&[dec!(10); 3]);
    let hour = TimeDelta::hours(1);
    // The second opens when the first closes: they are never open together. The third opens and closes at once, while
    // the second is open.
    trades[1].entry_time = trades[0].exit_time;
    trades[2].entry_time = trades[1].exit_time - hour;
    trades[2].exit_time = trades[2].entry_time;
    let parts = evidence(&trades, settings());
    close(parts.peak_exposure, 200.0 / 1010.0, 1e-12);
}

#[test]
fn a_good_bot_with_reversed_profits_scores_zero() {
    let mut trades = fixture("all_wins");
    assert!(record(&trades).confidence().score > 0.0);
    for trade in &mut trades {
        trade.profit = -trade.profit;
    }
    let confidence = record(&trades).confidence();
    assert_eq!((confidence.score, confidence.reason), (0.0, Reason::NoEdgeShown));
}

#[test]
fn splitting_every_order_in_two_changes_nothing() {
    for set in ["main", "all_wins"] {
        let trades = fixture(set);
        let (whole, halves) = (record(&trades).confidence(), record(&split(&trades)).confidence());
        assert_eq!((whole.score, whole.reason), (halves.score, halves.reason));
        let (whole, halves) = (whole.parts.unwrap(), halves.parts.unwrap());
        close(halves.statistical, whole.statistical, 1e-12);
        close(halves.log_e_value, whole.log_e_value, 1e-12);
    }
}

#[test]
fn a_day_without_a_trade_adds_no_evidence() {
    let main = fixture("main");
    let longer = Settings { period_end: Some(main.last().unwrap().exit_time + TimeDelta::days(1)), ..settings() };
    let (before, after) = (evidence(&main, settings()), evidence(&main, longer));
    assert_eq!(before.log_e_value, after.log_e_value);
    assert!((before.edge_probability - 0.89708).abs() < 5e-6);
    assert!((after.edge_probability - 0.89710).abs() < 5e-6);
}

#[test]
fn a_short_record_is_reported_as_short() {
    // Ten trades in sixty days, each a small gain that varies.
    let profits: Vec<Decimal> =
        (0..60).map(|day| if day % 6 == 0 { Decimal::from(20 + day % 7) } else { dec!(0) }).collect();
    let few: Vec<_> = one_a_day(&profits).into_iter().filter(|trade| trade.profit > dec!(0)).collect();
    assert_eq!(record(&few).confidence().reason, Reason::FewObservations);
    // Autocorrelated returns contain less information than as many independent ones.
    let profits: Vec<Decimal> = (0..60).map(|day| if day % 15 < 8 { dec!(3) } else { dec!(-2) }).collect();
    let young = confidence(&one_a_day(&profits), Settings { max_loss: Some(0.001), ..settings() });
    assert_eq!((young.reason, young.level()), (Reason::ShortTrackRecord, ConfidenceLevel::Insufficient));
}

#[test]
fn a_long_good_record_is_sufficient_and_never_certain() {
    let profits: Vec<Decimal> = (0..400).map(|day| if day % 3 == 0 { dec!(-4) } else { dec!(7) }).collect();
    let confidence = record(&one_a_day(&profits)).confidence();
    assert_eq!((confidence.score, confidence.reason), (0.99, Reason::Sufficient));
    assert_eq!(
        (confidence.level(), confidence.track_record(400)),
        (ConfidenceLevel::Strong, Some(TrackRecord::LongEnough))
    );
    // Not even if the raw score rounds to 1.
    let mut balance = dec!(1000);
    let spotless: Vec<Decimal> = (0..400)
        .map(|day| {
            let profit = (balance * Decimal::new(10 + day % 2, 3)).round_dp(8);
            balance += profit;
            profit
        })
        .collect();
    let confidence = record(&one_a_day(&spotless)).confidence();
    assert_eq!((confidence.parts.unwrap().raw, confidence.score), (1.0, 0.99));
}

#[test]
fn a_tiny_edge_is_not_shown_in_ten_years() {
    let profits: Vec<Decimal> = (0..100).map(|day| if day % 2 == 0 { dec!(10.1) } else { dec!(-10) }).collect();
    let confidence = record(&one_a_day(&profits)).confidence();
    assert_eq!(confidence.track_record(100), Some(TrackRecord::NotInTenYears));
}

#[test]
fn the_confidence_level_changes_at_its_bounds() {
    let mut confidence = record(&[]).confidence();
    let bounds = [
        (0.0, ConfidenceLevel::Insufficient),
        (0.49, ConfidenceLevel::Insufficient),
        (0.50, ConfidenceLevel::Weak),
        (0.79, ConfidenceLevel::Weak),
        (0.80, ConfidenceLevel::Fair),
        (0.94, ConfidenceLevel::Fair),
        (0.95, ConfidenceLevel::Strong),
    ];
    for (score, level) in bounds {
        confidence.score = score;
        assert_eq!(confidence.level(), level, "{score}");
    }
}

#[test]
fn a_probable_overfit_bounds_the_score() -> Result<(), InvalidInput> {
    let profits: Vec<Decimal> = (0..400).map(|day| if day % 3 == 0 { dec!(-4) } else { dec!(7) }).collect();
    let trades = one_a_day(&profits);
    // Two configurations with opposite returns.
    let returns: Vec<f64> = (0..400).flat_map(|day| [0.01, -0.01].map(|r| if day % 3 == 0 { r } else { -r })).collect();
    let trials = TrialMatrix::new(&returns, 2)?.trials(4)?;
    assert_eq!((trials.runs, trials.overfit_probability), (2, Some(0.0)));
    let genuine = confidence(&trades, Settings { trials, ..settings() });
    let trials = Trials { overfit_probability: Some(0.3), sharpe_deviation: None, runs: 1 };
    let overfit = confidence(&trades, Settings { trials, ..settings() });
    assert_eq!((overfit.score, overfit.reason), (0.70, Reason::LikelyOverfit));
    assert!(genuine.reason != Reason::LikelyOverfit);
    Ok(())
}
