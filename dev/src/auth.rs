//! Sign-in as Supabase Auth answers it: tokens signed with ES256, and the keys to check them.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::Utc;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use local_database::{connect, describe_error};
use p256::{
    SecretKey,
    elliptic_curve::{rand_core::OsRng, sec1::ToEncodedPoint},
    pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_postgres::{
    error::SqlState,
    types::{ToSql, Type},
};
use uuid::Uuid;

use local_database::{Error, Result};

const LIFETIME_SECONDS: i64 = 3600;

const SHORTEST_PASSWORD: usize = 6;

/// A user as Supabase Auth shows one.
const USER: &str = "
    jsonb_build_object(
        'id', id,
        'aud', aud,
        'role', role,
        'email', coalesce(email, ''),
        'email_confirmed_at', email_confirmed_at,
        'phone', coalesce(phone, ''),
        'confirmed_at', confirmed_at,
        'last_sign_in_at', last_sign_in_at,
        'app_metadata', coalesce(raw_app_meta_data, '{}'),
        'user_metadata', coalesce(raw_user_meta_data, '{}'),
        'identities', '[]'::jsonb,
        'created_at', created_at,
        'updated_at', updated_at,
        'is_anonymous', is_anonymous
    )";

/// An ES256 key pair with the id that tokens name it by.
#[derive(Clone)]
pub struct SigningKey {
    id: String,
    private: EncodingKey,
    public: Value,
}

impl SigningKey {
    pub fn generate() -> Result<Self> {
        Self::from_secret(&SecretKey::random(&mut OsRng))
    }

    /// The key kept in `directory`, made at the first call.
    pub fn load_or_create(directory: &Path) -> Result<Self> {
        let path = directory.join("signing-key.pem");
        let unusable = |error: String| {
            let remedy = "delete it: a new one is made, and earlier tokens become invalid";
            Error::new(format!("cannot use the signing key in {}: {error}", path.display()), remedy)
        };
        match fs::read_to_string(&path) {
            Ok(pem) => {
                let secret = SecretKey::from_pkcs8_pem(&pem).map_err(|error| unusable(error.to_string()))?;
                Self::from_secret(&secret)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let secret = SecretKey::random(&mut OsRng);
                let pem = secret.to_pkcs8_pem(LineEnding::LF).map_err(|error| unusable(error.to_string()))?;
                fs::create_dir_all(directory)
                    .and_then(|()| fs::File::options().create_new(true).write(true).mode(0o600).open(&path))
                    .and_then(|mut file| file.write_all(pem.as_bytes()))
                    .map_err(|error| unusable(error.to_string()))?;
                Self::from_secret(&secret)
            }
            Err(error) => Err(unusable(error.to_string())),
        }
    }

    fn from_secret(secret: &SecretKey) -> Result<Self> {
        let private = secret.to_pkcs8_der().map_err(|error| cannot_sign(&error.to_string()))?;
        let point = secret.public_key().to_encoded_point(false);
        let (Some(x), Some(y)) = (point.x(), point.y()) else {
            return Err(cannot_sign("the public key is the point at infinity"));
        };
        // The same key always has the same id.
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, point.as_bytes()).to_string();
        let public = json!({
            "alg": "ES256",
            "crv": "P-256",
            "ext": true,
            "key_ops": ["verify"],
            "kid": id,
            "kty": "EC",
            "use": "sig",
            "x": BASE64_URL_SAFE_NO_PAD.encode(x),
            "y": BASE64_URL_SAFE_NO_PAD.encode(y),
        });
        Ok(Self { id, private: EncodingKey::from_ec_der(private.as_bytes()), public })
    }

    pub fn sign(&self, claims: &Value) -> Result<String> {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.private).map_err(|error| cannot_sign(&error.to_string()))
    }

    /// The subject of a token that this key signed and that has not expired.
    fn verify(&self, token: &str) -> Result<Uuid, String> {
        #[derive(Deserialize)]
        struct Claims {
            sub: Uuid,
        }
        let part = |name| self.public.get(name).and_then(Value::as_str).unwrap_or_default();
        let key = DecodingKey::from_ec_components(part("x"), part("y")).map_err(|error| error.to_string())?;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&["authenticated"]);
        let token = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|error| error.to_string())?;
        Ok(token.claims.sub)
    }
}

