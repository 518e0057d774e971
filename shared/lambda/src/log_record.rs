//! The one line that the log gets of a request, or of a schedule's run. It is also what CloudWatch makes metrics of: the embedded
//! metric format names which of a line's own fields are figures, so nothing is said twice.

use std::io::{Write, stdout};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;

const NAMESPACE: &str = "NoFOMO";

/// What every line has.
const FIGURES: [Metric<'static>; 3] = [
    Metric { name: "database_ms", unit: "Milliseconds" },
    Metric { name: "outside_ms", unit: "Milliseconds" },
    Metric { name: "cold_starts", unit: "Count" },
];

#[derive(Serialize)]
pub(crate) struct LogRecord<'a> {
    #[serde(serialize_with = "rfc3339")]
    pub(crate) timestamp: DateTime<Utc>,
    pub(crate) level: Level,
    pub(crate) message: String,
    pub(crate) stage: &'a str,
    pub(crate) function: &'a str,
    pub(crate) request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<&'a str>,
    #[serde(flatten)]
    pub(crate) subject: Subject<'a>,
    /// `ok`, or by which name the log knows what came of it.
    pub(crate) outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<&'a str>,
    pub(crate) requests: u8,
    pub(crate) duration_ms: u64,
    pub(crate) database_ms: f64,
    pub(crate) outside_ms: f64,
    /// One if the process was new.
    pub(crate) cold_starts: u8,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Level {
    Info,
    Error,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Subject<'a> {
    Request {
        route: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<Uuid>,
        status: u16,
    },
    Run {
        #[serde(serialize_with = "rfc3339")]
        time: DateTime<Utc>,
        /// What it did, by name; its numbers are metrics as well.
        #[serde(flatten)]
        counts: Map<String, Value>,
    },
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
#[derive(Serialize)]
struct Embedded<'a> {
    #[serde(flatten)]
    line: &'a LogRecord<'a>,
    #[serde(rename = "_aws")]
    aws: Aws<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Aws<'a> {
    /// In milliseconds.
    timestamp: i64,
    cloud_watch_metrics: [Directive<'a>; 2],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'static str,
    dimensions: [&'static [&'static str]; 1],
    metrics: Vec<Metric<'a>>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric<'a> {
    name: &'a str,
    unit: &'static str,
}

impl LogRecord<'_> {
    /// On standard output, which is the log.
    pub(crate) fn write(&self) {
        let mut text = serde_json::to_string(&self.embedded()).unwrap_or_default();
        text.push('\n');
        // In one piece. Nobody reading it is no reason to fail a request.
        stdout().lock().write_all(text.as_bytes()).unwrap_or_default();
    }

    fn embedded(&self) -> Embedded<'_> {
        let mut figures = FIGURES.to_vec();
        if let Subject::Run { counts, .. } = &self.subject {
            let numbers = counts.iter().filter(|(_, value)| value.is_number());
            figures.extend(numbers.map(|(name, _)| Metric { name, unit: "Count" }));
        }
        let requests = vec![Metric { name: "requests", unit: "Count" }];
        let directive = |dimensions, metrics| Directive { namespace: NAMESPACE, dimensions: [dimensions], metrics };
        Embedded {
            line: self,
            aws: Aws {
                timestamp: self.timestamp.timestamp_millis(),
                // What came of it is a dimension of nothing else: each combination costs.
                cloud_watch_metrics: [
                    directive(&["stage", "function", "outcome"], requests),
                    directive(&["stage", "function"], figures),
                ],
            },
        }
    }
}

fn rfc3339<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_cloudwatch_takes_for_metrics() {
        let counts = serde_json::json!({ "subscriptions": 3, "is_complete": true });
        let line = LogRecord {
            timestamp: DateTime::from_timestamp_micros(1_763_452_411_000_001).unwrap(),
            level: Level::Info,
            message: "Ran".into(),
            stage: "local",
            function: "expire-subscriptions",
            request_id: "1",
            trace_id: None,
            subject: Subject::Run { time: DateTime::UNIX_EPOCH, counts: counts.as_object().cloned().unwrap() },
            outcome: "ok",
            cause: None,
            requests: 1,
            duration_ms: 12,
            database_ms: 3.5,
            outside_ms: 0.0,
            cold_starts: 1,
        };
        let line = serde_json::to_value(line.embedded()).unwrap();
        assert_eq!(line["timestamp"], "2025-11-18T07:53:31.000001Z");
        assert_eq!((&line["level"], &line["subscriptions"]), (&"INFO".into(), &3.into()));
        let aws = &line["_aws"];
        assert_eq!(aws["Timestamp"], 1_763_452_411_000_i64);
        let directives = aws["CloudWatchMetrics"].as_array().unwrap();
        let mut names = Vec::new();
        for directive in directives {
            assert_eq!(directive["Namespace"], "NoFOMO");
            for dimension in directive["Dimensions"][0].as_array().unwrap() {
                assert!(line[dimension.as_str().unwrap()].is_string(), "{dimension}");
            }
            for metric in directive["Metrics"].as_array().unwrap() {
                assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{metric}");
                names.push(metric["Name"].as_str().unwrap());
            }
        }
        assert_eq!(names, ["requests", "database_ms", "outside_ms", "cold_starts", "subscriptions"]);
    }
}
