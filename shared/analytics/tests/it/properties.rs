//! Properties that hold for any trades.

use chrono::TimeDelta;
use nofomo_analytics::{HistoricalMetrics, Metrics, Reason, Record, Settings, Side, Trade, Trials};
use proptest::collection::vec;
use proptest::prelude::*;
use rust_decimal::{Decimal, dec};
use serde_json::Value;

use crate::support::{keys, record, settings, split, time};

/// Trades with distinct entry and exit times, so that their order is defined. Profits are in hundredths.
fn trades() -> impl Strategy<Value = Vec<Trade<'static>>> {
    let trade = (0_i64..40 * 1440, 0_i64..3 * 1440, any::<bool>(), 1_u32..500, 0_u32..100, -2_000_i64..2_000);
    vec(trade, 1..80).prop_map(|trades| {
        let trade =
            |(index, (entered, lasted, long, amount, fee, profit)): (i64, (i64, i64, bool, u32, u32, i64))| Trade {
                entry_time: time("2026-01-01T00:00:00Z") + TimeDelta::minutes(entered) + TimeDelta::milliseconds(index),
                exit_time: time("2026-01-01T00:00:00Z")
                    + TimeDelta::minutes(entered + lasted)
                    + TimeDelta::milliseconds(1_000 + 2 * index),
                side: if long { Side::Buy } else { Side::Sell },
                pair: if index % 3 == 0 { "BTC/USDT" } else { "ETH/USDT" },
                amount: Decimal::new(amount.into(), 2),
                price: dec!(100),
                fee: Decimal::new(fee.into(), 2),
                // One in ten is a draw.
                profit: if index % 10 == 9 { dec!(0) } else { Decimal::new(profit, 2) },
                range: None,
            };
        (0..).zip(trades).map(trade).collect()
    })
}

/// Trades with which no day ends with a balance of 0 or less.
fn solvent() -> impl Strategy<Value = Vec<Trade<'static>>> {
    trades().prop_filter("ruined", |trades| record(trades).confidence().reason != Reason::Ruined)
}

fn same(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1.0)
}

/// Checks that every amount of money is `times` the other one, and that every other number is equal.
fn scaled(path: &str, small: &Value, large: &Value, times: f64) -> Result<(), TestCaseError> {
    match (small, large) {
        (Value::Object(one), Value::Object(other)) => {
            prop_assert_eq!(keys(small), keys(large));
            for (key, value) in one {
                scaled(&format!("{path}.{key}"), value, &other[key], times)?;
            }
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            // A rounded score and a count can amplify a difference in the sixteenth digit.
            let rounded = [".score", ".prob_loss", ".prob_ruin"].iter().any(|key| path.ends_with(key));
            prop_assert!(
                same(one, other) || rounded && (one - other).abs() < 0.011,
                "{} is {} and {}",
                path,
                one,
                other
            );
        }
        (Value::String(one), Value::String(other)) => match (one.parse::<f64>(), other.parse::<f64>()) {
            (Ok(one), Ok(other)) => {
                prop_assert!(
                    (one * times - other).abs() <= 1e-9 * other.abs().max(1.0),
                    "{} is {} and {}",
                    path,
                    one,
                    other
                );
            }
            _ => prop_assert_eq!(one, other, "{}", path),
        },
        (one, other) => prop_assert_eq!(one, other, "{}", path),
    }
    Ok(())
}

