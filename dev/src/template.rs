//! Reads the functions from `template.yaml`, so that the laptop runs what AWS deploys.

use std::{collections::BTreeMap, fs, path::Path};

use local_database::{Error, Result};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_norway::{Mapping, Value};

use crate::schedule::Schedule;

/// The functions and the API of a template.
#[derive(Clone, Debug)]
pub struct Template {
    pub functions: Vec<Function>,
    /// CORS configuration of the API, if it has one.
    pub cors: Option<Cors>,
}

/// Response to a CORS preflight request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Cors {
    #[serde(deserialize_with = "deserialize_list")]
    pub allow_origins: Vec<String>,
    pub allow_methods: Vec<String>,
    pub allow_headers: Vec<String>,
    pub expose_headers: Vec<String>,
    /// Lifetime of the response, in seconds.
    pub max_age: u64,
}

/// A function of the template.
#[derive(Clone, Debug)]
pub struct Function {
    /// Name of its folder and of its binary.
    pub name: String,
    pub login: Login,
    pub routes: Vec<Route>,
    pub schedules: Vec<Schedule>,
    pub timeout_seconds: u64,
    pub memory_megabytes: u64,
    /// Environment variables whose values are in the template. Those whose values only AWS knows are omitted.
    pub environment: BTreeMap<String, String>,
}

/// Database role of a function. In AWS it is determined by the secret that the function gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Login {
    /// `nofomo_api`
    Api,
    /// `nofomo_jobs`
    Jobs,
}

