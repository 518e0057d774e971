//! Tables of curves: every point of a short curve; the lowest, highest and last value per day, week, month, quarter or
//! year of a long one.

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use nofomo_analytics::Point;

use crate::time::minute;

/// Maximum number of rows of a table. A curve over more years than that still has a row per year.
const MAX_ROWS: usize = 60;

/// Curve as a table.
pub(crate) struct CurveTable {
    /// Period of a row: `point`, `day`, `week`, `month`, `quarter` or `year`.
    pub(crate) by: &'static str,
    pub(crate) rows: Vec<CurveRow>,
}

pub(crate) struct CurveRow {
    pub(crate) name: String,
    /// None if all values are undefined.
    pub(crate) values: Option<Values>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Values {
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
    pub(crate) last: f64,
}

#[derive(Clone, Copy)]
enum Period {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

const PERIODS: [Period; 5] = [Period::Day, Period::Week, Period::Month, Period::Quarter, Period::Year];

impl CurveTable {
    /// Summarises a curve by the shortest period that fits into the maximum number of rows.
    pub(crate) fn of(points: &[Point]) -> Self {
        if points.len() <= MAX_ROWS {
            let rows = points.iter().map(|point| CurveRow { name: minute(point.at), values: values(&[*point]) });
            return Self { by: "point", rows: rows.collect() };
        }
        let fits = |period: &Period| rows_by(points, *period).count() <= MAX_ROWS;
        let period = PERIODS.into_iter().find(fits).unwrap_or(Period::Year);
        let row = |points: &[Point]| {
            let first = points.first()?;
            Some(CurveRow { name: period.name(period.start(first.at)), values: values(points) })
        };
        Self { by: period.label(), rows: rows_by(points, period).filter_map(row).collect() }
    }

    /// `true` if every row is one point.
    pub(crate) fn is_by_point(&self) -> bool {
        self.by == "point"
    }
}

fn rows_by(points: &[Point], period: Period) -> impl Iterator<Item = &[Point]> {
    points.chunk_by(move |one, other| period.start(one.at) == period.start(other.at))
}

fn values(points: &[Point]) -> Option<Values> {
    let defined = || points.iter().filter_map(|point| point.value.filter(|value| value.is_finite()));
    Some(Values {
        lowest: defined().reduce(f64::min)?,
        highest: defined().reduce(f64::max)?,
        last: defined().next_back()?,
    })
}

impl Period {
    fn start(self, time: DateTime<Utc>) -> NaiveDate {
        let day = time.date_naive();
        let back = match self {
            Self::Day => 0,
            Self::Week => day.weekday().num_days_from_monday(),
            Self::Month => day.day0(),
            Self::Quarter => {
                let months = day.month0() % 3;
                let first = day.with_day(1).and_then(|first| first.checked_sub_months(chrono::Months::new(months)));
                return first.unwrap_or(day);
            }
            Self::Year => day.ordinal0(),
        };
        day.checked_sub_days(Days::new(u64::from(back))).unwrap_or(day)
    }

    fn name(self, start: NaiveDate) -> String {
        match self {
            Self::Day => start.format("%-d %b %Y").to_string(),
            Self::Week => start.format("week of %-d %b %Y").to_string(),
            Self::Month => start.format("%b %Y").to_string(),
            Self::Quarter => format!("Q{} {}", start.month0() / 3 + 1, start.year()),
            Self::Year => start.year().to_string(),
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn every(hours: i64, count: i64) -> Vec<Point> {
        let first: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        (0..count).map(|n| Point { at: first + TimeDelta::hours(hours * n), value: Some(n as f64) }).collect()
    }

    #[test]
    fn a_short_curve_has_a_row_per_point() {
        let curve = CurveTable::of(&every(5, 60));
        assert!(curve.is_by_point());
        assert_eq!(curve.rows.len(), 60);
        assert_eq!(curve.rows[1].name, "1 Jan 2026, 05:00");
    }

    #[test]
    fn a_long_curve_has_the_extremes_of_each_period() {
        for (hours, count, by, first, last) in [
            (6, 61, "day", "1 Jan 2026", "16 Jan 2026"),
            (24, 180, "week", "week of 29 Dec 2025", "week of 29 Jun 2026"),
            (24, 1_000, "month", "Jan 2026", "Sep 2028"),
            (24, 3_000, "quarter", "Q1 2026", "Q1 2034"),
            (24 * 30, 2_000, "year", "2026", "2190"),
        ] {
            let points = every(hours, count);
            let curve = CurveTable::of(&points);
            assert_eq!((curve.by, curve.rows[0].name.as_str()), (by, first));
            assert_eq!(curve.rows.last().unwrap().name, last);
            assert!(by == "year" || curve.rows.len() <= MAX_ROWS);
            let values: Vec<Values> = curve.rows.iter().map(|row| row.values.unwrap()).collect();
            assert_eq!(values[0].lowest, 0.0);
            assert_eq!(values.last().unwrap().highest, (count - 1) as f64);
            assert!(values.iter().all(|values| values.lowest <= values.last && values.last <= values.highest));
        }
    }

    #[test]
    fn the_lowest_point_is_in_the_table() {
        let mut points = every(24, 180);
        points[77].value = Some(-5.5);
        let curve = CurveTable::of(&points);
        let lowest = curve.rows.iter().filter_map(|row| row.values).map(|values| values.lowest).reduce(f64::min);
        assert_eq!(lowest, Some(-5.5));
    }

    #[test]
    fn undefined_points_have_no_values() {
        let mut points = every(24, 180);
        points.iter_mut().for_each(|point| point.value = None);
        points[3].value = Some(f64::NAN);
        assert!(CurveTable::of(&points).rows.iter().all(|row| row.values.is_none()));
    }
}
