//! `template.yaml`: it deploys every function, with least privilege, and CloudFormation accepts it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Stdio;

use dev::python;
use dev::template::Template;
use reqwest::Method;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::support::database::{run_directory, target, workspace};
use crate::support::world::World;

/// Maximum number of clients of Supabase's pooler on the smallest machine.
const POOLER_CLIENTS: i64 = 200;

/// AWS's policies that every role needs to write its log and its traces.
const MANAGED_POLICIES: [&str; 2] = [
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
    "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess",
];

fn text() -> String {
    std::fs::read_to_string(workspace().join("template.yaml")).unwrap()
}

async fn programs() -> PathBuf {
    python::install_programs(target(), "template", &["aws-sam-translator==1.115.0", "cfn-lint==1.58.0"]).await.unwrap()
}

/// Translates a template with SAM; returns a CloudFormation template as JSON, or SAM's errors.
async fn translate(template: &str) -> Result<String, String> {
    let mut translator = Command::new(programs().await.join("python"))
        .arg(workspace().join("tests/it/support/template/translate.py"))
        .env("AWS_DEFAULT_REGION", "ap-southeast-3")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    translator.stdin.take().unwrap().write_all(template.as_bytes()).await.unwrap();
    let output = translator.wait_with_output().await.unwrap();
    let [out, errors] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    if output.status.success() { Ok(out) } else { Err(errors) }
}

async fn resources() -> BTreeMap<String, Value> {
    let stack: Value = serde_json::from_str(&translate(&text()).await.unwrap()).unwrap();
    serde_json::from_value(stack["Resources"].clone()).unwrap()
}

/// Properties of all resources of a type, by their ids.
fn of_type<'a>(resources: &'a BTreeMap<String, Value>, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let found = resources.iter().filter(|(_, resource)| resource["Type"] == kind);
    let found: BTreeMap<_, _> = found.map(|(id, resource)| (id.as_str(), &resource["Properties"])).collect();
    assert!(!found.is_empty(), "there is a {kind}");
    found
}

/// Output of the linter for a stack; empty if it found nothing.
async fn lint(stack: &str, name: &str) -> String {
    let directory = run_directory("lint");
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join(name);
    std::fs::write(&file, stack).unwrap();
    // W2001: SAM has inserted the values of parameters, so the parameters are unused.
    let output = Command::new(programs().await.join("cfn-lint"))
        .args(["--regions", "ap-southeast-3", "--ignore-checks", "W2001", "--"])
        .arg(file)
        .output()
        .await
        .unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn exactly_the_functions_and_routes_in_the_readme_are_deployed() {
    let template = Template::load(workspace()).unwrap();
    let folders = std::fs::read_dir(workspace().join("functions")).unwrap();
    let folders: BTreeSet<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(template.functions.iter().map(|function| function.name.clone()).collect::<BTreeSet<_>>(), folders);

    let deployed: BTreeSet<_> = template
        .functions
        .iter()
        .flat_map(|function| {
            function.routes.iter().map(|route| format!("{} {} {}", function.name, route.method, route.path))
        })
        .collect();
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    let (_, table) = readme.split_once("| function | route or schedule |").unwrap();
    let (mut listed, mut function) = (BTreeSet::new(), String::new());
    for row in table.lines().skip(2).take_while(|row| row.starts_with('|')) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        if let Some((name, _)) = cells[1].strip_prefix('[').and_then(|cell| cell.split_once(']')) {
            function = name.to_owned();
        }
        // In a cell such as `POST`, `DELETE /bots/{bot_id}/token`, a method without a path has the path of the next
        // one.
        let mut path = String::new();
        for route in cells[2].split("`, `").collect::<Vec<_>>().into_iter().rev() {
            let route = route.trim_matches('`');
            let method = route.split(' ').next().unwrap();
            if !["GET", "POST", "PUT", "DELETE"].contains(&method) {
                continue;
            }
            if let Some((_, next_path)) = route.split_once(' ') {
                path = next_path.to_owned();
            }
            listed.insert(format!("{function} {method} {path}"));
        }
    }
    assert_eq!(deployed, listed);
}

