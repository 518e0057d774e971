//! The plots of one account: what is drawn, what it shows in words, and its numbers as tables.

use chrono::{DateTime, Utc};

use crate::analysis::{CurrencyAnalysis, Point, Series};
use crate::chart::{self, DrawingError, Drawings};
use crate::format::{Formatted, MoneyFormat, Sign, count, counted, percent, ratio};
use crate::periods::{CurveTable, Values};
use crate::table::{Table, TableRow};
use crate::time::{day, minute};

pub(crate) struct Plot {
    pub(crate) title: String,
    /// What somebody who does not see it would have seen.
    pub(crate) label: String,
    pub(crate) caption: String,
    pub(crate) legend: Vec<Mark>,
    pub(crate) drawings: Drawings,
    pub(crate) tables: Vec<Table>,
}

/// How something looks, and what it is.
pub(crate) struct Mark {
    pub(crate) class: &'static str,
    pub(crate) name: String,
}

/// The plots there are, and why there is no other.
pub(crate) struct Plots {
    pub(crate) drawn: Vec<Plot>,
    pub(crate) missing: Vec<&'static str>,
}

impl Plots {
    pub(crate) fn none(why: &'static str) -> Self {
        Self { drawn: Vec::new(), missing: vec![why] }
    }
}

pub(crate) fn plots(block: &CurrencyAnalysis) -> Result<Plots, DrawingError> {
    let mut plots = Plots { drawn: Vec::new(), missing: Vec::new() };
    let Some(series) = block.series() else { return Ok(plots) };
    let cents = MoneyFormat::of_account(block.initial_balance);
    let wanted = [
        (equity(series, cents, &block.currency)?, "The balance is drawn from 2 trades on."),
        (underwater(series)?, "Falls below the peak are drawn from 2 trades on."),
        (months(series)?, "Months are drawn when there are 2 of them."),
        (profits(series)?, "The distribution of trades is drawn from 20 trades on."),
        (rolling(series)?, "What changed over time is drawn from 60 days on."),
    ];
    for (plot, needs) in wanted {
        match plot {
            Some(plot) => plots.drawn.push(plot),
            None => plots.missing.push(needs),
        }
    }
    Ok(plots)
}

fn mark(class: &'static str, name: impl Into<String>) -> Mark {
    Mark { class, name: name.into() }
}

/// The first and the last time of a curve.
fn span(points: &[Point]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    Some((points.first()?.at, points.last()?.at))
}

fn whole(points: &[Point]) -> Option<Values> {
    let values = || points.iter().filter_map(|point| point.value.filter(|value| value.is_finite()));
    Some(Values {
        lowest: values().reduce(f64::min)?,
        highest: values().reduce(f64::max)?,
        last: values().next_back()?,
    })
}

/// A curve as a table. A row is one point, or what a period's points are between.
fn curve_table(what: &str, points: &[Point], write: impl Fn(f64) -> Formatted) -> Table {
    let curve = CurveTable::of(points);
    let or_undefined = |value: Option<f64>| value.map_or_else(Formatted::undefined, &write);
    let rows = curve.rows.iter().map(|row| {
        let cell = |value: fn(&Values) -> f64| or_undefined(row.values.as_ref().map(value));
        let last = cell(|values| values.last);
        let cells = if curve.is_by_point() {
            vec![last]
        } else {
            vec![cell(|values| values.lowest), cell(|values| values.highest), last]
        };
        TableRow::new(&row.name, cells)
    });
    let rows = rows.collect();
    if curve.is_by_point() {
        return Table { caption: format!("{what}, UTC"), head: vec!["When", "Value"], rows };
    }
    let caption = format!("{what}, by {} in UTC", curve.by);
    Table { caption, head: vec!["When", "Lowest", "Highest", "Last"], rows }
}

