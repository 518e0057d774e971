//! Charts of one account, each with a text alternative, a caption and its data as tables.

use chrono::{DateTime, Utc};
use nofomo_analytics::{Band, CurrencyAnalysis, Month, Point, Series, Year};

use crate::chart::{self, DrawingError, Drawings};
use crate::format::{Formatted, MoneyFormat, Sign, count, counted, percent, ratio};
use crate::periods::{CurveTable, Values};
use crate::report::series_of;
use crate::table::{Table, TableRow};
use crate::time::{day, minute};

/// Chart with its title, text alternative, caption, legend and data.
pub(crate) struct Plot {
    pub(crate) title: String,
    /// Text alternative for screen readers.
    pub(crate) label: String,
    pub(crate) caption: String,
    pub(crate) legend: Vec<LegendEntry>,
    pub(crate) drawings: Drawings,
    pub(crate) tables: Vec<Table>,
}

/// Entry of a legend: the CSS class of a mark, and its meaning.
pub(crate) struct LegendEntry {
    pub(crate) class: &'static str,
    pub(crate) name: String,
}

/// Charts of one account.
pub(crate) struct Plots {
    /// Charts in reading order.
    pub(crate) drawn: Vec<Plot>,
    /// Reasons why other charts are missing.
    pub(crate) missing: Vec<&'static str>,
}

impl Plots {
    pub(crate) fn none(reason: &'static str) -> Self {
        Self { drawn: Vec::new(), missing: vec![reason] }
    }
}

pub(crate) fn plots(analysis: &CurrencyAnalysis) -> Result<Plots, DrawingError> {
    let mut plots = Plots { drawn: Vec::new(), missing: Vec::new() };
    let Some(series) = series_of(analysis) else { return Ok(plots) };
    let money = MoneyFormat::of_account(Some(analysis.initial_balance));
    let charts = [
        (equity(series, money, &analysis.currency)?, "The balance chart needs 2 trades."),
        (underwater(series)?, "The underwater curve needs 2 trades."),
        (months(series)?, "The calendar of monthly returns needs 2 months."),
        (profits(series)?, "The distribution of returns per trade needs 20 trades."),
        (rolling(series)?, "The rolling Sharpe ratio and volatility need 60 days."),
    ];
    for (plot, requirement) in charts {
        match plot {
            Some(plot) => plots.drawn.push(plot),
            None => plots.missing.push(requirement),
        }
    }
    Ok(plots)
}

fn legend(class: &'static str, name: impl Into<String>) -> LegendEntry {
    LegendEntry { class, name: name.into() }
}

/// First and last time of a curve.
fn span(points: &[Point]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    Some((points.first()?.at, points.last()?.at))
}

/// Lowest, highest and last value of a curve, or None if all are undefined.
fn extremes(points: &[Point]) -> Option<Values> {
    let values = || points.iter().filter_map(|point| point.value.filter(|value| value.is_finite()));
    Some(Values {
        lowest: values().reduce(f64::min)?,
        highest: values().reduce(f64::max)?,
        last: values().next_back()?,
    })
}

/// Curve as a table, with a row per point or per period.
fn curve_table(title: &str, points: &[Point], write: impl Fn(f64) -> Formatted) -> Table {
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
        return Table { caption: format!("{title}, UTC"), head: vec!["Time", "Value"], rows };
    }
    let caption = format!("{title}, by {} in UTC", curve.by);
    Table { caption, head: vec!["Time", "Lowest", "Highest", "Last"], rows }
}

fn equity(series: &Series, money: MoneyFormat, currency: &str) -> Result<Option<Plot>, DrawingError> {
    let Some(((from, to), values)) = span(&series.equity).zip(extremes(&series.equity)) else { return Ok(None) };
    let amount = |value: f64| money.number(value).text;
    let start = series.equity.iter().find_map(|point| point.value).unwrap_or_default();
    let mut caption =
        format!("Balance after each closed trade, from {} to {}\u{a0}{currency}.", amount(start), amount(values.last));
    let mut entries = vec![legend("line", "Balance")];
    let mut tables = vec![curve_table(&format!("Balance in {currency}"), &series.equity, |value| money.number(value))];
    if let Some(drawdown) = series.worst_drawdowns.first() {
        let depth = percent(drawdown.depth, Sign::OnlyMinus).text;
        let (peak, trough) = (day(drawdown.peak), day(drawdown.trough));
        caption += &format!(" The max drawdown is {depth}, from the peak on {peak} to the trough on {trough}.");
        entries.push(legend("fall", "Max drawdown"));
    }
    if let Some(end) = series.cone.last() {
        caption += &format!(
            " 90 % of the Monte Carlo paths end between {} and {}\u{a0}{currency}.",
            amount(end.p05),
            amount(end.p95)
        );
        entries.push(legend("band", "Middle 90 % of the simulated paths"));
        entries.push(legend("dashes", "Median of the simulated paths"));
        let row = |band: &Band| {
            let cells =
                vec![count(band.trades as u64), money.number(band.p05), money.number(band.p50), money.number(band.p95)];
            TableRow::new(minute(band.at), cells)
        };
        tables.push(Table {
            caption: format!("Simulated balances in {currency}, UTC"),
            head: vec!["Time", "Trades", "5 % quantile", "Median", "95 % quantile"],
            rows: series.cone.iter().map(row).collect(),
        });
    }
    Ok(Some(Plot {
        title: "Balance".into(),
        label: format!(
            "Line chart of the balance from {} to {}: from {} to {} {currency}, lowest {}, highest {}.",
            day(from),
            day(to),
            amount(start),
            amount(values.last),
            amount(values.lowest),
            amount(values.highest)
        ),
        caption,
        legend: entries,
        drawings: chart::equity(series)?,
        tables,
    }))
}

