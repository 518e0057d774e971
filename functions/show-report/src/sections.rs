//! Sections of the page without charts: worst drawdowns, halves, stress scenarios, slices.

use std::cmp::Reverse;

use nofomo_analytics::{CurrencyAnalysis, Dimension, Half, Slice, SliceVerdict};
use rust_decimal::Decimal;

use crate::format::{Formatted, MoneyFormat, Sign, count, duration, probability, ratio};
use crate::labels;
use crate::report::series_of;
use crate::table::{Table, TableRow, change, gain, or_undefined, plain_ratio, share};
use crate::time::day;

pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) text: String,
    pub(crate) tables: Vec<Table>,
}

/// Returns all sections that the analysis has, in reading order.
pub(crate) fn sections(analysis: &CurrencyAnalysis) -> Vec<Section> {
    let money = MoneyFormat::of_account(Some(analysis.initial_balance));
    [worst_drawdowns(analysis, money), halves(analysis), stress(analysis, money), slices(analysis, money)]
        .into_iter()
        .flatten()
        .collect()
}

fn worst_drawdowns(analysis: &CurrencyAnalysis, money: MoneyFormat) -> Option<Section> {
    let drawdowns = &series_of(analysis)?.worst_drawdowns;
    let rows = (1..).zip(drawdowns).map(|(number, drawdown): (u32, _)| {
        let recovery = drawdown.recovery.map_or_else(|| "not yet".to_owned(), day);
        let cells = vec![
            share(Some(drawdown.depth)),
            money.money(drawdown.depth_abs, Sign::OnlyMinus),
            Formatted::plain(day(drawdown.peak)),
            Formatted::plain(day(drawdown.trough)),
            Formatted::plain(recovery),
            duration(drawdown.underwater_s),
        ];
        TableRow::new(number.to_string(), cells)
    });
    let table = Table {
        caption: format!("Worst drawdowns, amounts in {}", analysis.currency),
        head: vec!["No.", "Depth", "Amount", "Peak", "Trough", "Recovery", "Time under water"],
        rows: rows.collect(),
    };
    (!table.rows.is_empty()).then(|| Section {
        title: "Worst drawdowns",
        text: "From a peak of the balance to its recovery. Closed trades only: open losses are not included.".into(),
        tables: vec![table],
    })
}

fn halves(analysis: &CurrencyAnalysis) -> Option<Section> {
    let halves = analysis.halves.as_ref()?;
    let row = |name: &str, half: &Half| {
        let cells = vec![
            count(half.days as u64),
            change(Some(half.compounded)),
            change(Some(half.daily_mean)),
            plain_ratio(half.sharpe),
        ];
        TableRow::new(name, cells)
    };
    let test = halves.t.zip(halves.p_value_two_sided).map(|(t, p)| {
        let (t, p_value) = (ratio(t, Sign::OnlyMinus).text, probability(p).text);
        let difference =
            if p < 0.05 { "The halves differ significantly" } else { "The halves do not differ significantly" };
        format!("{difference} (Welch's t {t}, p {p_value}).")
    });
    Some(Section {
        title: "First and second half",
        text: test
            .unwrap_or_else(|| "The returns do not vary within either half, so the halves cannot be compared.".into()),
        tables: vec![Table {
            caption: "Performance of both halves".into(),
            head: vec!["Half", "Days", "Return", "Mean daily return", "Sharpe ratio"],
            rows: vec![row("First", &halves.first), row("Second", &halves.second)],
        }],
    })
}

fn stress(analysis: &CurrencyAnalysis, money: MoneyFormat) -> Option<Section> {
    let rows = analysis.stress.iter().map(|stress| {
        let cells = vec![
            gain(money, Some(stress.net_profit)),
            change(Some(stress.total_return)),
            plain_ratio(stress.sharpe),
            share(Some(stress.max_drawdown)),
            Formatted::plain(format!("{:.2}", stress.score)),
        ];
        TableRow::new(labels::scenario(stress.scenario), cells)
    });
    let rows: Vec<_> = rows.collect();
    let losing = analysis.stress.iter().filter(|stress| stress.net_profit <= Decimal::ZERO);
    let text = match losing.count() {
        0 => "The bot would still have made a profit at higher costs.".to_owned(),
        all if all == rows.len() => "The bot would not have made a profit at higher costs.".to_owned(),
        some => format!("In {some} of {} scenarios, the bot would not have made a profit.", rows.len()),
    };
    (!rows.is_empty()).then(|| Section {
        title: "Stress scenarios",
        text,
        tables: vec![Table {
            caption: format!("The same trades at higher costs, amounts in {}", analysis.currency),
            head: vec!["Costs", "Net profit", "Return", "Sharpe ratio", "Max drawdown", "Confidence"],
            rows,
        }],
    })
}

/// Maximum number of slices of a dimension. Those with the most trades are shown.
const MAX_SLICES: usize = 25;

fn slices(analysis: &CurrencyAnalysis, money: MoneyFormat) -> Option<Section> {
    let mut dimensions: Vec<(Dimension, Vec<&Slice>)> = Vec::new();
    for slice in &analysis.slices {
        match dimensions.iter_mut().find(|(by, _)| *by == slice.by) {
            Some((_, slices)) => slices.push(slice),
            None => dimensions.push((slice.by, vec![slice])),
        }
    }
    let tables = dimensions.into_iter().map(|(by, slices)| slice_table(by, slices, money, &analysis.currency));
    let tables: Vec<_> = tables.collect();
    (!tables.is_empty()).then(|| Section {
        title: "Trades by pair, side, time and duration",
        text: "Among many slices of the trades, some look good by luck. A slice counts as profitable or losing only if it has at least 30 trades \
               and its result is significant after a correction for all slices (false discovery rate 10 %)."
            .into(),
        tables,
    })
}

fn slice_table(by: Dimension, mut slices: Vec<&Slice>, money: MoneyFormat, currency: &str) -> Table {
    let total = slices.len();
    if total > MAX_SLICES {
        slices.sort_by_key(|slice| Reverse(slice.trades));
        slices.truncate(MAX_SLICES);
    }
    let rows = slices.iter().map(|slice| TableRow {
        heading: labels::slice(by, &slice.key),
        cells: vec![
            count(slice.trades as u64),
            share(Some(slice.win_rate)),
            gain(money, Some(slice.net_profit)),
            or_undefined(slice.p_value_two_sided, probability),
            Formatted::plain(labels::slice_verdict(slice.verdict)),
        ],
        is_faint: slice.verdict == SliceVerdict::TooFewTrades,
    });
    let selection = if total > slices.len() {
        format!(", the {MAX_SLICES} with the most trades of {total}")
    } else {
        String::new()
    };
    Table {
        caption: format!("{}{selection}; amounts in {currency}", labels::dimension(by)),
        head: vec!["Slice", "Trades", "Win rate", "Net profit", "p-value", "Verdict"],
        rows: rows.collect(),
    }
}
