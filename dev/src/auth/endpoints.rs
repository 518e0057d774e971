//! HTTP endpoints of Supabase Auth: sign-in, sign-up, the current user, and the public keys.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use local_database::{Error, Result, connect, describe_error};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_postgres::{
    error::SqlState,
    types::{ToSql, Type},
};
use uuid::Uuid;

use super::sessions::{Auth, USER};

/// Minimum length of a password, in characters.
const MIN_PASSWORD_LENGTH: usize = 6;

pub(crate) fn router(auth: Arc<Auth>) -> Router {
    Router::new()
        .route("/auth/v1/.well-known/jwks.json", get(jwks))
        .route("/auth/v1/token", post(sign_in))
        .route("/auth/v1/signup", post(sign_up))
        .route("/auth/v1/user", get(user))
        .with_state(auth)
}

async fn jwks(State(auth): State<Arc<Auth>>) -> Response {
    ([(header::CACHE_CONTROL, "public, max-age=600")], Json(json!({ "keys": auth.published_keys() }))).into_response()
}

/// An error in Supabase Auth's format: status, code and message.
struct AuthError(StatusCode, &'static str, String);

impl AuthError {
    fn bad_request(code: &'static str, message: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, code, message.to_owned())
    }
}

impl From<Error> for AuthError {
    fn from(error: Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, "unexpected_failure", error.to_string())
    }
}

impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        let Self(status, error_code, msg) = self;
        (status, Json(json!({ "code": status.as_u16(), "error_code": error_code, "msg": msg }))).into_response()
    }
}

#[derive(Deserialize)]
struct SignInQuery {
    #[serde(default)]
    grant_type: String,
}

#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    /// Metadata that a new user provides.
    data: Option<Value>,
}

impl Credentials {
    fn parse(body: &[u8]) -> Result<Self, AuthError> {
        let unreadable = |error: serde_json::Error| {
            AuthError::bad_request("validation_failed", &format!("Could not read request body as JSON: {error}"))
        };
        let body: Value = serde_json::from_slice(body).map_err(unreadable)?;
        // PostgreSQL neither stores nor compares text with this character.
        if contains_nul(&body) {
            return Err(AuthError::bad_request("validation_failed", "The character U+0000 is not allowed"));
        }
        serde_json::from_value(body).map_err(unreadable)
    }
}

fn contains_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(elements) => elements.iter().any(contains_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || contains_nul(value)),
        _ => false,
    }
}

async fn sign_in(
    State(auth): State<Arc<Auth>>,
    Query(query): Query<SignInQuery>,
    body: Bytes,
) -> Result<Json<Value>, AuthError> {
    if query.grant_type != "password" {
        return Err(AuthError::bad_request("invalid_credentials", "unsupported_grant_type"));
    }
    let Credentials { email, password, .. } = Credentials::parse(&body)?;
    if email.is_empty() || password.is_empty() {
        return Err(AuthError::bad_request("validation_failed", "missing email or password"));
    }
    // crypt fails on a hash that is not bcrypt's; such a user has no password.
    let check = "
        select
            id,
            case when encrypted_password like '$2_$%'
                then extensions.crypt($2, encrypted_password) = encrypted_password
                else false
            end,
            coalesce(banned_until > now(), false),
            email_confirmed_at is not null
        from auth.users
        where email = lower($1) and not is_sso_user and deleted_at is null";
    let found = auth.query(check, &[(&email, Type::TEXT), (&password, Type::TEXT)]).await?;
    let known = found.first().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)));
    match known {
        None | Some((_, false, _, _)) => {
            Err(AuthError::bad_request("invalid_credentials", "Invalid login credentials"))
        }
        Some((_, true, true, _)) => Err(AuthError::bad_request("user_banned", "User is banned")),
        Some((_, true, false, false)) => Err(AuthError::bad_request("email_not_confirmed", "Email not confirmed")),
        Some((user, true, false, true)) => Ok(auth.sign_in(user).await?),
    }
}

