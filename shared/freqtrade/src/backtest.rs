//! Backtest of one strategy.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::fields::{Fields, elements};
use crate::values::{count, number, positive, text, time, timeframe, timestamp};
use crate::{ExportError, ExportedTrade};

/// Backtest of one strategy, as freqtrade exported it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Backtest {
    pub strategy: String,
    /// Length of a candle, such as `15m`.
    pub timeframe: String,
    pub stake_currency: String,
    pub trading_mode: TradingMode,
    /// Balance before the first trade, in the stake currency.
    pub starting_balance: Decimal,
    /// Balance after the last trade, in the stake currency.
    pub final_balance: Decimal,
    /// Time of the first candle.
    pub start: DateTime<Utc>,
    /// Time of the last candle.
    pub end: DateTime<Utc>,
    /// Time when freqtrade began to compute the backtest.
    pub run_start: Option<DateTime<Utc>>,
    /// Time when freqtrade had computed the backtest.
    pub run_end: Option<DateTime<Utc>>,
    /// Trades in the order of closing; those closed by the end of the backtest come last.
    pub trades: Vec<ExportedTrade>,
    /// Figures that freqtrade computed, by their keys in the export: numbers, short texts, booleans and nulls.
    pub figures: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TradingMode {
    Spot,
    Margin,
    Futures,
}

/// Maximum number of trades.
const MAX_TRADES: usize = 200_000;

/// Maximum number of keys in the result of a strategy. Freqtrade writes 120.
const MAX_KEYS: usize = 500;

/// Maximum length of the name or JSON text of a figure, in bytes; longer ones are skipped.
const MAX_FIGURE_LENGTH: usize = 500;

impl Backtest {
    pub(crate) fn read(strategy: &str, result: &str) -> Result<Self, ExportError> {
        let fields = Fields::read(result, MAX_KEYS)?;
        let (timeframe, candle) = fields.required("timeframe", timeframe)?;
        let backtest = Self {
            strategy: strategy.into(),
            timeframe,
            stake_currency: fields.required("stake_currency", text(1..=20))?,
            trading_mode: fields.optional("trading_mode", trading_mode)?.unwrap_or(TradingMode::Spot),
            starting_balance: fields.required("starting_balance", positive)?,
            final_balance: fields.required("final_balance", number)?,
            start: fields.required("backtest_start", time)?,
            end: fields.required("backtest_end", time)?,
            run_start: fields.optional("backtest_run_start_ts", timestamp)?,
            run_end: fields.optional("backtest_run_end_ts", timestamp)?,
            trades: trades(&fields)?,
            figures: figures(&fields)?,
        };
        if backtest.end < backtest.start {
            return Err(ExportError::value("backtest_end", "must not be before backtest_start"));
        }
        if fields.optional("total_trades", count)?.is_some_and(|total| total != backtest.trades.len()) {
            return Err(ExportError::value("total_trades", "must equal the number of trades"));
        }
        // With a finer detail timeframe, freqtrade completes a candle pair by pair, so trades of a candle are not in
        // order.
        let is_finer = fields.optional("timeframe_detail", text(0..=10))?.is_some_and(|detail| !detail.is_empty());
        backtest.check_trade_times(candle, if is_finer { candle } else { TimeDelta::zero() })?;
        Ok(backtest)
    }

    /// Duration of the run. `None` if the export does not contain it, or if the clock was set back.
    pub fn run_time(&self) -> Option<TimeDelta> {
        let (start, end) = self.run_start.zip(self.run_end)?;
        (end >= start).then(|| end - start)
    }

    /// Checks the times and the order of the trades. All versions append a trade when it closes; trades still open at
    /// the end close at the last candle of their pair.
    fn check_trade_times(&self, candle: TimeDelta, tolerance: TimeDelta) -> Result<(), ExportError> {
        let error = |index, key, reason| Err(ExportError::value(format!("trades[{index}].{key}"), reason));
        let left_open = self.trades.iter().rev().take_while(|trade| trade.is_force_closed()).count();
        let in_order = self.trades.len() - left_open;
        let mut latest = self.start;
        for (index, trade) in self.trades.iter().enumerate() {
            if trade.open_date < self.start {
                return error(index, "open_date", "must not be before backtest_start");
            }
            if trade.close_date > self.end.checked_add_signed(candle).unwrap_or(self.end) {
                return error(index, "close_date", "must not be after backtest_end");
            }
            if index < in_order && trade.close_date < latest.checked_sub_signed(tolerance).unwrap_or(latest) {
                return error(index, "close_date", "must not be before that of an earlier trade");
            }
            latest = latest.max(trade.close_date);
        }
        Ok(())
    }
}

fn trades(fields: &Fields<'_>) -> Result<Vec<ExportedTrade>, ExportError> {
    let list = fields.get("trades").ok_or_else(|| ExportError::value("trades", "is missing"))?;
    let list = elements(list, MAX_TRADES).map_err(|wrong| ExportError::value("trades", wrong))?;
    // `collect` does not know the length here and would allocate up to twice the memory.
    let mut trades = Vec::with_capacity(list.len());
    for (index, trade) in list.into_iter().enumerate() {
        let trade = ExportedTrade::read(trade).map_err(|error| error.within(&format!("trades[{index}]")))?;
        trades.push(trade);
    }
    Ok(trades)
}

fn figures(fields: &Fields<'_>) -> Result<Map<String, Value>, ExportError> {
    let mut figures = Map::new();
    for (name, value) in fields.members() {
        let text = value.get();
        let is_scalar = !text.starts_with(['{', '[']) && name.len().max(text.len()) <= MAX_FIGURE_LENGTH;
        // PostgreSQL cannot store U+0000.
        if is_scalar && !name.contains('\0') && !text.contains("\\u0000") {
            let figure = figure(text).ok_or_else(|| ExportError::value(name, "must be a number or text"))?;
            figures.insert(name.into(), figure);
        }
    }
    Ok(figures)
}

fn figure(text: &str) -> Option<Value> {
    if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') && text.contains(['.', 'e', 'E']) {
        // The float parser of serde_json may be wrong in the last bit.
        return Number::from_f64(text.parse().ok()?).map(Value::Number);
    }
    serde_json::from_str(text).ok()
}

fn trading_mode(value: &RawValue) -> Result<TradingMode, String> {
    serde_json::from_str(value.get()).map_err(|_| "must be spot, margin or futures".into())
}