#[tokio::test]
async fn every_role_has_least_privilege() {
    let resources = resources().await;
    for (id, role) in of_type(&resources, "AWS::IAM::Role") {
        let managed = role["ManagedPolicyArns"].as_array().cloned().unwrap_or_default();
        let known =
            |arn: &Value| MANAGED_POLICIES.contains(&arn.as_str().unwrap_or_default()) || is_queue_policy(id, arn);
        assert!(managed.iter().all(known), "{id}: {managed:?}");
        for policy in role["Policies"].as_array().into_iter().flatten() {
            let statements = &policy["PolicyDocument"]["Statement"];
            for statement in statements.as_array().cloned().unwrap_or_else(|| vec![statements.clone()]) {
                for part in ["Action", "Resource"] {
                    assert!(!statement[part].to_string().contains('*'), "{id}: {statement}");
                }
            }
        }
    }
    // The role of a function may read exactly one secret, and the role of a schedule none.
    for (id, role) in of_type(&resources, "AWS::IAM::Role") {
        let secrets: Vec<_> = ["ApiSecretArn", "JobsSecretArn"]
            .into_iter()
            .filter(|secret| role["Policies"].to_string().contains(&format!("\"Ref\":\"{secret}\"")))
            .collect();
        assert_eq!(secrets.len(), usize::from(!id.ends_with("ScheduleRole")), "{id}: {secrets:?}");
    }
}

/// `true` if this is AWS's policy for reading a queue, and the role reads one.
fn is_queue_policy(role: &str, arn: &Value) -> bool {
    role == "IngestTradesFunctionRole" && arn == "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
}

#[tokio::test]
async fn failures_are_retried_and_stored_and_trigger_an_alarm() {
    let resources = resources().await;
    let dead_letters = serde_json::json!({ "Fn::GetAtt": ["DeadLetters", "Arn"] });
    let invocations = of_type(&resources, "AWS::Lambda::EventInvokeConfig");
    for (id, schedule) in of_type(&resources, "AWS::Scheduler::Schedule") {
        let target = &schedule["Target"];
        assert_eq!(target["DeadLetterConfig"]["Arn"], dead_letters, "{id}");
        assert!(target["RetryPolicy"]["MaximumRetryAttempts"].as_i64().unwrap() > 0, "{id}");
        assert!(
            schedule["Name"].is_null(),
            "{id}: two stacks in one account must not have a schedule of the same name"
        );
        // Failures of the function itself are retried by Lambda.
        let function = &target["Arn"]["Fn::GetAtt"][0];
        let of_function = |invocation: &&&Value| invocation["FunctionName"]["Ref"] == *function;
        let invocation = invocations.values().find(of_function).unwrap_or_else(|| panic!("{id}: no retries"));
        assert_eq!(invocation["DestinationConfig"]["OnFailure"]["Destination"], dead_letters, "{id}");
    }
    let queue = &of_type(&resources, "AWS::SQS::Queue")["Trades"].clone();
    assert_eq!(queue["RedrivePolicy"]["deadLetterTargetArn"], dead_letters);
    let alarms = of_type(&resources, "AWS::CloudWatch::Alarm");
    for alarm in alarms.values() {
        assert_eq!(alarm["AlarmActions"], serde_json::json!([{ "Ref": "Alarms" }]), "{alarm}");
    }
    let watched: BTreeSet<_> = alarms.values().filter_map(|alarm| alarm["MetricName"].as_str()).collect();
    for metric in
        ["5xx", "Latency", "Throttles", "Errors", "oldest_pending_seconds", "ApproximateNumberOfMessagesVisible"]
    {
        assert!(watched.contains(metric), "{metric}: {watched:?}");
    }
}