/// A route of the API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// Method in capitals, or `ANY`.
    pub method: String,
    /// Path such as `/bots/{bot_id}/trades`. A last segment `{name+}` matches the rest of the path.
    pub path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    #[serde(default)]
    globals: Globals,
    #[serde(default)]
    resources: BTreeMap<String, Resource>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Globals {
    function: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    r#type: String,
    #[serde(default)]
    metadata: Value,
    #[serde(default)]
    properties: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    build_properties: BuildProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BuildProperties {
    binary: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Properties {
    code_uri: Option<String>,
    timeout: Option<u64>,
    memory_size: Option<u64>,
    environment: Environment,
    events: BTreeMap<String, Event>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Environment {
    variables: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    r#type: String,
    #[serde(default)]
    properties: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Api {
    cors_configuration: Option<Cors>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HttpApiEvent {
    path: String,
    method: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScheduleEvent {
    schedule_expression: String,
    #[serde(default)]
    input: Option<String>,
}

impl Template {
    /// Reads the workspace's template.
    ///
    /// # Errors
    ///
    /// `template.yaml` cannot be read, is not valid, or has a function without a crate in `functions`.
    pub fn load(workspace: &Path) -> Result<Self> {
        let path = workspace.join("template.yaml");
        let text = fs::read_to_string(&path).map_err(|error| {
            Error::new(
                format!("cannot read {}: {error}", path.display()),
                "run this in a complete clone of the repository",
            )
        })?;
        let template = Self::parse(&text)?;
        for function in &template.functions {
            let folder = format!("functions/{}", function.name);
            if !workspace.join(&folder).join("Cargo.toml").is_file() {
                return Err(invalid(format!("there is no crate in {folder}")));
            }
        }
        Ok(template)
    }

    fn parse(text: &str) -> Result<Self> {
        let template: Value = serde_norway::from_str(text).map_err(|error| invalid(error.to_string()))?;
        let parameters = template.get("Parameters").cloned().unwrap_or_default();
        let document: Document = read(resolve(template.clone(), &parameters)).map_err(invalid)?;

        let (mut functions, mut cors) = (Vec::<Function>::new(), None);
        for (id, resource) in document.resources {
            if resource.r#type == "AWS::Serverless::HttpApi" {
                cors = Api::read(resource.properties).map_err(|reason| invalid(format!("{id}: {reason}")))?;
                continue;
            }
            if resource.r#type != "AWS::Serverless::Function" {
                continue;
            }
            let function = Login::read(&template, &id)
                .and_then(|login| Function::read(resource, login, &document.globals.function))
                .map_err(|reason| invalid(format!("{id}: {reason}")))?;
            for other in &functions {
                if other.name == function.name {
                    return Err(invalid(format!("{id}: another function is already named {}", other.name)));
                }
                if let Some(route) = function.routes.iter().find(|route| other.routes.contains(route)) {
                    let reason = format!("{} already has {} {}", other.name, route.method, route.path);
                    return Err(invalid(format!("{id}: {reason}")));
                }
            }
            functions.push(function);
        }
        functions.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { functions, cors })
    }
}

impl Login {
    /// Reads the role from the name of the parameter in `SECRET_ID`; only AWS knows the parameter's value.
    fn read(template: &Value, id: &str) -> Result<Self, String> {
        let path = ["Resources", id, "Properties", "Environment", "Variables", "SECRET_ID"];
        let secret = path.into_iter().try_fold(template, |value, name| value.get(name));
        if let Some(Value::Tagged(tagged)) = secret
            && tagged.tag == "!Ref"
        {
            match tagged.value.as_str() {
                Some("ApiSecretArn") => return Ok(Self::Api),
                Some("JobsSecretArn") => return Ok(Self::Jobs),
                _ => {}
            }
        }
        Err("its variable SECRET_ID must be !Ref ApiSecretArn or !Ref JobsSecretArn, the secret of its database role"
            .to_owned())
    }
}

impl Function {
    fn read(resource: Resource, login: Login, defaults: &Properties) -> Result<Self, String> {
        let metadata: Metadata = read(resource.metadata).map_err(|reason| format!("Metadata: {reason}"))?;
        let properties: Properties = read(resource.properties).map_err(|reason| format!("Properties: {reason}"))?;
        let name = metadata.build_properties.binary;
        let folder = format!("functions/{name}");
        match properties.code_uri.as_deref().map(|uri| uri.trim_start_matches("./").trim_end_matches('/')) {
            Some(uri) if uri == folder => {}
            _ => return Err(format!("CodeUri must be {folder}/, the folder with the name of its binary")),
        }

        let (mut routes, mut schedules) = (Vec::new(), Vec::new());
        for (id, event) in properties.events {
            let at = |reason: String| format!("event {id}: {reason}");
            match event.r#type.as_str() {
                "HttpApi" => routes.push(Route::read(event.properties).map_err(at)?),
                "ScheduleV2" => schedules.push(Schedule::read(&id, event.properties).map_err(at)?),
                // There are no queues on a laptop.
                "SQS" => {}
                other => {
                    return Err(at(format!("its type is {other}, but only HttpApi, ScheduleV2 and SQS are supported")));
                }
            }
        }

        let variables = [&defaults.environment.variables, &properties.environment.variables];
        let environment =
            variables.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), scalar(value)?)));
        Ok(Self {
            name,
            login,
            routes,
            schedules,
            // Lambda's own defaults.
            timeout_seconds: properties.timeout.or(defaults.timeout).unwrap_or(3),
            memory_megabytes: properties.memory_size.or(defaults.memory_size).unwrap_or(128),
            environment: environment.collect(),
        })
    }
}

impl Route {
    fn read(properties: Value) -> Result<Self, String> {
        let HttpApiEvent { path, method } = read(properties)?;
        let Some(segments) = path.strip_prefix('/') else {
            return Err(format!("the path {path} does not begin with /"));
        };
        let count = segments.split('/').count();
        for (index, segment) in segments.split('/').enumerate() {
            let inner = segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}'));
            let is_last = index + 1 == count;
            let valid = match inner {
                Some(name) if is_last => is_name(name.strip_suffix('+').unwrap_or(name)),
                Some(name) => is_name(name),
                None => !segment.contains(['{', '}']) && (!segment.is_empty() || count == 1),
            };
            if !valid {
                return Err(format!("`{segment}` is not a valid segment of the path {path}"));
            }
        }
        Ok(Self { method: method.to_uppercase(), path })
    }
}

impl Api {
    fn read(properties: Value) -> Result<Option<Cors>, String> {
        Ok(read::<Self>(properties)?.cors_configuration)
    }
}

/// Deserializes a list, which CloudFormation also accepts as text separated by commas.
fn deserialize_list<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum List {
        Text(String),
        Items(Vec<String>),
    }
    Ok(match List::deserialize(list)? {
        List::Text(text) => text.split(',').map(|word| word.trim().to_owned()).collect(),
        List::Items(items) => items,
    })
}