/// Creates a user whose email address counts as confirmed, because a laptop sends no mail.
async fn sign_up(State(auth): State<Arc<Auth>>, body: Bytes) -> Result<Json<Value>, AuthError> {
    let Credentials { email, password, data } = Credentials::parse(&body)?;
    if !email.contains('@') {
        return Err(AuthError::bad_request("validation_failed", "Unable to validate email address: invalid format"));
    }
    if password.chars().count() < MIN_PASSWORD_LENGTH {
        let message = format!("Password should be at least {MIN_PASSWORD_LENGTH} characters.");
        return Err(AuthError(StatusCode::UNPROCESSABLE_ENTITY, "weak_password", message));
    }
    let hash = "select extensions.crypt($1, extensions.gen_salt('bf'))";
    let hashed = auth.query(hash, &[(&password, Type::TEXT)]).await?;
    let hash: String = hashed.first().map(|row| row.get(0)).unwrap_or_default();
    let id = Uuid::new_v4();
    let data = data.filter(Value::is_object).unwrap_or_else(|| json!({}));
    insert_user(&auth, id, &email, &hash, &data).await?;
    Ok(auth.sign_in(id).await?)
}

/// Inserts a user as the same role as on Supabase, so that triggers run with the same privileges.
async fn insert_user(auth: &Auth, id: Uuid, email: &str, hash: &str, data: &Value) -> Result<(), AuthError> {
    let insert = "
        insert into auth.users (
            instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data,
            raw_user_meta_data, created_at, updated_at
        )
        values (
            '00000000-0000-0000-0000-000000000000', $1, 'authenticated', 'authenticated', lower($2), $3, now(),
            '{\"provider\": \"email\", \"providers\": [\"email\"]}', $4, now(), now()
        )";
    let rejected = |error: tokio_postgres::Error| match error.code() {
        Some(&SqlState::UNIQUE_VIOLATION) => {
            AuthError(StatusCode::UNPROCESSABLE_ENTITY, "user_already_exists", "User already registered".to_owned())
        }
        _ => {
            let message = format!("Database error saving new user: {}", describe_error(&error));
            AuthError(StatusCode::INTERNAL_SERVER_ERROR, "unexpected_failure", message)
        }
    };
    let mut client = connect(auth.database_url()).await?;
    let transaction = client.transaction().await.map_err(rejected)?;
    transaction.batch_execute("set local role supabase_auth_admin").await.map_err(rejected)?;
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&id, Type::UUID), (&email, Type::TEXT), (&hash, Type::TEXT), (data, Type::JSONB)];
    transaction.execute_typed(insert, &parameters).await.map_err(rejected)?;
    transaction.commit().await.map_err(rejected)
}

async fn user(State(auth): State<Arc<Auth>>, headers: HeaderMap) -> Result<Json<Value>, AuthError> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(token) = token else {
        let message = "This endpoint requires a Bearer token".to_owned();
        return Err(AuthError(StatusCode::UNAUTHORIZED, "no_authorization", message));
    };
    let id = auth.verify(token).map_err(|reason| {
        AuthError(
            StatusCode::FORBIDDEN,
            "bad_jwt",
            format!("invalid JWT: unable to parse or verify signature, {reason}"),
        )
    })?;
    let select = format!("select {USER} from auth.users where id = $1 and deleted_at is null");
    let found = auth.query(&select, &[(&id, Type::UUID)]).await?;
    let missing = || {
        let message = "User from sub claim in JWT does not exist".to_owned();
        AuthError(StatusCode::FORBIDDEN, "user_not_found", message)
    };
    found.first().map(|row| Json(row.get(0))).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_with_a_nul_character_are_rejected() {
        let parse = |body: Value| Credentials::parse(body.to_string().as_bytes());
        assert!(parse(json!({ "email": "a@b.test", "password": "\\u0000", "data": { "name": ["é"] } })).is_ok());
        for body in [
            json!({ "email": "a\0@b.test", "password": "secret" }),
            json!({ "email": "a@b.test", "password": "secret\0" }),
            json!({ "email": "a@b.test", "password": "secret", "data": { "names": ["\0"] } }),
            json!({ "email": "a@b.test", "password": "secret", "data": { "\0": 1 } }),
        ] {
            let Err(AuthError(status, code, _)) = parse(body.clone()) else { panic!("{body}") };
            assert_eq!((status, code), (StatusCode::BAD_REQUEST, "validation_failed"));
        }
    }
}
