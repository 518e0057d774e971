//! Fixtures, trades, and comparison of numbers.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use nofomo_analytics::{Record, Settings, Side, Trade};
use rust_decimal::{Decimal, dec};
use serde_json::Value;

/// Reads the trades of a reference set. The names of pairs are leaked, because trades borrow them.
pub(crate) fn fixture(set: &str) -> Vec<Trade<'static>> {
    let mut rows = csv::Reader::from_path(format!("fixtures/trades-{set}.csv")).unwrap();
    let header = rows.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|header| header == name).unwrap();
    let columns = ["entry_time", "exit_time", "side", "pair", "amount", "price", "fee", "profit"].map(column);
    rows.records()
        .map(|row| {
            let row = row.unwrap();
            let [entry_time, exit_time, side, pair, amount, price, fee, profit] = columns.map(|column| &row[column]);
            Trade {
                entry_time: entry_time.parse().unwrap(),
                exit_time: exit_time.parse().unwrap(),
                side: if side == "buy" { Side::Buy } else { Side::Sell },
                pair: pair.to_owned().leak(),
                amount: amount.parse().unwrap(),
                price: price.parse().unwrap(),
                fee: fee.parse().unwrap(),
                profit: profit.parse().unwrap(),
                range: None,
            }
        })
        .collect()
}

/// Reads the document with all reference values.
pub(crate) fn reference() -> Value {
    serde_json::from_str(&std::fs::read_to_string("fixtures/metrics.json").unwrap()).unwrap()
}

pub(crate) fn settings() -> Settings {
    Settings::new(dec!(1000))
}

pub(crate) fn record<'a>(trades: &'a [Trade<'a>]) -> Record<'a> {
    Record::new(trades, settings()).unwrap()
}

pub(crate) fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Generates one trade per day, with a notional of 100, open from 6:00 to 18:00.
pub(crate) fn one_a_day(profits: &[Decimal]) -> Vec<Trade<'static>> {
    let first = time("2026-01-01T06:00:00Z");
    (0..)
        .zip(profits)
        .map(|(day, &profit)| Trade {
            entry_time: first + TimeDelta::days(day),
            exit_time: first + TimeDelta::days(day) + TimeDelta::hours(12),
            side: Side::Buy,
            pair: "BTC/USDT",
            amount: dec!(0.002),
            price: dec!(50000),
            fee: dec!(0.1),
            profit,
            range: None,
        })
        .collect()
}

/// Splits every trade in two of half its size.
pub(crate) fn split<'a>(trades: &[Trade<'a>]) -> Vec<Trade<'a>> {
    let half = |trade: &Trade<'a>| Trade {
        amount: trade.amount / Decimal::TWO,
        fee: trade.fee / Decimal::TWO,
        profit: trade.profit / Decimal::TWO,
        ..*trade
    };
    trades.iter().flat_map(|trade| [half(trade), half(trade)]).collect()
}

/// Checks that numbers are equal up to a relative difference.
#[track_caller]
pub(crate) fn close(ours: f64, theirs: f64, relative: f64) {
    assert!((ours - theirs).abs() <= relative * theirs.abs(), "{ours} is not {theirs}");
}

pub(crate) fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}
