//! Freqtrade's metrics of a backtest, by freqtrade's definitions, of what was read: only then are they those in the file.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use nofomo_freqtrade::{Backtest, ExportedTrade};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::support::{FIXTURES, OLD, backtests};

/// Freqtrade's word for what it cannot divide.
const UNDEFINED: f64 = -100.0;

const SINCE_2025: [&str; 7] = [
    "sqn",
    "p_value",
    "drawdown_duration_s",
    "winner_holding_min_s",
    "winner_holding_max_s",
    "loser_holding_min_s",
    "loser_holding_max_s",
];

fn float(number: Decimal) -> f64 {
    number.to_string().parse().unwrap()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Of a population for 0, of a sample for 1.
fn deviation(values: &[f64], freedom: usize) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - freedom) as f64).sqrt()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) }
}

/// Day by day in UTC, with those that have no trade.
fn days(trades: &[ExportedTrade], value: impl Fn(&ExportedTrade) -> f64) -> Vec<f64> {
    let mut days: BTreeMap<NaiveDate, f64> = BTreeMap::new();
    for trade in trades {
        *days.entry(trade.close_date.date_naive()).or_default() += value(trade);
    }
    let (Some((&first, _)), Some((&last, _))) = (days.first_key_value(), days.last_key_value()) else { return vec![] };
    first.iter_days().take_while(|day| *day <= last).map(|day| days.get(&day).copied().unwrap_or_default()).collect()
}

