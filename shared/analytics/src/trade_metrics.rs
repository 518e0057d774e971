//! Metrics per closed trade: profits and losses, win rate, costs, durations.

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;
use serde::Serialize;

use crate::record::{MICROSECONDS, Record, float, ratio};
use crate::sample::{Sample, finite, two_sided_p};
use crate::trade::Trade;

/// Metrics of N closed trades with the profits p. A win has p > 0, a loss p < 0, a draw p = 0.
///
/// `sqn`, its p-value and `kelly_trade` assume independent trades; splitting every order in two raises `sqn` and lowers
/// its p-value without any new evidence. They are for display only; no verdict depends on them.
#[cfg_attr(
    feature = "openapi",
    serde_with::apply(
        Decimal => #[schema(value_type = nofomo_contract::values::Decimal)],
        Option<Decimal> => #[schema(value_type = Option<nofomo_contract::values::Decimal>)],
        usize => #[schema(value_type = u64)],
    )
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TradeMetrics {
    /// Number of closed trades, N.
    pub trades: usize,
    /// Number of trades with p > 0.
    pub wins: usize,
    /// Number of trades with p < 0.
    pub losses: usize,
    /// Number of trades with p = 0.
    pub draws: usize,
    /// Sum of the wins, in the account's currency.
    pub gross_profit: Decimal,
    /// Sum of the losses, in the account's currency; positive.
    pub gross_loss: Decimal,
    /// Sum of all profits and losses after fees, in the account's currency.
    pub net_profit: Decimal,
    /// Sum of all fees, in the account's currency. The profits are net of them.
    pub fees: Decimal,
    /// fees / (net_profit + fees): share of the profit before fees that is spent on fees, as a fraction. Null unless
    /// the profit before fees is positive.
    pub fee_share_of_gross: Option<f64>,
    /// 1 + net_profit / fees: multiple of the current fees at which the net profit is zero. Null unless the fees are
    /// positive.
    pub fee_break_even_multiple: Option<f64>,
    /// Win rate: wins / N, as a fraction. Null without trades.
    pub win_rate: Option<f64>,
    /// Profit factor: gross_profit / gross_loss. Null without a loss.
    pub profit_factor: Option<f64>,
    /// Mean win, in the account's currency. Null without a win.
    pub avg_win: Option<Decimal>,
    /// Mean loss, in the account's currency; negative. Null without a loss.
    pub avg_loss: Option<Decimal>,
    /// Payoff ratio: avg_win / |avg_loss|. Null unless there are both wins and losses.
    pub payoff_ratio: Option<f64>,
    /// Mean profit per trade, in the account's currency. Null without trades.
    pub expectancy: Option<Decimal>,
    /// Expectancy in R (Tharp): expectancy / |avg_loss|, the mean profit in multiples of the mean loss. Null without a
    /// loss.
    pub expectancy_r: Option<f64>,
    /// Median profit per trade, in the account's currency. Null without trades.
    pub median_trade: Option<Decimal>,
    /// Largest profit, in the account's currency. Null without trades.
    pub best_trade: Option<Decimal>,
    /// Smallest profit or, if negative, largest loss, in the account's currency. Null without trades.
    pub worst_trade: Option<Decimal>,
    /// Sample standard deviation of p, in the account's currency. Null below two trades.
    pub std_trade: Option<Decimal>,
    /// System quality number (Tharp): sqrt(N) * mean(p) / sd(p). Null below two trades, or if all profits are equal.
    pub sqn: Option<f64>,
    /// System quality number with N capped at 100, as Tharp defines it. Null if `sqn` is null.
    pub sqn_100: Option<f64>,
    /// Two-sided p-value of `sqn` under Student's t distribution with N - 1 degrees of freedom, from 0 to 1. Null if
    /// `sqn` is null.
    pub p_value_two_sided: Option<f64>,
    /// Sum of the profits of the best 5 % of the trades / net_profit, as a fraction; the number of these trades is
    /// rounded up. Above 1, all other trades together lost money. Null unless net_profit is positive.
    pub profit_share_of_best_5pct: Option<f64>,
    /// Longest winning streak, in trades. A draw ends it.
    pub max_consecutive_wins: usize,
    /// Longest losing streak, in trades. A draw ends it.
    pub max_consecutive_losses: usize,
    /// Mean holding time (exit - entry), in seconds. Null without trades.
    pub avg_duration_s: Option<f64>,
    /// Median holding time (exit - entry), in seconds. Null without trades.
    pub median_duration_s: Option<f64>,
    /// Kelly fraction per trade (Kelly 1956): w - (1 - w) / payoff_ratio with w = wins / (wins + losses), as a fraction
    /// of the balance; negative means no stake. Null unless there are both wins and losses.
    pub kelly_trade: Option<f64>,
    /// Trades per day: N / days of the period. Null without a day.
    pub trades_per_day: Option<f64>,
    /// Share of the period with at least one open trade, as a fraction: length of the union of all [entry, exit] within
    /// the period / length of the period. Null without a day.
    pub time_in_market: Option<f64>,
    /// Mean number of open trades: sum of all holding times within the period / length of the period. Null without a
    /// day.
    pub avg_open_trades: Option<f64>,
}

