//! The database connection of one Lambda instance, and the calls over it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use futures_util::TryStreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::connect::Connector;
use crate::{Address, Error, ReloadAddress};

/// Time allowed for TCP, TLS and login, and for loading the secret again if the login is refused.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(6);
/// Time to wait for the instance's only connection while another call uses it.
const POOL_TIMEOUT: Duration = Duration::from_secs(2);
/// Time to wait for a response. PostgreSQL ends a statement of the role `nofomo_api` after 8 s, so a longer wait means
/// that the response or the connection was lost. A statement of the role `nofomo_jobs` may run for 60 s, and can still
/// take effect after this timeout.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Idle time, by the wall clock, after which a connection is checked before use. A frozen instance does not notice that
/// the server closed the connection, and its monotonic clock may have stopped.
const IDLE_BEFORE_CHECK: Duration = Duration::from_secs(10);
const IDLE_CHECK_TIMEOUT: Duration = Duration::from_millis(700);

/// Identity that a command runs as, in JSON: the claims of a verified access token, or the hash of a bot token.
#[derive(Clone, Debug)]
pub struct Claims(String);

impl Claims {
    /// Wraps the claims of an access token. The caller must have verified its signature, issuer and expiry.
    pub fn from_verified_token(json: String) -> Self {
        Self(json)
    }

    /// Identifies a bot's runner by the SHA-256 hash of the bot token. The database checks whether the hash is known.
    pub fn from_bot_token_hash(hash: &[u8; 32]) -> Self {
        Self(format!("{{\"bot_token_hash\":\"{}\"}}", hex::encode(hash)))
    }
}

/// Callback that receives the start of each call, and its duration until the response or the failure.
pub type CallObserver = Box<dyn Fn(SystemTime, Duration) + Send + Sync>;

/// A database connection, opened when first needed and again after it was lost.
pub struct Db {
    pool: Pool,
    last_used: Arc<AtomicU64>,
    observer: CallObserver,
}

impl Db {
    /// Configures the connection without opening it, so that an instance starts while the database is unavailable.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if the pool cannot be built.
    pub fn new(
        address: Address,
        tls: MakeRustlsConnect,
        reload: Option<ReloadAddress>,
        observer: CallObserver,
    ) -> Result<Self, Error> {
        let last_used = Arc::new(AtomicU64::new(0));
        let manager = Manager::from_connect(
            address.config.clone(),
            Connector::new(address, tls, reload),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            // Lambda gives an instance one request at a time.
            .max_size(1)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(CONNECT_TIMEOUT))
            .wait_timeout(Some(POOL_TIMEOUT))
            .pre_recycle(idle_check(last_used.clone()))
            .build()
            .map_err(|error| Error::Failed(error.to_string()))?;
        Ok(Self { pool, last_used, observer })
    }

    /// Opens the connection before the first request needs it.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]. The next call tries again.
    pub async fn warm_up(&self) -> Result<(), Error> {
        drop(self.pool.get().await?);
        self.mark_used();
        Ok(())
    }

    /// Calls `private.<function>(claims, input)` for the caller in `claims`. The function either switches to the user's
    /// role and is subject to the row-level security policies, or is `security definer` and restricts itself to the
    /// caller's rows.
    ///
    /// # Errors
    ///
    /// See [`Error`]. Expected outcomes are values of `O`.
    pub async fn command<I: Serialize, O: DeserializeOwned>(
        &self,
        claims: &Claims,
        function: &'static str,
        input: &I,
    ) -> Result<O, Error> {
        let statement = format!("select private.{function}($1::text::jsonb, $2::text::jsonb)::text");
        let input = encode(input)?;
        self.call(&statement, &[(&claims.0, Type::TEXT), (&input, Type::TEXT)]).await
    }

