//! The promise of the confidence: a bot without any edge gets a score of c or more with a probability of at most 1 - c.

use crate::edgeless::{Bot, Returns, best_ever, best_of, psr, score};

const BOTS: u64 = 300;

/// Exactly as promised at each level: the draws are seeded, and the score is far from its bound.
#[track_caller]
fn keeps_the_promise(scores: &[f64]) {
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
fn a_bot_without_an_edge_does_not_earn_a_score() {
    keeps_the_promise(&scores(Returns::Normal, 10, 30));
    keeps_the_promise(&scores(Returns::Normal, 300, 180));
    keeps_the_promise(&scores(Returns::Grid, 100, 180));
    keeps_the_promise(&scores(Returns::VolatilityClusters, 300, 180));
    keeps_the_promise(&scores(Returns::StudentT3, 1000, 180));
}

#[test]
fn a_crash_that_has_not_come_yet_is_not_an_edge() {
    let bot = Bot { returns: Returns::HiddenCrash, trades: 50, days: 60 };
    let trades: Vec<_> = (0..BOTS).map(|seed| bot.trades(seed)).collect();
    // The probabilistic Sharpe ratio alone is fooled by every third.
    let fooled = trades.iter().filter(|trades| psr(trades) >= 0.95).count() as f64;
    assert!(fooled > 0.25 * BOTS as f64, "only {fooled} fooled");
    keeps_the_promise(&trades.iter().map(|trades| score(trades, 1)).collect::<Vec<_>>());
    keeps_the_promise(&scores(Returns::HiddenCrash, 100, 180));
}

#[test]
fn looking_often_does_not_help() {
    let bot = Bot { returns: Returns::Normal, trades: 300, days: 365 };
    let best: Vec<f64> = (0..BOTS).map(|seed| best_ever(&bot.trades(seed))).collect();
    keeps_the_promise(&best);
}

#[test]
fn picking_the_best_of_twenty_does_not_help() {
    let bot = Bot { returns: Returns::Normal, trades: 300, days: 180 };
    let best: Vec<_> = (0..BOTS / 5).map(|seed| best_of(bot, 20, seed)).collect();
    let fooled = best.iter().filter(|trades| psr(trades) >= 0.95).count();
    assert!(fooled > best.len() / 3, "only {fooled} fooled");
    keeps_the_promise(&best.iter().map(|trades| score(trades, 20)).collect::<Vec<_>>());
    // Not even somebody who keeps the number of runs to himself gets the high scores.
    assert!(best.iter().all(|trades| score(trades, 1) < 0.95));
}

#[test]
fn an_edge_that_is_there_is_seen_in_time() {
    let seen = |deviations, trades| {
        let bot = Bot { returns: Returns::Edge(deviations), trades, days: 365 };
        (0..40).filter(|seed| score(&bot.trades(*seed), 1) >= 0.95).count()
    };
    // In units of a trade's deviation, over a thousand trades.
    assert!(seen(0.2, 1000) >= 36);
    // And not before its time.
    assert!(seen(0.2, 100) <= 4);
}