fn json(metrics: &Metrics) -> Value {
    serde_json::to_value(metrics).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_the_rows_does_not_matter(trades in trades(), seed in any::<u64>()) {
        let mut shuffled = trades.clone();
        shuffled.sort_by_key(|trade| (trade.entry_time.timestamp_millis() as u64).wrapping_mul(seed | 1));
        prop_assert_eq!(record(&trades).metrics(), record(&shuffled).metrics());
        prop_assert_eq!(record(&trades).slices(), record(&shuffled).slices());
    }

    #[test]
    fn ten_times_the_money_scales_only_amounts(trades in trades()) {
        let tenfold = |trade: &Trade<'static>| Trade {
            amount: trade.amount * dec!(10),
            fee: trade.fee * dec!(10),
            profit: trade.profit * dec!(10),
            ..*trade
        };
        let larger: Vec<Trade<'_>> = trades.iter().map(tenfold).collect();
        let large = Record::new(&larger, Settings::new(dec!(10000))).unwrap().metrics();
        scaled("", &json(&record(&trades).metrics()), &json(&large), 10.0)?;
    }

    #[test]
    fn splitting_every_order_in_two_changes_no_daily_metric(trades in trades()) {
        let (whole, halves) = (record(&trades).metrics(), record(&split(&trades)).metrics());
        let daily = |metrics: &Metrics| serde_json::to_value(&metrics.historical.daily).unwrap();
        scaled("", &daily(&whole), &daily(&halves), 1.0)?;
        prop_assert!(same(whole.historical.balance.max_drawdown, halves.historical.balance.max_drawdown));
        prop_assert_eq!(whole.historical.balance.final_balance, halves.historical.balance.final_balance);
        prop_assert_eq!(halves.historical.trades.trades, 2 * whole.historical.trades.trades);
        if let (Some(whole), Some(halves)) = (whole.confidence.parts, halves.confidence.parts) {
            prop_assert!(same(whole.log_e_value, halves.log_e_value) && same(whole.peak_exposure, halves.peak_exposure));
            if trades.len() >= 50 {
                prop_assert!(same(whole.statistical, halves.statistical));
            }
        }
    }

    #[test]
    fn omega_is_gain_to_pain_plus_one(trades in trades()) {
        let daily = record(&trades).metrics().historical.daily;
        prop_assert_eq!(daily.omega.is_some(), daily.gain_to_pain.is_some());
        if let (Some(omega), Some(gain_to_pain)) = (daily.omega, daily.gain_to_pain) {
            prop_assert!(same(omega, gain_to_pain + 1.0));
        }
    }

    #[test]
    fn the_max_drawdown_is_at_least_the_daily_one(trades in solvent()) {
        let metrics = record(&trades).metrics();
        prop_assert!(metrics.historical.balance.max_drawdown >= metrics.historical.daily.max_drawdown_daily.unwrap() - 1e-12);
    }

    #[test]
    fn an_additional_empty_day_changes_the_days_and_not_the_trades(trades in solvent()) {
        let last = trades.iter().map(|trade| trade.exit_time).max().unwrap();
        let longer = Settings { period_end: Some(last + TimeDelta::days(1)), ..settings() };
        let longer = Record::new(&trades, longer).unwrap().metrics();
        let metrics = record(&trades).metrics();
        prop_assert_eq!(longer.historical.trades.sqn, metrics.historical.trades.sqn);
        prop_assert_eq!(longer.historical.daily.return_days, metrics.historical.daily.return_days + 1);
        if let Some(sharpe) = metrics.historical.daily.sharpe.filter(|sharpe| sharpe.abs() > 1e-6) {
            prop_assert_ne!(longer.historical.daily.sharpe, Some(sharpe));
        }
    }

    #[test]
    fn sums_are_exact(trades in trades()) {
        let HistoricalMetrics { trades: ours, balance, .. } = record(&trades).metrics().historical;
        let sum: Decimal = trades.iter().map(|trade| trade.profit).sum();
        prop_assert_eq!(ours.net_profit, sum);
        prop_assert_eq!(ours.gross_profit - ours.gross_loss, sum);
        prop_assert_eq!(balance.final_balance, dec!(1000) + sum);
        prop_assert_eq!(ours.fees, trades.iter().map(|trade| trade.fee).sum());
        prop_assert_eq!(ours.wins + ours.losses + ours.draws, trades.len());
    }

    #[test]
    fn ranks_are_those_of_the_sorted_profits(trades in trades()) {
        let mut profits: Vec<Decimal> = trades.iter().map(|trade| trade.profit).collect();
        profits.sort();
        let ours = record(&trades).metrics().historical.trades;
        let (low, high) = (profits[(profits.len() - 1) / 2], profits[profits.len() / 2]);
        prop_assert_eq!(ours.median_trade, Some((low + high) / dec!(2)));
        prop_assert_eq!((ours.worst_trade, ours.best_trade), (profits.first().copied(), profits.last().copied()));
        let best: Decimal = profits.iter().rev().take(trades.len().div_ceil(20)).sum();
        match ours.profit_share_of_best_5pct {
            Some(share) => prop_assert!(same(share * f64::try_from(ours.net_profit).unwrap(), best.try_into().unwrap())),
            None => prop_assert!(ours.net_profit <= dec!(0)),
        }
    }

    #[test]
    fn the_max_drawdown_is_the_worst_of_all_pairs_of_balances(trades in trades()) {
        let mut ordered = trades.clone();
        ordered.sort_by_key(|trade| trade.exit_time);
        let mut balances = vec![dec!(1000)];
        balances.extend(ordered.iter().scan(dec!(1000), |balance, trade| {
            *balance += trade.profit;
            Some(*balance)
        }));
        let pairs = || (0..balances.len()).flat_map(|place| balances[place..].iter().map(move |later| (place, *later)));
        let falls = pairs().map(|(place, later)| (balances[place], balances[place] - later)).filter(|(peak, _)| *peak > dec!(0));
        let deepest = falls.map(|(peak, fall)| f64::try_from(fall / peak).unwrap()).fold(0.0, f64::max);
        let ours = record(&trades).metrics().historical.balance;
        prop_assert!(same(ours.max_drawdown, deepest), "{} {}", ours.max_drawdown, deepest);
        prop_assert_eq!(ours.max_drawdown_abs, pairs().map(|(place, later)| balances[place] - later).max().unwrap());
    }

    #[test]
    fn no_figure_is_nan_or_infinite(trades in trades(), max_loss in 0.001_f64..1.0) {
        let settings = Settings { max_loss: Some(max_loss), ..settings() };
        let record = Record::new(&trades, settings).unwrap();
        let all = (record.metrics(), record.slices(), record.series(), record.halves(), record.stress());
        let text = format!("{all:?}");
        prop_assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }

    #[test]
    fn the_score_is_within_its_bounds_and_falls_with_the_runs(trades in trades()) {
        let of = |runs| {
            let trials = Trials { runs, ..Trials::default() };
            Record::new(&trades, Settings { trials, ..settings() }).unwrap().confidence()
        };
        let scores = [1, 2, 5, 50].map(|runs| of(runs).score);
        prop_assert!(scores.is_sorted_by(|fewer, more| fewer >= more), "{scores:?}");
        prop_assert!((0.0..=0.99).contains(&scores[0]));
        if let Some(parts) = of(1).parts {
            prop_assert!(scores[0] <= parts.psr_2012.unwrap_or(1.0));
            let factors = [parts.track_record_factor, parts.sample_factor, parts.tail_guard, parts.statistical, parts.raw];
            prop_assert!(factors.iter().all(|factor| (0.0..=1.0).contains(factor)), "{factors:?}");
        }
        let opposite: Vec<Trade<'_>> = trades.iter().map(|trade| Trade { profit: -trade.profit, ..*trade }).collect();
        prop_assert!(scores[0] == 0.0 || record(&opposite).confidence().score == 0.0);
    }
}