fn cannot_sign(reason: &str) -> Error {
    Error::new(format!("cannot sign tokens: {reason}"), "delete the signing key in the data directory")
}

/// What Supabase Auth is to one database.
pub struct Auth {
    key: SigningKey,
    issuer: String,
    database_url: String,
    published: RwLock<Vec<Value>>,
}

impl Auth {
    /// `database_url` is an administrator's: Supabase Auth works as a role of its own, which only he may become.
    pub fn new(key: SigningKey, issuer: String, database_url: String) -> Self {
        let published = RwLock::new(vec![key.public.clone()]);
        Self { key, issuer, database_url, published }
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Adds a key to those that verifiers are told of, as before a rotation.
    pub fn publish(&self, key: &SigningKey) {
        self.published.write().unwrap_or_else(PoisonError::into_inner).push(key.public.clone());
    }

    /// Signs whatever claims these are.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        self.key.sign(claims)
    }

    /// A fresh access token of the user with this address, who is signed in by it.
    pub async fn token_for(&self, email: &str) -> Result<String> {
        self.sign(&self.claims_for(email).await?)
    }

    /// What such a token says.
    pub async fn claims_for(&self, email: &str) -> Result<Value> {
        let find = "select id from auth.users where email = lower($1) and not is_sso_user and deleted_at is null";
        let found = self.query(find, &[(&email, Type::TEXT)]).await?;
        let Some(row) = found.first() else {
            return Err(Error::new(format!("there is no user {email}"), "sign up at /auth/v1/signup"));
        };
        let session = self.open_session(row.get(0)).await?;
        Ok(self.claims(&session))
    }

    async fn open_session(&self, user: Uuid) -> Result<Session> {
        let open = format!(
            "with session as (
                insert into auth.sessions (id, user_id, created_at, updated_at, aal)
                values ($1, $2, now(), now(), 'aal1')
            )
            update auth.users set last_sign_in_at = now(), updated_at = now() where id = $2
            returning {USER}"
        );
        let id = Uuid::new_v4();
        let opened = self.query(&open, &[(&id, Type::UUID), (&user, Type::UUID)]).await?;
        let user = opened.first().map(|row| row.get(0)).unwrap_or_default();
        Ok(Session { id, user, opened_at: Utc::now().timestamp() })
    }

    fn claims(&self, Session { id, user, opened_at }: &Session) -> Value {
        json!({
            "iss": self.issuer,
            "sub": user.get("id"),
            "aud": "authenticated",
            "exp": opened_at + LIFETIME_SECONDS,
            "iat": opened_at,
            "role": user.get("role"),
            "email": user.get("email"),
            "phone": user.get("phone"),
            "app_metadata": user.get("app_metadata"),
            "user_metadata": user.get("user_metadata"),
            "aal": "aal1",
            "amr": [{ "method": "password", "timestamp": opened_at }],
            "session_id": id,
            "is_anonymous": user.get("is_anonymous"),
        })
    }

    /// The answer to whoever has just signed in.
    async fn grant(&self, user: Uuid) -> Result<Json<Value>> {
        let session = self.open_session(user).await?;
        Ok(Json(json!({
            "access_token": self.sign(&self.claims(&session))?,
            "token_type": "bearer",
            "expires_in": LIFETIME_SECONDS,
            "expires_at": session.opened_at + LIFETIME_SECONDS,
            "refresh_token": Uuid::new_v4().simple().to_string(),
            "user": session.user,
        })))
    }

    async fn query(
        &self,
        statement: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<tokio_postgres::Row>> {
        let client = connect(&self.database_url).await?;
        client.query_typed(statement, parameters).await.map_err(|error| {
            Error::new(
                format!("the users cannot be read: {}", describe_error(&error)),
                "check that the database is migrated",
            )
        })
    }
}