impl Schedule {
    fn read(id: &str, properties: Value) -> Result<Self, String> {
        let ScheduleEvent { schedule_expression, input } = read(properties)?;
        let input = input.unwrap_or_else(|| "{}".to_owned());
        serde_json::from_str::<serde_json::Value>(&input).map_err(|error| format!("Input is not JSON: {error}"))?;
        Ok(Self { name: id.to_owned(), expression: schedule_expression.parse()?, input })
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    // A missing block is read as an empty one, so that the message names the missing field.
    let value = if value.is_null() { Mapping::new().into() } else { value };
    serde_path_to_error::deserialize(value).map_err(|error| match error.path().to_string() {
        path if path == "." => error.into_inner().to_string(),
        path => format!("{path}: {}", error.into_inner()),
    })
}

/// Replaces CloudFormation's functions by their values if the template contains these, otherwise by null.
fn resolve(value: Value, parameters: &Value) -> Value {
    match value {
        Value::Tagged(tagged) => match (tagged.tag.to_string().as_str(), tagged.value) {
            ("!Ref", Value::String(name)) => {
                parameters.get(name).and_then(|parameter| parameter.get("Default")).cloned().unwrap_or_default()
            }
            ("!Sub", Value::String(text)) if !text.contains("${") => text.into(),
            _ => Value::Null,
        },
        Value::Mapping(mapping) => {
            let entries = mapping.into_iter().map(|(key, value)| (key, resolve(value, parameters)));
            Value::Mapping(entries.filter(|(_, value)| !value.is_null()).collect())
        }
        Value::Sequence(values) => values.into_iter().map(|value| resolve(value, parameters)).collect(),
        other => other,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn invalid(reason: String) -> Error {
    Error::new(format!("template.yaml: {reason}"), "correct it there")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = r#"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: { Type: String, Default: production }
  ApiSecretArn: { Type: String }
  JobsSecretArn: { Type: String }
Globals:
  Function:
    Timeout: 15
    MemorySize: 256
    Environment: { Variables: { STAGE: !Ref Stage, LOG_DAYS: 30 } }
Resources:
  HttpApi:
    Type: AWS::Serverless::HttpApi
    Properties:
      StageName: $default
      CorsConfiguration:
        { AllowOrigins: "https://a.test, https://b.test", AllowMethods: [GET], AllowHeaders: [a], ExposeHeaders: [b], MaxAge: 60 }
  RecordTradeFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: record-trade } }
    Properties:
      CodeUri: functions/record-trade/
      Timeout: 5
      Environment:
        Variables: { SECRET_ID: !Ref ApiSecretArn, LOG_DAYS: "7", ARN: !GetAtt HttpApi.Arn, NAME: !Sub "${Stage}-x" }
      Policies: [!Ref SomePolicy, Statement: [{ Effect: Allow, Resource: !Join [":", [a, !Ref Stage]] }]]
      Events:
        Trades: { Type: HttpApi, Properties: { ApiId: !Ref HttpApi, Path: "/bots/{bot_id}/trades", Method: post } }
        Rest: { Type: HttpApi, Properties: { ApiId: !Ref HttpApi, Path: "/rest/{proxy+}", Method: ANY } }
  CleanLogsFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: clean-logs } }
    Properties:
      CodeUri: ./functions/clean-logs
      Environment: { Variables: { SECRET_ID: !Ref JobsSecretArn } }
      Events:
        Daily:
          Type: ScheduleV2
          Properties:
            ScheduleExpression: cron(0 3 * * ? *)
            Input: '{"scheduled_time":"<aws.scheduler.scheduled-time>"}'