    /// Calls `private.<function>(input)`, without a user.
    ///
    /// # Errors
    ///
    /// See [`Error`]. Expected outcomes are values of `O`.
    pub async fn job<I: Serialize, O: DeserializeOwned>(&self, function: &'static str, input: &I) -> Result<O, Error> {
        let statement = format!("select private.{function}($1::text::jsonb)::text");
        let input = encode(input)?;
        self.call(&statement, &[(&input, Type::TEXT)]).await
    }

    /// Calls `private.<function>(claims, input)`, which returns a table, and passes each row to `handle_row` as it
    /// arrives. The response must fit in one statement's timeout: read a large table page by page.
    ///
    /// # Errors
    ///
    /// See [`Error`]. An error of `handle_row` ends the call.
    pub async fn stream_rows<I: Serialize>(
        &self,
        claims: &Claims,
        function: &'static str,
        input: &I,
        mut handle_row: impl FnMut(&Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let statement = format!("select * from private.{function}($1::text::jsonb, $2::text::jsonb)");
        let input = encode(input)?;
        let parameters = [(&claims.0, Type::TEXT), (&input, Type::TEXT)];
        self.observe(async |connection: &Object| {
            let mut rows = pin!(connection.query_typed_raw(&statement, parameters).await?);
            while let Some(row) = rows.try_next().await? {
                if let Err(error) = handle_row(&row) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        })
        .await?
    }

    async fn call<O: DeserializeOwned>(
        &self,
        statement: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<O, Error> {
        let query = async |connection: &Object| connection.query_typed_one(statement, parameters).await;
        let text: String = self.observe(query).await?.try_get(0)?;
        serde_json::from_str(&text).map_err(|error| Error::Failed(format!("unexpected response: {error}")))
    }

    /// Sends the query and reports its duration to the observer.
    async fn observe<T>(
        &self,
        query: impl AsyncFnOnce(&Object) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        let (started, clock) = (SystemTime::now(), Instant::now());
        let response = self.send_once(query).await;
        (self.observer)(started, clock.elapsed());
        response
    }

    /// Sends the query once. There is no retry: after a lost response it is unknown whether the query took effect.
    async fn send_once<T>(
        &self,
        query: impl AsyncFnOnce(&Object) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        // Lets the connection's task read what arrived while the instance was frozen, such as a message that the server
        // shut down.
        tokio::task::yield_now().await;
        let connection = self.pool.get().await?;
        let result = timeout(RESPONSE_TIMEOUT, query(&connection)).await;
        self.mark_used();
        let Ok(response) = result else {
            // The response may still arrive, and must not be read as that of the next query.
            drop(Object::take(connection));
            return Err(Error::Unavailable(format!("no response within {} s", RESPONSE_TIMEOUT.as_secs())));
        };
        if response.as_ref().is_err_and(ends_the_connection) {
            // The pool may not have noticed yet.
            drop(Object::take(connection));
        }
        Ok(response?)
    }

    fn mark_used(&self) {
        self.last_used.store(wall_clock_seconds(), Ordering::Relaxed);
    }
}

/// `true` if the server ended the session, or the connection closed without a message.
fn ends_the_connection(error: &tokio_postgres::Error) -> bool {
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    error.is_closed() || matches!(severity, Some(Severity::Fatal | Severity::Panic))
}

fn encode(input: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(input).map_err(|error| Error::Failed(format!("input is not JSON: {error}")))
}

/// Checks a connection that was idle. Costs one round trip after a pause, and none between requests in quick
/// succession.
fn idle_check(last_used: Arc<AtomicU64>) -> Hook {
    Hook::async_fn(move |connection, _| {
        let last_used = last_used.clone();
        Box::pin(async move {
            let idle = wall_clock_seconds().saturating_sub(last_used.load(Ordering::Relaxed));
            if idle < IDLE_BEFORE_CHECK.as_secs() {
                return Ok(());
            }
            match timeout(IDLE_CHECK_TIMEOUT, connection.check_connection()).await {
                Ok(alive) => alive.map_err(HookError::Backend),
                Err(_) => Err(HookError::message("no response to the idle check")),
            }
        })
    })
}

fn wall_clock_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
