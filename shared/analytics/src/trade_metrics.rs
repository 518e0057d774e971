//! Metrics on the trade clock: what each trade won or lost, how often, and how long it took.

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;
use serde::Serialize;

use crate::record::{MICROSECONDS, Record, float, ratio};
use crate::sample::{Sample, finite, two_sided_p};
use crate::trade::Trade;

/// Of N trades with profits p. A win has p > 0, a loss p < 0, a draw p = 0.
///
/// `sqn`, its p-value and `kelly_trade` take trades as independent: cutting every order in two raises them. They are for showing,
/// never for deciding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TradeMetrics {
    /// N.
    pub trades: usize,
    pub wins: usize,
    pub losses: usize,
    pub draws: usize,
    /// Sum of the wins, in the account's currency.
    pub gross_profit: Decimal,
    /// Sum of the losses, in the account's currency, positive.
    pub gross_loss: Decimal,
    /// Sum of all profits, in the account's currency.
    pub net_profit: Decimal,
    /// Sum of all fees, in the account's currency. They are already taken off the profits.
    pub fees: Decimal,
    /// fees / (net_profit + fees), fraction: what the exchange keeps of the gain before fees. None if there was none.
    pub fee_share_of_gross: Option<f64>,
    /// 1 + net_profit / fees: fees this many times as high leave nothing. None without fees.
    pub fee_break_even_multiple: Option<f64>,
    /// wins / N, fraction. None without trades.
    pub win_rate: Option<f64>,
    /// gross_profit / gross_loss. None without a loss.
    pub profit_factor: Option<f64>,
    /// Mean of the wins, in the account's currency. None without one.
    pub avg_win: Option<Decimal>,
    /// Mean of the losses, in the account's currency, negative. None without one.
    pub avg_loss: Option<Decimal>,
    /// avg_win / |avg_loss|. None unless there are both.
    pub payoff_ratio: Option<f64>,
    /// Mean profit, in the account's currency for each trade. None without trades.
    pub expectancy: Option<Decimal>,
    /// expectancy / |avg_loss|: the mean profit in multiples of what is lost in a losing trade (Tharp's R). None without a loss.
    pub expectancy_r: Option<f64>,
    /// In the account's currency.
    pub median_trade: Option<Decimal>,
    /// In the account's currency.
    pub best_trade: Option<Decimal>,
    /// In the account's currency.
    pub worst_trade: Option<Decimal>,
    /// Sample standard deviation of p, in the account's currency. None below two trades.
    pub std_trade: Option<Decimal>,
    /// sqrt(N) * mean(p) / sd(p): Tharp's system quality number. None below two trades, or if all are the same.
    pub sqn: Option<f64>,
    /// The same with N at most 100, as Tharp caps it.
    pub sqn_100: Option<f64>,
    /// Of `sqn` under Student's t distribution with N - 1 degrees of freedom.
    pub p_value_two_sided: Option<f64>,
    /// Sum of the best ceil(5 %) of the trades / net_profit. Above 1 the account would have lost without them. None if it has lost.
    pub profit_share_of_best_5pct: Option<f64>,
    /// A draw ends a run.
    pub max_consecutive_wins: usize,
    /// A draw ends a run.
    pub max_consecutive_losses: usize,
    /// Exit - entry, seconds.
    pub avg_duration_s: Option<f64>,
    /// Exit - entry, seconds.
    pub median_duration_s: Option<f64>,
    /// w - (1 - w) / payoff_ratio with w = wins / (wins + losses): the fraction of the account that Kelly would stake. Negative
    /// means none. None unless there are both wins and losses.
    pub kelly_trade: Option<f64>,
    /// N / days of the period. None without a day.
    pub trades_per_day: Option<f64>,
    /// Length of the union of all [entry, exit] / length of the period, fraction. None without a day.
    pub time_in_market: Option<f64>,
    /// Sum of all durations / length of the period. None without a day.
    pub avg_open_trades: Option<f64>,
}

/// More digits say nothing, and a third has no end.
const MEAN_SIGNIFICANT_DIGITS: u32 = 18;

