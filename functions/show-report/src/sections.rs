//! What needs no plot: worst falls, slices, halves, higher costs.

use rust_decimal::Decimal;

use crate::analysis::{CurrencyAnalysis, Half, Slice};
use crate::format::{Formatted, MoneyFormat, Sign, count, duration, probability, ratio};
use crate::labels::{self, or_code};
use crate::table::{Table, TableRow, change, gain, or_undefined, plain, share};
use crate::time::day;

/// What is told of a block beside its figures and plots.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) says: String,
    pub(crate) tables: Vec<Table>,
}

/// All that there is, in the order in which it is read.
pub(crate) fn parts(block: &CurrencyAnalysis) -> Vec<Section> {
    let cents = MoneyFormat::of_account(block.initial_balance);
    [worst_falls(block, cents), halves(block), stress(block, cents), slices(block, cents)]
        .into_iter()
        .flatten()
        .collect()
}

fn worst_falls(block: &CurrencyAnalysis, cents: MoneyFormat) -> Option<Section> {
    let falls = &block.series()?.worst_drawdowns;
    let rows = (1..).zip(falls).map(|(number, fall): (u32, _)| {
        let recovery = fall.recovery.map_or_else(|| Formatted::plain("not yet"), |time| Formatted::plain(day(time)));
        let cells = vec![
            share(Some(fall.depth)),
            cents.money(fall.depth_abs, Sign::OnlyMinus),
            Formatted::plain(day(fall.peak)),
            Formatted::plain(day(fall.trough)),
            recovery,
            duration(fall.underwater_s),
        ];
        TableRow::new(number.to_string(), cells)
    });
    let table = Table {
        caption: format!("Deepest falls, money in {}", block.currency),
        head: vec!["Fall", "Depth", "Money", "Peak", "Lowest", "Made up for", "Below the peak"],
        rows: rows.collect(),
    };
    (!table.rows.is_empty()).then(|| Section {
        title: "Worst falls",
        says:
            "From a peak until the balance is back at it. Realised losses only: what is still open is in none of them."
                .into(),
        tables: vec![table],
    })
}

fn halves(block: &CurrencyAnalysis) -> Option<Section> {
    let halves = block.halves.as_ref()?;
    let of = |name: &str, half: &Half| {
        let cells =
            vec![count(half.days), change(Some(half.compounded)), change(Some(half.daily_mean)), plain(half.sharpe)];
        TableRow::new(name, cells)
    };
    let test = halves.t.zip(halves.p_value_two_sided).map(|(t, p)| {
        let (t, chance) = (ratio(t, Sign::OnlyMinus).text, probability(p).text);
        let different =
            if p < 0.05 { "The two halves differ" } else { "The two halves differ no more than chance makes them" };
        format!("{different} (Welch's t {t}, p {chance}).")
    });
    Some(Section {
        title: "First half against second",
        says: test.unwrap_or_else(|| "Neither half varies, so there is nothing to compare.".into()),
        tables: vec![Table {
            caption: "Whether it has gone on working".into(),
            head: vec!["Half", "Days", "Return", "Mean day", "Sharpe ratio"],
            rows: vec![of("First", &halves.first), of("Second", &halves.second)],
        }],
    })
}

fn stress(block: &CurrencyAnalysis, cents: MoneyFormat) -> Option<Section> {
    let rows = block.stress.iter().map(|stress| {
        let cells = vec![
            gain(cents, stress.net_profit),
            change(stress.total_return),
            plain(stress.sharpe),
            share(stress.max_drawdown),
            or_undefined(stress.score, |score| Formatted::plain(format!("{score:.2}"))),
        ];
        TableRow::new(or_code(labels::scenario(&stress.scenario), &stress.scenario), cells)
    });
    let rows: Vec<_> = rows.collect();
    let losing = block.stress.iter().filter(|stress| stress.net_profit.is_some_and(|profit| profit <= Decimal::ZERO));
    let says = match losing.count() {
        0 => "It would still have earned at higher costs.".to_owned(),
        all if all == rows.len() => "It would not have earned anything at higher costs.".to_owned(),
        some => format!("In {some} of {} cases nothing would have been earned.", rows.len()),
    };
    (!rows.is_empty()).then(|| Section {
        title: "At higher costs",
        says,
        tables: vec![Table {
            caption: format!("The same trades, money in {}", block.currency),
            head: vec!["Costs", "Net profit", "Return", "Sharpe ratio", "Deepest fall", "Confidence"],
            rows,
        }],
    })
}

/// Nobody reads on; those with most trades say most.
const MAX_SLICES: usize = 25;

fn slices(block: &CurrencyAnalysis, cents: MoneyFormat) -> Option<Section> {
    let mut dimensions: Vec<(&str, Vec<&Slice>)> = Vec::new();
    for slice in &block.slices {
        match dimensions.iter_mut().find(|(by, _)| *by == slice.by) {
            Some((_, slices)) => slices.push(slice),
            None => dimensions.push((&slice.by, vec![slice])),
        }
    }
    let tables = dimensions.into_iter().map(|(by, slices)| slice_table(by, slices, cents, &block.currency));
    let tables: Vec<_> = tables.collect();
    (!tables.is_empty()).then(|| Section {
        title: "Which part of it works",
        says: "Among many slices some look good by luck alone. A slice earns or loses only if that holds after allowing for \
               all slices shown (false discoveries below 10 %), and only with 30 trades or more."
            .into(),
        tables,
    })
}

fn slice_table(by: &str, mut slices: Vec<&Slice>, cents: MoneyFormat, currency: &str) -> Table {
    let name = or_code(labels::dimension(by), by);
    let all = slices.len();
    if all > MAX_SLICES {
        slices.sort_by_key(|slice| std::cmp::Reverse(slice.trades));
        slices.truncate(MAX_SLICES);
    }
    let rows = slices.iter().map(|slice| TableRow {
        about: labels::slice(by, &slice.key),
        cells: vec![
            count(slice.trades),
            share(slice.win_rate),
            gain(cents, slice.net_profit),
            or_undefined(slice.p_value_two_sided, probability),
            Formatted::plain(or_code(labels::slice_verdict(&slice.verdict), &slice.verdict)),
        ],
        faint: slice.verdict == "too_few_trades",
    });
    let most = if all > slices.len() { format!(", the {MAX_SLICES} with most trades of {all}") } else { String::new() };
    Table {
        caption: format!("{name}{most}; money in {currency}"),
        head: vec!["Slice", "Trades", "Win rate", "Net profit", "p", "Verdict"],
        rows: rows.collect(),
    }
}
