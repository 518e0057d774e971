//! Values published in the papers, and in the repository of the newest one.

use nofomo_analytics::{InvalidInput, SharpeEstimate, TrialMatrix, expected_maximum};

use crate::support::{close, keys, reference};

/// Hedge fund of both papers, 24 months.
const FUND: SharpeEstimate =
    SharpeEstimate { sharpe: 0.036 / 0.079, observations: 24.0, skew: -2.448, kurtosis: 10.164, autocorrelation: 0.0 };

#[test]
fn the_probabilistic_sharpe_ratio_of_2012() {
    let theirs = &reference()["papers"]["psr_2012_hedge_fund_24_months"];
    let normal = SharpeEstimate::normal(FUND.sharpe, 24.0);
    close(normal.psr_2012(0.0).unwrap(), theirs["normal"].as_f64().unwrap(), 1e-9);
    close(FUND.psr_2012(0.0).unwrap(), theirs["non_normal"].as_f64().unwrap(), 1e-9);
    let lengths = [(normal, "min_trl_95_normal"), (FUND, "min_trl_95_non_normal")];
    for (estimate, key) in lengths {
        close(estimate.min_track_record_2012(0.0, 0.95).unwrap(), theirs[key].as_f64().unwrap(), 1e-9);
    }
}

#[test]
fn the_probabilistic_sharpe_ratio_of_2026() {
    let theirs = &reference()["papers"]["psr_2026_hedge_fund_24_months"];
    let normal = SharpeEstimate::normal(FUND.sharpe, 24.0);
    close(FUND.deviation_2026(FUND.sharpe).unwrap(), theirs["sd_of_sr"].as_f64().unwrap(), 1e-9);
    close(normal.deviation_2026(FUND.sharpe).unwrap(), theirs["sd_of_sr_normal"].as_f64().unwrap(), 1e-9);
    close(FUND.psr_2026(0.0).unwrap(), theirs["psr_0"].as_f64().unwrap(), 1e-9);
    close(FUND.psr_2026(0.1).unwrap(), theirs["psr_0.1"].as_f64().unwrap(), 1e-9);
    close(FUND.min_track_record_2026(0.0, 0.95).unwrap(), theirs["min_trl_95"].as_f64().unwrap(), 1e-9);
}

#[test]
fn autocorrelation_widens_the_variance_of_2026() {
    let half = SharpeEstimate { autocorrelation: 0.5, ..FUND };
    // a = 3, b = 1 + 1 + 1/3, c = 1 + 2/3.
    let expected = 3.0 + 7.0 / 3.0 * 2.448 * 0.1 + 5.0 / 3.0 * 9.164 / 4.0 * 0.01;
    close(half.variance_2026(0.1), expected, 1e-12);
}

#[test]
fn the_minimum_track_record_of_normal_daily_returns() {
    let theirs = &reference()["papers"]["min_trl_2012_daily_normal_95_sr0_0"];
    for (name, expected) in theirs.as_object().unwrap() {
        let annual: f64 = name.trim_start_matches("annual_sharpe_").parse().unwrap();
        for year in [252.0_f64, 365.0] {
            let daily = SharpeEstimate::normal(annual / year.sqrt(), 0.0);
            let days = daily.min_track_record_2012(0.0, 0.95).unwrap();
            close(days, expected[format!("days_{year}")].as_f64().unwrap(), 1e-9);
            close(days / year, expected[format!("years_{year}")].as_f64().unwrap(), 1e-9);
        }
    }
    for sharpe in [0.0, -0.1] {
        let losing = SharpeEstimate::normal(sharpe, 100.0);
        assert_eq!((losing.min_track_record_2012(0.0, 0.95), losing.min_track_record_2026(0.0, 0.95)), (None, None));
    }
}

#[test]
fn the_expected_maximum_of_several_trials() {
    let theirs = reference()["papers"]["expected_max_sr_of_k"].clone();
    for (runs, expected) in theirs.as_object().unwrap() {
        close(expected_maximum(runs.parse().unwrap()), expected.as_f64().unwrap(), 1e-9);
    }
}

#[test]
fn the_deflated_sharpe_ratio_of_2014() {
    for runs in [46, 88, 100] {
        let theirs = &reference()["papers"][format!("dsr_2014_N{runs}")];
        let (year, sharpe, days) = (250.0_f64, 2.5, 1250.0);
        let daily = sharpe / year.sqrt();
        let normal = SharpeEstimate::normal(daily, days);
        let estimate = SharpeEstimate { skew: -3.0, kurtosis: 10.0, ..normal };
        let benchmark = (0.5 / year).sqrt() * expected_maximum(runs);
        close(benchmark, theirs["sr0"].as_f64().unwrap(), 1e-9);
        close(estimate.psr_2012(benchmark).unwrap(), theirs["dsr"].as_f64().unwrap(), 1e-9);
        close(normal.psr_2012(benchmark).unwrap(), theirs["dsr_if_normal"].as_f64().unwrap(), 1e-9);
    }
}

