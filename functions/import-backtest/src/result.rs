//! A backtest's figures, computed from its trades as those of a live bot are.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use nofomo_analytics::{HistoricalMetrics, Note, Record, Settings, Trade};
use nofomo_freqtrade::{Backtest, TradingMode};
use nofomo_lambda::{FieldError, Problem};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::trade::BacktestTrade;

/// A row of `public.backtest_results`, with its trades.
#[derive(Serialize)]
pub(crate) struct BacktestResult<'a> {
    id: Uuid,
    strategy_id: Uuid,
    trading_pair: String,
    timeframe: &'a str,
    start_date: DateTime<Utc>,
    end_date: DateTime<Utc>,
    initial_balance: Decimal,
    final_balance: Decimal,
    total_return: Decimal,
    /// Percent, as `max_drawdown` and `win_rate`.
    total_return_percentage: f64,
    max_drawdown: f64,
    sharpe_ratio: Option<f64>,
    sortino_ratio: Option<f64>,
    calmar_ratio: Option<f64>,
    profit_factor: Option<f64>,
    win_rate: f64,
    total_trades: usize,
    winning_trades: usize,
    losing_trades: usize,
    best_trade: Decimal,
    worst_trade: Decimal,
    avg_trade: Option<Decimal>,
    max_consecutive_wins: usize,
    max_consecutive_losses: usize,
    metadata: Metadata<'a>,
    run_seconds: Option<i32>,
    trades: &'a [BacktestTrade<'a>],
}

/// What the columns have no place for.
#[derive(Serialize)]
struct Metadata<'a> {
    strategy: &'a str,
    stake_currency: &'a str,
    trading_mode: TradingMode,
    run_seconds: Option<i32>,
    /// Why a ratio is null, or not worth much.
    notes: Vec<Note>,
    /// Its own figures, some of which are defined otherwise than ours.
    freqtrade: &'a Map<String, Value>,
}

impl<'a> BacktestResult<'a> {
    /// # Errors
    ///
    /// 422 if the trades contradict each other or the period.
    pub(crate) fn of(
        id: Uuid,
        strategy_id: Uuid,
        backtest: &'a Backtest,
        trades: &'a [BacktestTrade<'a>],
    ) -> Result<Self, Problem> {
        let judged: Vec<Trade<'_>> = trades.iter().map(BacktestTrade::judged).collect();
        let last_exit = judged.iter().map(|trade| trade.exit_time).max();
        let settings = Settings {
            period_start: Some(backtest.start),
            // What is open at the end is closed at the end of the last candle.
            period_end: Some(last_exit.map_or(backtest.end, |exit| exit.max(backtest.end))),
            ..Settings::new(backtest.starting_balance)
        };
        let record = Record::new(&judged, settings)
            .map_err(|invalid| Problem::Invalid(vec![FieldError::at("", format!("cannot be judged: {invalid}"))]))?;
        let HistoricalMetrics { trades: clock, balance, daily, notes } = record.historical_metrics();
        let run_seconds = backtest.run_time().map(|time| i32::try_from(time.num_seconds()).unwrap_or(i32::MAX));
        Ok(Self {
            id,
            strategy_id,
            trading_pair: trading_pair(trades),
            timeframe: &backtest.timeframe,
            start_date: backtest.start,
            end_date: backtest.end,
            initial_balance: backtest.starting_balance,
            final_balance: balance.final_balance,
            total_return: clock.net_profit,
            total_return_percentage: balance.total_return * 100.0,
            max_drawdown: balance.max_drawdown * 100.0,
            sharpe_ratio: daily.sharpe.filter(fits),
            sortino_ratio: daily.sortino.filter(fits),
            calmar_ratio: daily.calmar.filter(fits),
            profit_factor: clock.profit_factor.filter(fits),
            win_rate: clock.win_rate.unwrap_or_default() * 100.0,
            total_trades: clock.trades,
            winning_trades: clock.wins,
            losing_trades: clock.losses,
            best_trade: clock.best_trade.unwrap_or_default(),
            worst_trade: clock.worst_trade.unwrap_or_default(),
            avg_trade: clock.expectancy,
            max_consecutive_wins: clock.max_consecutive_wins,
            max_consecutive_losses: clock.max_consecutive_losses,
            metadata: Metadata {
                strategy: &backtest.strategy,
                stake_currency: &backtest.stake_currency,
                trading_mode: backtest.trading_mode,
                run_seconds,
                notes,
                freqtrade: &backtest.figures,
            },
            run_seconds,
            trades,
        })
    }
}

/// The only pair, or how many there are.
fn trading_pair(trades: &[BacktestTrade<'_>]) -> String {
    let pairs: HashSet<&str> = trades.iter().map(BacktestTrade::pair).collect();
    match (pairs.len(), pairs.iter().next()) {
        (1, Some(only)) => (*only).into(),
        (count, _) => format!("{count} pairs"),
    }
}

/// What `decimal(8, 4)` holds. A ratio beyond it is one of next to nothing.
fn fits(ratio: &f64) -> bool {
    ratio.abs() < 9_999.999_95
}
