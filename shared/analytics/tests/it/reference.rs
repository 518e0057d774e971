//! Reference values of all metrics.

use nofomo_analytics::{HistoricalMetrics, Metrics, Note, Reason, Record};
use rust_decimal::{Decimal, dec};
use serde_json::{Map, Value};

use crate::support::{close, fixture, one_a_day, record, reference, settings};

#[test]
fn every_key_of_every_reference_set_matches() {
    let reference = reference();
    let sets = reference["sets"].as_object().unwrap();
    assert_eq!(sets.len(), 5);
    let wrong: Vec<String> = sets
        .iter()
        .flat_map(|(set, theirs)| {
            let trades = fixture(set);
            let ours = serde_json::to_value(record(&trades).metrics()).unwrap();
            let mut wrong = Vec::new();
            compare(set, &ours, theirs, &mut wrong);
            wrong
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Compares counts, codes, times and nulls exactly; money, ratios and simulated values to 1e-9, p-values to 1e-8.
fn compare(path: &str, ours: &Value, theirs: &Value, wrong: &mut Vec<String>) {
    let same = match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            wrong.extend(other_keys(ours, theirs).map(|key| format!("{path}.{key} is in one only")));
            for (key, value) in ours {
                if let Some(expected) = theirs.get(key) {
                    compare(&format!("{path}.{key}"), value, expected, wrong);
                }
            }
            true
        }
        (Value::String(ours), Value::Number(theirs)) => {
            ours.parse::<f64>().is_ok_and(|ours| near(path, ours, theirs.as_f64().unwrap()))
        }
        (Value::Number(ours), Value::Number(theirs)) if ours.is_u64() => {
            Some(ours.as_u64().unwrap() as f64) == theirs.as_f64()
        }
        (Value::Number(ours), Value::Number(theirs)) => near(path, ours.as_f64().unwrap(), theirs.as_f64().unwrap()),
        (ours, theirs) => ours == theirs,
    };
    if !same {
        wrong.push(format!("{path} is {ours}, not {theirs}"));
    }
}

fn near(path: &str, ours: f64, theirs: f64) -> bool {
    let relative = if path.ends_with("p_value_two_sided") { 1e-8 } else { 1e-9 };
    (ours - theirs).abs() <= relative * theirs.abs()
}

fn other_keys<'a>(one: &'a Map<String, Value>, other: &'a Map<String, Value>) -> impl Iterator<Item = &'a String> {
    let missing = other.keys().filter(|key| !one.contains_key(*key));
    one.keys().filter(|key| !other.contains_key(*key)).chain(missing)
}

#[test]
fn returns_that_differ_by_rounding_alone_have_no_variance() {
    // 1 % per day, rounded to eight decimal places.
    let mut balance = dec!(1000);
    let profits: Vec<Decimal> = (0..10)
        .map(|_| {
            let profit = (balance * dec!(0.01)).round_dp(8);
            balance += profit;
            profit
        })
        .collect();
    let trades = one_a_day(&profits);
    let Metrics { historical, risk_of_ruin, confidence, .. } = record(&trades).metrics();
    let HistoricalMetrics { trades, balance, daily, notes } = historical;
    assert_eq!(balance.final_balance, dec!(1104.62212542));
    assert_eq!((daily.sharpe, daily.sortino, daily.skew, daily.kelly_continuous), (None, None, None, None));
    assert_eq!((daily.lag1_autocorrelation, daily.kurtosis_excess, daily.calmar), (None, None, None));
    assert!(daily.volatility.unwrap() < 1e-9);
    close(trades.sqn.unwrap(), 104.977139, 1e-8);
    close(balance.cagr.unwrap(), 36.783434, 1e-7);
    assert_eq!(risk_of_ruin, Some(0.0));
    assert_eq!(
        notes,
        [Note::NoLosses, Note::AnnualisedFromUnder30Days, Note::ZeroVariance, Note::Under20DaysNoTailMetrics]
    );
    // Ten of the required fifty trades.
    assert_eq!((confidence.score, confidence.reason), (0.20, Reason::FewObservations));
    let parts = confidence.parts.unwrap();
    assert_eq!((parts.z, parts.edge_probability, parts.statistical), (None, 1.0, 0.2));
}

#[test]
fn a_balance_below_zero_ends_the_days_but_not_the_trades() {
    let trades = one_a_day(&[dec!(120), dec!(-400), dec!(80), dec!(-950), dec!(200), dec!(-100)]);
    let Metrics { historical, risk_of_ruin, confidence, .. } = record(&trades).metrics();
    let HistoricalMetrics { trades, balance, daily, notes } = historical;
    assert_eq!((trades.trades, daily.days, daily.return_days, daily.ruined), (6, 6, 4, true));
    assert_eq!((balance.final_balance, balance.cagr, balance.min_balance), (dec!(-50), None, dec!(-150)));
    assert_eq!((trades.win_rate, trades.expectancy, risk_of_ruin), (Some(0.5), Some(dec!(-175)), Some(1.0)));
    assert_eq!((daily.max_drawdown_daily, daily.worst_day, daily.calmar), (Some(1.0), Some(-1.0), None));
    close(trades.profit_factor.unwrap(), 0.275862, 2e-6);
    close(trades.sqn.unwrap(), -0.983648, 1e-6);
    close(balance.max_drawdown, 1.133929, 1e-6);
    close(daily.sharpe.unwrap(), -10.180160, 1e-7);
    close(daily.sortino.unwrap(), -10.129756, 1e-7);
    close(daily.omega.unwrap(), 0.170292, 3e-6);
    assert_eq!((confidence.score, confidence.reason), (0.0, Reason::Ruined));
    assert!(notes.contains(&Note::Ruined));
}

#[test]
fn a_decline_below_the_initial_balance_is_a_drawdown() {
    let trades = one_a_day(&[dec!(-60), dec!(-110), dec!(100), dec!(240)]);
    let balance = record(&trades).metrics().historical.balance;
    // From 1000 to 830; without the initial balance it would be 110 of 940.
    assert_eq!((balance.max_drawdown, balance.max_drawdown_abs), (0.17, dec!(170)));
    assert_eq!(balance.max_drawdown_peak.unwrap().to_rfc3339(), "2026-01-01T00:00:00+00:00");
    assert_eq!(balance.max_drawdown_trough, Some(trades[1].exit_time));
    assert_eq!(balance.max_drawdown_recovery, Some(trades[3].exit_time));
    close(balance.longest_underwater_s, 3.75 * 86_400.0, 1e-12);
    assert_eq!((balance.current_drawdown, balance.recovery_factor), (0.0, Some(1.0)));
}

#[test]
fn a_draw_at_the_peak_moves_the_peak() {
    let trades = one_a_day(&[dec!(10), dec!(0), dec!(-5), dec!(5), dec!(1)]);
    let balance = record(&trades).metrics().historical.balance;
    assert_eq!(balance.max_drawdown_peak, Some(trades[1].exit_time));
    assert_eq!(balance.max_drawdown_trough, Some(trades[2].exit_time));
    assert_eq!(balance.max_drawdown_recovery, Some(trades[3].exit_time));
}

#[test]
fn a_draw_ends_both_streaks() {
    let profits = [1, 1, 0, 1, -1, -1, -1, 0, -1, 1, 1];
    let trades = record(&one_a_day(&profits.map(Decimal::from))).metrics().historical.trades;
    assert_eq!((trades.max_consecutive_wins, trades.max_consecutive_losses, trades.draws), (2, 3, 2));
    let trades = record(&one_a_day(&[1, 0, 1, 0, -1, 0, -1].map(Decimal::from))).metrics().historical.trades;
    assert_eq!((trades.max_consecutive_wins, trades.max_consecutive_losses), (1, 1));
}

#[test]
fn a_negative_balance_has_no_growth() {
    // For five days the exponent is 73, with which even a negative base has a power.
    let balance = record(&one_a_day(&[0, 0, 0, 0, -1050].map(Decimal::from))).metrics().historical.balance;
    assert_eq!((balance.final_balance, balance.cagr), (dec!(-50), None));
    // 41 times the balance in one day overflows in a year.
    assert_eq!(record(&one_a_day(&[dec!(40000)])).metrics().historical.balance.cagr, None);
}

#[test]
fn one_losing_day_has_no_ratio() {
    let daily = record(&one_a_day(&[dec!(-10)])).metrics().historical.daily;
    assert_eq!((daily.sharpe, daily.sortino, daily.omega), (None, None, Some(0.0)));
    close(daily.downside_deviation.unwrap(), 0.01 * 365.0_f64.sqrt(), 1e-12);
}

#[test]
fn a_losing_bot_has_a_risk_of_ruin_of_one() {
    let metrics = record(&one_a_day(&[dec!(-10), dec!(5), dec!(1)])).metrics();
    assert_eq!(metrics.risk_of_ruin, Some(1.0));
}

#[test]
fn a_ruined_path_stays_ruined() {
    // Each trade wins or loses the balance or more: almost every path is ruined, and none recovers.
    let profits: Vec<Decimal> = (0..100).map(|trade| if trade % 2 == 0 { dec!(1100) } else { dec!(-1100) }).collect();
    let simulated = record(&one_a_day(&profits)).monte_carlo().unwrap();
    assert_eq!((simulated.final_p05, simulated.final_p50), (Some(dec!(0)), Some(dec!(0))));
    assert_eq!((simulated.max_drawdown_p50, simulated.max_drawdown_p99), (1.0, 1.0));
    assert!(simulated.prob_ruin > 0.8 && simulated.prob_loss >= simulated.prob_ruin);
}

#[test]
fn a_period_without_trades_has_days_and_no_ratios() {
    let mut settings = settings();
    settings.period_start = Some("2026-01-01T00:00:00Z".parse().unwrap());
    settings.period_end = Some("2026-01-30T12:00:00Z".parse().unwrap());
    let metrics = Record::new(&[], settings).unwrap().metrics();
    assert_eq!(
        (metrics.historical.daily.days, metrics.historical.daily.return_days, metrics.historical.daily.sharpe),
        (30, 30, None)
    );
    assert_eq!((metrics.historical.balance.cagr, metrics.historical.daily.volatility), (Some(0.0), Some(0.0)));
    assert_eq!(
        (metrics.historical.trades.time_in_market, metrics.historical.trades.trades_per_day),
        (Some(0.0), Some(0.0))
    );
    assert_eq!(metrics.historical.notes, [Note::NoTrades, Note::ZeroVariance]);
}
