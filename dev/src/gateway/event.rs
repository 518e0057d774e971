//! Events in payload format 2.0.

use std::{collections::BTreeMap, net::IpAddr};

use axum::http::{HeaderMap, HeaderName, header, request::Parts};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::template::Route;

/// Builds the event for a request.
pub(super) fn build_event(
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
    // The event omits members for which the request has no value.
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

/// Headers of the event: those of the request, and those that API Gateway adds.
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

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::gateway::route_matching::match_path;

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
        build_event(&parts, body, IpAddr::from([127, 0, 0, 1]), &route, parameters, "id", now)
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
}
