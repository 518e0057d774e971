//! The log line of each request, its CloudWatch metrics, and its trace.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::support::database::PRO;
use crate::support::waiting::WAIT_TIMEOUT;
use crate::support::world::{World, new_bot};

/// Names of the metrics that a line declares for CloudWatch, by their dimensions. Asserts that the line contains each
/// metric as a number.
fn metrics(line: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut metrics = BTreeMap::new();
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        assert_eq!(directive["Namespace"], "NoFOMO");
        let dimensions: Vec<_> =
            directive["Dimensions"][0].as_array().unwrap().iter().map(|d| d.as_str().unwrap()).collect();
        assert!(dimensions.iter().all(|name| line[*name].as_str().is_some_and(|value| !value.is_empty())), "{line}");
        let names = directive["Metrics"].as_array().unwrap().iter().map(|metric| metric["Name"].as_str().unwrap());
        let names: BTreeSet<_> = names.map(ToOwned::to_owned).collect();
        assert!(names.iter().all(|name| line[name].is_number()), "{line}");
        metrics.insert(dimensions.join(" "), names);
    }
    metrics
}

#[tokio::test]
async fn a_request_has_one_log_line_with_user_outcome_durations_and_metrics() {
    let world = World::with_settings(BTreeMap::from([("STAGE".into(), "staging".into())])).await;
    let token = world.sign_in("pro@nofomo.test").await;
    for name in ["first", "second"] {
        assert_eq!(world.post("/bots", &token, &new_bot(name)).await.status, 201);
    }
    let lines = world.log_lines("POST /bots 201", 2).await;
    let [first, second] = &lines[..] else { panic!("{lines:?}") };
    for (line, cold_starts) in [(first, 1), (second, 0)] {
        assert_eq!((&line["level"], &line["outcome"]), (&json!("INFO"), &json!("ok")));
        assert_eq!((&line["stage"], &line["function"]), (&json!("staging"), &json!("create-bot")));
        assert_eq!((&line["user_id"], &line["status"], &line["requests"]), (&json!(PRO), &json!(201), &json!(1)));
        assert!(line["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{line}");
        assert!(line["trace_id"].as_str().is_some_and(|id| id.starts_with("1-")), "{line}");
        assert_eq!(line["cold_starts"], cold_starts, "{line}");
        let (total, database) = (line["duration_ms"].as_f64().unwrap(), line["database_ms"].as_f64().unwrap());
        // The total is truncated to milliseconds.
        assert!(database > 0.0 && database <= total + 1.0, "{line}");
        assert_eq!(line["outside_ms"], 0.0, "the signing keys were fetched at startup");
        let figures = ["cold_starts", "database_ms", "outside_ms"].map(ToOwned::to_owned);
        let requests = BTreeSet::from(["requests".to_owned()]);
        assert_eq!(
            metrics(line),
            [("stage function".into(), figures.into()), ("stage function outcome".into(), requests)].into()
        );
    }
    let refused = world.post("/bots", &token, &json!({})).await;
    assert_eq!(refused.status, 422);
    let line = world.log_lines("POST /bots 422", 1).await.remove(0);
    assert_eq!((&line["outcome"], &line["cause"]), (&json!("invalid"), &Value::Null));
}

#[tokio::test]
async fn a_job_logs_its_counts_and_each_count_is_a_metric() {
    let world = World::new().await;
    world.run_job("expire-subscriptions", "2040-01-01T00:00:00Z").await;
    let line = world.log_lines("Run completed", 1).await.remove(0);
    assert!(line["subscriptions"].as_i64().unwrap() > 0 && line["database_ms"].as_f64().unwrap() > 0.0, "{line}");
    let metrics = metrics(&line);
    let figures = ["cold_starts", "database_ms", "outside_ms", "subscriptions", "stopped_bots", "invoices", "failures"];
    assert_eq!(metrics["stage function"], figures.map(ToOwned::to_owned).into());
}

#[tokio::test]
async fn a_trace_shows_the_external_calls_of_a_request() {
    let daemon = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = daemon.local_addr().unwrap().to_string();
    let world = World::with_settings(BTreeMap::from([("AWS_XRAY_DAEMON_ADDRESS".into(), address)])).await;
    let token = world.sign_in("pro@nofomo.test").await;
    let body = json!({"plan": "Enterprise", "period": "monthly", "method": "QRIS"});
    assert_eq!(world.post("/invoices", &token, &body).await.status, 201);
    let line = world.log_lines("POST /invoices 201", 1).await.remove(0);
    assert!(line["outside_ms"].as_f64().unwrap() > 0.0, "Tripay was called: {line}");

    let mut names = Vec::new();
    for _ in 0..3 {
        let mut datagram = vec![0; 4096];
        let received = timeout(WAIT_TIMEOUT, daemon.recv(&mut datagram)).await.unwrap().unwrap();
        let text = std::str::from_utf8(&datagram[..received]).unwrap();
        let segment: Value = serde_json::from_str(text.split_once('\n').unwrap().1).unwrap();
        assert_eq!((&segment["trace_id"], &segment["type"]), (&line["trace_id"], &json!("subsegment")));
        assert!(segment["end_time"].as_f64().unwrap() > segment["start_time"].as_f64().unwrap(), "{segment}");
        names.push(segment["name"].as_str().unwrap().to_owned());
    }
    assert_eq!(names, ["database", "tripay", "database"]);
}