fn longest_run(of: impl Iterator<Item = bool>) -> usize {
    let (mut longest, mut run) = (0, 0);
    for is in of {
        run = if is { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

struct Drawdown {
    abs: f64,
    relative: f64,
    most_relative: f64,
    high: f64,
    low: f64,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

/// On the sum of profits after each closed trade. Before the first stands nothing, or in old versions not even that.
fn drawdown(trades: &[ExportedTrade], start: f64, is_old: bool) -> Option<Drawdown> {
    let mut sorted: Vec<&ExportedTrade> = trades.iter().collect();
    sorted.sort_by_key(|trade| trade.close_date);
    let first = sorted.first()?.close_date;
    let high = if is_old { float(sorted.first()?.profit_abs) } else { 0.0 };
    let (mut sum, mut high, mut high_date) = (0.0, high, first);
    let mut worst =
        Drawdown { abs: 0.0, relative: 0.0, most_relative: 0.0, high: 0.0, low: 0.0, start: first, end: first };
    for trade in sorted {
        sum += float(trade.profit_abs);
        if sum > high {
            (high, high_date) = (sum, trade.close_date);
        }
        let (abs, relative) = (high - sum, (high - sum) / (start + high));
        worst.most_relative = worst.most_relative.max(relative);
        if abs > worst.abs {
            worst = Drawdown { abs, relative, high, low: sum, start: high_date, end: trade.close_date, ..worst };
        }
    }
    Some(worst)
}

/// Minutes that trades were open, as freqtrade tells them in seconds: the shortest, the longest, and the mean in whole minutes.
fn holding(trades: &[ExportedTrade], which: impl Fn(Decimal) -> bool) -> [f64; 3] {
    let open = |trade: &ExportedTrade| (trade.close_date - trade.open_date).num_minutes() as f64;
    let minutes: Vec<f64> = trades.iter().filter(|trade| which(trade.profit_ratio)).map(open).collect();
    if minutes.is_empty() {
        return [0.0; 3];
    }
    let shortest = minutes.iter().copied().fold(f64::INFINITY, f64::min);
    let longest = minutes.iter().copied().fold(0.0, f64::max);
    [shortest, longest, mean(&minutes).round_ties_even()].map(|minutes| minutes * 60.0)
}

fn metrics(backtest: &Backtest, is_old: bool) -> BTreeMap<&'static str, Value> {
    let trades = backtest.trades.as_slice();
    let start = float(backtest.starting_balance);
    let profits: Vec<f64> = trades.iter().map(|trade| float(trade.profit_abs)).collect();
    let ratios: Vec<f64> = trades.iter().map(|trade| float(trade.profit_ratio)).collect();
    let returns: Vec<f64> = profits.iter().map(|profit| profit / start).collect();
    let count = trades.len() as f64;
    let of_side = |is_short| trades.iter().filter(move |trade| trade.is_short == is_short);
    let side_profit = |is_short| of_side(is_short).map(|trade| float(trade.profit_abs)).sum::<f64>();
    let span = (backtest.end - backtest.start).num_days().max(1) as f64;
    let total: f64 = profits.iter().sum();
    let mut metrics = BTreeMap::new();
    let mut says = |key, value: Value| assert!(metrics.insert(key, value).is_none());

    let worth = |order: &nofomo_freqtrade::ExportedOrder| float(order.amount * order.safe_price);
    let orders = trades.iter().flat_map(|trade| trade.orders.iter().map(move |order| (trade, order)));
    // Whatever was bought or sold, with its fee; in old versions the stakes.
    let volume = orders.map(|(trade, order)| {
        worth(order) * (1.0 + float(if order.is_entry { trade.fee_open } else { trade.fee_close }))
    });
    let stakes: Vec<f64> = trades.iter().map(|trade| float(trade.stake_amount)).collect();
    says("total_volume", json!(if is_old { stakes.iter().sum() } else { volume.sum::<f64>() }));
    says("total_trades", json!(trades.len()));
    says("trade_count_long", json!(of_side(false).count()));
    says("trade_count_short", json!(of_side(true).count()));
    says("profit_total_abs", json!(total));
    says("profit_total_long_abs", json!(side_profit(false)));
    says("profit_total_short_abs", json!(side_profit(true)));
    says("profit_total", json!(total / start));
    says("profit_total_long", json!(side_profit(false) / start));
    says("profit_total_short", json!(side_profit(true) / start));
    let or_nothing = |value: f64| json!(if trades.is_empty() { 0.0 } else { value });
    says("avg_stake_amount", or_nothing(mean(&stakes)));
    says("profit_mean", or_nothing(mean(&ratios)));
    says("profit_median", if ratios.is_empty() { json!(0.0) } else { json!(median(&ratios)) });

    // 4.1 to 4.3. Per day above the line and per trade below it.
    let drawdown = drawdown(trades, start, is_old);
    let divided = |by: f64| {
        if by == 0.0 || by.is_nan() { UNDEFINED } else { returns.iter().sum::<f64>() / span / by * 365_f64.sqrt() }
    };
    let losing: Vec<f64> = returns.iter().copied().filter(|value| *value < 0.0).collect();
    says("sharpe", or_nothing(divided(deviation(&returns, 0))));
    says("sortino", or_nothing(divided(deviation(&losing, 0))));
    says("calmar", or_nothing(drawdown.as_ref().map_or(0.0, |worst| divided(worst.relative / 100.0))));

    // 4.4
    let sqn = if trades.len() < 2 { UNDEFINED } else { count.sqrt() * mean(&returns) / deviation(&returns, 1) };
    says("sqn", or_nothing((sqn * 1e4).round() / 1e4));
    let student = |statistic: f64| 2.0 * StudentsT::new(0.0, 1.0, count - 1.0).unwrap().sf(statistic.abs());
    says("p_value", json!(if trades.len() < 2 { 1.0 } else { student(sqn) }));

    // 4.5
    let won: Vec<f64> = profits.iter().copied().filter(|profit| *profit > 0.0).collect();
    let lost: Vec<f64> = profits.iter().copied().filter(|profit| *profit < 0.0).collect();
    let win_rate = won.len() as f64 / count;
    let by_win = if won.is_empty() { 0.0 } else { win_rate * mean(&won) };
    let by_loss = if lost.is_empty() { 0.0 } else { lost.len() as f64 / count * mean(&lost) };
    says("expectancy", or_nothing(by_win + by_loss));
    says(
        "expectancy_ratio",
        json!(if lost.is_empty() { 100.0 } else { (1.0 + mean(&won) / -mean(&lost)) * win_rate - 1.0 }),
    );

    // 4.6
    let (abs, relative, most, high, low) = drawdown
        .as_ref()
        .map_or_else(Default::default, |worst| (worst.abs, worst.relative, worst.most_relative, worst.high, worst.low));
    says("max_drawdown_abs", json!(abs));
    says("max_drawdown_account", json!(relative));
    says("max_relative_drawdown", json!(most));
    says("max_drawdown_high", json!(high));
    says("max_drawdown_low", json!(low));
    if let Some(worst) = &drawdown {
        let text = |time: DateTime<Utc>| json!(time.format("%Y-%m-%d %H:%M:%S").to_string());
        says("drawdown_start", text(worst.start));
        says("drawdown_end", text(worst.end));
        says("drawdown_start_ts", json!(worst.start.timestamp_millis()));
        says("drawdown_end_ts", json!(worst.end.timestamp_millis()));
        says("drawdown_duration_s", json!((worst.end - worst.start).num_seconds()));
    }

    // 4.7
    let grown = float(backtest.final_balance) / start;
    says("cagr", json!(grown.powf(365.0 / span) - 1.0));
    let losses = lost.iter().sum::<f64>().abs();
    says("profit_factor", json!(if losses == 0.0 { 0.0 } else { won.iter().sum::<f64>() / losses }));
    says("winrate", or_nothing(win_rate));
    says("backtest_days", json!(span));
    says("trades_per_day", json!((count / span * 100.0).round() / 100.0));

    // 4.8
    let winners = |trade: &ExportedTrade| trade.profit_ratio > Decimal::ZERO;
    says("wins", json!(trades.iter().filter(|trade| winners(trade)).count()));
    says("losses", json!(trades.iter().filter(|trade| trade.profit_ratio < Decimal::ZERO).count()));
    says("draws", json!(trades.iter().filter(|trade| trade.profit_ratio.is_zero()).count()));
    says("max_consecutive_wins", json!(longest_run(trades.iter().map(winners))));
    says("max_consecutive_losses", json!(longest_run(trades.iter().map(|trade| !winners(trade)))));
    let sums = profits.iter().scan(start, |sum, profit| {
        *sum += profit;
        Some(*sum)
    });
    let sums: Vec<f64> = sums.collect();
    let extreme =
        |values: &[f64], pick: fn(f64, f64) -> f64| json!(values.iter().copied().reduce(pick).unwrap_or_default());
    says("csum_min", extreme(&sums, f64::min));
    says("csum_max", extreme(&sums, f64::max));
    let (daily, relative) =
        (days(trades, |trade| float(trade.profit_abs)), days(trades, |trade| float(trade.profit_ratio)));
    says("backtest_best_day", extreme(&relative, f64::max));
    says("backtest_worst_day", extreme(&relative, f64::min));
    says("backtest_best_day_abs", extreme(&daily, f64::max));
    says("backtest_worst_day_abs", extreme(&daily, f64::min));
    says("winning_days", json!(daily.iter().filter(|profit| **profit > 0.0).count()));
    says("draw_days", json!(daily.iter().filter(|profit| **profit == 0.0).count()));
    says("losing_days", json!(daily.iter().filter(|profit| **profit < 0.0).count()));
    let [_, _, mean] = holding(trades, |_| true);
    let [win_min, win_max, win_mean] = holding(trades, |ratio| ratio > Decimal::ZERO);
    let [loss_min, loss_max, loss_mean] = holding(trades, |ratio| ratio < Decimal::ZERO);
    says("holding_avg_s", json!(mean));
    says("winner_holding_min_s", json!(win_min));
    says("winner_holding_max_s", json!(win_max));
    says("winner_holding_avg_s", json!(win_mean));
    says("loser_holding_min_s", json!(loss_min));
    says("loser_holding_max_s", json!(loss_max));
    says("loser_holding_avg_s", json!(loss_mean));
    metrics
}

fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours.as_f64(), theirs.as_f64()) {
        (Some(ours), Some(theirs)) => (ours - theirs).abs() <= 1e-9 * ours.abs().max(theirs.abs()).max(1e-3),
        _ => ours == theirs,
    }
}

#[test]
fn the_metrics_of_what_was_read_are_freqtrades() {
    for stem in FIXTURES {
        for backtest in backtests(stem) {
            let ours = metrics(&backtest, stem == OLD);
            let (mut same_as_theirs, mut wrong) = (0, Vec::new());
            for (key, value) in &ours {
                match backtest.figures.get(*key) {
                    Some(theirs) if same(value, theirs) => same_as_theirs += 1,
                    // Without trades, freqtrade leaves these out.
                    None if backtest.trades.is_empty() && key.contains("holding") => {}
                    // It did not yet know these.
                    None if stem == OLD && SINCE_2025.contains(key) => {}
                    theirs => wrong.push(format!("{key} is {value} and should be {theirs:?}")),
                }
            }
            assert!(wrong.is_empty(), "{} {wrong:#?}", backtest.strategy);
            assert!(same_as_theirs >= if backtest.trades.is_empty() { 39 } else { 43 }, "{same_as_theirs}");
        }
    }
}
