//! The connection of one Lambda instance, and the three calls made over it.

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
use crate::{Address, Error, Reload};

/// TCP, TLS, login, and a reload of the secret if that was refused.
const CONNECT_LIMIT: Duration = Duration::from_secs(6);
/// For the instance's one connection, should another request have it.
const WAIT_LIMIT: Duration = Duration::from_secs(2);
/// Above the role's `statement_timeout` of 8 s: reached only when the answer, or the network, is lost.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection may have been idle, by the wall clock, before it is asked whether it lives. A frozen instance
/// hears nothing of a server that went away, and its monotonic clock may have stood still.
const TRUSTED_IDLE: Duration = Duration::from_secs(10);
const IDLE_CHECK_LIMIT: Duration = Duration::from_millis(700);

/// On whose behalf a command runs, as JSON: the claims of a verified access token, or the hash of a bot's own token.
#[derive(Clone, Debug)]
pub struct Claims(String);

impl Claims {
    /// `json` must come out of a token whose signature, issuer and expiry were checked; nothing is checked here.
    pub fn of_verified_token(json: String) -> Self {
        Self(json)
    }

    /// The database knows whose it is, if anybody's. `hash` is SHA-256.
    pub fn of_bot_token(hash: &[u8; 32]) -> Self {
        Self(format!("{{\"bot_token_hash\":\"{}\"}}", hex::encode(hash)))
    }
}

/// Hears of each call when it began and how long its answer, or its failure, took to come.
pub type OnCall = Box<dyn Fn(SystemTime, Duration) + Send + Sync>;

/// One connection, opened when first needed and again whenever it was lost.
pub struct Db {
    pool: Pool,
    last_used: Arc<AtomicU64>,
    on_call: OnCall,
}

impl Db {
    /// Opens nothing yet: a database that is away does not keep an instance from starting.
    ///
    /// # Errors
    ///
    /// None of the network's; only a pool that cannot be built.
    pub fn new(
        address: Address,
        tls: MakeRustlsConnect,
        reload: Option<Reload>,
        on_call: OnCall,
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
            .create_timeout(Some(CONNECT_LIMIT))
            .wait_timeout(Some(WAIT_LIMIT))
            .pre_recycle(idle_check(last_used.clone()))
            .build()
            .map_err(|error| Error::Failed(error.to_string()))?;
        Ok(Self { pool, last_used, on_call })
    }

    /// Opens the connection, so that the first request does not have to.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]; the next call tries again.
    pub async fn warm_up(&self) -> Result<(), Error> {
        drop(self.pool.get().await?);
        self.mark_used();
        Ok(())
    }

    /// Calls `private.<function>(claims, input)`, which becomes the user and works under the policies. `O` names the outcomes.
    ///
    /// # Errors
    ///
    /// See [`Error`]; expected outcomes are values of `O`.
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

    /// Calls `private.<function>(input)` for nobody in particular. `O` names the outcomes.
    ///
    /// # Errors
    ///
    /// See [`Error`]; expected outcomes are values of `O`.
    pub async fn job<I: Serialize, O: DeserializeOwned>(&self, function: &'static str, input: &I) -> Result<O, Error> {
        let statement = format!("select private.{function}($1::text::jsonb)::text");
        let input = encode(input)?;
        self.call(&statement, &[(&input, Type::TEXT)]).await
    }

    /// Calls `private.<function>(claims, input)`, which returns a table, and hands on each row as it comes. What is more than
    /// the answer of one statement may hold is asked for in parts.
    ///
    /// # Errors
    ///
    /// See [`Error`], and those of `take`, after which no more rows are handed on.
    pub async fn rows<I: Serialize>(
        &self,
        claims: &Claims,
        function: &'static str,
        input: &I,
        mut take: impl FnMut(&Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let statement = format!("select * from private.{function}($1::text::jsonb, $2::text::jsonb)");
        let input = encode(input)?;
        let parameters = [(&claims.0, Type::TEXT), (&input, Type::TEXT)];
        self.once(async |connection: &Object| {
            let mut rows = pin!(connection.query_typed_raw(&statement, parameters).await?);
            while let Some(row) = rows.try_next().await? {
                if let Err(error) = take(&row) {
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
        let ask = async |connection: &Object| connection.query_typed_one(statement, parameters).await;
        let text: String = self.once(ask).await?.try_get(0)?;
        serde_json::from_str(&text).map_err(|error| Error::Failed(format!("unexpected answer: {error}")))
    }

    async fn once<T>(&self, ask: impl AsyncFnOnce(&Object) -> Result<T, tokio_postgres::Error>) -> Result<T, Error> {
        let (began, clock) = (SystemTime::now(), Instant::now());
        let answer = self.send_once(ask).await;
        (self.on_call)(began, clock.elapsed());
        answer
    }

    /// Sends the statement once. After that nothing is retried: a lost answer does not tell whether it took effect.
    async fn send_once<T>(
        &self,
        ask: impl AsyncFnOnce(&Object) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        // Lets the connection's task read what arrived while the instance was frozen, such as the server's farewell.
        tokio::task::yield_now().await;
        let connection = self.pool.get().await?;
        let answered = timeout(ANSWER_LIMIT, ask(&connection)).await;
        self.mark_used();
        let Ok(answer) = answered else {
            // An answer may still come: nobody may take it for his own.
            drop(Object::take(connection));
            return Err(Error::Unavailable(format!("no answer within {} s", ANSWER_LIMIT.as_secs())));
        };
        if answer.as_ref().is_err_and(ends_the_connection) {
            // The pool may not know yet.
            drop(Object::take(connection));
        }
        Ok(answer?)
    }

    fn mark_used(&self) {
        self.last_used.store(wall_clock_seconds(), Ordering::Relaxed);
    }
}

/// The server's farewell, or a connection that ended without one.
fn ends_the_connection(error: &tokio_postgres::Error) -> bool {
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    error.is_closed() || matches!(severity, Some(Severity::Fatal | Severity::Panic))
}

fn encode(input: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(input).map_err(|error| Error::Failed(format!("input is not JSON: {error}")))
}

/// One more round trip after a pause, and none between requests that follow each other.
fn idle_check(last_used: Arc<AtomicU64>) -> Hook {
    Hook::async_fn(move |connection, _| {
        let last_used = last_used.clone();
        Box::pin(async move {
            let idle = wall_clock_seconds().saturating_sub(last_used.load(Ordering::Relaxed));
            if idle < TRUSTED_IDLE.as_secs() {
                return Ok(());
            }
            match timeout(IDLE_CHECK_LIMIT, connection.check_connection()).await {
                Ok(alive) => alive.map_err(HookError::Backend),
                Err(_) => Err(HookError::message("no answer to the idle check")),
            }
        })
    })
}

fn wall_clock_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