#[tokio::test]
async fn every_function_has_log_retention_tracing_and_a_share_of_the_pooler() {
    let resources = resources().await;
    let parameters: Value = serde_json::from_str(&translate(&text()).await.unwrap()).unwrap();
    let groups = of_type(&resources, "AWS::Logs::LogGroup");
    assert!(groups.values().all(|group| !group["RetentionInDays"].is_null()));
    let mut instances = 0;
    for (id, function) in of_type(&resources, "AWS::Lambda::Function") {
        let group = function["LoggingConfig"]["LogGroup"]["Ref"].as_str().unwrap();
        assert!(groups.contains_key(group), "{id}: {group}");
        assert_eq!(function["LoggingConfig"]["LogFormat"], "JSON", "{id}");
        assert_eq!(function["TracingConfig"]["Mode"], "Active", "{id}");
        assert_eq!(function["Architectures"], serde_json::json!(["arm64"]), "{id}");
        let reserved = &function["ReservedConcurrentExecutions"];
        let by_parameter = || parameters["Parameters"][reserved["Ref"].as_str()?]["Default"].as_i64();
        instances += reserved.as_i64().or_else(by_parameter).unwrap_or_else(|| panic!("{id}: {reserved}"));
    }
    assert!(instances <= POOLER_CLIENTS, "{instances} connections");

    let api = of_type(&resources, "AWS::ApiGatewayV2::Stage").into_values().next().unwrap().to_string();
    assert!(api.contains("$context.routeKey") && !api.contains("$context.path"), "a path can hold a token: {api}");
    assert!(api.contains("ThrottlingRateLimit"), "{api}");
}

#[tokio::test]
async fn cloudformation_accepts_the_template_and_refuses_broken_ones() {
    assert_eq!(lint(&translate(&text()).await.unwrap(), "template.json").await, "");
    // The linter finds none of these before SAM has translated the template.
    let mut broken = text();
    for (right, wrong) in [
        ("Runtime: provided.al2023", "Runtime: provided.al2024"),
        ("FunctionResponseTypes: [ReportBatchItemFailures]", "FunctionResponseTypes: [ReportBatchItemFailure]"),
        ("VisibilityTimeout: 360", "VisibilityTimeout: 30"),
        ("ApplicationLogLevel: INFO", "ApplicationLogLevel: NOISE"),
    ] {
        assert!(broken.contains(right), "{right}");
        broken = broken.replacen(right, wrong, 1);
    }
    let findings = lint(&translate(&broken).await.unwrap(), "broken.json").await;
    for expected in ["provided.al2024", "ReportBatchItemFailure'", "30", "NOISE"] {
        assert!(findings.contains(expected), "{expected}: {findings}");
    }
    let refused = translate(&text().replacen("Method: POST", "Verb: POST", 1)).await.unwrap_err();
    assert!(refused.contains("Verb") || refused.contains("Method"), "{refused}");
}

/// The HTTP API answers a preflight request without calling a function.
#[tokio::test]
async fn a_page_of_another_origin_can_call_the_api_and_read_its_headers() {
    let world = World::new().await;
    let origin = ("origin", "https://app.example.id");
    let preflight_headers =
        [origin, ("access-control-request-method", "POST"), ("access-control-request-headers", "authorization")];
    let allowed = world.send(Method::OPTIONS, "/bots", &preflight_headers, "").await;
    assert!(allowed.status.is_success(), "{allowed:?}");
    assert_eq!(allowed.headers["access-control-allow-origin"], "*");
    assert!(allowed.headers["access-control-allow-methods"].contains("POST"), "{allowed:?}");
    assert!(allowed.headers["access-control-allow-headers"].contains("idempotency-key"), "{allowed:?}");
    assert!(world.stack.fleet("create-bot").unwrap().process_ids().is_empty(), "no function was called");
    let refused = world.send(Method::POST, "/bots", &[origin], "").await;
    assert_eq!((refused.status.as_u16(), refused.headers["access-control-allow-origin"].as_str()), (401, "*"));
    assert!(refused.headers["access-control-expose-headers"].contains("x-request-id"), "{refused:?}");
}
