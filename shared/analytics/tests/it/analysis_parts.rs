//! Parts of an analysis other than metrics: slices, series, excursions, halves, stress scenarios.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use nofomo_analytics::{
    AnalysisType, Dimension, PriceRange, Record, Scenario, Series, Settings, Side, SliceVerdict, Trade,
};
use rust_decimal::{Decimal, dec};

use crate::support::{close, fixture, one_a_day, record, reference, settings, time};

const TYPES: [AnalysisType; 4] =
    [AnalysisType::Performance, AnalysisType::Risk, AnalysisType::Optimization, AnalysisType::Backtest];

#[test]
fn every_metric_is_shown_by_some_analysis() {
    let reference = reference();
    let metrics = reference["sets"]["main"].as_object().unwrap().keys();
    let beside = ["confidence", "notes"];
    let unseen: Vec<_> =
        metrics.filter(|key| !beside.contains(&key.as_str()) && !TYPES.iter().any(|kind| kind.shows(key))).collect();
    assert_eq!(unseen, Vec::<&String>::new());
    assert!(TYPES.iter().all(|kind| !kind.shows("serenity_index")));
}

#[test]
fn each_analysis_shows_its_own_metrics() {
    let shows = |kind: AnalysisType, keys: &[&str]| keys.iter().all(|key| kind.shows(key));
    let performance = ["win_rate", "sqn", "time_in_market", "cagr", "sharpe", "sortino", "calmar", "omega"];
    let risk = ["max_drawdown", "ulcer_index", "volatility", "cvar_95", "max_consecutive_losses", "monte_carlo"];
    assert!(shows(AnalysisType::Performance, &performance) && !AnalysisType::Performance.shows("monte_carlo"));
    assert!(shows(AnalysisType::Risk, &risk) && !AnalysisType::Risk.shows("win_rate"));
    assert!(shows(AnalysisType::Backtest, &performance) && shows(AnalysisType::Backtest, &risk));
    assert!(shows(AnalysisType::Optimization, &["kelly_continuous_lower95", "fee_break_even_multiple"]));
    assert!(!AnalysisType::Optimization.shows("max_drawdown"));
    let json = TYPES.map(|kind| serde_json::to_value(kind).unwrap());
    assert_eq!(json, ["performance", "risk", "optimization", "backtest"]);
}

#[test]
fn the_slices_of_each_dimension_contain_all_trades() {
    let trades = fixture("main");
    let record = record(&trades);
    let slices = record.slices();
    let net_profit = record.metrics().historical.trades.net_profit;
    let dimensions = [Dimension::Pair, Dimension::Side, Dimension::Weekday, Dimension::Hour, Dimension::Duration];
    for dimension in dimensions {
        let of = || slices.iter().filter(|slice| slice.by == dimension);
        assert_eq!(of().map(|slice| slice.trades).sum::<usize>(), 1_000);
        assert_eq!(of().map(|slice| slice.net_profit).sum::<Decimal>(), net_profit);
        assert_eq!(of().map(|slice| &slice.key).collect::<BTreeSet<_>>().len(), of().count());
    }
    let keys = |dimension| slices.iter().filter(move |slice| slice.by == dimension).map(|slice| slice.key.as_str());
    let weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    assert!(keys(Dimension::Weekday).eq(weekdays));
    assert!(keys(Dimension::Side).eq(["buy", "sell"]));
    assert_eq!(keys(Dimension::Hour).collect::<Vec<_>>()[9], "09");
    assert!(slices.iter().all(|slice| slice.p_value_two_sided.is_some() == (slice.trades >= 30)));
    assert!(slices.iter().all(|slice| (slice.verdict == SliceVerdict::TooFewTrades) == (slice.trades < 30)));
}

