//! Calibration of the confidence: a bot without an edge gets a score of c or more with a probability of at most 1 - c.

use crate::edgeless::{Bot, Returns, best_ever, best_of, psr, score};

const BOTS: u64 = 300;

/// Checks the bound at several levels. The draws are seeded, so the result does not vary.
#[track_caller]
fn assert_calibrated(scores: &[f64]) {
    for level in [0.50, 0.80, 0.90, 0.95] {
        let reached = scores.iter().filter(|score| **score >= level).count() as f64 / scores.len() as f64;
        assert!(reached <= 1.0 - level, "{reached} of the bots without an edge have {level} or more");
    }
}

fn scores(returns: Returns, trades: usize, days: usize) -> Vec<f64> {
    let bot = Bot { returns, trades, days };
    (0..BOTS).map(|seed| score(&bot.trades(seed), 1)).collect()
}

#[test]
fn a_bot_without_an_edge_rarely_gets_a_high_score() {
    assert_calibrated(&scores(Returns::Normal, 10, 30));
    assert_calibrated(&scores(Returns::Normal, 300, 180));
    assert_calibrated(&scores(Returns::Grid, 100, 180));
    assert_calibrated(&scores(Returns::VolatilityClusters, 300, 180));
    assert_calibrated(&scores(Returns::StudentT3, 1000, 180));
}

#[test]
fn a_hidden_crash_is_not_an_edge() {
    let bot = Bot { returns: Returns::HiddenCrash, trades: 50, days: 60 };
    let trades: Vec<_> = (0..BOTS).map(|seed| bot.trades(seed)).collect();
    // The probabilistic Sharpe ratio alone accepts every third bot.
    let fooled = trades.iter().filter(|trades| psr(trades) >= 0.95).count() as f64;
    assert!(fooled > 0.25 * BOTS as f64, "only {fooled} fooled");
    assert_calibrated(&trades.iter().map(|trades| score(trades, 1)).collect::<Vec<_>>());
    assert_calibrated(&scores(Returns::HiddenCrash, 100, 180));
}

#[test]
fn frequent_analyses_do_not_raise_the_score() {
    let bot = Bot { returns: Returns::Normal, trades: 300, days: 365 };
    let best: Vec<f64> = (0..BOTS).map(|seed| best_ever(&bot.trades(seed))).collect();
    assert_calibrated(&best);
}

#[test]
fn selecting_the_best_of_twenty_does_not_raise_the_score() {
    let bot = Bot { returns: Returns::Normal, trades: 300, days: 180 };
    let best: Vec<_> = (0..BOTS / 5).map(|seed| best_of(bot, 20, seed)).collect();
    let fooled = best.iter().filter(|trades| psr(trades) >= 0.95).count();
    assert!(fooled > best.len() / 3, "only {fooled} fooled");
    assert_calibrated(&best.iter().map(|trades| score(trades, 20)).collect::<Vec<_>>());
    // Even if the number of runs is concealed, none of them scores high.
    assert!(best.iter().all(|trades| score(trades, 1) < 0.95));
}

#[test]
fn a_real_edge_is_detected() {
    let seen = |deviations, trades| {
        let bot = Bot { returns: Returns::Edge(deviations), trades, days: 365 };
        (0..40).filter(|seed| score(&bot.trades(*seed), 1) >= 0.95).count()
    };
    // Mean return in standard deviations of a trade, over a thousand trades.
    assert!(seen(0.2, 1000) >= 36);
    // A hundred trades are too few.
    assert!(seen(0.2, 100) <= 4);
}
