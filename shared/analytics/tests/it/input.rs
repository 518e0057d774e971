//! Accepted and refused input.

use chrono::{TimeDelta, TimeZone, Utc};
use nofomo_analytics::{InvalidInput, PriceRange, Record, Settings, Trade, Trials};
use rust_decimal::{Decimal, dec};

use crate::support::{close, fixture, one_a_day, record, settings, time};

fn refusal(trades: &[Trade<'_>], settings: Settings) -> Option<InvalidInput> {
    Record::new(trades, settings).err()
}

#[test]
fn settings_that_contradict_themselves_are_refused() {
    let trades = one_a_day(&[dec!(1), dec!(2)]);
    let refused = |settings: Settings| refusal(&trades, settings);
    for balance in [dec!(0), dec!(-1), dec!(1_000_000_000_001)] {
        assert_eq!(refused(Settings::new(balance)), Some(InvalidInput::InitialBalance));
    }
    for max_loss in [0.0, 9e-10, -0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(refused(Settings { max_loss: Some(max_loss), ..settings() }), Some(InvalidInput::MaxLoss));
    }
    let trials = [
        Trials { runs: 0, ..Trials::default() },
        Trials { sharpe_deviation: Some(-0.1), ..Trials::default() },
        Trials { sharpe_deviation: Some(f64::NAN), ..Trials::default() },
        Trials { overfit_probability: Some(1.1), ..Trials::default() },
        Trials { overfit_probability: Some(f64::NAN), ..Trials::default() },
    ];
    for trials in trials {
        assert_eq!(refused(Settings { trials, ..settings() }), Some(InvalidInput::Trials));
    }
    assert_eq!(refused(Settings { max_loss: Some(0.1), ..settings() }), None);
}

#[test]
fn an_impossible_trade_is_refused() {
    let good = one_a_day(&[dec!(1), dec!(2)]);
    let refused = |change: fn(&mut Trade<'_>)| {
        let mut trades = good.clone();
        change(&mut trades[1]);
        match refusal(&trades, settings()) {
            Some(InvalidInput::Trade { index: 1, problem }) => problem,
            other => panic!("{other:?}"),
        }
    };
    let money = "needs an amount and a price above 0 and at most 10^12";
    assert_eq!(
        refused(|trade| trade.exit_time = trade.entry_time - TimeDelta::seconds(1)),
        "is closed before it is opened"
    );
    assert_eq!(refused(|trade| trade.amount = dec!(0)), money);
    assert_eq!(refused(|trade| trade.price = dec!(-1)), money);
    assert_eq!(refused(|trade| trade.price = Decimal::MAX), money);
    let too_much = "needs a notional above 0 and at most 10^18";
    assert_eq!(refused(|trade| (trade.amount, trade.price) = (dec!(1_000_000_000_000), dec!(1_000_001))), too_much);
    assert_eq!(refused(|trade| (trade.amount, trade.price) = (Decimal::new(1, 28), Decimal::new(1, 28))), too_much);
    let beyond = "has a fee, profit or loss above 10^12";
    assert_eq!(refused(|trade| trade.profit = Decimal::MIN), beyond);
    assert_eq!(refused(|trade| trade.fee = Decimal::MAX), beyond);
    let range = "needs a lowest price above 0 and not above the highest price, which is at most 10^12";
    assert_eq!(refused(|trade| trade.range = Some(PriceRange { low: dec!(2), high: dec!(1) })), range);
    assert_eq!(refused(|trade| trade.range = Some(PriceRange { low: dec!(0), high: dec!(1) })), range);
}

#[test]
fn the_largest_amounts_do_not_overflow() {
    let most = dec!(1_000_000_000_000);
    let mut trades = one_a_day(&[most; 300]);
    for trade in &mut trades {
        (trade.amount, trade.price, trade.fee) = (most, dec!(1_000_000), most);
        trade.entry_time = time("2026-01-01T00:00:00Z");
    }
    let record = Record::new(&trades, Settings::new(most)).unwrap();
    assert_eq!(record.metrics().historical.trades.net_profit, most * dec!(300));
    assert_eq!(record.stress()[0].net_profit, dec!(0));
    assert_eq!(record.series().trades.len(), 300);
}

#[test]
fn the_period_has_the_requested_length() {
    let trades = one_a_day(&[dec!(1), dec!(-2), dec!(3)]);
    let within = |start: &str, end: &str| {
        let period = Settings { period_start: Some(time(start)), period_end: Some(time(end)), ..settings() };
        Record::new(&trades, period).map(|record| record.metrics().historical.daily)
    };
    let daily = within("2025-12-31T23:00:00Z", "2026-01-10T01:00:00Z").unwrap();
    assert_eq!((daily.days, daily.return_days, daily.positive_days, daily.negative_days), (11, 11, 2, 1));
    let outside = |index| InvalidInput::Trade { index, problem: "is closed outside the period" };
    assert_eq!(within("2026-01-02T00:00:00Z", "2026-01-10T00:00:00Z"), Err(outside(0)));
    assert_eq!(within("2026-01-01T00:00:00Z", "2026-01-02T23:00:00Z"), Err(outside(2)));
    assert_eq!(within("1900-01-01T00:00:00Z", "2026-01-10T00:00:00Z"), Err(InvalidInput::Period));
    let backwards = Settings {
        period_start: Some(time("2026-01-02T00:00:00Z")),
        period_end: Some(time("2026-01-01T00:00:00Z")),
        ..settings()
    };
    assert_eq!(refusal(&[], backwards), Some(InvalidInput::Period));
}

#[test]
fn a_trade_opened_before_the_period_counts_only_within_it() {
    let mut trades = one_a_day(&[dec!(1), dec!(2)]);
    trades[0].entry_time = time("2025-12-01T00:00:00Z");
    let start = Settings { period_start: Some(time("2026-01-01T00:00:00Z")), ..settings() };
    let metrics = Record::new(&trades, start).unwrap().metrics();
    assert_eq!(metrics.historical.daily.days, 2);
    // From midnight to 18:00, and from 6:00 to 18:00.
    close(metrics.historical.trades.time_in_market.unwrap(), 30.0 / 48.0, 1e-12);
    close(metrics.historical.trades.avg_open_trades.unwrap(), 30.0 / 48.0, 1e-12);
    // The holding time is that of the whole trade.
    close(metrics.historical.trades.avg_duration_s.unwrap(), (31.75 + 0.5) / 2.0 * 86_400.0, 1e-12);
}

#[test]
fn simultaneous_trades_count_once_as_time_in_market() {
    let mut trades = one_a_day(&[dec!(1), dec!(2), dec!(3)]);
    let hour = TimeDelta::hours(1);
    let first = time("2026-01-01T00:00:00Z");
    for (trade, (from, to)) in trades.iter_mut().zip([(0, 4), (1, 2), (3, 6)]) {
        (trade.entry_time, trade.exit_time) = (first + hour * from, first + hour * to);
    }
    let metrics = record(&trades).metrics().historical.trades;
    close(metrics.time_in_market.unwrap(), 6.0 / 24.0, 1e-12);
    close(metrics.avg_open_trades.unwrap(), 8.0 / 24.0, 1e-12);
}

#[test]
fn a_day_begins_at_midnight_in_utc() {
    let mut trades = one_a_day(&[dec!(1), dec!(-2)]);
    trades[0].exit_time = Utc.with_ymd_and_hms(2026, 1, 1, 23, 59, 59).unwrap() + TimeDelta::microseconds(999_999);
    trades[1].exit_time = Utc.with_ymd_and_hms(2026, 1, 2, 0, 0, 0).unwrap();
    trades[1].entry_time = trades[0].entry_time;
    let daily = record(&trades).metrics().historical.daily;
    assert_eq!((daily.return_days, daily.best_day), (2, Some(0.001)));
    close(daily.worst_day.unwrap(), -2.0 / 1001.0, 1e-12);
}

#[test]
fn trades_that_end_together_are_ordered_by_their_entries() {
    // The win comes first, so there is a drawdown.
    let mut trades = one_a_day(&[dec!(-10), dec!(10)]);
    trades[0].exit_time = trades[1].exit_time;
    trades[0].entry_time = trades[1].entry_time + TimeDelta::hours(1);
    close(record(&trades).metrics().historical.balance.max_drawdown, 10.0 / 1010.0, 1e-12);
    // Equal entries and exits: in the order of the input.
    trades[0].entry_time = trades[1].entry_time;
    close(record(&trades).metrics().historical.balance.max_drawdown, 0.01, 1e-12);
}

#[test]
fn trades_that_begin_and_end_together_keep_their_order() {
    // More than a small-sort of the standard library handles.
    let profits: Vec<Decimal> =
        (1..=100).map(|trade| Decimal::from(trade * if trade % 2 == 0 { -1 } else { 1 })).collect();
    let mut trades = one_a_day(&profits);
    let (entry_time, exit_time) = (trades[0].entry_time, trades[0].exit_time);
    for (index, trade) in (0..).zip(&mut trades) {
        (trade.entry_time, trade.exit_time) = (entry_time, exit_time + TimeDelta::hours(index % 3));
    }
    let in_order =
        (0..3).flat_map(|hour| profits.iter().skip(hour).step_by(3)).map(|profit| f64::try_from(*profit).unwrap());
    let equity: Vec<f64> = record(&trades).series().equity.iter().filter_map(|point| point.value).collect();
    let changes = equity.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(changes.eq(in_order));
}

#[test]
fn the_number_of_paths_is_reduced_for_many_trades() {
    let many: Vec<Trade<'_>> = fixture("main").into_iter().cycle().take(20_001).collect();
    assert_eq!(record(&many[..1_000]).monte_carlo().unwrap().sims, 1_000);
    assert_eq!(record(&many).monte_carlo().unwrap().sims, 200);
}
