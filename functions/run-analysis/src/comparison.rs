//! Comparison of live trades with a backtest of their strategy.

use nofomo_analytics::{
    ComparedBacktest, Comparison, HistoricalMetrics, MetricValues, Pairing, PairingOutcome, Record, Settings, Slippage,
    Trade, Trials,
};
use nofomo_db::{Claims, Db, Row};
use nofomo_lambda::{Problem, ProblemKind};
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use uuid::Uuid;

use crate::currency_analysis::select_metrics;
use crate::matching::{ClosedTrade, match_trades};
use crate::request::AnalysisRequest;
use crate::reservation::{Account, Backtest};
use crate::trade_set::{PairNames, TradeSet, trade};

/// Maximum number of pairings that are stored.
const MAX_PAIRINGS: usize = 200;

/// Metrics of both records that are stored, in order to be compared.
const COMPARED_METRICS: [&str; 12] = [
    "trades",
    "days",
    "trades_per_day",
    "win_rate",
    "profit_factor",
    "net_profit",
    "total_return",
    "sharpe",
    "sortino",
    "max_drawdown",
    "avg_duration_s",
    "fee_share_of_gross",
];

/// Input of `private.compared_backtest_trades`.
#[derive(Serialize)]
struct ComparedBacktestTradesInput {
    backtest_id: Uuid,
}

/// Compares the live trades with a backtest.
///
/// # Errors
///
/// The trades of the backtest cannot be read or analysed.
pub(crate) async fn compare(
    db: &Db,
    claims: &Claims,
    request: &AnalysisRequest,
    accounts: &[Account],
    backtest: &Backtest,
    trade_set: &TradeSet,
) -> Result<Comparison, Problem> {
    let (mut backtest_trades, mut currency, mut pair_names) = (Vec::new(), String::new(), PairNames::default());
    let read_row = |row: &Row| {
        backtest_trades.push((trade(row, &mut pair_names)?, row.try_get("exit_price")?));
        if currency.is_empty() {
            currency = row.try_get("currency")?;
        }
        Ok(())
    };
    let input = ComparedBacktestTradesInput { backtest_id: backtest.compared.id };
    db.stream_rows(claims, "compared_backtest_trades", &input, read_row).await?;
    let live: Vec<ClosedTrade> = match trade_set.in_currency(&currency) {
        Some(trades) => {
            trades.compared.iter().filter_map(|(index, exit)| Some((*trades.trades.get(*index)?, *exit))).collect()
        }
        None => Vec::new(),
    };
    let account = accounts.iter().find(|account| account.currency == currency);
    let live_trades: Vec<Trade<'_>> = live.iter().map(|(trade, _)| *trade).collect();
    let live_record = account.and_then(|account| Record::new(&live_trades, account.settings(request)).ok());
    let trades: Vec<Trade<'_>> = backtest_trades.iter().map(|(trade, _)| *trade).collect();
    let backtest_record = record_of(&backtest.compared, &trades).ok_or_else(|| {
        let detail = "The backtest has trades that contradict each other. Import it again.";
        Problem::conflict(ProblemKind::NotAnalysable, detail)
    })?;

    let pairings = match_trades(&live, &backtest_trades, backtest, request);
    let count = |outcome| pairings.iter().filter(|pairing| pairing.outcome == outcome).count();
    let difference = |pairing: &Pairing| Some(pairing.live_profit? - pairing.backtest_profit?);
    let compared = |metrics: HistoricalMetrics| select_metrics(&metrics, |name| COMPARED_METRICS.contains(&name));
    Ok(Comparison {
        backtest: Some(backtest.compared.clone()),
        matched: count(PairingOutcome::Matched),
        missing: count(PairingOutcome::Missing),
        extra: count(PairingOutcome::Extra),
        entry_slippage: slippage(pairings.iter().filter_map(|pairing| pairing.entry_slippage)),
        exit_slippage: slippage(pairings.iter().filter_map(|pairing| pairing.exit_slippage)),
        profit_difference: pairings.iter().filter_map(difference).sum(),
        live: match live_record {
            Some(record) => compared(record.historical_metrics())?,
            None => MetricValues::default(),
        },
        backtest_metrics: compared(backtest_record.historical_metrics())?,
        backtest_confidence: Some(backtest_record.confidence()),
        inside_band: is_inside_band(&live, &backtest_trades),
        trades: pairings.into_iter().take(MAX_PAIRINGS).collect(),
        currency: Some(currency),
    })
}

/// Record over the period of the backtest, or over the period of its trades if one of them was closed later.
fn record_of<'a>(backtest: &ComparedBacktest, trades: &'a [Trade<'a>]) -> Option<Record<'a>> {
    let period_of_trades = Settings {
        trials: Trials { runs: backtest.runs.max(1), ..Trials::default() },
        ..Settings::new(backtest.initial_balance)
    };
    let period_of_backtest = Settings {
        period_start: Some(backtest.start_date),
        period_end: Some(backtest.end_date),
        ..period_of_trades.clone()
    };
    Record::new(trades, period_of_backtest).or_else(|_| Record::new(trades, period_of_trades)).ok()
}

fn slippage(fractions: impl Iterator<Item = f64>) -> Option<Slippage> {
    let mut fractions: Vec<f64> = fractions.collect();
    fractions.sort_by(f64::total_cmp);
    let middle = fractions.len() / 2;
    let upper = *fractions.get(middle)?;
    let lower = if fractions.len().is_multiple_of(2) { *fractions.get(middle.checked_sub(1)?)? } else { upper };
    Some(Slippage {
        mean: fractions.iter().sum::<f64>() / fractions.len() as f64,
        median: f64::midpoint(lower, upper),
        worst: *fractions.last()?,
    })
}

/// `true` if the sum of the live returns per trade is between the 5 % and the 95 % quantile of simulated sums: as many
/// returns, drawn with replacement from the backtest. Compares returns and not profits, because the stakes can differ.
fn is_inside_band(live: &[ClosedTrade], backtest_trades: &[ClosedTrade]) -> Option<bool> {
    const SEED: u64 = 42;
    const MAX_DRAWS: usize = 20_000_000;
    let return_of = |(trade, _): &ClosedTrade| trade.profit.checked_div(trade.amount * trade.price)?.to_f64();
    let live_returns: Vec<f64> = live.iter().filter_map(return_of).collect();
    let backtest_returns: Vec<f64> = backtest_trades.iter().filter_map(return_of).collect();
    if live_returns.is_empty() || backtest_returns.len() < 2 {
        return None;
    }
    let paths = (MAX_DRAWS / live_returns.len()).clamp(20, 1_000);
    let mut random = SplitMix64::seed_from_u64(SEED);
    let mut draw = || {
        let index = (u128::from(random.next_u64()) * backtest_returns.len() as u128) >> 64;
        backtest_returns.get(index as usize).copied().unwrap_or_default()
    };
    let mut sums: Vec<f64> = (0..paths).map(|_| live_returns.iter().map(|_| draw()).sum()).collect();
    sums.sort_by(f64::total_cmp);
    let quantile = |probability: f64| sums.get((probability * (paths - 1) as f64).round() as usize).copied();
    let earned: f64 = live_returns.iter().sum();
    Some(quantile(0.05)? <= earned && earned <= quantile(0.95)?)
}
