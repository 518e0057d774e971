//! API Gateway's HTTP API: finds the function of a request, and speaks payload format 2.0 with it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::form_urlencoded;
use uuid::Uuid;

use crate::{
    runtime::{Fleet, InvokeError},
    template::{Cors, Route},
};
use local_database::{Error, Result};

/// An HTTP API's own limit for a body, in bytes. A longer body is not read.
const MAX_BODY_SIZE: usize = 10 * 1024 * 1024;

/// Time that an HTTP API waits for the function.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// Headers of the connection, which a function cannot set.
const HOP_BY_HOP_HEADERS: [HeaderName; 4] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::UPGRADE];

/// Routes requests to the functions, with CORS headers if the template has any.
pub(crate) fn router(routes: Vec<(Route, Fleet)>, cors: Option<&Cors>) -> Result<Router> {
    let gateway = Router::new().fallback(handle).with_state(Arc::new(routes));
    Ok(match cors {
        Some(cors) => gateway.layer(cors_layer(cors)?),
        None => gateway,
    })
}

fn cors_layer(cors: &Cors) -> Result<CorsLayer> {
    fn parsed<T: FromStr>(words: &[String]) -> Result<Vec<T>> {
        let invalid = |word: &String| {
            Error::new(format!("CorsConfiguration: {word} is not valid"), "correct it in template.yaml")
        };
        words.iter().map(|word| word.parse().map_err(|_| invalid(word))).collect()
    }
    let origins = match &cors.allow_origins[..] {
        [any] if any == "*" => AllowOrigin::any(),
        some => AllowOrigin::list(parsed::<HeaderValue>(some)?),
    };
    Ok(CorsLayer::new()
        .allow_origin(origins)
        .allow_methods(parsed::<Method>(&cors.allow_methods)?)
        .allow_headers(parsed::<HeaderName>(&cors.allow_headers)?)
        .expose_headers(parsed::<HeaderName>(&cors.expose_headers)?)
        .max_age(Duration::from_secs(cors.max_age)))
}

