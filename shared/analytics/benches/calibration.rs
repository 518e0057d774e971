//! Calibration of the confidence score: share of thousands of simulated bots without an edge that reach 0.95, and their
//! mean score.
//!
//! `cargo bench -p nofomo-analytics --bench calibration`

#[path = "../tests/it/edgeless.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "shared with the tests, where a panic fails the test")]
mod edgeless;

use edgeless::{Bot, Returns, best_ever, best_of, psr, score};

const BOTS: u64 = 4_000;

fn main() {
    println!("{:<58} {:>10} {:>10} {:>10}", "share of the bots at 0.95 or more", "PSR", "score", "mean score");
    for returns in
        [Returns::Normal, Returns::HiddenCrash, Returns::Grid, Returns::VolatilityClusters, Returns::StudentT3]
    {
        for (trades, days) in [(10, 30), (50, 60), (100, 180), (300, 180), (1000, 180)] {
            let bot = Bot { returns, trades, days };
            let bots = (0..BOTS).map(|seed| bot.trades(seed));
            report(&format!("{bot:?}"), bots.map(|trades| (psr(&trades), score(&trades, 1))));
        }
    }
    let normal = |trades, days| Bot { returns: Returns::Normal, trades, days };
    let looks = (0..BOTS / 10).map(|seed| best_ever(&normal(1000, 365).trades(seed)));
    report("highest score after each tenth of 1000 trades, 365 days", looks.map(|best| (f64::NAN, best)));
    for (label, runs) in [("stated runs", 20), ("undisclosed runs", 1)] {
        let best = (0..BOTS / 10).map(|seed| best_of(normal(300, 180), 20, seed));
        report(
            &format!("the best of 20 with 300 trades in 180 days, {label}"),
            best.map(|trades| (psr(&trades), score(&trades, runs))),
        );
    }
    for (edge, trades) in [(0.1, 300), (0.1, 1000), (0.2, 1000)] {
        let bot = Bot { returns: Returns::Edge(edge), trades, days: 365 };
        let bots = (0..BOTS / 10).map(|seed| bot.trades(seed));
        report(&format!("{bot:?}"), bots.map(|trades| (psr(&trades), score(&trades, 1))));
    }
}

fn report(name: &str, results: impl Iterator<Item = (f64, f64)>) {
    let (psrs, scores): (Vec<f64>, Vec<f64>) = results.unzip();
    let share = |values: &[f64]| values.iter().filter(|value| **value >= 0.95).count() as f64 / values.len() as f64;
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    let psr = if psrs.iter().any(|psr| psr.is_nan()) { "-".to_owned() } else { format!("{:.4}", share(&psrs)) };
    println!("{name:<58} {psr:>10} {:>10.4} {mean:>10.3}", share(&scores));
}
