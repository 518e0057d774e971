//! Metrics of a backtest, computed from its trades in the same way as those of a live bot.

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

/// Row of `public.backtest_results`, with its trades.
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
    /// In percent, like `max_drawdown` and `win_rate`.
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

/// Properties without a column of their own.
#[derive(Serialize)]
struct Metadata<'a> {
    strategy: &'a str,
    stake_currency: &'a str,
    trading_mode: TradingMode,
    run_seconds: Option<i32>,
    /// Reasons why a ratio is null or has little meaning.
    notes: Vec<Note>,
    /// Metrics that freqtrade computed; some of them are defined differently.
    freqtrade: &'a Map<String, Value>,
}

impl<'a> BacktestResult<'a> {
    /// Computes the metrics of a backtest.
    ///
    /// # Errors
    ///
    /// 422 if the trades contradict each other or the period.
    pub(crate) fn compute(
        id: Uuid,
        strategy_id: Uuid,
        backtest: &'a Backtest,
        trades: &'a [BacktestTrade<'a>],
    ) -> Result<Self, Problem> {
        let analytics_trades: Vec<Trade<'_>> = trades.iter().map(BacktestTrade::to_analytics).collect();
        let last_exit = analytics_trades.iter().map(|trade| trade.exit_time).max();
        let settings = Settings {
            period_start: Some(backtest.start),
            // Freqtrade closes open trades at the end of the last candle, which may be after the period.
            period_end: Some(last_exit.map_or(backtest.end, |exit| exit.max(backtest.end))),
            ..Settings::new(backtest.starting_balance)
        };
        let record = Record::new(&analytics_trades, settings).map_err(|invalid| {
            Problem::Invalid(vec![FieldError::at("", format!("the backtest cannot be analysed: {invalid}"))])
        })?;
        let HistoricalMetrics { trades: trade_metrics, balance, daily, notes } = record.historical_metrics();
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
            total_return: trade_metrics.net_profit,
            total_return_percentage: balance.total_return * 100.0,
            max_drawdown: balance.max_drawdown * 100.0,
            sharpe_ratio: daily.sharpe.filter(fits_column),
            sortino_ratio: daily.sortino.filter(fits_column),
            calmar_ratio: daily.calmar.filter(fits_column),
            profit_factor: trade_metrics.profit_factor.filter(fits_column),
            win_rate: trade_metrics.win_rate.unwrap_or_default() * 100.0,
            total_trades: trade_metrics.trades,
            winning_trades: trade_metrics.wins,
            losing_trades: trade_metrics.losses,
            best_trade: trade_metrics.best_trade.unwrap_or_default(),
            worst_trade: trade_metrics.worst_trade.unwrap_or_default(),
            avg_trade: trade_metrics.expectancy,
            max_consecutive_wins: trade_metrics.max_consecutive_wins,
            max_consecutive_losses: trade_metrics.max_consecutive_losses,
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

/// Name of the only pair, or the number of pairs.
fn trading_pair(trades: &[BacktestTrade<'_>]) -> String {
    let pairs: HashSet<&str> = trades.iter().map(BacktestTrade::pair).collect();
    match (pairs.len(), pairs.iter().next()) {
        (1, Some(only)) => (*only).into(),
        (count, _) => format!("{count} pairs"),
    }
}

/// `true` if a ratio fits into `decimal(8, 4)`. A larger one results from a division by almost zero and means nothing.
fn fits_column(ratio: &f64) -> bool {
    ratio.abs() < 9_999.999_95
}
