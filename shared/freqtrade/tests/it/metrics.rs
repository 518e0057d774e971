//! Recomputes freqtrade's metrics, by freqtrade's definitions, from the trades that were read, and compares them with
//! the file.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use nofomo_freqtrade::{Backtest, ExportedTrade};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::support::{FIXTURES, OLD, backtests};

/// Value that freqtrade writes for an undefined ratio.
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

/// Standard deviation, of a population for `ddof` 0 and of a sample for 1.
fn deviation(values: &[f64], ddof: usize) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - ddof) as f64).sqrt()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) }
}

/// Daily sums in UTC, including days without a trade.
fn daily_sums(trades: &[ExportedTrade], value: impl Fn(&ExportedTrade) -> f64) -> Vec<f64> {
    let mut days: BTreeMap<NaiveDate, f64> = BTreeMap::new();
    for trade in trades {
        *days.entry(trade.close_date.date_naive()).or_default() += value(trade);
    }
    let (Some((&first, _)), Some((&last, _))) = (days.first_key_value(), days.last_key_value()) else { return vec![] };
    first.iter_days().take_while(|day| *day <= last).map(|day| days.get(&day).copied().unwrap_or_default()).collect()
}

fn longest_run(flags: impl Iterator<Item = bool>) -> usize {
    let (mut longest, mut run) = (0, 0);
    for flag in flags {
        run = if flag { run + 1 } else { 0 };
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

/// Max drawdown of the cumulative profit after each closed trade. The first high is 0; in old versions it is the first
/// profit.
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

/// Shortest, longest and mean holding time of the matching trades, in seconds; the mean is rounded to minutes.
fn holding(trades: &[ExportedTrade], matches: impl Fn(Decimal) -> bool) -> [f64; 3] {
    let open = |trade: &ExportedTrade| (trade.close_date - trade.open_date).num_minutes() as f64;
    let minutes: Vec<f64> = trades.iter().filter(|trade| matches(trade.profit_ratio)).map(open).collect();
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
    let mut record = |key, value: Value| assert!(metrics.insert(key, value).is_none());

    let value_of = |order: &nofomo_freqtrade::ExportedOrder| float(order.amount * order.safe_price);
    let orders = trades.iter().flat_map(|trade| trade.orders.iter().map(move |order| (trade, order)));
    // Volume of all orders with fees; in old versions the sum of the stakes.
    let volume = orders.map(|(trade, order)| {
        value_of(order) * (1.0 + float(if order.is_entry { trade.fee_open } else { trade.fee_close }))
    });
    let stakes: Vec<f64> = trades.iter().map(|trade| float(trade.stake_amount)).collect();
    record("total_volume", json!(if is_old { stakes.iter().sum() } else { volume.sum::<f64>() }));
    record("total_trades", json!(trades.len()));
    record("trade_count_long", json!(of_side(false).count()));
    record("trade_count_short", json!(of_side(true).count()));
    record("profit_total_abs", json!(total));
    record("profit_total_long_abs", json!(side_profit(false)));
    record("profit_total_short_abs", json!(side_profit(true)));
    record("profit_total", json!(total / start));
    record("profit_total_long", json!(side_profit(false) / start));
    record("profit_total_short", json!(side_profit(true) / start));
    let or_zero = |value: f64| json!(if trades.is_empty() { 0.0 } else { value });
    record("avg_stake_amount", or_zero(mean(&stakes)));
    record("profit_mean", or_zero(mean(&ratios)));
    record("profit_median", if ratios.is_empty() { json!(0.0) } else { json!(median(&ratios)) });

    // Sharpe, Sortino and Calmar ratio: daily return divided by a deviation per trade.
    let drawdown = drawdown(trades, start, is_old);
    let divided = |by: f64| {
        if by == 0.0 || by.is_nan() { UNDEFINED } else { returns.iter().sum::<f64>() / span / by * 365_f64.sqrt() }
    };
    let losing: Vec<f64> = returns.iter().copied().filter(|value| *value < 0.0).collect();
    record("sharpe", or_zero(divided(deviation(&returns, 0))));
    record("sortino", or_zero(divided(deviation(&losing, 0))));
    record("calmar", or_zero(drawdown.as_ref().map_or(0.0, |worst| divided(worst.relative / 100.0))));

    // System quality number.
    let sqn = if trades.len() < 2 { UNDEFINED } else { count.sqrt() * mean(&returns) / deviation(&returns, 1) };
    record("sqn", or_zero((sqn * 1e4).round() / 1e4));
    let student = |statistic: f64| 2.0 * StudentsT::new(0.0, 1.0, count - 1.0).unwrap().sf(statistic.abs());
    record("p_value", json!(if trades.len() < 2 { 1.0 } else { student(sqn) }));

    // Expectancy.
    let won: Vec<f64> = profits.iter().copied().filter(|profit| *profit > 0.0).collect();
    let lost: Vec<f64> = profits.iter().copied().filter(|profit| *profit < 0.0).collect();
    let win_rate = won.len() as f64 / count;
    let by_win = if won.is_empty() { 0.0 } else { win_rate * mean(&won) };
    let by_loss = if lost.is_empty() { 0.0 } else { lost.len() as f64 / count * mean(&lost) };
    record("expectancy", or_zero(by_win + by_loss));
    record(
        "expectancy_ratio",
        json!(if lost.is_empty() { 100.0 } else { (1.0 + mean(&won) / -mean(&lost)) * win_rate - 1.0 }),
    );

    // Drawdown.
    let (abs, relative, most, high, low) = drawdown
        .as_ref()
        .map_or_else(Default::default, |worst| (worst.abs, worst.relative, worst.most_relative, worst.high, worst.low));
    record("max_drawdown_abs", json!(abs));
    record("max_drawdown_account", json!(relative));
    record("max_relative_drawdown", json!(most));
    record("max_drawdown_high", json!(high));
    record("max_drawdown_low", json!(low));
    if let Some(worst) = &drawdown {
        let text = |time: DateTime<Utc>| json!(time.format("%Y-%m-%d %H:%M:%S").to_string());
        record("drawdown_start", text(worst.start));
        record("drawdown_end", text(worst.end));
        record("drawdown_start_ts", json!(worst.start.timestamp_millis()));
        record("drawdown_end_ts", json!(worst.end.timestamp_millis()));
        record("drawdown_duration_s", json!((worst.end - worst.start).num_seconds()));
    }

    // Growth, profit factor, win rate and frequency.
    let grown = float(backtest.final_balance) / start;
    record("cagr", json!(grown.powf(365.0 / span) - 1.0));
    let losses = lost.iter().sum::<f64>().abs();
    record("profit_factor", json!(if losses == 0.0 { 0.0 } else { won.iter().sum::<f64>() / losses }));
    record("winrate", or_zero(win_rate));
    record("backtest_days", json!(span));
    record("trades_per_day", json!((count / span * 100.0).round() / 100.0));

    // Wins and losses, balances, days and holding times.
    let winners = |trade: &ExportedTrade| trade.profit_ratio > Decimal::ZERO;
    record("wins", json!(trades.iter().filter(|trade| winners(trade)).count()));
    record("losses", json!(trades.iter().filter(|trade| trade.profit_ratio < Decimal::ZERO).count()));
    record("draws", json!(trades.iter().filter(|trade| trade.profit_ratio.is_zero()).count()));
    record("max_consecutive_wins", json!(longest_run(trades.iter().map(winners))));
    record("max_consecutive_losses", json!(longest_run(trades.iter().map(|trade| !winners(trade)))));
    let sums = profits.iter().scan(start, |sum, profit| {
        *sum += profit;
        Some(*sum)
    });
    let sums: Vec<f64> = sums.collect();
    let extreme =
        |values: &[f64], pick: fn(f64, f64) -> f64| json!(values.iter().copied().reduce(pick).unwrap_or_default());
    record("csum_min", extreme(&sums, f64::min));
    record("csum_max", extreme(&sums, f64::max));
    let (daily, relative) =
        (daily_sums(trades, |trade| float(trade.profit_abs)), daily_sums(trades, |trade| float(trade.profit_ratio)));
    record("backtest_best_day", extreme(&relative, f64::max));
    record("backtest_worst_day", extreme(&relative, f64::min));
    record("backtest_best_day_abs", extreme(&daily, f64::max));
    record("backtest_worst_day_abs", extreme(&daily, f64::min));
    record("winning_days", json!(daily.iter().filter(|profit| **profit > 0.0).count()));
    record("draw_days", json!(daily.iter().filter(|profit| **profit == 0.0).count()));
    record("losing_days", json!(daily.iter().filter(|profit| **profit < 0.0).count()));
    let [_, _, mean] = holding(trades, |_| true);
    let [win_min, win_max, win_mean] = holding(trades, |ratio| ratio > Decimal::ZERO);
    let [loss_min, loss_max, loss_mean] = holding(trades, |ratio| ratio < Decimal::ZERO);
    record("holding_avg_s", json!(mean));
    record("winner_holding_min_s", json!(win_min));
    record("winner_holding_max_s", json!(win_max));
    record("winner_holding_avg_s", json!(win_mean));
    record("loser_holding_min_s", json!(loss_min));
    record("loser_holding_max_s", json!(loss_max));
    record("loser_holding_avg_s", json!(loss_mean));
    metrics
}

fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours.as_f64(), theirs.as_f64()) {
        (Some(ours), Some(theirs)) => (ours - theirs).abs() <= 1e-9 * ours.abs().max(theirs.abs()).max(1e-3),
        _ => ours == theirs,
    }
}

#[test]
fn metrics_computed_from_the_read_trades_match_freqtrade() {
    for stem in FIXTURES {
        for backtest in backtests(stem) {
            let ours = metrics(&backtest, stem == OLD);
            let (mut matching, mut differences) = (0, Vec::new());
            for (key, value) in &ours {
                match backtest.figures.get(*key) {
                    Some(theirs) if same(value, theirs) => matching += 1,
                    // Without trades, freqtrade leaves these out.
                    None if backtest.trades.is_empty() && key.contains("holding") => {}
                    // The old version does not write these.
                    None if stem == OLD && SINCE_2025.contains(key) => {}
                    theirs => differences.push(format!("{key} is {value} and should be {theirs:?}")),
                }
            }
            assert!(differences.is_empty(), "{} {differences:#?}", backtest.strategy);
            assert!(matching >= if backtest.trades.is_empty() { 39 } else { 43 }, "{matching}");
        }
    }
}
