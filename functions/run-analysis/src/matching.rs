//! Matching of live trades with those of a backtest.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use nofomo_analytics::{Pairing, PairingOutcome, Side, Trade};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::request::AnalysisRequest;
use crate::reservation::Backtest;

/// Trade, and the price of its exit.
pub(crate) type ClosedTrade = (Trade<'static>, Decimal);

/// Matches the trades entered in the time that both sides cover, and returns them by entry.
pub(crate) fn match_trades(
    live: &[ClosedTrade],
    tested: &[ClosedTrade],
    backtest: &Backtest,
    request: &AnalysisRequest,
) -> Vec<Pairing> {
    let Some((first, last)) = common_time(live, backtest, request) else { return Vec::new() };
    let timeframe = &backtest.compared.timeframe;
    let is_common = |trade: &Trade<'_>| {
        let entry = candle(timeframe, trade.entry_time);
        candle(timeframe, first) <= entry && entry <= candle(timeframe, last)
    };
    let key = |trade: &Trade<'static>| (trade.pair, trade.side, candle(timeframe, trade.entry_time));

    // Several bots can have made the same trade: each one is matched with another trade of the backtest.
    let mut unmatched: BTreeMap<_, VecDeque<&ClosedTrade>> = BTreeMap::new();
    for closed in live.iter().filter(|(trade, _)| is_common(trade)) {
        unmatched.entry(key(&closed.0)).or_default().push_back(closed);
    }
    let mut pairings = Vec::new();
    for closed in tested.iter().filter(|(trade, _)| is_common(trade)) {
        let found = unmatched.get_mut(&key(&closed.0)).and_then(VecDeque::pop_front);
        pairings.push(found.map_or_else(|| missing(closed), |live| matched(live, closed)));
    }
    pairings.extend(unmatched.into_values().flatten().map(extra));
    pairings.sort_by(|one, other| (one.entry_time, &one.pair).cmp(&(other.entry_time, &other.pair)));
    pairings
}

/// Time that both sides cover, or None without one.
fn common_time(
    live: &[ClosedTrade],
    backtest: &Backtest,
    request: &AnalysisRequest,
) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let first = request.body.from.or_else(|| live.iter().map(|(trade, _)| trade.entry_time).min())?;
    let last_exit = || live.iter().map(|(trade, _)| trade.exit_time).max();
    let last = request.body.to.or_else(|| if backtest.is_running { Some(Utc::now()) } else { last_exit() })?;
    Some((first.max(backtest.compared.start_date), last.min(backtest.compared.end_date)))
}

/// Number of the candle that contains a time. Weekly candles begin on Mondays, all others are aligned with 1970-01-01.
fn candle(timeframe: &str, time: DateTime<Utc>) -> i64 {
    const MINUTE: i64 = 60;
    const THURSDAY_TO_MONDAY: i64 = 4 * 24 * 60 * MINUTE;
    let unit = match timeframe.chars().last() {
        Some('h') => 60 * MINUTE,
        Some('d') => 24 * 60 * MINUTE,
        Some('w') => 7 * 24 * 60 * MINUTE,
        _ => MINUTE,
    };
    let digits = timeframe.trim_end_matches(|c: char| !c.is_ascii_digit());
    let length = digits.parse().unwrap_or(1).clamp(1, 1_000) * unit;
    let offset = if timeframe.ends_with('w') { THURSDAY_TO_MONDAY } else { 0 };
    (time.timestamp() - offset).div_euclid(length)
}

fn matched((live, live_exit): &ClosedTrade, (tested, tested_exit): &ClosedTrade) -> Pairing {
    // A higher price is worse for a purchase and better for a sale.
    let increase = |live: Decimal, tested: Decimal| ((live - tested).checked_div(tested))?.to_f64();
    let sign = if tested.side == Side::Buy { 1.0 } else { -1.0 };
    Pairing {
        live_profit: Some(live.profit),
        backtest_profit: Some(tested.profit),
        entry_slippage: increase(live.price, tested.price).map(|fraction| sign * fraction),
        exit_slippage: increase(*live_exit, *tested_exit).map(|fraction| -sign * fraction),
        ..pairing(tested, PairingOutcome::Matched)
    }
}

fn missing((tested, _): &ClosedTrade) -> Pairing {
    Pairing { backtest_profit: Some(tested.profit), ..pairing(tested, PairingOutcome::Missing) }
}

fn extra((live, _): &ClosedTrade) -> Pairing {
    Pairing { live_profit: Some(live.profit), ..pairing(live, PairingOutcome::Extra) }
}

fn pairing(trade: &Trade<'static>, outcome: PairingOutcome) -> Pairing {
    Pairing {
        pair: trade.pair.to_owned(),
        side: trade.side,
        entry_time: trade.entry_time,
        outcome,
        live_profit: None,
        backtest_profit: None,
        entry_slippage: None,
        exit_slippage: None,
    }
}
