//! A live bot against a backtest of its strategy.

use rust_decimal::Decimal;

use crate::analysis::{Backtest, Comparison, CurrencyAnalysis, Pairing, Slippage};
use crate::catalogue::{Account, METRICS};
use crate::figures::Figures;
use crate::format::{Formatted, MoneyFormat, Sign, count, counted};
use crate::labels::{self, or_code};
use crate::table::{Table, TableRow, change, gain};
use crate::time::{day, minute};
use crate::verdict::wording;

pub(crate) struct ComparisonView {
    pub(crate) sentence: &'static str,
    pub(crate) says: Vec<String>,
    pub(crate) tables: Vec<Table>,
    pub(crate) trades: Option<Table>,
}

impl ComparisonView {
    pub(crate) fn of(comparison: &Comparison, blocks: &[CurrencyAnalysis]) -> Self {
        let currency = currency(comparison).or_else(|| blocks.first().map(|block| block.currency.as_str()));
        let currency = currency.unwrap_or_default();
        let block = blocks.iter().find(|block| block.currency == currency);
        let cents = MoneyFormat::of_account(block.and_then(|block| block.initial_balance));
        Self {
            sentence: match comparison.inside_band {
                Some(true) => "The live record lies within what the backtest made likely.",
                Some(false) => "The live record lies outside of what the backtest made likely.",
                None => "There is too little to say whether the live record is what the backtest made likely.",
            },
            says: said(comparison, cents, currency),
            tables: [slippage(comparison), both_sides(comparison, cents, currency)].into_iter().flatten().collect(),
            trades: pairings(&comparison.trades, cents, currency),
        }
    }
}

/// NarrativeView, or what one of the pairs is settled in: `USDT` of `BTC/USDT` and of `BTC/USD:USDT`.
fn currency(comparison: &Comparison) -> Option<&str> {
    let settled = || comparison.trades.first()?.pair.rsplit(['/', ':']).next();
    comparison.currency.as_deref().or_else(settled)
}

fn said(comparison: &Comparison, cents: MoneyFormat, currency: &str) -> Vec<String> {
    let trades = format!(
        "{} matched by pair, side and entry candle; {} of the backtest missing live, {} live that the backtest does not have.",
        counted(comparison.matched, "trade is", "trades are"),
        count(comparison.missing).text,
        count(comparison.extra).text
    );
    let difference = comparison.profit_difference.filter(|_| comparison.matched > 0).map(|difference| {
        let amount = cents.money(difference.abs(), Sign::OnlyMinus).text;
        let more = if difference < Decimal::ZERO { "less" } else { "more" };
        format!("Of the trades that match, live made {amount}\u{a0}{currency} {more} than the backtest.")
    });
    [origin(&comparison.backtest), confidence(&comparison.backtest_confidence), Some(trades), difference]
        .into_iter()
        .flatten()
        .collect()
}

/// What was tested, and when.
fn origin(backtest: &Backtest) -> Option<String> {
    let strategy = backtest.strategy.as_ref()?;
    let pair = backtest.pair.as_ref().map(|pair| format!(" on {pair}")).unwrap_or_default();
    let timeframe = backtest.timeframe.as_ref().map(|timeframe| format!(", {timeframe} candles")).unwrap_or_default();
    let time = backtest.start_date.zip(backtest.end_date);
    let time = time.map(|(start, end)| format!(", {} to {}", day(start), day(end))).unwrap_or_default();
    let imported = backtest.imported_at.map(|time| format!(", imported {}", day(time))).unwrap_or_default();
    Some(format!("The backtest is of {strategy}{pair}{timeframe}{time}{imported}."))
}

/// What it is worth itself: the best of many runs looks good without any edge.
fn confidence(confidence: &Figures) -> Option<String> {
    let (score, runs) = (confidence.number("score")?, confidence.count("trials").unwrap_or(1));
    let (_, wording) = wording(score);
    let taken = if runs > 1 {
        format!("taken as the best of {}", counted(runs, "run", "runs"))
    } else {
        "taken as the only run".into()
    };
    Some(format!("Its own confidence is {score:.2}, {wording}, {taken}."))
}

fn slippage(comparison: &Comparison) -> Option<Table> {
    let row = |name: &str, slippage: &Option<Slippage>| {
        let slippage = slippage.as_ref()?;
        let cells = vec![change(slippage.mean), change(slippage.median), change(slippage.worst)];
        Some(TableRow::new(name, cells))
    };
    let rows = [row("Entry", &comparison.entry_slippage), row("Exit", &comparison.exit_slippage)];
    let rows: Vec<_> = rows.into_iter().flatten().collect();
    (!rows.is_empty()).then(|| Table {
        caption: "Slippage of matched trades; above 0 is a worse price than in the backtest".into(),
        head: vec!["At", "Mean", "Median", "Worst"],
        rows,
    })
}

fn both_sides(comparison: &Comparison, cents: MoneyFormat, currency: &str) -> Option<Table> {
    let (live, backtest) = (&comparison.live, &comparison.backtest_metrics);
    let there =
        METRICS.iter().flat_map(|group| group.figures).filter(|entry| live.has(entry.key) || backtest.has(entry.key));
    let account = Account { currency, cents, is_young: false };
    let rows = there.map(|entry| {
        let (ours, theirs) = (entry.row(live, account), entry.row(backtest, account));
        let is_money = [&ours.unit, &theirs.unit].into_iter().any(|unit| !unit.is_empty() && unit == currency);
        let name = if is_money { format!("{}, {currency}", entry.name) } else { entry.name.to_owned() };
        TableRow::new(name, vec![ours.value, theirs.value])
    });
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| Table {
        caption: "All compared trades of both".into(),
        head: vec!["Figure", "Live", "Backtest"],
        rows,
    })
}

fn pairings(trades: &[Pairing], cents: MoneyFormat, currency: &str) -> Option<Table> {
    let rows = trades.iter().map(|trade| {
        let cells = vec![
            Formatted::plain(trade.pair.clone()),
            Formatted::plain(labels::slice("side", &trade.side)),
            Formatted::plain(or_code(labels::outcome(&trade.outcome), &trade.outcome)),
            gain(cents, trade.live_profit),
            gain(cents, trade.backtest_profit),
            change(trade.entry_slippage),
            change(trade.exit_slippage),
        ];
        TableRow::new(minute(trade.entry_time), cells)
    });
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| Table {
        caption: format!("{}, profits in {currency}", counted(rows.len() as u64, "trade", "trades")),
        head: vec!["Entry, UTC", "Pair", "Side", "Found", "Live", "Backtest", "Entry slip", "Exit slip"],
        rows,
    })
}
