//! EventBridge Scheduler: invokes functions on their schedules.

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use uuid::Uuid;

use crate::runtime::Fleet;

/// A schedule of a function.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub name: String,
    pub expression: Expression,
    /// JSON, which may contain context attributes of EventBridge Scheduler such as `<aws.scheduler.scheduled-time>`.
    pub input: String,
}

/// Maximum time between two readings of the clock, because it can be adjusted, and jumps when the laptop sleeps.
const MAX_SLEEP: Duration = Duration::from_secs(30);

/// Schedule expression: `rate(15 minutes)`, `cron(0 3 * * ? *)` or `at(2026-01-31T03:00:00)`, in UTC.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    kind: ExpressionKind,
}

#[derive(Clone, Debug)]
enum ExpressionKind {
    Rate(chrono::Duration),
    Cron(Box<Cron>),
    At(DateTime<Utc>),
}

impl Expression {
    /// Next run after `moment`, or `None` if there is none. The period of a rate begins at `moment`.
    pub fn next_after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.kind {
            ExpressionKind::Rate(period) => moment.checked_add_signed(*period),
            ExpressionKind::Cron(cron) => cron.find_next_occurrence(&moment, false).ok(),
            ExpressionKind::At(time) => (*time > moment).then_some(*time),
        }
    }
}

impl FromStr for Expression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.strip_suffix(')').and_then(|text| text.split_once('('));
        let kind = match parts {
            Some(("rate", rate)) => {
                ExpressionKind::Rate(parse_rate(rate).map_err(|reason| format!("{text}: {reason}"))?)
            }
            Some(("cron", cron)) => {
                ExpressionKind::Cron(Box::new(parse_cron(cron).map_err(|reason| format!("{text}: {reason}"))?))
            }
            Some(("at", time)) => {
                let time: NaiveDateTime =
                    time.parse().map_err(|_| format!("{text}: write the time as 2026-01-31T03:00:00"))?;
                ExpressionKind::At(time.and_utc())
            }
            _ => return Err(format!("{text}: write it as rate(…), cron(…) or at(…)")),
        };
        Ok(Self { text: text.to_owned(), kind })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn parse_rate(rate: &str) -> Result<chrono::Duration, String> {
    let invalid = || "write it as rate(15 minutes), with minutes, hours or days".to_owned();
    let (count, unit) = rate.split_once(' ').ok_or_else(invalid)?;
    let count: i64 = count.parse().ok().filter(|count| *count > 0).ok_or_else(invalid)?;
    let period = match unit.strip_suffix('s').unwrap_or(unit) {
        "minute" => chrono::Duration::try_minutes(count),
        "hour" => chrono::Duration::try_hours(count),
        "day" => chrono::Duration::try_days(count),
        _ => None,
    };
    period.ok_or_else(invalid)
}

/// Parses AWS's six fields: minutes, hours, day of month, month, day of week (1 is Sunday), year.
fn parse_cron(cron: &str) -> Result<Cron, String> {
    let fields: Vec<_> = cron.split_whitespace().collect();
    let [_, _, day_of_month, _, day_of_week, _] = fields.as_slice() else {
        return Err("it needs six fields: minutes, hours, day of month, month, day of week, year".to_owned());
    };
    if (*day_of_month == "?") == (*day_of_week == "?") {
        return Err("exactly one of day of month and day of week must be `?`".to_owned());
    }
    let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Required);
    let parser = parser.alternative_weekdays(true).sloppy_ranges(true).build();
    parser.parse(&format!("0 {}", fields.join(" "))).map_err(|error| error.to_string())
}

impl Schedule {
    /// Event of a run, as EventBridge Scheduler sends it.
    pub fn event(&self, scheduled_time: DateTime<Utc>) -> String {
        let name = &self.name;
        self.input
            .replace(
                "<aws.scheduler.schedule-arn>",
                &format!("arn:aws:scheduler:local:000000000000:schedule/default/{name}"),
            )
            .replace("<aws.scheduler.scheduled-time>", &scheduled_time.to_rfc3339_opts(SecondsFormat::Secs, true))
            .replace("<aws.scheduler.execution-id>", &Uuid::new_v4().to_string())
            .replace("<aws.scheduler.attempt-number>", "1")
    }
}

