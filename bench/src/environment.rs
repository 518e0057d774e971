//! The environment of a measurement: the functions' binaries and a database with sample data.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use dev::{
    auth::SigningKey,
    proxy::Proxy,
    runtime::{Fleet, log::Log},
    stack::{Database, Options, Stack},
    template::Template,
    tripay,
};
use local_database::{Error, Result, postgres::Postgres};
use url::Url;

/// Environment of a measurement.
pub struct Environment<'a> {
    pub workspace: PathBuf,
    /// Target directory of cargo.
    pub target: PathBuf,
    pub template: Template,
    /// Binaries of the functions by name, as [`dev::build::build`] returns them.
    pub functions: BTreeMap<String, PathBuf>,
    pub database: Database,
    /// Database URL of the role that applies migrations.
    pub migrations_url: String,
    /// Server of the database.
    pub postgres: &'a Postgres,
    /// Key ring that encrypts exchange credentials.
    pub credentials_keys: String,
    pub log: Log,
    /// Receives a line for each step of the measurement.
    pub progress: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Environment<'_> {
    /// Starts all functions, each with at most `concurrency` instances.
    pub(crate) async fn stack(&self, concurrency: usize) -> Result<Stack> {
        self.stack_on(self.database.clone(), concurrency).await
    }

    /// Like [`Environment::stack`], but the functions connect to the database through the proxy.
    pub(crate) async fn stack_behind(&self, proxy: &Proxy, concurrency: usize) -> Result<Stack> {
        let admin_url = self.database.admin_url.clone();
        let api_url = self.url_behind(proxy)?;
        let jobs_url = at_port(&self.database.jobs_url, proxy.port())?;
        self.stack_on(Database { admin_url, api_url, jobs_url }, concurrency).await
    }

    async fn stack_on(&self, database: Database, concurrency: usize) -> Result<Stack> {
        let environment = BTreeMap::from([("CREDENTIALS_KEYS".to_owned(), self.credentials_keys.clone())]);
        Stack::start(Options {
            template: self.template.clone(),
            functions: self.functions.clone(),
            database,
            signing_key: SigningKey::generate()?,
            port: 0,
            environment,
            concurrency,
            has_schedules: false,
            tripay: tripay::Options { file: None, callback_retry_delay: tripay::Options::CALLBACK_RETRY_DELAY },
            log: self.log.clone(),
        })
        .await
    }

    /// Database URL of `nofomo_api` through the proxy.
    pub(crate) fn url_behind(&self, proxy: &Proxy) -> Result<String> {
        at_port(&self.database.api_url, proxy.port())
    }

    pub(crate) fn database_port(&self) -> Result<u16> {
        let port = Url::parse(&self.database.api_url).ok().and_then(|url| url.port());
        port.ok_or_else(|| Error::new("the database's URL has no port", "write it as postgres://user@host:5432/name"))
    }

    pub(crate) fn binary(&self, function: &str) -> Result<&Path> {
        self.functions.get(function).map(PathBuf::as_path).ok_or_else(|| unknown(function))
    }

    pub(crate) fn report_progress(&self, line: impl AsRef<str>) {
        (self.progress)(line.as_ref());
    }
}

/// Instances of a function.
pub(crate) fn fleet<'a>(stack: &'a Stack, function: &str) -> Result<&'a Fleet> {
    stack.fleet(function).ok_or_else(|| unknown(function))
}

fn unknown(function: &str) -> Error {
    Error::new(format!("there is no function {function}"), "check its name in template.yaml")
}

fn at_port(url: &str, port: u16) -> Result<String> {
    let invalid = || Error::new("the database's URL is not valid", "write it as postgres://user@host:5432/name");
    let mut url = Url::parse(url).map_err(|_| invalid())?;
    url.set_port(Some(port)).map_err(|()| invalid())?;
    Ok(url.into())
}