/// Returns in row-major order without the columns of a name, and the number of columns.
fn trials(without: &str) -> (Vec<f64>, usize) {
    let mut rows = csv::Reader::from_path("fixtures/trials.csv").unwrap();
    let kept: Vec<bool> = rows.headers().unwrap().iter().map(|name| name != without).collect();
    let columns = kept.iter().filter(|kept| **kept).count();
    let mut returns = Vec::new();
    for row in rows.records() {
        let row = row.unwrap();
        returns
            .extend(row.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(value, _)| value.parse::<f64>().unwrap()));
    }
    (returns, columns)
}

#[test]
fn the_probability_of_backtest_overfitting() {
    for (key, without, columns) in [("pbo_ref_trials", "", 20), ("pbo_ref_trials_without_cfg07", "cfg07", 19)] {
        let (returns, configurations) = trials(without);
        assert_eq!(configurations, columns);
        let matrix = TrialMatrix::new(&returns, configurations).unwrap();
        for expected in reference()["papers"][key].as_array().unwrap() {
            let ours = matrix.overfitting(expected["S"].as_u64().unwrap() as usize).unwrap();
            assert_eq!(Some(ours.combinations as u64), expected["combinations"].as_u64());
            close(ours.pbo, expected["pbo"].as_f64().unwrap(), 1e-9);
            close(ours.prob_oos_loss, expected["prob_oos_loss"].as_f64().unwrap(), 1e-9);
            close(ours.median_logit, expected["median_logit"].as_f64().unwrap(), 1e-9);
            let ours = serde_json::to_value(ours).unwrap();
            assert_eq!(keys(&ours), keys(expected));
        }
    }
}

#[test]
fn days_that_do_not_fill_the_blocks_are_left_out() {
    let (returns, configurations) = trials("");
    let all = TrialMatrix::new(&returns, configurations).unwrap().overfitting(10);
    // Three more days at the start, which one configuration would win.
    let mut longer: Vec<f64> = (0..3 * configurations).map(|index| (index % configurations) as f64).collect();
    longer.extend(&returns);
    assert_eq!(TrialMatrix::new(&longer, configurations).unwrap().overfitting(10), all);
}

#[test]
fn a_configuration_that_never_trades_is_neither_best_nor_worst() {
    // Always up, never traded, always down.
    let returns: Vec<f64> = (0..40).flat_map(|day| [0.01 + 0.001 * f64::from(day % 3), 0.0, -0.01]).collect();
    let found = TrialMatrix::new(&returns, 3).unwrap().overfitting(4).unwrap();
    assert_eq!((found.combinations, found.pbo, found.prob_oos_loss), (6, 0.0, 0.0));
    close(found.median_logit, 3.0_f64.ln(), 1e-12);
    // First up and then down, never traded, always down: the first wins one half and loses the other.
    let turning = |day: i32| (0.01 + 0.001 * f64::from(day % 3)) * if day < 20 { 1.0 } else { -1.0 };
    let returns: Vec<f64> = (0..40).flat_map(|day| [turning(day), 0.0, -0.02]).collect();
    let found = TrialMatrix::new(&returns, 3).unwrap().overfitting(2).unwrap();
    assert_eq!((found.combinations, found.pbo, found.prob_oos_loss), (2, 1.0, 0.5));
}

#[test]
fn an_invalid_matrix_is_refused() {
    let returns = [0.01; 40];
    assert_eq!(TrialMatrix::new(&returns, 1).unwrap_err(), InvalidInput::Matrix);
    assert_eq!(TrialMatrix::new(&returns, 3).unwrap_err(), InvalidInput::Matrix);
    assert_eq!(TrialMatrix::new(&[], 2).unwrap_err(), InvalidInput::Matrix);
    assert_eq!(TrialMatrix::new(&[0.1, f64::NAN, 0.1, 0.2], 2).unwrap_err(), InvalidInput::Matrix);
    let matrix = TrialMatrix::new(&returns, 4).unwrap();
    for blocks in [0, 1, 3, 6, 22] {
        assert_eq!(matrix.overfitting(blocks).unwrap_err(), InvalidInput::Blocks);
    }
    assert!(matrix.overfitting(4).is_ok());
    // Too many combinations.
    assert_eq!(TrialMatrix::new(&[0.01; 88], 2).unwrap().overfitting(22).unwrap_err(), InvalidInput::Blocks);
}