fn underwater(series: &Series) -> Result<Option<Plot>, DrawingError> {
    let Some(((from, to), values)) = span(&series.underwater).zip(extremes(&series.underwater)) else {
        return Ok(None);
    };
    let write = |value| percent(value, Sign::Always);
    let current = if values.last < 0.0 {
        format!("The current drawdown is {}.", percent(-values.last, Sign::OnlyMinus).text)
    } else {
        "The balance is at its peak.".to_owned()
    };
    let numbered = match series.worst_drawdowns.len() {
        0 => String::new(),
        1 => " The number marks the max drawdown.".into(),
        number => format!(" The {number} worst drawdowns are numbered."),
    };
    Ok(Some(Plot {
        title: "Underwater curve".into(),
        label: format!(
            "Area chart of the drawdown from {} to {}; max drawdown {}.",
            day(from),
            day(to),
            percent(-values.lowest, Sign::OnlyMinus).text
        ),
        caption: format!("Drawdown from the previous peak of the balance. {current}{numbered}"),
        legend: Vec::new(),
        drawings: chart::underwater(series)?,
        tables: vec![curve_table("Drawdown", &series.underwater, write)],
    }))
}

fn months(series: &Series) -> Result<Option<Plot>, DrawingError> {
    let by_return = || series.months.iter().filter(|month| month.compounded.is_finite());
    let order = |one: &&Month, other: &&Month| one.compounded.total_cmp(&other.compounded);
    let Some((worst, best)) = by_return().min_by(order).zip(by_return().max_by(order)) else { return Ok(None) };
    let name = |month: &Month| {
        let name = chart::MONTHS.get(month.month.saturating_sub(1) as usize).copied().unwrap_or_default();
        format!("{name} {}", month.year)
    };
    let write = |fraction| percent(fraction, Sign::Always);
    let positive =
        u64::try_from(series.months.iter().filter(|month| month.compounded > 0.0).count()).unwrap_or_default();
    let total = u64::try_from(series.months.len()).unwrap_or_default();
    let best_and_worst = format!(
        "best {} ({}), worst {} ({})",
        name(best),
        write(best.compounded).text,
        name(worst),
        write(worst.compounded).text
    );
    let row = |month: &Month| TableRow::new(name(month), vec![write(month.compounded)]);
    let year = |year: &Year| TableRow::new(year.year.to_string(), vec![write(year.compounded)]);
    Ok(Some(Plot {
        title: "Monthly returns".into(),
        label: format!("Calendar of the returns of {}: {best_and_worst}.", counted(total, "month", "months")),
        caption: format!(
            "Compounded daily returns. {} of {} were positive; {best_and_worst}. Months without data are empty.",
            count(positive).text,
            counted(total, "month", "months")
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
    let bins = (0..).zip(&histogram.counts).filter(|(_, trades)| **trades > 0).map(|(index, trades)| {
        let from = histogram.from + histogram.width * f64::from(index);
        TableRow::new(
            format!("{} to {}", write(from).text, write(from + histogram.width).text),
            vec![count(*trades as u64)],
        )
    });
    let marks = [
        ("Mean", histogram.mean),
        ("Median", histogram.median),
        ("5 % quantile", histogram.p05),
        ("95 % quantile", histogram.p95),
    ];
    Ok(Some(Plot {
        title: "Return per trade".into(),
        label: format!(
            "Histogram of the returns per trade in percent of the notional: mean {mean}, median {median}, \
             5 % quantile {low}."
        ),
        caption: format!(
            "Profit in percent of the notional, after fees: mean {mean}, median {median}; 5 % of the trades returned \
             less than {low}."
        ),
        legend: vec![legend("gain", "Profit"), legend("loss", "Loss")],
        drawings: chart::profits(histogram)?,
        tables: vec![
            Table {
                caption: "Trades by return, in percent of the notional".into(),
                head: vec!["Return", "Trades"],
                rows: bins.collect(),
            },
            Table {
                caption: "Return per trade, in percent of the notional".into(),
                head: vec!["Measure", "Return"],
                rows: marks.into_iter().map(|(name, value)| TableRow::new(name, vec![write(value)])).collect(),
            },
        ],
    }))
}

fn rolling(series: &Series) -> Result<Option<Plot>, DrawingError> {
    let sharpe = extremes(&series.rolling_sharpe);
    let spans = span(&series.rolling_volatility).zip(extremes(&series.rolling_volatility));
    let Some(((from, to), volatility)) = spans else { return Ok(None) };
    let window = counted(series.rolling_days as u64, "day", "days");
    let number = |value: f64| ratio(value, Sign::OnlyMinus);
    let fraction = |value: f64| percent(value, Sign::OnlyMinus);
    let sharpe_range = sharpe.map_or_else(
        || "undefined throughout".to_owned(),
        |sharpe| format!("between {} and {}", number(sharpe.lowest).text, number(sharpe.highest).text),
    );
    let ranges = format!(
        "Sharpe ratio {sharpe_range}, volatility between {} and {}",
        fraction(volatility.lowest).text,
        fraction(volatility.highest).text
    );
    Ok(Some(Plot {
        title: format!("Rolling {window}"),
        label: format!("Two line charts of rolling {window} from {} to {}: {ranges}.", day(from), day(to)),
        caption: format!("Each point covers the {window} that end with it: {ranges}, both annualised."),
        legend: Vec::new(),
        drawings: chart::rolling(series)?,
        tables: vec![
            curve_table(&format!("Rolling Sharpe ratio, {window}"), &series.rolling_sharpe, number),
            curve_table(&format!("Rolling volatility, {window}"), &series.rolling_volatility, fraction),
        ],
    }))
}
