//! Matching of live trades with those of a backtest.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use nofomo_analytics::{Pairing, PairingOutcome, Side, Trade};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::request::AnalysisRequest;
use crate::reservation::Backtest;

/// Closed trade, and its exit price.
pub(crate) type ClosedTrade = (Trade<'static>, Decimal);

/// Matches the trades that were entered in the period that live trading and the backtest have in common. Returns them
/// in order of entry.
pub(crate) fn match_trades(
    live: &[ClosedTrade],
    backtest_trades: &[ClosedTrade],
    backtest: &Backtest,
    request: &AnalysisRequest,
) -> Vec<Pairing> {
    let Some((first, last)) = common_period(live, backtest, request) else { return Vec::new() };
    let timeframe = &backtest.compared.timeframe;
    let is_common = |trade: &Trade<'_>| {
        let entry = candle(timeframe, trade.entry_time);
        candle(timeframe, first) <= entry && entry <= candle(timeframe, last)
    };
    let key = |trade: &Trade<'static>| (trade.pair, trade.side, candle(timeframe, trade.entry_time));

    // Several bots can have made the same trade. Each of these trades is matched with a different trade of the
    // backtest.
    let mut unmatched: BTreeMap<_, VecDeque<&ClosedTrade>> = BTreeMap::new();
    for closed in live.iter().filter(|(trade, _)| is_common(trade)) {
        unmatched.entry(key(&closed.0)).or_default().push_back(closed);
    }
    let mut pairings = Vec::new();
    for closed in backtest_trades.iter().filter(|(trade, _)| is_common(trade)) {
        let found = unmatched.get_mut(&key(&closed.0)).and_then(VecDeque::pop_front);
        pairings.push(found.map_or_else(|| missing(closed), |live| matched(live, closed)));
    }
    pairings.extend(unmatched.into_values().flatten().map(extra));
    pairings.sort_by(|one, other| (one.entry_time, &one.pair).cmp(&(other.entry_time, &other.pair)));
    pairings
}

/// Period that live trading and the backtest have in common. `None` if there are no live trades and the request has no
/// start, or no end.
fn common_period(
    live: &[ClosedTrade],
    backtest: &Backtest,
    request: &AnalysisRequest,
) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let first = request.body.from.or_else(|| live.iter().map(|(trade, _)| trade.entry_time).min())?;
    let last_exit = || live.iter().map(|(trade, _)| trade.exit_time).max();
    let last = request.body.to.or_else(|| if backtest.is_running { Some(Utc::now()) } else { last_exit() })?;
    Some((first.max(backtest.compared.start_date), last.min(backtest.compared.end_date)))
}

/// Number of the candle that contains a time. Weekly candles begin on Mondays; all others are aligned to 1970-01-01.
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

fn matched((live, live_exit): &ClosedTrade, (in_backtest, backtest_exit): &ClosedTrade) -> Pairing {
    // A higher price is worse for a purchase and better for a sale.
    let increase = |live: Decimal, expected: Decimal| ((live - expected).checked_div(expected))?.to_f64();
    let sign = if in_backtest.side == Side::Buy { 1.0 } else { -1.0 };
    Pairing {
        live_profit: Some(live.profit),
        backtest_profit: Some(in_backtest.profit),
        entry_slippage: increase(live.price, in_backtest.price).map(|fraction| sign * fraction),
        exit_slippage: increase(*live_exit, *backtest_exit).map(|fraction| -sign * fraction),
        ..pairing(in_backtest, PairingOutcome::Matched)
    }
}

fn missing((in_backtest, _): &ClosedTrade) -> Pairing {
    Pairing { backtest_profit: Some(in_backtest.profit), ..pairing(in_backtest, PairingOutcome::Missing) }
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
