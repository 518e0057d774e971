//! Recomputation of profits from orders.

use nofomo_freqtrade::ExportedTrade;
use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};

use crate::support::{FIXTURES, backtests, export, probe, read};

#[test]
fn the_orders_reproduce_every_profit() {
    let mut trades = 0;
    for backtest in FIXTURES.into_iter().flat_map(backtests) {
        for trade in &backtest.trades {
            let profit = trade.recomputed_profit().unwrap();
            // Freqtrade rounds sums of floats, which can fall on either side of a tie.
            let exported = trade.profit_abs.round_dp(8);
            assert!((profit - exported).abs() <= dec!(0.00000001), "{profit} {trade:?}");
            // The ratio refers to the value of all entries with their fees.
            let cost_factor = if trade.is_short { dec!(1) - trade.fee_open } else { dec!(1) + trade.fee_open };
            let entries = trade.orders.iter().filter(|order| order.is_entry);
            let invested: Decimal = entries.map(|order| order.amount * order.safe_price * cost_factor).sum();
            let ratio = trade.profit_abs / invested * trade.leverage;
            assert!((ratio - trade.profit_ratio).abs() <= dec!(0.000000001), "{ratio} {trade:?}");
            trades += 1;
        }
    }
    assert_eq!(trades, 455 + 1 + 66 + 105 + 38);
}

fn order(is_entry: bool, amount: Value, price: Value) -> Value {
    json!({"ft_is_entry": is_entry, "amount": amount, "safe_price": price, "order_filled_timestamp": 1_767_400_000_000_i64})
}

fn with_orders(orders: Value, change: impl FnOnce(&mut Value)) -> ExportedTrade {
    let mut export = export();
    let trade = &mut probe(&mut export)["trades"][0];
    trade["orders"] = orders;
    change(trade);
    read(&export).unwrap().trades.remove(0)
}

#[test]
fn an_exit_realises_profit_at_the_average_entry_price() {
    // Bought 1 at 100 and 1 at 80: 2 at 90. Sold 1 at 100: 10 more; 1 at 70: 20 less.
    let orders = json!([
        order(true, json!(1), json!(100)),
        order(true, json!(1), json!(80)),
        order(false, json!(1), json!(100)),
        order(false, json!(1), json!(70))
    ]);
    let without_fees = |trade: &mut Value| (trade["fee_open"], trade["fee_close"]) = (json!(0), json!(0));
    assert_eq!(with_orders(orders.clone(), without_fees).recomputed_profit(), Some(dec!(-10)));
    // With 0.1 % of 100, 80, 100 and 70.
    assert_eq!(with_orders(orders.clone(), |_| {}).recomputed_profit(), Some(dec!(-10.35)));
    // The same as a short trade.
    let short = |trade: &mut Value| trade["is_short"] = json!(true);
    assert_eq!(with_orders(orders, short).recomputed_profit(), Some(dec!(9.65)));
}

#[test]
fn an_entry_after_an_exit_changes_the_average_price() {
    // 2 at 100; 1 sold at 110: 10 more. 1 at 100 and 1 at 130: 2 at 115, sold at 120: 10 more.
    let orders = json!([
        order(true, json!(2), json!(100)),
        order(false, json!(1), json!(110)),
        order(true, json!(1), json!(130)),
        order(false, json!(2), json!(120))
    ]);
    let without_fees = |trade: &mut Value| (trade["fee_open"], trade["fee_close"]) = (json!(0), json!(0));
    assert_eq!(with_orders(orders, without_fees).recomputed_profit(), Some(dec!(20)));
}

#[test]
fn funding_is_part_of_the_profit_of_longs_and_shorts() {
    let orders = json!([order(true, json!(1), json!(100)), order(false, json!(1), json!(100))]);
    for (is_short, profit) in [(false, dec!(-0.45)), (true, dec!(-0.45))] {
        let trade = with_orders(orders.clone(), |trade| {
            (trade["is_short"], trade["funding_fees"]) = (json!(is_short), json!(-0.25));
        });
        assert_eq!(trade.recomputed_profit(), Some(profit));
    }
}

#[test]
fn each_exit_is_rounded_separately() {
    let orders = json!([
        order(true, json!(3), json!(1)),
        order(false, json!(1), json!(1.000000004)),
        order(false, json!(2), json!(1.000000002))
    ]);
    let without_fees = |trade: &mut Value| (trade["fee_open"], trade["fee_close"]) = (json!(0), json!(0));
    assert_eq!(with_orders(orders, without_fees).recomputed_profit(), Some(dec!(0)));
}

#[test]
fn unfilled_orders_do_not_count() {
    let mut unfilled = order(true, json!(5), json!(50));
    unfilled["order_filled_timestamp"] = json!(null);
    let orders = json!([order(true, json!(1), json!(100)), unfilled, order(false, json!(1), json!(110))]);
    assert_eq!(with_orders(orders, |_| {}).recomputed_profit(), Some(dec!(9.79)));
}

#[test]
fn orders_that_do_not_close_the_position_have_no_profit() {
    let none = [
        json!(null),
        json!([]),
        json!([order(true, json!(1), json!(100))]),
        json!([order(false, json!(1), json!(100))]),
        json!([order(true, json!(2), json!(100)), order(false, json!(1), json!(100))]),
        json!([order(true, json!(1), json!(100)), order(false, json!(2), json!(100))]),
    ];
    for orders in none {
        assert_eq!(with_orders(orders.clone(), |_| {}).recomputed_profit(), None, "{orders}");
    }
    // The largest numbers do not overflow.
    let max = json!(1_000_000_000_000_i64);
    let largest = json!([order(true, max.clone(), max.clone()), order(false, max.clone(), max.clone())]);
    assert_eq!(with_orders(largest, |_| {}).recomputed_profit(), Some(dec!(-2_000_000_000_000_000_000_000)));
    let smallest = json!([
        order(true, json!(1e-28), max.clone()),
        order(true, max.clone(), max.clone()),
        order(false, max, json!(1e-28))
    ]);
    assert!(with_orders(smallest, |_| {}).recomputed_profit().is_some());
}