/// Significant digits of a mean. A third has no finite decimal expansion.
const MEAN_SIGNIFICANT_DIGITS: u32 = 18;

impl TradeMetrics {
    pub(crate) fn of(record: &Record<'_>) -> Self {
        let mut tally = Tally::default();
        record.closed().for_each(|trade| tally.add(trade));
        let Tally { wins, losses, draws, gross_profit, gross_loss, fees, .. } = tally;
        let trades = wins + losses + draws;
        let net_profit = gross_profit - gross_loss;
        let sample = Sample::of(&record.profits);
        let system_quality =
            |trades: usize| sample.spread().and_then(|sd| finite((trades as f64).sqrt() * sample.mean / sd));
        let sqn = system_quality(trades);
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
            sqn_100: system_quality(trades.min(100)),
            p_value_two_sided: sqn.and_then(|sqn| two_sided_p(sqn, trades as f64 - 1.0)),
            profit_share_of_best_5pct: ratio(best_5pct, net_profit),
            max_consecutive_wins: tally.max_wins,
            max_consecutive_losses: tally.max_losses,
            avg_duration_s: (trades > 0).then(|| tally.duration as f64 / MICROSECONDS / trades as f64),
            median_duration_s: median_duration(record),
            kelly_trade: payoff_ratio.and_then(|payoff| {
                let winning = wins as f64 / (wins + losses) as f64;
                finite(winning - (1.0 - winning) / payoff)
            }),
            trades_per_day: (record.days > 0).then(|| trades as f64 / record.days as f64),
            time_in_market: period.map(|seconds| record.time_in_market as f64 / MICROSECONDS / seconds),
            avg_open_trades: period.map(|seconds| record.total_holding_time as f64 / MICROSECONDS / seconds),
        }
    }
}

/// Sums over one pass of the trades.
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
    current_wins: usize,
    current_losses: usize,
    max_wins: usize,
    max_losses: usize,
    /// Sum of the holding times, in microseconds.
    duration: i128,
}

impl Tally {
    fn add(&mut self, trade: &Trade<'_>) {
        let profit = trade.profit;
        if profit > Decimal::ZERO {
            self.wins += 1;
            self.gross_profit += profit;
            (self.current_wins, self.current_losses) = (self.current_wins + 1, 0);
        } else if profit < Decimal::ZERO {
            self.losses += 1;
            self.gross_loss -= profit;
            (self.current_wins, self.current_losses) = (0, self.current_losses + 1);
        } else {
            self.draws += 1;
            (self.current_wins, self.current_losses) = (0, 0);
        }
        self.max_wins = self.max_wins.max(self.current_wins);
        self.max_losses = self.max_losses.max(self.current_losses);
        self.fees += trade.fee;
        self.best = Some(self.best.map_or(profit, |best| best.max(profit)));
        self.worst = Some(self.worst.map_or(profit, |worst| worst.min(profit)));
        self.duration += i128::from(duration(trade));
    }
}

/// Holding time of a trade, in microseconds.
pub(crate) fn duration(trade: &Trade<'_>) -> i64 {
    trade.exit_time.timestamp_micros() - trade.entry_time.timestamp_micros()
}

fn mean(sum: Decimal, count: usize) -> Option<Decimal> {
    let mean = sum.checked_div(Decimal::from(count))?;
    mean.round_sf(MEAN_SIGNIFICANT_DIGITS)
}

/// Median profit, and the sum of the best 5 % of the trades. Selects by rank instead of sorting.
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

/// The two middle values; the middle value twice if their number is odd.
fn middle<T: Copy + Ord>(values: &mut [T]) -> Option<(T, T)> {
    let (place, odd) = (values.len() / 2, values.len() % 2 == 1);
    if values.is_empty() {
        return None;
    }
    let (below, &mut high, _) = values.select_nth_unstable(place);
    let low = if odd { high } else { below.iter().copied().max()? };
    Some((low, high))
}