struct Session {
    id: Uuid,
    user: Value,
    opened_at: i64,
}

pub(crate) fn router(auth: Arc<Auth>) -> Router {
    Router::new()
        .route("/auth/v1/.well-known/jwks.json", get(jwks))
        .route("/auth/v1/token", post(sign_in))
        .route("/auth/v1/signup", post(sign_up))
        .route("/auth/v1/user", get(user))
        .with_state(auth)
}

async fn jwks(State(auth): State<Arc<Auth>>) -> Response {
    let keys = auth.published.read().unwrap_or_else(PoisonError::into_inner).clone();
    ([(header::CACHE_CONTROL, "public, max-age=600")], Json(json!({ "keys": keys }))).into_response()
}

/// Supabase Auth's form of an error.
struct Refusal(StatusCode, &'static str, String);

impl Refusal {
    fn bad_request(code: &'static str, message: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, code, message.to_owned())
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, "unexpected_failure", error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, error_code, msg) = self;
        (status, Json(json!({ "code": status.as_u16(), "error_code": error_code, "msg": msg }))).into_response()
    }
}

#[derive(Deserialize)]
struct Grant {
    #[serde(default)]
    grant_type: String,
}

#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    /// What a new user says of himself.
    data: Option<Value>,
}

impl Credentials {
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let unreadable = |error: serde_json::Error| {
            Refusal::bad_request("validation_failed", &format!("Could not read request body as JSON: {error}"))
        };
        let body: Value = serde_json::from_slice(body).map_err(unreadable)?;
        // Such a text PostgreSQL neither stores nor compares.
        if contains_nul(&body) {
            return Err(Refusal::bad_request("validation_failed", "The character U+0000 is not allowed"));
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
    Query(grant): Query<Grant>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    if grant.grant_type != "password" {
        return Err(Refusal::bad_request("invalid_credentials", "unsupported_grant_type"));
    }
    let Credentials { email, password, .. } = Credentials::parse(&body)?;
    if email.is_empty() || password.is_empty() {
        return Err(Refusal::bad_request("validation_failed", "missing email or password"));
    }
    // A hash that is not bcrypt's is nobody's password, and crypt would fail over it.
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
        None | Some((_, false, _, _)) => Err(Refusal::bad_request("invalid_credentials", "Invalid login credentials")),
        Some((_, true, true, _)) => Err(Refusal::bad_request("user_banned", "User is banned")),
        Some((_, true, false, false)) => Err(Refusal::bad_request("email_not_confirmed", "Email not confirmed")),
        Some((user, true, false, true)) => Ok(auth.grant(user).await?),
    }
}

/// Confirms the address at once: a laptop sends no mail.
async fn sign_up(State(auth): State<Arc<Auth>>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let Credentials { email, password, data } = Credentials::parse(&body)?;
    if !email.contains('@') {
        return Err(Refusal::bad_request("validation_failed", "Unable to validate email address: invalid format"));
    }
    if password.chars().count() < SHORTEST_PASSWORD {
        let message = format!("Password should be at least {SHORTEST_PASSWORD} characters.");
        return Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, "weak_password", message));
    }
    let hash = "select extensions.crypt($1, extensions.gen_salt('bf'))";
    let hashed = auth.query(hash, &[(&password, Type::TEXT)]).await?;
    let hash: String = hashed.first().map(|row| row.get(0)).unwrap_or_default();
    let id = Uuid::new_v4();
    let data = data.filter(Value::is_object).unwrap_or_else(|| json!({}));
    insert_user(&auth, id, &email, &hash, &data).await?;
    Ok(auth.grant(id).await?)
}

