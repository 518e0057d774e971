//! Sessions and access tokens of users.

use std::sync::{PoisonError, RwLock};

use axum::Json;
use chrono::Utc;
use local_database::{Error, Result, connect, describe_error};
use serde_json::{Value, json};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::signing_key::SigningKey;

/// Lifetime of an access token, in seconds.
const LIFETIME_SECONDS: i64 = 3600;

/// SQL expression for a user as Supabase Auth returns it.
pub(super) const USER: &str = "
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

/// Supabase Auth for one database.
pub struct Auth {
    key: SigningKey,
    issuer: String,
    database_url: String,
    published: RwLock<Vec<Value>>,
}

impl Auth {
    /// Sign-in on the database of `database_url`, whose role can switch to Supabase Auth's own role.
    pub fn new(key: SigningKey, issuer: String, database_url: String) -> Self {
        let published = RwLock::new(vec![key.public().clone()]);
        Self { key, issuer, database_url, published }
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Public keys for verifying tokens.
    pub(super) fn published_keys(&self) -> Vec<Value> {
        self.published.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// User id of a valid token.
    pub(super) fn verify(&self, token: &str) -> Result<Uuid, String> {
        self.key.verify(token)
    }

    /// Publishes another key, as Supabase does before a rotation.
    pub fn publish(&self, key: &SigningKey) {
        self.published.write().unwrap_or_else(PoisonError::into_inner).push(key.public().clone());
    }

    /// Signs any claims.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        self.key.sign(claims)
    }

    /// Signs in the user with this email address and returns an access token.
    ///
    /// # Errors
    ///
    /// There is no such user.
    pub async fn token_for(&self, email: &str) -> Result<String> {
        self.sign(&self.claims_for(email).await?)
    }

    /// Signs in the user with this email address and returns the claims of an access token.
    ///
    /// # Errors
    ///
    /// There is no such user.
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

    /// Opens a session for a user and returns the response to the sign-in.
    pub(super) async fn sign_in(&self, user: Uuid) -> Result<Json<Value>> {
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

    pub(super) async fn query(
        &self,
        statement: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<tokio_postgres::Row>> {
        let client = connect(&self.database_url).await?;
        client.query_typed(statement, parameters).await.map_err(|error| {
            Error::new(
                format!("cannot read the users: {}", describe_error(&error)),
                "check that the database is migrated",
            )
        })
    }
}

/// A session of a user.
struct Session {
    id: Uuid,
    /// User as Supabase Auth returns it.
    user: Value,
    /// Unix timestamp.
    opened_at: i64,
}
