//! Log record of one invocation, written as one line of JSON.
//!
//! CloudWatch extracts metrics from the same line: its embedded metric format names the fields that are metrics, so
//! each value is written once.

use std::io::{Write, stdout};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;

const NAMESPACE: &str = "NoFOMO";

/// Metrics of every record besides `requests`.
const COMMON_METRICS: [Metric<'static>; 3] = [
    Metric { name: "database_ms", unit: "Milliseconds" },
    Metric { name: "outside_ms", unit: "Milliseconds" },
    Metric { name: "cold_starts", unit: "Count" },
];

/// Fields of the line, as documented in `docs/logs.md`.
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
    /// `ok`, the kind of the problem, or an outcome the handler named.
    pub(crate) outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<&'a str>,
    /// Always 1, so that the metric's sum is the number of requests.
    pub(crate) requests: u8,
    pub(crate) duration_ms: u64,
    pub(crate) database_ms: f64,
    /// Time spent waiting for external services.
    pub(crate) outside_ms: f64,
    /// 1 for the instance's first invocation, else 0.
    pub(crate) cold_starts: u8,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Level {
    Info,
    Error,
}

/// Fields that depend on the kind of invocation.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Subject<'a> {
    /// An HTTP request.
    Request {
        route: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<Uuid>,
        status: u16,
    },
    /// A run of a schedule, or a batch of a queue.
    Run {
        #[serde(serialize_with = "rfc3339")]
        time: DateTime<Utc>,
        /// Results by name. Numbers are metrics as well.
        #[serde(flatten)]
        counts: Map<String, Value>,
    },
}

/// Record in CloudWatch's embedded metric format:
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
#[derive(Serialize)]
struct EmbeddedMetrics<'a> {
    #[serde(flatten)]
    record: &'a LogRecord<'a>,
    #[serde(rename = "_aws")]
    aws: Aws<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Aws<'a> {
    /// Milliseconds since the Unix epoch.
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
    /// Writes the record to standard output, which Lambda passes to CloudWatch Logs.
    pub(crate) fn write(&self) {
        let mut text = serde_json::to_string(&self.with_metrics()).unwrap_or_default();
        text.push('\n');
        // In one write, so that lines do not mix. A closed pipe must not fail the request.
        stdout().lock().write_all(text.as_bytes()).unwrap_or_default();
    }

    fn with_metrics(&self) -> EmbeddedMetrics<'_> {
        let mut metrics = COMMON_METRICS.to_vec();
        if let Subject::Run { counts, .. } = &self.subject {
            let numbers = counts.iter().filter(|(_, value)| value.is_number());
            metrics.extend(numbers.map(|(name, _)| Metric { name, unit: "Count" }));
        }
        let requests = vec![Metric { name: "requests", unit: "Count" }];
        let directive = |dimensions, metrics| Directive { namespace: NAMESPACE, dimensions: [dimensions], metrics };
        EmbeddedMetrics {
            record: self,
            aws: Aws {
                timestamp: self.timestamp.timestamp_millis(),
                // Only `requests` is split by outcome: CloudWatch bills every combination of dimensions.
                cloud_watch_metrics: [
                    directive(&["stage", "function", "outcome"], requests),
                    directive(&["stage", "function"], metrics),
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
    fn every_metric_and_dimension_is_a_field_of_the_record() {
        let counts = serde_json::json!({ "subscriptions": 3, "is_complete": true });
        let record = LogRecord {
            timestamp: DateTime::from_timestamp_micros(1_763_452_411_000_001).unwrap(),
            level: Level::Info,
            message: "Run completed".into(),
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
        let line = serde_json::to_value(record.with_metrics()).unwrap();
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