/// As the role that does it on Supabase, so that the triggers run in the same circumstances.
async fn insert_user(auth: &Auth, id: Uuid, email: &str, hash: &str, data: &Value) -> Result<(), Refusal> {
    let insert = "
        insert into auth.users (
            instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data,
            raw_user_meta_data, created_at, updated_at
        )
        values (
            '00000000-0000-0000-0000-000000000000', $1, 'authenticated', 'authenticated', lower($2), $3, now(),
            '{\"provider\": \"email\", \"providers\": [\"email\"]}', $4, now(), now()
        )";
    let refused = |error: tokio_postgres::Error| match error.code() {
        Some(&SqlState::UNIQUE_VIOLATION) => {
            Refusal(StatusCode::UNPROCESSABLE_ENTITY, "user_already_exists", "User already registered".to_owned())
        }
        _ => {
            let message = format!("Database error saving new user: {}", describe_error(&error));
            Refusal(StatusCode::INTERNAL_SERVER_ERROR, "unexpected_failure", message)
        }
    };
    let mut client = connect(&auth.database_url).await?;
    let transaction = client.transaction().await.map_err(refused)?;
    transaction.batch_execute("set local role supabase_auth_admin").await.map_err(refused)?;
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&id, Type::UUID), (&email, Type::TEXT), (&hash, Type::TEXT), (data, Type::JSONB)];
    transaction.execute_typed(insert, &parameters).await.map_err(refused)?;
    transaction.commit().await.map_err(refused)
}

async fn user(State(auth): State<Arc<Auth>>, headers: HeaderMap) -> Result<Json<Value>, Refusal> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(token) = token else {
        let message = "This endpoint requires a Bearer token".to_owned();
        return Err(Refusal(StatusCode::UNAUTHORIZED, "no_authorization", message));
    };
    let id = auth.key.verify(token).map_err(|reason| {
        Refusal(StatusCode::FORBIDDEN, "bad_jwt", format!("invalid JWT: unable to parse or verify signature, {reason}"))
    })?;
    let select = format!("select {USER} from auth.users where id = $1 and deleted_at is null");
    let found = auth.query(&select, &[(&id, Type::UUID)]).await?;
    let missing = || {
        let message = "User from sub claim in JWT does not exist".to_owned();
        Refusal(StatusCode::FORBIDDEN, "user_not_found", message)
    };
    found.first().map(|row| Json(row.get(0))).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_verified_by_its_own_key_only() {
        let (one, other) = (SigningKey::generate().expect("key"), SigningKey::generate().expect("key"));
        let user = Uuid::new_v4();
        let claims = json!({ "sub": user, "aud": "authenticated", "exp": Utc::now().timestamp() + 60 });
        let token = one.sign(&claims).expect("signed");
        assert_eq!(one.verify(&token), Ok(user));
        assert!(other.verify(&token).is_err());
        assert_ne!(one.id, other.id);
        let expired = json!({ "sub": user, "aud": "authenticated", "exp": Utc::now().timestamp() - 120 });
        assert!(one.verify(&one.sign(&expired).expect("signed")).is_err());
    }

    #[test]
    fn credentials_with_a_character_that_no_column_holds_are_refused() {
        let read = |body: Value| Credentials::parse(body.to_string().as_bytes());
        assert!(read(json!({ "email": "a@b.test", "password": "\\u0000", "data": { "name": ["é"] } })).is_ok());
        for body in [
            json!({ "email": "a\0@b.test", "password": "secret" }),
            json!({ "email": "a@b.test", "password": "secret\0" }),
            json!({ "email": "a@b.test", "password": "secret", "data": { "names": ["\0"] } }),
            json!({ "email": "a@b.test", "password": "secret", "data": { "\0": 1 } }),
        ] {
            let Err(Refusal(status, code, _)) = read(body.clone()) else { panic!("{body}") };
            assert_eq!((status, code), (StatusCode::BAD_REQUEST, "validation_failed"));
        }
    }

    #[test]
    fn a_key_is_kept_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let directory = std::env::temp_dir().join(format!("nofomo-{}", Uuid::new_v4()));
        let made = SigningKey::load_or_create(&directory).expect("made");
        let loaded = SigningKey::load_or_create(&directory).expect("loaded");
        assert_eq!(made.public, loaded.public);
        let mode = fs::metadata(directory.join("signing-key.pem")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(directory).expect("removed");
    }
}