#[test]
fn ten_times_the_trades_need_no_more_allocations() {
    let many: Vec<Trade<'_>> = crate::support::fixture("main").into_iter().cycle().take(10_000).collect();
    let allocations = |trades: &[Trade<'_>]| {
        let work = || {
            let record = record(trades);
            assert_eq!(record.metrics().historical.trades.trades, trades.len());
        };
        allocation_counter::measure(work).count_total
    };
    let (thousand, ten_thousand) = (allocations(&many[..1_000]), allocations(&many));
    assert!(thousand > 0);
    assert_eq!(thousand, ten_thousand);
}

/// The import of a backtest uses only the historical metrics.
#[test]
fn historical_metrics_need_no_simulation() {
    let trades = crate::support::fixture("main");
    let (drawn, read) = (record(&trades), record(&trades));
    let mut metrics = None;
    let all = allocation_counter::measure(|| metrics = Some(drawn.metrics()));
    let mut figures = None;
    let some = allocation_counter::measure(|| figures = Some(read.historical_metrics()));
    assert!(some.bytes_total * 10 < all.bytes_total, "{} of {} bytes", some.bytes_total, all.bytes_total);
    let (metrics, figures) = (metrics.unwrap(), figures.unwrap());
    assert_eq!((figures.trades, figures.balance), (metrics.historical.trades, metrics.historical.balance));
    assert_eq!((figures.daily, figures.notes), (metrics.historical.daily, metrics.historical.notes));
}