async fn handle(
    State(routes): State<Arc<Vec<(Route, Fleet)>>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let candidates = routes.iter().map(|(route, fleet)| (route, fleet));
    let Some((route, parameters, fleet)) = find_route(candidates, parts.method.as_str(), parts.uri.path()) else {
        return error_response(StatusCode::NOT_FOUND, "Not Found");
    };
    let Ok(body) = to_bytes(body, MAX_BODY_SIZE).await else {
        return error_response(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long");
    };
    let id = Uuid::new_v4().to_string();
    let event = event(&parts, &body, client.ip(), route, parameters, &id, Utc::now());
    let mut response = match timeout(INTEGRATION_TIMEOUT, fleet.invoke(event.to_string().into())).await {
        Ok(Ok(answer)) => to_http(&answer).unwrap_or_else(|| {
            fleet.log("API Gateway cannot convert its response to HTTP");
            error_response(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }),
        Ok(Err(InvokeError::EventTooLarge)) => error_response(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long"),
        Ok(Err(InvokeError::Throttled)) | Err(_) => {
            error_response(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        }
        // An error, a crash or a timeout of the function. An HTTP API would respond with 500. A REST API responds with 502,
        // which distinguishes a failed function from one that returned 500 itself.
        Ok(Err(InvokeError::Failed { .. })) => error_response(StatusCode::BAD_GATEWAY, "Internal Server Error"),
    };
    if let Ok(id) = id.parse() {
        response.headers_mut().insert("apigw-requestid", id);
    }
    response
}

fn error_response(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

/// Finds the most specific route. Segment by segment, a literal precedes a parameter, and a parameter precedes a
/// `{name+}`; a method precedes `ANY`.
fn find_route<'a, T>(
    routes: impl Iterator<Item = (&'a Route, T)>,
    method: &str,
    path: &str,
) -> Option<(&'a Route, BTreeMap<String, String>, T)> {
    let matching = routes.filter_map(|(route, target)| {
        let is_any_method = route.method == "ANY";
        if !is_any_method && route.method != method {
            return None;
        }
        let (ranks, parameters) = match_path(&route.path, path)?;
        Some(((ranks, is_any_method), (route, parameters, target)))
    });
    matching.min_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, found)| found)
}

#[derive(Eq, Ord, PartialEq, PartialOrd)]
enum Rank {
    Word,
    Parameter,
    Rest,
}

fn match_path(pattern: &str, path: &str) -> Option<(Vec<Rank>, BTreeMap<String, String>)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (mut ranks, mut parameters) = (Vec::new(), BTreeMap::new());
    let mut rest = path.strip_prefix('/');
    for segment in pattern.strip_prefix('/')?.split('/') {
        let name = segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}'));
        let left = rest?;
        if let Some(name) = name.and_then(|name| name.strip_suffix('+')) {
            parameters.insert(name.to_owned(), decode(left));
            ranks.push(Rank::Rest);
            return (!left.is_empty()).then_some((ranks, parameters));
        }
        let (found, after) = left.split_once('/').map_or((left, None), |(found, after)| (found, Some(after)));
        match name {
            Some(name) if !found.is_empty() => {
                parameters.insert(name.to_owned(), decode(found));
                ranks.push(Rank::Parameter);
            }
            None if found == segment => ranks.push(Rank::Word),
            _ => return None,
        }
        rest = after;
    }
    rest.is_none().then_some((ranks, parameters))
}

/// Finds the function of a request and builds its event.
pub fn route_request<'a, T>(
    routes: impl Iterator<Item = (&'a Route, T)>,
    request: axum::http::Request<Bytes>,
) -> Option<(T, Bytes)> {
    let (parts, body) = request.into_parts();
    let (route, parameters, target) = find_route(routes, parts.method.as_str(), parts.uri.path())?;
    let id = Uuid::new_v4().to_string();
    let event = event(&parts, &body, Ipv4Addr::LOCALHOST.into(), route, parameters, &id, Utc::now());
    Some((target, event.to_string().into()))
}

fn event(
    parts: &Parts,
    body: &[u8],
    client: IpAddr,
    route: &Route,
    parameters: BTreeMap<String, String>,
    id: &str,
    now: DateTime<Utc>,
) -> Value {
    let host = header(&parts.headers, &header::HOST).unwrap_or_default();
    let domain = host.rsplit_once(':').map_or(host.as_str(), |(domain, _)| domain);
    // An HTTP API decodes the path, unlike a REST API.
    let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy();
    let query = parts.uri.query().unwrap_or_default();
    let route_key = format!("{} {}", route.method, route.path);
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers(&parts.headers, client, &host),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": domain,
            "domainPrefix": domain.split('.').next(),
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": format!("{:?}", parts.version),
                "sourceIp": client,
                "userAgent": header(&parts.headers, &header::USER_AGENT).unwrap_or_default(),
            },
            "requestId": id,
            "routeKey": route_key,
            "stage": "$default",
            "time": now.format("%d/%b/%Y:%H:%M:%S %z").to_string(),
            "timeEpoch": now.timestamp_millis(),
        },
        "isBase64Encoded": false,
    });
    // The event omits whatever the request does not have.
    let mut add =
        |name: &str, value: Value| event.as_object_mut().and_then(|event| event.insert(name.to_owned(), value));
    if let Some(cookies) = header(&parts.headers, &header::COOKIE) {
        add("cookies", cookies.split([';', ',']).map(str::trim).collect());
    }
    if !query.is_empty() {
        let mut values = BTreeMap::<_, Vec<_>>::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            values.entry(name.into_owned()).or_default().push(value);
        }
        add("queryStringParameters", values.into_iter().map(|(name, values)| (name, values.join(","))).collect());
    }
    if !parameters.is_empty() {
        add("pathParameters", json!(parameters));
    }
    match str::from_utf8(body) {
        Ok("") => {}
        Ok(text) if is_text(&parts.headers) => {
            add("body", text.into());
        }
        _ => {
            add("body", BASE64_STANDARD.encode(body).into());
            add("isBase64Encoded", true.into());
        }
    }
    event
}

fn headers(headers: &HeaderMap, client: IpAddr, host: &str) -> Map<String, Value> {
    let names = headers.keys().filter(|name| *name != header::COOKIE);
    let mut all: Map<_, _> =
        names.map(|name| (name.to_string(), header(headers, name).unwrap_or_default().into())).collect();
    let port = host.rsplit_once(':').map_or("80", |(_, port)| port);
    for (name, value) in [("x-forwarded-port", port), ("x-forwarded-proto", "http")] {
        all.insert(name.to_owned(), value.into());
    }
    let before = all.get("x-forwarded-for").and_then(Value::as_str);
    let forwarded_for = before.map_or_else(|| client.to_string(), |before| format!("{before}, {client}"));
    all.insert("x-forwarded-for".to_owned(), forwarded_for.into());
    all
}

