//! Responses in payload format 2.0.

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

/// Headers of the connection, which a function cannot set.
const HOP_BY_HOP_HEADERS: [HeaderName; 4] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::UPGRADE];

/// Converts the function's response to HTTP. Returns `None` for one that API Gateway cannot convert.
pub(super) fn to_http(payload: &[u8]) -> Option<Response> {
    let payload: Value = serde_json::from_slice(payload).ok()?;
    let Some(status) = payload.get("statusCode") else {
        // In format 2.0, JSON without a status is the body of a 200.
        let body = payload.as_str().map_or_else(|| payload.to_string(), ToOwned::to_owned);
        return Some(([(header::CONTENT_TYPE, "application/json")], body).into_response());
    };
    let status = status.as_u64().or_else(|| status.as_str()?.parse().ok())?;
    let text = payload.get("body").and_then(Value::as_str).unwrap_or_default();
    let body = match payload.get("isBase64Encoded").and_then(Value::as_bool) {
        Some(true) => Bytes::from(BASE64_STANDARD.decode(text).ok()?),
        _ => Bytes::from(text.to_owned()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status.try_into().ok()?).ok()?;
    for (name, value) in payload.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let name: HeaderName = name.parse().ok()?;
        if !HOP_BY_HOP_HEADERS.contains(&name) {
            response.headers_mut().insert(name, header_value(value)?);
        }
    }
    for cookie in payload.get("cookies").and_then(Value::as_array).into_iter().flatten() {
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
    use axum::body::to_bytes;
    use serde_json::json;

    use super::*;

    async fn converted(payload: Value) -> Option<(u16, Vec<(String, String)>, String)> {
        let (parts, body) = to_http(payload.to_string().as_bytes())?.into_parts();
        let header =
            |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().expect("text").into());
        let body = to_bytes(body, usize::MAX).await.expect("body");
        Some((parts.status.as_u16(), parts.headers.iter().map(header).collect(), String::from_utf8_lossy(&body).into()))
    }

    #[tokio::test]
    async fn a_response_is_converted_to_http() {
        let payload = json!({
            "statusCode": 201, "body": "eyI=", "isBase64Encoded": true, "cookies": ["a=1", "b=2"],
            "headers": { "Location": "/bots/1", "x-count": 3, "content-length": "99" }, "multiValueHeaders": {},
        });
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let headers = [("location", "/bots/1"), ("x-count", "3"), ("set-cookie", "a=1"), ("set-cookie", "b=2")];
        let (status, found, body) = converted(payload).await.expect("valid");
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
        for payload in [
            json!({ "statusCode": "many" }),
            json!({ "statusCode": 7 }),
            json!({ "statusCode": 200, "headers": { "a b": "" } }),
            json!({ "statusCode": 200, "body": "~", "isBase64Encoded": true }),
        ] {
            assert_eq!(converted(payload.clone()).await, None, "{payload}");
        }
        assert!(to_http(b"not json").is_none());
    }
}