fn equity(series: &Series, cents: MoneyFormat, currency: &str) -> Result<Option<Plot>, DrawingError> {
    let Some(((from, to), values)) = span(&series.equity).zip(whole(&series.equity)) else { return Ok(None) };
    let money = |value: f64| cents.drawn(value).text;
    let start = series.equity.iter().find_map(|point| point.value).unwrap_or_default();
    let mut caption =
        format!("From {} to {}\u{a0}{currency}, after each closed trade.", money(start), money(values.last));
    let mut legend = vec![mark("line", "Balance")];
    let mut tables = vec![curve_table(&format!("Balance in {currency}"), &series.equity, |value| cents.drawn(value))];
    if let Some(fall) = series.worst_drawdowns.first() {
        let depth = percent(fall.depth, Sign::OnlyMinus).text;
        caption += &format!(" The deepest fall, {depth}, went from {} to {}.", day(fall.peak), day(fall.trough));
        legend.push(mark("fall", "Deepest fall"));
    }
    if let Some(end) = series.cone.last() {
        caption += &format!(
            " The same trades drawn again at random end between {} and {}\u{a0}{currency} nine times in ten.",
            money(end.p05),
            money(end.p95)
        );
        legend.push(mark("band", "Nine in ten simulated paths"));
        legend.push(mark("dashes", "Median path"));
        let row = |band: &crate::analysis::Band| {
            let cells = vec![count(band.trades), cents.drawn(band.p05), cents.drawn(band.p50), cents.drawn(band.p95)];
            TableRow::new(minute(band.at), cells)
        };
        tables.push(Table {
            caption: format!("Simulated balances in {currency}, UTC"),
            head: vec!["When", "Trades", "1 in 20 lower", "Median", "1 in 20 higher"],
            rows: series.cone.iter().map(row).collect(),
        });
    }
    Ok(Some(Plot {
        title: "Balance".into(),
        label: format!(
            "TableRow chart of the balance from {} to {}: from {} to {} {currency}, lowest {}, highest {}.",
            day(from),
            day(to),
            money(start),
            money(values.last),
            money(values.lowest),
            money(values.highest)
        ),
        caption,
        legend,
        drawings: chart::equity(series)?,
        tables,
    }))
}

fn underwater(series: &Series) -> Result<Option<Plot>, DrawingError> {
    let Some(((from, to), values)) = span(&series.underwater).zip(whole(&series.underwater)) else { return Ok(None) };
    let write = |value| percent(value, Sign::Always);
    let now = if values.last < 0.0 {
        format!("It now is {} below its peak.", percent(-values.last, Sign::OnlyMinus).text)
    } else {
        "It now is at its peak.".to_owned()
    };
    let numbered = match series.worst_drawdowns.len() {
        0 => String::new(),
        1 => " The number marks the deepest fall.".into(),
        falls => format!(" The {falls} deepest falls are numbered."),
    };
    Ok(Some(Plot {
        title: "Below the peak".into(),
        label: format!(
            "Area chart of how far the balance was below its peak from {} to {}; at most {}.",
            day(from),
            day(to),
            percent(-values.lowest, Sign::OnlyMinus).text
        ),
        caption: format!("How far the balance was below its highest before. {now}{numbered}"),
        legend: Vec::new(),
        drawings: chart::underwater(series)?,
        tables: vec![curve_table("Below the peak", &series.underwater, write)],
    }))
}

fn months(series: &Series) -> Result<Option<Plot>, DrawingError> {
    let by_return = || series.months.iter().filter(|month| month.compounded.is_finite());
    let order =
        |one: &&crate::analysis::Month, other: &&crate::analysis::Month| one.compounded.total_cmp(&other.compounded);
    let Some((worst, best)) = by_return().min_by(order).zip(by_return().max_by(order)) else { return Ok(None) };
    let name = |month: &crate::analysis::Month| {
        let name = chart::MONTHS.get(month.month.saturating_sub(1) as usize).copied().unwrap_or_default();
        format!("{name} {}", month.year)
    };
    let write = |fraction| percent(fraction, Sign::Always);
    let gains = u64::try_from(series.months.iter().filter(|month| month.compounded > 0.0).count()).unwrap_or_default();
    let all = u64::try_from(series.months.len()).unwrap_or_default();
    let extremes = format!(
        "best {} ({}), worst {} ({})",
        name(best),
        write(best.compounded).text,
        name(worst),
        write(worst.compounded).text
    );
    let row = |month: &crate::analysis::Month| TableRow::new(name(month), vec![write(month.compounded)]);
    let year = |year: &crate::analysis::Year| TableRow::new(year.year.to_string(), vec![write(year.compounded)]);
    Ok(Some(Plot {
        title: "Months".into(),
        label: format!("Calendar of the returns of {}: {extremes}.", counted(all, "month", "months")),
        caption: format!(
            "Compounded daily returns. {} of {} gained; {extremes}. A month without a day is empty.",
            count(gains).text,
            counted(all, "month", "months")
        ),
        legend: Vec::new(),
        drawings: chart::months(series)?,
        tables: vec![
            Table {
                caption: "Return of each month".into(),
                head: vec!["Month", "Return"],
                rows: series.months.iter().map(row).collect(),
            },
            Table {
                caption: "Return of each year".into(),
                head: vec!["Year", "Return"],
                rows: series.years.iter().map(year).collect(),
            },
        ],
    }))
}