"#;

    #[test]
    fn a_template_is_read() {
        let template = Template::parse(TEMPLATE).expect("valid");
        let [clean_logs, record_trade] = &template.functions[..] else { panic!("{template:?}") };
        assert_eq!((record_trade.name.as_str(), record_trade.timeout_seconds), ("record-trade", 5));
        assert_eq!((record_trade.login, record_trade.memory_megabytes), (Login::Api, 256));
        let routes: Vec<_> = record_trade.routes.iter().map(|route| (&*route.method, &*route.path)).collect();
        assert_eq!(routes, [("ANY", "/rest/{proxy+}"), ("POST", "/bots/{bot_id}/trades")]);
        let known = [("LOG_DAYS", "7"), ("STAGE", "production")];
        assert_eq!(record_trade.environment, known.map(|(name, value)| (name.into(), value.into())).into());

        let cors = template.cors.as_ref().expect("there");
        assert_eq!((cors.allow_origins.join(" ").as_str(), cors.max_age), ("https://a.test https://b.test", 60));

        assert_eq!((clean_logs.name.as_str(), clean_logs.timeout_seconds), ("clean-logs", 15));
        assert_eq!(clean_logs.login, Login::Jobs);
        assert_eq!(clean_logs.schedules[0].expression.to_string(), "cron(0 3 * * ? *)");
        assert_eq!(clean_logs.schedules[0].input, r#"{"scheduled_time":"<aws.scheduler.scheduled-time>"}"#);
    }

    #[test]
    fn an_invalid_template_is_rejected_with_the_place_in_one_line() {
        for (part, replacement, message) in [
            ("Globals:", "Globals: [", "at line 9 column 12"),
            ("Timeout: 5", "Timeout: soon", r#"RecordTradeFunction: Properties: Timeout: invalid type: string "soon""#),
            ("BuildProperties: { Binary: clean-logs }", "{}", "CleanLogsFunction: Metadata: "),
            ("Binary: clean-logs", "Binary: wipe-logs", "CleanLogsFunction: CodeUri must be functions/wipe-logs/"),
            ("SECRET_ID: !Ref ApiSecretArn, ", "", "RecordTradeFunction: its variable SECRET_ID must be "),
            ("!Ref ApiSecretArn", "!Ref SecretArn", "RecordTradeFunction: its variable SECRET_ID must be "),
            ("!Ref JobsSecretArn", "JobsSecretArn", "CleanLogsFunction: its variable SECRET_ID must be "),
            ("!Ref JobsSecretArn", "!Sub JobsSecretArn", "CleanLogsFunction: its variable SECRET_ID must be "),
            ("Method: post", "Verb: post", "RecordTradeFunction: event Trades: missing field `Method`"),
            ("/bots/{bot_id}/trades", "bots/trades", "event Trades: the path bots/trades does not begin with /"),
            ("/bots/{bot_id}/trades", "/bots/{bot_id/trades", "event Trades: `{bot_id` is not a valid segment"),
            ("/bots/{bot_id}/trades", "/bots/{all+}/trades", "event Trades: `{all+}` is not a valid segment"),
            ("cron(0 3 * * ? *)", "cron(0 3 * *)", "CleanLogsFunction: event Daily: "),
            (r#"'{"sched"#, r#"'{sched"#, "event Daily: Input is not JSON"),
            ("Type: ScheduleV2", "Type: ScheduleV3", "event Daily: its type is ScheduleV3, but only"),
        ] {
            let error = Template::parse(&TEMPLATE.replace(part, replacement)).expect_err(replacement).to_string();
            assert!(error.starts_with("template.yaml: ") && error.contains(message), "{replacement}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    /// A callback has a route but acts for no user. The secret determines the role, not the trigger.
    #[test]
    fn a_database_role_does_not_depend_on_the_trigger() {
        let template = Template::parse(&TEMPLATE.replace("!Ref ApiSecretArn", "!Ref JobsSecretArn")).expect("valid");
        let record_trade = template.functions.last().expect("there");
        assert_eq!((record_trade.routes.len(), record_trade.login), (2, Login::Jobs));
    }

    #[test]
    fn two_functions_cannot_share_a_route_or_a_name() {
        let another = |part: &str| {
            let (_, function) = TEMPLATE.split_once("  RecordTradeFunction:").expect("there");
            let (function, _) = function.split_once("  CleanLogsFunction:").expect("there");
            format!("{TEMPLATE}  Another:{}", function.replace("record-trade", part))
        };
        let error = Template::parse(&another("record-trade")).expect_err("same name").to_string();
        assert!(error.contains("already named record-trade"), "{error}");
        let error = Template::parse(&another("record-logs")).expect_err("same routes").to_string();
        assert!(error.contains("already"), "{error}");
    }
}
