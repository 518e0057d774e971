//! Comparison of live trades with a backtest of their strategy.

use nofomo_analytics::{ComparedBacktest, Comparison, Confidence, CurrencyAnalysis, Pairing, Slippage};
use rust_decimal::Decimal;

use crate::catalogue::{METRICS, MetricFormat};
use crate::format::{Formatted, MoneyFormat, Sign, counted};
use crate::labels;
use crate::table::{Table, TableRow, change, gain};
use crate::time::{day, minute};

pub(crate) struct ComparisonView {
    pub(crate) verdict: &'static str,
    pub(crate) sentences: Vec<String>,
    pub(crate) tables: Vec<Table>,
    pub(crate) trades: Option<Table>,
}

impl ComparisonView {
    pub(crate) fn of(comparison: &Comparison, accounts: &[CurrencyAnalysis]) -> Self {
        let currency = currency(comparison).or_else(|| accounts.first().map(|account| account.currency.as_str()));
        let currency = currency.unwrap_or_default();
        let account = accounts.iter().find(|account| account.currency == currency);
        let money = MoneyFormat::of_account(account.map(|account| account.initial_balance));
        Self {
            verdict: match comparison.inside_band {
                Some(true) => "The live result is within the expected range of the backtest.",
                Some(false) => "The live result is outside the expected range of the backtest.",
                None => "There are too few trades to compare the live result with the expected range of the backtest.",
            },
            sentences: sentences(comparison, money, currency),
            tables: [slippage(comparison), metrics(comparison, money, currency)].into_iter().flatten().collect(),
            trades: pairings(&comparison.trades, money, currency),
        }
    }
}

/// Stored currency or, in an older row, the settlement currency of a pair: `USDT` in `BTC/USDT` and in `BTC/USD:USDT`.
fn currency(comparison: &Comparison) -> Option<&str> {
    let settlement_currency = || comparison.trades.first()?.pair.rsplit(['/', ':']).next();
    comparison.currency.as_deref().or_else(settlement_currency)
}

fn sentences(comparison: &Comparison, money: MoneyFormat, currency: &str) -> Vec<String> {
    let trades = format!(
        "{} in pair, side and entry candle; {} missing live, {} live only.",
        counted(comparison.matched as u64, "trade matches", "trades match"),
        counted(comparison.missing as u64, "trade of the backtest is", "trades of the backtest are"),
        counted(comparison.extra as u64, "trade is", "trades are")
    );
    let difference = Some(comparison.profit_difference).filter(|_| comparison.matched > 0).map(|difference| {
        let amount = money.money(difference.abs(), Sign::OnlyMinus).text;
        let direction = if difference < Decimal::ZERO { "less" } else { "more" };
        format!("The matched trades made {amount}\u{a0}{currency} {direction} live than in the backtest.")
    });
    let origin = comparison.backtest.as_ref().map(origin);
    let confidence = comparison.backtest_confidence.as_ref().map(confidence);
    [origin, confidence, Some(trades), difference].into_iter().flatten().collect()
}

/// Sentence with the strategy, pair, timeframe and period of the backtest.
fn origin(backtest: &ComparedBacktest) -> String {
    format!(
        "Backtest of {} on {}, {} candles, {} to {}, imported {}.",
        backtest.strategy,
        backtest.pair,
        backtest.timeframe,
        day(backtest.start_date),
        day(backtest.end_date),
        day(backtest.imported_at)
    )
}

/// Sentence with the confidence in the backtest itself: the best of many runs looks good even without an edge.
fn confidence(confidence: &Confidence) -> String {
    let level = labels::confidence_level(confidence.level());
    let selection = match confidence.trials {
        0 | 1 => "as the only run".into(),
        runs => format!("as the best of {}", counted(runs.into(), "run", "runs")),
    };
    format!("Confidence score of the backtest {selection}: {:.2}, {level}.", confidence.score)
}

fn slippage(comparison: &Comparison) -> Option<Table> {
    let row = |name: &str, slippage: Option<Slippage>| {
        let slippage = slippage?;
        let cells = [slippage.mean, slippage.median, slippage.worst].map(|fraction| change(Some(fraction)));
        Some(TableRow::new(name, cells.into()))
    };
    let rows = [row("Entry", comparison.entry_slippage), row("Exit", comparison.exit_slippage)];
    let rows: Vec<_> = rows.into_iter().flatten().collect();
    (!rows.is_empty()).then(|| Table {
        caption: "Slippage of matched trades; positive is worse than in the backtest".into(),
        head: vec!["Price", "Mean", "Median", "Worst"],
        rows,
    })
}

fn metrics(comparison: &Comparison, money: MoneyFormat, currency: &str) -> Option<Table> {
    let (live, backtest) = (&comparison.live, &comparison.backtest_metrics);
    let entries = METRICS.iter().flat_map(|group| group.entries);
    let present = entries.filter(|entry| live.has(entry.key) || backtest.has(entry.key));
    let format = MetricFormat { currency, money, is_under_30_days: false };
    let rows = present.map(|entry| {
        let (live, backtest) = (entry.row(live, format), entry.row(backtest, format));
        let is_money = [&live.unit, &backtest.unit].into_iter().any(|unit| !unit.is_empty() && unit == currency);
        let name = if is_money { format!("{}, {currency}", entry.name) } else { entry.name.to_owned() };
        TableRow::new(name, vec![live.value, backtest.value])
    });
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| Table {
        caption: "Metrics of all trades, matched or not".into(),
        head: vec!["Metric", "Live", "Backtest"],
        rows,
    })
}

fn pairings(trades: &[Pairing], money: MoneyFormat, currency: &str) -> Option<Table> {
    let rows = trades.iter().map(|trade| {
        let cells = vec![
            Formatted::plain(trade.pair.clone()),
            Formatted::plain(labels::side(trade.side)),
            Formatted::plain(labels::outcome(trade.outcome)),
            gain(money, trade.live_profit),
            gain(money, trade.backtest_profit),
            change(trade.entry_slippage),
            change(trade.exit_slippage),
        ];
        TableRow::new(minute(trade.entry_time), cells)
    });
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| Table {
        caption: format!("{}, profits in {currency}", counted(rows.len() as u64, "trade", "trades")),
        head: vec!["Entry, UTC", "Pair", "Side", "Outcome", "Live", "Backtest", "Entry slippage", "Exit slippage"],
        rows,
    })
}