/// Invokes the function each time it is due. A failure is logged, and does not affect the next run.
pub(crate) async fn run(schedule: Schedule, fleet: Fleet) {
    let mut due = schedule.expression.next_after(Utc::now());
    while let Some(time) = due {
        while let Ok(left) = (time - Utc::now()).to_std() {
            tokio::time::sleep(left.min(MAX_SLEEP)).await;
        }
        if let Err(error) = fleet.invoke(schedule.event(time).into()).await {
            fleet.log(&format!("{} failed: {error}", schedule.name));
        }
        // Runs that were missed, because the laptop slept or a run took long, are skipped.
        let now = Utc::now();
        let next = schedule.expression.next_after(time).filter(|next| *next > now);
        due = next.or_else(|| schedule.expression.next_after(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(expression: &str, after: &str) -> String {
        let expression: Expression = expression.parse().expect(expression);
        let after: DateTime<Utc> = after.parse().expect(after);
        expression.next_after(after).map_or_else(|| "never".to_owned(), |time| time.to_rfc3339())
    }

    #[test]
    fn a_rate_counts_from_the_previous_run() {
        assert_eq!(next("rate(1 minute)", "2026-03-01T12:00:30Z"), "2026-03-01T12:01:30+00:00");
        assert_eq!(next("rate(15 minutes)", "2026-03-01T12:00:00Z"), "2026-03-01T12:15:00+00:00");
        assert_eq!(next("rate(2 days)", "2026-02-27T12:00:00Z"), "2026-03-01T12:00:00+00:00");
    }

    #[test]
    fn cron_is_interpreted_as_by_aws() {
        // 2026-03-01 is a Sunday.
        let after = "2026-03-01T12:00:00Z";
        assert_eq!(next("cron(0 3 * * ? *)", after), "2026-03-02T03:00:00+00:00");
        assert_eq!(next("cron(0/15 * * * ? *)", after), "2026-03-01T12:15:00+00:00");
        assert_eq!(next("cron(30 8 ? * 1 *)", after), "2026-03-08T08:30:00+00:00");
        assert_eq!(next("cron(30 8 ? * SUN *)", after), "2026-03-08T08:30:00+00:00");
        assert_eq!(next("cron(30 8 ? * 2-6 *)", after), "2026-03-02T08:30:00+00:00");
        assert_eq!(next("cron(30 8 ? * MON#2 *)", after), "2026-03-09T08:30:00+00:00");
        assert_eq!(next("cron(30 8 ? * 6L *)", after), "2026-03-27T08:30:00+00:00");
        assert_eq!(next("cron(0 0 L * ? *)", after), "2026-03-31T00:00:00+00:00");
        assert_eq!(next("cron(0 0 1 JAN ? 2028)", after), "2028-01-01T00:00:00+00:00");
        assert_eq!(next("cron(0 0 1 1 ? 2020)", after), "never");
    }

    #[test]
    fn a_single_time_does_not_repeat() {
        assert_eq!(next("at(2026-03-01T12:00:00)", "2026-03-01T11:00:00Z"), "2026-03-01T12:00:00+00:00");
        assert_eq!(next("at(2026-03-01T12:00:00)", "2026-03-01T12:00:00Z"), "never");
    }

    #[test]
    fn an_invalid_expression_is_rejected() {
        for expression in [
            "every day",
            "rate(5)",
            "rate(0 minutes)",
            "rate(5 weeks)",
            "rate(-1 days)",
            "at(tomorrow)",
            "rate(5 minutes",
            "cron(0 3 * * *)",
            "cron(0 3 * * * *)",
            "cron(0 3 ? * ? *)",
            "cron(61 3 * * ? *)",
        ] {
            assert!(expression.parse::<Expression>().is_err(), "{expression}");
        }
    }

    #[test]
    fn an_event_contains_its_scheduled_time() {
        let schedule = Schedule {
            name: "Hourly".into(),
            expression: "rate(1 hour)".parse().expect("valid"),
            input: r#"{"at":"<aws.scheduler.scheduled-time>"}"#.into(),
        };
        let due = "2026-03-01T12:00:00Z".parse().expect("valid");
        assert_eq!(schedule.event(due), r#"{"at":"2026-03-01T12:00:00Z"}"#);
    }
}