impl TradeMetrics {
    pub(crate) fn of(record: &Record<'_>) -> Self {
        let mut tally = Tally::default();
        record.closed().for_each(|trade| tally.add(trade));
        let Tally { wins, losses, draws, gross_profit, gross_loss, fees, .. } = tally;
        let trades = wins + losses + draws;
        let net_profit = gross_profit - gross_loss;
        let sample = Sample::of(&record.profits);
        let quality = |trades: usize| sample.spread().and_then(|sd| finite((trades as f64).sqrt() * sample.mean / sd));
        let sqn = quality(trades);
        let avg_win = mean(gross_profit, wins);
        let avg_loss = mean(-gross_loss, losses);
        let expectancy = mean(net_profit, trades);
        let payoff_ratio = avg_win.zip(avg_loss).map(|(win, loss)| float(win) / -float(loss));
        let (median_trade, best_5pct) = ranked_profits(record);
        let period = (record.days > 0).then_some(record.days as f64 * 86_400.0);
        Self {
            trades,
            wins,
            losses,
            draws,
            gross_profit,
            gross_loss,
            net_profit,
            fees,
            fee_share_of_gross: ratio(fees, net_profit + fees),
            fee_break_even_multiple: ratio(net_profit, fees).map(|multiple| 1.0 + multiple),
            win_rate: (trades > 0).then(|| wins as f64 / trades as f64),
            profit_factor: ratio(gross_profit, gross_loss),
            avg_win,
            avg_loss,
            payoff_ratio,
            expectancy,
            expectancy_r: expectancy.zip(avg_loss).map(|(mean, loss)| float(mean) / -float(loss)),
            median_trade,
            best_trade: tally.best,
            worst_trade: tally.worst,
            std_trade: sample.deviation().and_then(Decimal::from_f64),
            sqn,
            sqn_100: quality(trades.min(100)),
            p_value_two_sided: sqn.and_then(|sqn| two_sided_p(sqn, trades as f64 - 1.0)),
            profit_share_of_best_5pct: ratio(best_5pct, net_profit),
            max_consecutive_wins: tally.most_wins,
            max_consecutive_losses: tally.most_losses,
            avg_duration_s: (trades > 0).then(|| tally.duration as f64 / MICROSECONDS / trades as f64),
            median_duration_s: median_duration(record),
            kelly_trade: payoff_ratio.and_then(|payoff| {
                let winning = wins as f64 / (wins + losses) as f64;
                finite(winning - (1.0 - winning) / payoff)
            }),
            trades_per_day: (record.days > 0).then(|| trades as f64 / record.days as f64),
            time_in_market: period.map(|seconds| record.busy as f64 / MICROSECONDS / seconds),
            avg_open_trades: period.map(|seconds| record.open as f64 / MICROSECONDS / seconds),
        }
    }
}

/// What one pass over the trades adds up.
#[derive(Default)]
struct Tally {
    wins: usize,
    losses: usize,
    draws: usize,
    gross_profit: Decimal,
    gross_loss: Decimal,
    fees: Decimal,
    best: Option<Decimal>,
    worst: Option<Decimal>,
    winning: usize,
    losing: usize,
    most_wins: usize,
    most_losses: usize,
    /// Microseconds.
    duration: i128,
}

impl Tally {
    fn add(&mut self, trade: &Trade<'_>) {
        let profit = trade.profit;
        if profit > Decimal::ZERO {
            self.wins += 1;
            self.gross_profit += profit;
            (self.winning, self.losing) = (self.winning + 1, 0);
        } else if profit < Decimal::ZERO {
            self.losses += 1;
            self.gross_loss -= profit;
            (self.winning, self.losing) = (0, self.losing + 1);
        } else {
            self.draws += 1;
            (self.winning, self.losing) = (0, 0);
        }
        self.most_wins = self.most_wins.max(self.winning);
        self.most_losses = self.most_losses.max(self.losing);
        self.fees += trade.fee;
        self.best = Some(self.best.map_or(profit, |best| best.max(profit)));
        self.worst = Some(self.worst.map_or(profit, |worst| worst.min(profit)));
        self.duration += i128::from(duration(trade));
    }
}

/// Microseconds.
pub(crate) fn duration(trade: &Trade<'_>) -> i64 {
    trade.exit_time.timestamp_micros() - trade.entry_time.timestamp_micros()
}

fn mean(sum: Decimal, count: usize) -> Option<Decimal> {
    let mean = sum.checked_div(Decimal::from(count))?;
    mean.round_sf(MEAN_SIGNIFICANT_DIGITS)
}

/// The median profit, and the sum of the best twentieth. Finding a place among the profits takes no sort.
fn ranked_profits(record: &Record<'_>) -> (Option<Decimal>, Decimal) {
    let mut profits = Vec::with_capacity(record.profits.len());
    profits.extend(record.closed().map(|trade| trade.profit));
    let median = middle(&mut profits).and_then(|(low, high)| (low + high).checked_div(Decimal::TWO));
    let best = profits.len().div_ceil(20);
    let rest = profits.len() - best;
    if rest > 0 && best > 0 {
        profits.select_nth_unstable(rest);
    }
    (median, profits.iter().skip(rest).sum())
}

fn median_duration(record: &Record<'_>) -> Option<f64> {
    let mut durations = Vec::with_capacity(record.profits.len());
    durations.extend(record.closed().map(duration));
    let (low, high) = middle(&mut durations)?;
    Some((low as f64 + high as f64) / 2.0 / MICROSECONDS)
}

/// The two values in the middle; of an odd number, the one value twice.
fn middle<T: Copy + Ord>(values: &mut [T]) -> Option<(T, T)> {
    let (place, odd) = (values.len() / 2, values.len() % 2 == 1);
    if values.is_empty() {
        return None;
    }
    let (below, &mut high, _) = values.select_nth_unstable(place);
    let low = if odd { high } else { below.iter().copied().max()? };
    Some((low, high))
}
