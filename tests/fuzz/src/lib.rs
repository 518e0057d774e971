//! Instance of a function without a database: it parses and validates as in production, and fails where it would store.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::OnceLock;
use std::thread;

use jsonwebtoken::{EncodingKey, Header};
use lambda_http::{Body, http};
use nofomo_lambda::{App, Job, Problem, Request, Response};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub const ISSUER: &str = "https://fuzz.supabase.co/auth/v1";
pub const HS256_SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
pub const TRIPAY_PRIVATE_KEY: &str = "ytf6ooi2gmlNPfpchd94jDOk8hRWOu";

/// JSON Web Key Set with the public keys of the tokens in the corpus.
const KEYS: &str = include_str!("../keys.json");

/// URL at which no server listens: a request that reaches the database fails at once.
const UNREACHABLE_DATABASE: &str = "postgres://nofomo_api:nobody@127.0.0.1:1/postgres?sslmode=disable";

/// A running function, and the Tokio runtime that executes it.
pub struct Instance<T: 'static> {
    runtime: Runtime,
    pub function: &'static T,
}

impl Instance<App> {
    pub fn start_app(name: &'static str) -> Self {
        let runtime = start_runtime();
        let app = runtime.block_on(App::start(name)).expect("all settings are set");
        Self { runtime, function: Box::leak(Box::new(app)) }
    }
}

impl Instance<Job> {
    pub fn start_job(name: &'static str) -> Self {
        let runtime = start_runtime();
        let job = runtime.block_on(Job::start(name)).expect("all settings are set");
        Self { runtime, function: Box::leak(Box::new(job)) }
    }
}

impl<T> Instance<T> {
    /// Handles a request; panics at an internal error, which no input may cause.
    pub fn handle<F>(
        &self,
        handle: impl FnOnce(&'static T, Request) -> F,
        request: Request,
    ) -> Result<Response, Problem>
    where
        F: Future<Output = Result<Response, Problem>>,
    {
        let outcome = self.runtime.block_on(handle(self.function, request));
        if let Err(Problem::Internal(cause)) = &outcome {
            panic!("{cause}");
        }
        outcome
    }

    /// Runs a future to its end.
    pub fn wait<O>(&self, future: impl Future<Output = O>) -> O {
        self.runtime.block_on(future)
    }
}

/// Request in the form of API Gateway's event; `None` if it cannot be one.
pub fn request(route: &str, path: &[(&str, &str)], headers: &[(&str, &[u8])], body: &[u8]) -> Option<Request> {
    let event = json!({
        "version": "2.0", "routeKey": route, "rawPath": "/", "rawQueryString": "", "headers": {},
        "pathParameters": path.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
        "requestContext": {
            "accountId": "1", "apiId": "fuzz", "domainName": "fuzz", "domainPrefix": "fuzz", "requestId": "fuzz",
            "routeKey": route, "stage": "$default", "time": "", "timeEpoch": 0,
            "http": {"method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": ""},
        },
        "isBase64Encoded": false,
    });
    let mut event = lambda_http::request::from_str(&event.to_string()).expect("an event of API Gateway's");
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        event.headers_mut().insert(name, http::HeaderValue::from_bytes(value).ok()?);
    }
    *event.body_mut() = match std::str::from_utf8(body) {
        Ok(text) => Body::Text(text.to_owned()),
        Err(_) => Body::Binary(body.to_vec()),
    };
    Some(Request::new(event))
}

/// Claims of the signed-in user's access token.
pub fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "0190e000-0000-7000-8000-0000000000aa", "aud": "authenticated", "exp": 4_102_444_800_i64,
        "iat": 1_700_000_000, "role": "authenticated", "session_id": "0190e000-0000-7000-8000-0000000000bb",
        "is_anonymous": false,
    })
}

/// Authorization header of a signed-in user.
pub fn bearer() -> &'static str {
    static BEARER: OnceLock<String> = OnceLock::new();
    BEARER.get_or_init(|| {
        let key = EncodingKey::from_secret(HS256_SECRET.as_bytes());
        format!("Bearer {}", jsonwebtoken::encode(&Header::default(), &claims(), &key).expect("claims are JSON"))
    })
}

/// Sets the function's settings as environment variables, and builds a Tokio runtime.
fn start_runtime() -> Runtime {
    let keys = serve_keys();
    for (name, value) in [
        ("DATABASE_URL", UNREACHABLE_DATABASE),
        ("AUTH_ISSUER", ISSUER),
        ("AUTH_JWKS_URL", keys.as_str()),
        ("AUTH_HS256_SECRET", HS256_SECRET),
        ("TRIPAY_PRIVATE_KEY", TRIPAY_PRIVATE_KEY),
    ] {
        // SAFETY: no other thread reads the environment yet.
        unsafe { std::env::set_var(name, value) };
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Serves the keys at every path of a free port; returns the URL.
fn serve_keys() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut request = [0; 4096];
            if connection.read(&mut request).is_ok() {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
                write!(connection, "{head}\r\ncontent-length: {}\r\n\r\n{KEYS}", KEYS.len()).ok();
            }
        }
    });
    format!("http://{address}/")
}