/// Values of a header, joined by commas.
fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<_> = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// `true` if an HTTP API passes the body on as text. A form is not passed on as text.
fn is_text(headers: &HeaderMap) -> bool {
    let content_type = header(headers, &header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.starts_with("text/")
        || ["application/json", "application/xml", "application/javascript"].contains(&media_type)
}

/// Converts the function's response to HTTP. Returns `None` for one that API Gateway cannot convert.
fn to_http(answer: &[u8]) -> Option<Response> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let Some(status) = answer.get("statusCode") else {
        // In format 2.0, JSON without a status is the body of a 200.
        let body = answer.as_str().map_or_else(|| answer.to_string(), ToOwned::to_owned);
        return Some(([(header::CONTENT_TYPE, "application/json")], body).into_response());
    };
    let status = status.as_u64().or_else(|| status.as_str()?.parse().ok())?;
    let text = answer.get("body").and_then(Value::as_str).unwrap_or_default();
    let body = match answer.get("isBase64Encoded").and_then(Value::as_bool) {
        Some(true) => Bytes::from(BASE64_STANDARD.decode(text).ok()?),
        _ => Bytes::from(text.to_owned()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status.try_into().ok()?).ok()?;
    for (name, value) in answer.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let name: HeaderName = name.parse().ok()?;
        if !HOP_BY_HOP_HEADERS.contains(&name) {
            response.headers_mut().insert(name, header_value(value)?);
        }
    }
    for cookie in answer.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, header_value(cookie)?);
    }
    Some(response)
}