fn profits(series: &Series) -> Result<Option<Plot>, DrawingError> {
    let Some(histogram) = series.profits.as_ref().filter(|histogram| !histogram.counts.is_empty()) else {
        return Ok(None);
    };
    let write = |fraction| percent(fraction, Sign::Always);
    let (mean, median, low) = (write(histogram.mean).text, write(histogram.median).text, write(histogram.p05).text);
    let bins = (0..).zip(&histogram.counts).filter(|(_, trades)| **trades > 0).map(|(place, trades)| {
        let from = histogram.from + histogram.width * f64::from(place);
        TableRow::new(format!("{} to {}", write(from).text, write(from + histogram.width).text), vec![count(*trades)])
    });
    let marks = [
        ("Mean", histogram.mean),
        ("Median", histogram.median),
        ("One trade in twenty is worse than", histogram.p05),
        ("One trade in twenty is better than", histogram.p95),
    ];
    Ok(Some(Plot {
        title: "What a trade made".into(),
        label: format!(
            "Histogram of the profits of trades in percent of what was bought: mean {mean}, median {median}, \
             one in twenty below {low}."
        ),
        caption: format!(
            "In percent of what was bought, after fees: {mean} in the mean, {median} in the median; one trade in \
             twenty was worse than {low}."
        ),
        legend: vec![mark("gain", "Gain"), mark("loss", "Loss")],
        drawings: chart::profits(histogram)?,
        tables: vec![
            Table {
                caption: "Trades by profit, in percent of what was bought".into(),
                head: vec!["Profit", "Trades"],
                rows: bins.collect(),
            },
            Table {
                caption: "Profit of a trade, in percent of what was bought".into(),
                head: vec!["Measure", "Profit"],
                rows: marks.into_iter().map(|(name, value)| TableRow::new(name, vec![write(value)])).collect(),
            },
        ],
    }))
}

fn rolling(series: &Series) -> Result<Option<Plot>, DrawingError> {
    let sharpe = whole(&series.rolling_sharpe);
    let spans = span(&series.rolling_volatility).zip(whole(&series.rolling_volatility));
    let Some(((from, to), volatility)) = spans else { return Ok(None) };
    let window = counted(series.rolling_days, "day", "days");
    let number = |value: f64| ratio(value, Sign::OnlyMinus);
    let part = |value: f64| percent(value, Sign::OnlyMinus);
    let of_sharpe = sharpe.map_or_else(
        || "undefined throughout".to_owned(),
        |sharpe| format!("between {} and {}", number(sharpe.lowest).text, number(sharpe.highest).text),
    );
    let said = format!(
        "Sharpe ratio {of_sharpe}, volatility between {} and {}",
        part(volatility.lowest).text,
        part(volatility.highest).text
    );
    Ok(Some(Plot {
        title: format!("Over the last {window}"),
        label: format!("Two line charts over windows of {window} from {} to {}: {said}.", day(from), day(to)),
        caption: format!("Each point looks back over {window}: {said}, both annualised."),
        legend: Vec::new(),
        drawings: chart::rolling(series)?,
        tables: vec![
            curve_table(&format!("Sharpe ratio over {window}"), &series.rolling_sharpe, number),
            curve_table(&format!("Volatility over {window}"), &series.rolling_volatility, part),
        ],
    }))
}