#[test]
fn a_slice_is_tested_against_chance() {
    // Thirty winning trades, thirty losing, and twenty-nine winning, which are too few.
    let mut trades = one_a_day(&[dec!(0); 89]);
    for (index, trade) in trades.iter_mut().enumerate() {
        let wobble = Decimal::from(index % 5);
        (trade.pair, trade.profit) = match index {
            0..30 => ("GOOD/USDT", dec!(5) + wobble),
            30..60 => ("BAD/USDT", dec!(-5) - wobble),
            _ => ("NEW/USDT", dec!(5) + wobble),
        };
    }
    let slices = record(&trades).slices();
    let verdict = |key: &str| slices.iter().find(|slice| slice.key == key).map(|slice| slice.verdict);
    assert_eq!(verdict("GOOD/USDT"), Some(SliceVerdict::Earns));
    assert_eq!(verdict("BAD/USDT"), Some(SliceVerdict::Loses));
    assert_eq!(verdict("NEW/USDT"), Some(SliceVerdict::TooFewTrades));
    // All trades enter at six o'clock: two wins per loss.
    let six = slices.iter().find(|slice| slice.key == "06").unwrap();
    close(six.win_rate, 59.0 / 89.0, 1e-12);
    // The p-value of a slice is that of its system quality number.
    let good = slices.iter().find(|slice| slice.key == "GOOD/USDT").unwrap();
    let alone = record(&trades[..30]).metrics().historical.trades.p_value_two_sided.unwrap();
    close(good.p_value_two_sided.unwrap(), alone, 1e-9);
}

#[test]
fn the_luckiest_of_many_slices_is_not_significant() {
    // One pair of many has a p-value of about 3 %, as the luckiest of many has.
    let mut trades = one_a_day(&[dec!(0); 1_200]);
    for (index, trade) in trades.iter_mut().enumerate() {
        let pair = index / 30;
        let lucky = if pair == 7 { dec!(4) } else { dec!(0) };
        trade.pair = format!("C{pair}/USDT").leak();
        trade.profit = lucky + if index % 2 == 0 { dec!(10) } else { dec!(-10) };
    }
    let slices = record(&trades).slices();
    let lucky = slices.iter().find(|slice| slice.key == "C7/USDT").unwrap();
    assert!(lucky.p_value_two_sided.unwrap() < 0.05);
    assert_eq!(lucky.verdict, SliceVerdict::NotShown);
}

#[test]
fn many_slightly_significant_slices_support_each_other() {
    // Forty pairs with p-values of about 3 %: by chance, one is expected.
    let mut trades = one_a_day(&[dec!(0); 1_200]);
    for (index, trade) in trades.iter_mut().enumerate() {
        trade.pair = format!("C{}/USDT", index / 30).leak();
        trade.profit = dec!(4) + if index % 2 == 0 { dec!(10) } else { dec!(-10) };
    }
    let slices = record(&trades).slices();
    let of_pairs = || slices.iter().filter(|slice| slice.by == Dimension::Pair);
    assert!(of_pairs().all(|slice| slice.p_value_two_sided.unwrap() > 0.10 / slices.len() as f64));
    assert_eq!(of_pairs().filter(|slice| slice.verdict == SliceVerdict::Earns).count(), 40);
}

#[test]
fn a_slice_of_equal_trades_is_not_tested() {
    let slices = record(&one_a_day(&[dec!(1.1); 40])).slices();
    let side = slices.iter().find(|slice| slice.by == Dimension::Side).unwrap();
    assert_eq!((side.p_value_two_sided, side.verdict), (None, SliceVerdict::NotShown));
}

#[test]
fn each_trade_is_in_the_slice_of_its_duration() {
    let minutes = [0, 14, 15, 59, 60, 239, 240, 1_439, 1_440, 10_079, 10_080, 100_000];
    let mut trades = one_a_day(&[dec!(1); 12]);
    for (trade, minutes) in trades.iter_mut().zip(minutes) {
        trade.exit_time = trade.entry_time + TimeDelta::minutes(minutes);
    }
    let slices = record(&trades).slices();
    let durations = slices.iter().filter(|slice| slice.by == Dimension::Duration);
    let expected =
        ["under_15_minutes", "15_minutes_to_1_hour", "1_to_4_hours", "4_to_24_hours", "1_to_7_days", "over_7_days"];
    assert!(durations.map(|slice| (slice.key.as_str(), slice.trades)).eq(expected.map(|key| (key, 2))));
}