fn header_value(value: &Value) -> Option<HeaderValue> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(_) | Value::Bool(_) => value.to_string().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Vec<Route> {
        let routes = [
            "GET /",
            "GET /portfolio",
            "POST /bots",
            "POST /bots/{bot_id}/{action}",
            "POST /bots/{bot_id}/trades",
            "ANY /bots/{bot_id}/trades",
            "POST /strategies/generate",
            "ANY /{proxy+}",
        ];
        let route = |route: &str| route.split_once(' ').map(|(method, path)| (method.to_owned(), path.to_owned()));
        routes.into_iter().filter_map(route).map(|(method, path)| Route { method, path }).collect()
    }

    fn found(routes: &[Route], request: &str) -> String {
        let (method, path) = request.split_once(' ').expect("method and path");
        let Some((route, parameters, ())) = find_route(routes.iter().map(|route| (route, ())), method, path) else {
            return "none".into();
        };
        let parameters = parameters.iter().map(|(name, value)| format!(" {name}={value}"));
        format!("{} {}{}", route.method, route.path, parameters.collect::<String>())
    }

    #[test]
    fn the_most_specific_route_is_found() {
        let routes = routes();
        for (request, route) in [
            ("GET /", "GET /"),
            ("POST /bots", "POST /bots"),
            ("POST /bots/1/start", "POST /bots/{bot_id}/{action} action=start bot_id=1"),
            ("POST /bots/1/trades", "POST /bots/{bot_id}/trades bot_id=1"),
            ("GET /bots/1/trades", "ANY /bots/{bot_id}/trades bot_id=1"),
            ("POST /bots/a%2Fb%20c/start", "POST /bots/{bot_id}/{action} action=start bot_id=a/b c"),
            ("DELETE /bots", "ANY /{proxy+} proxy=bots"),
            ("POST /bots/", "ANY /{proxy+} proxy=bots/"),
            ("GET /a/b%20c", "ANY /{proxy+} proxy=a/b c"),
        ] {
            assert_eq!(found(&routes, request), route, "{request}");
        }
    }

    #[test]
    fn an_unknown_method_or_path_has_no_route() {
        let routes: Vec<_> = routes().into_iter().filter(|route| route.path != "/{proxy+}").collect();
        for request in
            ["GET /bots", "POST /bots/", "POST /bots//start", "POST /bot", "POST /bots/1/start/now", "DELETE /"]
        {
            assert_eq!(found(&routes, request), "none", "{request}");
        }
    }

    fn sample(content_type: &str, body: &[u8]) -> Value {
        let request = Request::post("/bots/a%20b/trades?tag=x&tag=y%2Cz&flag")
            .header("Host", "api.example.com:9000")
            .header("Content-Type", content_type)
            .header("User-Agent", "agent")
            .header("Accept", "a/b")
            .header("Accept", "c/d")
            .header("Cookie", "one=1; two=2")
            .body(());
        let (parts, ()) = request.expect("valid").into_parts();
        let route = Route { method: "POST".into(), path: "/bots/{bot_id}/trades".into() };
        let (_, parameters) = match_path(&route.path, parts.uri.path()).expect("matches");
        let now = "2020-03-12T19:03:58.390Z".parse().expect("valid");
        event(&parts, body, IpAddr::from([127, 0, 0, 1]), &route, parameters, "id", now)
    }

    #[test]
    fn an_event_matches_that_of_api_gateway() {
        let expected = json!({
            "version": "2.0",
            "routeKey": "POST /bots/{bot_id}/trades",
            "rawPath": "/bots/a b/trades",
            "rawQueryString": "tag=x&tag=y%2Cz&flag",
            "cookies": ["one=1", "two=2"],
            "headers": {
                "accept": "a/b,c/d",
                "content-type": "application/json; charset=utf-8",
                "host": "api.example.com:9000",
                "user-agent": "agent",
                "x-forwarded-for": "127.0.0.1",
                "x-forwarded-port": "9000",
                "x-forwarded-proto": "http",
            },
            "queryStringParameters": { "flag": "", "tag": "x,y,z" },
            "pathParameters": { "bot_id": "a b" },
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                "domainName": "api.example.com",
                "domainPrefix": "api",
                "http": {
                    "method": "POST",
                    "path": "/bots/a b/trades",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "agent",
                },
                "requestId": "id",
                "routeKey": "POST /bots/{bot_id}/trades",
                "stage": "$default",
                "time": "12/Mar/2020:19:03:58 +0000",
                "timeEpoch": 1_584_039_838_390_i64,
            },
            "body": "{\"name\":\"é\"}",
            "isBase64Encoded": false,
        });
        assert_eq!(sample("application/json; charset=utf-8", "{\"name\":\"é\"}".as_bytes()), expected);
    }

    #[test]
    fn only_text_is_passed_on_as_text() {
        for (content_type, body, encoded) in [
            ("application/json", &b"{}"[..], false),
            ("TEXT/plain", b"a", false),
            ("application/json", b"\xff{}", true),
            ("application/x-www-form-urlencoded", b"a=b", true),
            ("application/octet-stream", b"a", true),
        ] {
            let event = sample(content_type, body);
            assert_eq!(event["isBase64Encoded"], encoded, "{content_type}");
            let text = event["body"].as_str().expect("text").as_bytes().to_vec();
            assert_eq!(if encoded { BASE64_STANDARD.decode(text).expect("base64") } else { text }, body);
        }
        assert_eq!(sample("application/json", b"").get("body"), None);
    }

    async fn converted(answer: Value) -> Option<(u16, Vec<(String, String)>, String)> {
        let (parts, body) = to_http(answer.to_string().as_bytes())?.into_parts();
        let header =
            |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().expect("text").into());
        let body = to_bytes(body, usize::MAX).await.expect("body");
        Some((parts.status.as_u16(), parts.headers.iter().map(header).collect(), String::from_utf8_lossy(&body).into()))
    }

    #[tokio::test]
    async fn a_response_is_converted_to_http() {
        let answer = json!({
            "statusCode": 201, "body": "eyI=", "isBase64Encoded": true, "cookies": ["a=1", "b=2"],
            "headers": { "Location": "/bots/1", "x-count": 3, "content-length": "99" }, "multiValueHeaders": {},
        });
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let headers = [("location", "/bots/1"), ("x-count", "3"), ("set-cookie", "a=1"), ("set-cookie", "b=2")];
        let (status, found, body) = converted(answer).await.expect("valid");
        assert_eq!((status, body.as_str()), (201, "{\""));
        assert_eq!(found, headers.map(pair));
    }

    #[tokio::test]
    async fn json_without_a_status_is_a_body() {
        let json = vec![("content-type".to_owned(), "application/json".to_owned())];
        assert_eq!(converted(json!({ "a": 1 })).await, Some((200, json.clone(), r#"{"a":1}"#.into())));
        assert_eq!(converted(json!("text")).await, Some((200, json, "text".into())));
    }

    #[tokio::test]
    async fn an_invalid_response_is_an_error() {
        for answer in [
            json!({ "statusCode": "many" }),
            json!({ "statusCode": 7 }),
            json!({ "statusCode": 200, "headers": { "a b": "" } }),
            json!({ "statusCode": 200, "body": "~", "isBase64Encoded": true }),
        ] {
            assert_eq!(converted(answer.clone()).await, None, "{answer}");
        }
        assert!(to_http(b"not json").is_none());
    }
}
