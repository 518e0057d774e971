//! Formatted days and times, and the ticks of time axes.

use std::iter::successors;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};

/// Formats a day: `1 Jan 2026`.
pub(crate) fn day(time: DateTime<Utc>) -> String {
    time.format("%-d %b %Y").to_string()
}

/// Formats a time to the minute: `1 Jan 2026, 21:56`.
pub(crate) fn minute(time: DateTime<Utc>) -> String {
    time.format("%-d %b %Y, %H:%M").to_string()
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// Distance between the ticks of a time axis.
#[derive(Clone, Copy)]
enum Step {
    Hours(i64),
    Days(u64),
    Months(u32),
}

const STEPS: [Step; 15] = [
    Step::Hours(1),
    Step::Hours(3),
    Step::Hours(6),
    Step::Hours(12),
    Step::Days(1),
    Step::Days(2),
    Step::Days(7),
    Step::Days(14),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Months(12),
    Step::Months(24),
    Step::Months(120),
];

/// Returns at most `max` round times from `from` to `to`, with their labels.
pub(crate) fn ticks(from: DateTime<Utc>, to: DateTime<Utc>, max: usize) -> Vec<(DateTime<Utc>, String)> {
    let times_of = |step: Step| {
        let times = successors(step.at_or_after(from), |time| step.after(*time)).take_while(|time| *time <= to);
        (step, times.take(max + 1).collect::<Vec<_>>())
    };
    let fitting = STEPS.into_iter().map(times_of).find(|(_, times)| times.len() <= max);
    let Some((step, times)) = fitting else { return Vec::new() };
    let first = times.first().copied();
    times.into_iter().map(|time| (time, step.label(time, Some(time) == first))).collect()
}

impl Step {
    fn at_or_after(self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let day = time.date_naive();
        let mut candidate = match self {
            Self::Hours(_) | Self::Days(1 | 2) => midnight(day),
            // Weeks begin on Mondays.
            Self::Days(_) => midnight(day) - TimeDelta::days(i64::from(day.weekday().num_days_from_monday())),
            Self::Months(months) => {
                let month = if months >= 12 { 1 } else { day.month0() / months * months + 1 };
                let years = i32::try_from(months / 12).unwrap_or(1).max(1);
                midnight(NaiveDate::from_ymd_opt(day.year().div_euclid(years) * years, month, 1)?)
            }
        };
        while candidate < time {
            candidate = self.after(candidate)?;
        }
        Some(candidate)
    }

    fn after(self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Hours(hours) => time.checked_add_signed(TimeDelta::hours(hours)),
            Self::Days(days) => time.checked_add_days(Days::new(days)),
            Self::Months(months) => time.checked_add_months(Months::new(months)),
        }
    }

    /// Label of a tick. The year or the day is in the first label and where it changes.
    fn label(self, time: DateTime<Utc>, is_first: bool) -> String {
        let format = match self {
            Self::Hours(_) if is_first || time.time() == NaiveTime::MIN => "%-d %b %H:%M",
            Self::Hours(_) => "%H:%M",
            Self::Days(_) => "%-d %b",
            Self::Months(12..) => "%Y",
            Self::Months(_) if is_first || time.month() == 1 => "%b %Y",
            Self::Months(_) => "%b",
        };
        time.format(format).to_string()
    }
}

#[cfg(test)]
mod tests {
    use nofomo_analytics::parse_time_or_day;

    use super::*;

    fn labels(from: &str, to: &str, max: usize) -> String {
        let ticks = ticks(parse_time_or_day(from).unwrap(), parse_time_or_day(to).unwrap(), max);
        ticks.into_iter().map(|(_, name)| name).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn an_axis_has_ticks_at_round_times() {
        assert_eq!(labels("2026-01-01", "2026-06-29", 8), "Jan 2026|Feb|Mar|Apr|May|Jun");
        assert_eq!(labels("2026-01-01", "2026-06-29", 4), "Jan 2026|Mar|May");
        assert_eq!(labels("2025-11-20", "2026-03-02", 6), "Dec 2025|Jan 2026|Feb|Mar");
        assert_eq!(labels("2026-01-01", "2026-01-09", 8), "1 Jan|3 Jan|5 Jan|7 Jan|9 Jan");
        assert_eq!(labels("2026-01-01", "2026-01-30", 6), "5 Jan|12 Jan|19 Jan|26 Jan");
        assert_eq!(labels("2026-01-01T10:30:00Z", "2026-01-01T13:00:00Z", 4), "1 Jan 11:00|12:00|13:00");
        assert_eq!(labels("2019-05-01", "2026-06-29", 8), "2020|2021|2022|2023|2024|2025|2026");
        assert_eq!(labels("1926-05-01", "2026-04-29", 12), "1930|1940|1950|1960|1970|1980|1990|2000|2010|2020");
    }

    #[test]
    fn a_moment_and_a_thousand_years_have_an_axis_without_ticks() {
        assert_eq!(labels("2026-01-01T10:30:00Z", "2026-01-01T10:30:00Z", 4), "");
        assert_eq!(labels("1000-01-01", "2026-01-01", 4), "");
    }

    #[test]
    fn a_time_or_a_day_is_parsed() {
        assert_eq!(parse_time_or_day("2026-01-01").map(day).unwrap(), "1 Jan 2026");
        assert_eq!(parse_time_or_day("2026-01-01T23:30:00-02:00").map(minute).unwrap(), "2 Jan 2026, 01:30");
        assert_eq!(parse_time_or_day("yesterday"), None);
    }
}