fn values(points: &[nofomo_analytics::Point]) -> Vec<f64> {
    points.iter().filter_map(|point| point.value).collect()
}

#[test]
fn the_series_agree_with_the_metrics() {
    let trades = fixture("main");
    let record = record(&trades);
    let (metrics, series) = (record.metrics(), record.series());
    assert_eq!((series.equity.len(), series.underwater.len(), series.trades.len()), (1_001, 1_001, 1_000));
    let equity = values(&series.equity);
    assert_eq!(equity[0], 1_000.0);
    close(equity[1_000], 1_165.86286617, 1e-12);
    let deepest = values(&series.underwater).into_iter().fold(0.0, f64::min);
    close(-deepest, metrics.historical.balance.max_drawdown, 1e-12);
    assert_eq!(series.worst_drawdowns.len(), 5);
    assert!(series.worst_drawdowns.is_sorted_by(|one, other| one.depth >= other.depth));
    close(series.worst_drawdowns[0].depth, metrics.historical.balance.max_drawdown, 1e-12);
    assert_eq!(Some(series.worst_drawdowns[0].trough), metrics.historical.balance.max_drawdown_trough);

    // 180 days: January to June, of one year.
    assert_eq!(series.months.iter().map(|month| month.month).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    let compounded: f64 = series.months.iter().map(|month| 1.0 + month.compounded).product();
    close(compounded - 1.0, metrics.historical.balance.total_return, 1e-9);
    assert_eq!(series.years.len(), 1);
    close(series.years[0].compounded, metrics.historical.balance.total_return, 1e-9);

    assert_eq!(series.daily_returns.len(), 180);
    assert_eq!(series.rolling_days, 30);
    assert_eq!((series.rolling_sharpe.len(), series.rolling_volatility.len()), (151, 151));
    assert_eq!(series.rolling_sharpe[0].at, time("2026-01-30T00:00:00Z"));

    let profits = series.profits.unwrap();
    assert_eq!(profits.counts.iter().sum::<usize>(), 1_000);
    let simulated = series.simulated_drawdowns.unwrap();
    assert_eq!(
        (simulated.counts.iter().sum::<usize>(), simulated.observed),
        (1_000, Some(metrics.historical.balance.max_drawdown))
    );
    let monte_carlo = metrics.monte_carlo.unwrap();
    assert_eq!((simulated.median, simulated.p95), (monte_carlo.max_drawdown_p50, monte_carlo.max_drawdown_p95));
    assert_eq!(series.cone.len(), 50);
    let last = series.cone.last().unwrap();
    assert_eq!((last.trades, last.at), (1_000, time("2026-06-29T00:00:00Z").max(last.at)));
    close(last.p05, monte_carlo.final_p05.unwrap().try_into().unwrap(), 1e-12);
    close(last.p95, monte_carlo.final_p95.unwrap().try_into().unwrap(), 1e-12);
    assert!(series.cone.is_sorted_by(|one, next| one.trades < next.trades && one.at <= next.at));
    assert!(series.cone.iter().all(|band| band.p05 < band.p50 && band.p50 < band.p95));
}

#[test]
fn a_rolling_value_is_the_metric_of_its_window() {
    let trades = fixture("main");
    let series = record(&trades).series();
    // The first thirty days only.
    let end = time("2026-01-31T00:00:00Z");
    let early: Vec<_> = trades.into_iter().filter(|trade| trade.exit_time < end).collect();
    let daily = record(&early).metrics().historical.daily;
    assert_eq!(daily.return_days, 30);
    close(series.rolling_sharpe[0].value.unwrap(), daily.sharpe.unwrap(), 1e-9);
    close(series.rolling_volatility[0].value.unwrap(), daily.volatility.unwrap(), 1e-9);
}

#[test]
fn a_month_without_a_day_is_absent() {
    // From the last day of January to the first of March, ruined in February.
    let mut trades = one_a_day(&[dec!(10), dec!(-1010), dec!(5)]);
    for (trade, day) in trades.iter_mut().zip(["2026-01-31", "2026-02-10", "2026-03-01"]) {
        trade.entry_time = time(&format!("{day}T06:00:00Z"));
        trade.exit_time = time(&format!("{day}T18:00:00Z"));
    }
    let Series { months, years, .. } = record(&trades).series();
    assert_eq!(months.iter().map(|month| month.month).collect::<Vec<_>>(), [1, 2]);
    close(months[0].compounded, 0.01, 1e-9);
    assert_eq!((months[1].compounded, years[0].compounded), (-1.0, -1.0));
}

#[test]
fn a_short_record_has_no_long_series() {
    let Series { equity, cone, months, daily_returns, profits, trades, rolling_sharpe, simulated_drawdowns, .. } =
        record(&one_a_day(&[dec!(1)])).series();
    assert_eq!((equity.len(), cone.len(), months.len(), daily_returns.len(), trades.len()), (0, 0, 0, 0, 1));
    assert_eq!((rolling_sharpe.len(), profits, simulated_drawdowns), (0, None, None));
    let of = |days: usize| record(&one_a_day(&vec![dec!(1); days])).series();
    assert_eq!((of(1).equity.len(), of(2).equity.len()), (0, 3));
    assert_eq!((of(6).daily_returns.len(), of(7).daily_returns.len()), (0, 7));
    assert_eq!((of(19).profits.is_some(), of(20).profits.is_some()), (false, true));
    assert_eq!((of(19).simulated_drawdowns.is_some(), of(20).simulated_drawdowns.is_some()), (false, true));
    assert_eq!((of(59).rolling_volatility.len(), of(60).rolling_volatility.len()), (0, 31));
    assert_eq!((of(364).rolling_days, of(365).rolling_days), (30, 90));
    assert_eq!((of(31).months.len(), of(32).months.len()), (0, 2));
    assert_eq!(record(&[]).series().equity, []);
}

#[test]
fn a_window_of_equal_returns_is_a_gap() {
    let mut profits = vec![dec!(0); 60];
    profits.extend([dec!(1), dec!(-2)].repeat(30));
    let series = record(&one_a_day(&profits)).series();
    assert_eq!(series.rolling_sharpe[0].value, None);
    assert!(series.rolling_sharpe.last().unwrap().value.is_some());
    assert_eq!(series.rolling_volatility[0].value, Some(0.0));
}

#[test]
fn a_long_curve_keeps_its_extremes() {
    // One short drawdown, one high, and one window of days without a trade, in nine years.
    let mut profits: Vec<Decimal> = (0..3_300).map(|day| if day % 2 == 0 { dec!(1) } else { dec!(-1) }).collect();
    (profits[1_234], profits[1_235]) = (dec!(-300), dec!(300));
    (profits[2_001], profits[2_002]) = (dec!(400), dec!(-400));
    profits[2_500..2_600].fill(dec!(0));
    let series = record(&one_a_day(&profits)).series();
    let equity = values(&series.equity);
    assert!(equity.len() <= 2_000 && equity.len() > 1_000);
    assert_eq!(
        (equity[0], *equity.last().unwrap()),
        (1_000.0, f64::try_from(dec!(1000) + profits.iter().sum::<Decimal>()).unwrap())
    );
    assert_eq!(equity.iter().copied().fold(f64::INFINITY, f64::min), 700.0);
    assert!(equity.iter().copied().fold(0.0, f64::max) >= 1_400.0);
    assert!(series.equity.is_sorted_by(|one, next| one.at < next.at));
    assert!(series.trades.len() <= 2_000 && series.trades.iter().any(|dot| dot.profit == 400.0));
    assert!(series.rolling_sharpe.len() <= 2_000 && series.rolling_sharpe.iter().any(|point| point.value.is_none()));
    assert!(series.daily_returns.len() <= 2_000);
}

#[test]
fn a_histogram_counts_every_value_in_its_bin() {
    let profits: Vec<Decimal> = (0..=40).map(Decimal::from).collect();
    let histogram = record(&one_a_day(&profits)).series().profits.unwrap();
    // Notional 100: returns from 0 to 0.4 in bins of 1 %, the last of which includes its upper bound.
    assert_eq!((histogram.from, histogram.width, histogram.counts.len()), (0.0, 0.01, 40));
    assert_eq!(histogram.counts.iter().sum::<usize>(), 41);
    assert_eq!(histogram.counts[39], 2);
    close(histogram.mean, 0.2, 1e-12);
    close(histogram.p05, 0.02, 1e-12);
    let flat = record(&one_a_day(&[dec!(1); 20])).series().profits.unwrap();
    assert_eq!((flat.counts, flat.width), (vec![20], 0.0));
}

#[test]
fn without_price_ranges_there_are_no_excursions() {
    let mut trades = one_a_day(&[dec!(1), dec!(2)]);
    trades[0].range = Some(PriceRange { low: dec!(49000), high: dec!(51000) });
    assert_eq!(record(&trades).excursions(), None);
    assert_eq!(record(&[]).excursions(), None);
    trades[1].range = trades[0].range;
    assert!(record(&trades).excursions().is_some());
}

#[test]
fn excursions_are_mirrored_for_a_short() {
    let mut trades = one_a_day(&[dec!(1), dec!(2), dec!(-4)]);
    let range = Some(PriceRange { low: dec!(48500), high: dec!(52000) });
    trades.iter_mut().for_each(|trade| trade.range = range);
    trades[1].side = Side::Sell;
    // The price was never above the entry.
    trades[2].range = Some(PriceRange { low: dec!(45000), high: dec!(49000) });
    let excursions = record(&trades).excursions().unwrap();
    let seen: Vec<_> = excursions.trades.iter().map(|seen| (seen.mae, seen.mfe, seen.profit)).collect();
    assert_eq!(seen, [(0.03, 0.04, 0.01), (0.04, 0.03, 0.02), (0.1, 0.0, -0.04)]);
    // A quarter of the favourable excursion of one trade, and two thirds of that of the other.
    close(excursions.exit_efficiency.unwrap(), (1.0 / 4.0 + 2.0 / 3.0) / 2.0, 1e-12);
    let at = |distance: f64| *excursions.stop_losses.iter().find(|stop| stop.distance == distance).unwrap();
    let found = |distance| (at(distance).stopped, at(distance).winners_stopped, at(distance).net_profit);
    // Each stopped trade of 100 loses the distance and its fee of 0.1.
    assert_eq!(found(0.02), (3, 2, dec!(-6.3)));
    assert_eq!(found(0.03), (3, 2, dec!(-9.3)));
    assert_eq!(found(0.05), (1, 0, dec!(3) - dec!(5.1)));
    assert_eq!(found(0.2), (0, 0, dec!(-1)));
}

#[test]
fn a_price_that_never_moved_in_a_direction_has_no_excursion_there() {
    let mut trades = one_a_day(&[dec!(1), dec!(2)]);
    // Always above the entry; always below it and still closed with a profit, which only inconsistent data has.
    trades[0].range = Some(PriceRange { low: dec!(51000), high: dec!(52000) });
    trades[1].range = Some(PriceRange { low: dec!(49000), high: dec!(50000) });
    let excursions = record(&trades).excursions().unwrap();
    let seen: Vec<_> = excursions.trades.iter().map(|seen| (seen.mae, seen.mfe)).collect();
    assert_eq!((seen, excursions.exit_efficiency), (vec![(0.0, 0.04), (0.02, 0.0)], Some(0.25)));
}

#[test]
fn the_second_half_is_compared_with_the_first() {
    // Up 2 or 1 in the first half, down in the second.
    let profits: Vec<Decimal> =
        (0..41).map(|day| Decimal::from(1 + day % 2) * if day < 20 { dec!(1) } else { dec!(-1) }).collect();
    let halves = record(&one_a_day(&profits)).halves().unwrap();
    assert_eq!((halves.first.days, halves.second.days), (20, 21));
    close(halves.first.compounded, 0.03, 1e-9);
    close(halves.second.compounded, 999.0 / 1030.0 - 1.0, 1e-9);
    assert!(halves.t.unwrap() < -10.0 && halves.p_value_two_sided.unwrap() < 1e-9);
    assert!(halves.first.sharpe.unwrap() > 0.0 && halves.second.daily_mean < 0.0);
    assert_eq!(record(&one_a_day(&[dec!(1); 3])).halves(), None);
    let flat = record(&one_a_day(&[dec!(0); 10])).halves().unwrap();
    assert_eq!((flat.t, flat.p_value_two_sided, flat.first.sharpe), (None, None, None));
    // 1 % per day and then 2 %, apart from rounding.
    let mut balance = dec!(1000);
    let steps = [dec!(0.01); 10].into_iter().chain([dec!(0.02); 10]);
    let profits: Vec<Decimal> = steps
        .map(|step| {
            let profit = (balance * step).round_dp(8);
            balance += profit;
            profit
        })
        .collect();
    assert_eq!(record(&one_a_day(&profits)).halves().unwrap().t, None);
}

#[test]
fn welchs_test_matches_the_published_formula() {
    // Returns of 1 to 5 % and of 2 to 10 % of the balance: t = 3 / sqrt(0.5 + 2) = 1.897367, 5.882353 degrees of
    // freedom.
    let mut balance = dec!(1000);
    let profits: Vec<Decimal> = [1, 2, 3, 4, 5, 2, 4, 6, 8, 10]
        .map(|percent| {
            let profit = balance * Decimal::new(percent, 2);
            balance += profit;
            profit
        })
        .to_vec();
    let halves = record(&one_a_day(&profits)).halves().unwrap();
    close(halves.t.unwrap(), 3.0 / 2.5_f64.sqrt(), 1e-9);
    close(halves.p_value_two_sided.unwrap(), 0.107531, 1e-5);
}

#[test]
fn stress_subtracts_the_costs_from_every_trade() {
    let trades = one_a_day(&[dec!(10), dec!(-5), dec!(3)]);
    let stress = record(&trades).stress();
    let left: Vec<_> = stress.iter().map(|stress| (stress.scenario, stress.net_profit)).collect();
    assert_eq!(
        left,
        [
            (Scenario::FeesDoubled, dec!(7.7)),
            (Scenario::Slippage, dec!(7.85)),
            (Scenario::FeesDoubledAndSlippage, dec!(7.55)),
        ]
    );
    // The same as trades recorded with these costs.
    let dearer = |trade: &Trade<'static>| Trade { profit: trade.profit - dec!(0.15), ..*trade };
    let dearer: Vec<Trade<'_>> = trades.iter().map(dearer).collect();
    let metrics = record(&dearer).metrics();
    assert_eq!(
        (stress[2].sharpe, stress[2].max_drawdown),
        (metrics.historical.daily.sharpe, metrics.historical.balance.max_drawdown)
    );
    assert_eq!(
        (stress[2].total_return, stress[2].score),
        (metrics.historical.balance.total_return, metrics.confidence.score)
    );
}

#[test]
fn stress_keeps_the_period_and_doubles_no_rebate() {
    let mut trades = one_a_day(&[dec!(10), dec!(-5), dec!(3)]);
    trades[0].fee = dec!(-1);
    let longer = Settings { period_end: Some(time("2026-01-09T00:00:00Z")), ..settings() };
    let record = Record::new(&trades, longer).unwrap();
    assert_eq!(record.stress()[0].net_profit, dec!(7.8));
    let mut dearer = trades.clone();
    dearer.iter_mut().for_each(|trade| trade.profit -= dec!(0.05));
    let longer = Settings { period_end: Some(time("2026-01-09T00:00:00Z")), ..settings() };
    let expected = Record::new(&dearer, longer).unwrap().metrics().historical.daily.sharpe;
    assert_eq!(record.stress()[1].sharpe, expected);
}

#[test]
fn the_supported_size_is_the_smaller_of_half_kelly_and_its_lower_bound() {
    let main = record(&fixture("main")).metrics().historical.daily;
    // Kelly 10.2, lower bound -2.9: no case for a larger size.
    assert_eq!(main.supported_size(), Some(0.0));
    let all_wins = record(&fixture("all_wins")).metrics().historical.daily;
    close(all_wins.supported_size().unwrap(), 1_360.6404982454924 / 2.0, 1e-9);
    assert_eq!(record(&fixture("one_win")).metrics().historical.daily.supported_size(), None);
}
