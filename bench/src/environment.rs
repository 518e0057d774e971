//! Where it is measured: the functions' binaries and a database with sample data.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use url::Url;

use dev::{
    auth::SigningKey,
    proxy::Proxy,
    runtime::{Fleet, log::Log},
    stack::{Database, Options, Stack},
    template::Template,
    tripay,
};
use local_database::{Error, Result, postgres::Postgres};

pub struct Environment<'a> {
    pub workspace: PathBuf,
    /// Where cargo keeps what it builds.
    pub target: PathBuf,
    pub template: Template,
    /// The functions' binaries by name, as [`dev::build::build`] returns them.
    pub functions: BTreeMap<String, PathBuf>,
    pub database: Database,
    /// As the role that migrations run with.
    pub migrations_url: String,
    /// The server that has it.
    pub postgres: &'a Postgres,
    /// The ring of keys that seals exchange credentials.
    pub credentials_keys: String,
    pub log: Log,
    /// Is told what has been measured, in a line each.
    pub progress: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Environment<'_> {
    /// All functions, each with at most so many instances.
    pub(crate) async fn stack(&self, concurrency: usize) -> Result<Stack> {
        self.stack_on(self.database.clone(), concurrency).await
    }

    /// As [`Environment::stack`], where only functions reach the database through the proxy.
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
            schedules: false,
            tripay: tripay::Options { file: None, callback_retry_delay: tripay::Options::CALLBACK_RETRY_DELAY },
            log: self.log.clone(),
        })
        .await
    }

    /// The database as `nofomo_api` reaches it through the proxy.
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

    pub(crate) fn tell(&self, line: impl AsRef<str>) {
        (self.progress)(line.as_ref());
    }
}

/// The instances of one function.
pub(crate) fn fleet<'a>(stack: &'a Stack, function: &str) -> Result<&'a Fleet> {
    stack.fleet(function).ok_or_else(|| unknown(function))
}

fn unknown(function: &str) -> Error {
    Error::new(format!("there is no function {function}"), "see template.yaml")
}

fn at_port(url: &str, port: u16) -> Result<String> {
    let invalid = || Error::new("the database's URL is not valid", "write it as postgres://user@host:5432/name");
    let mut url = Url::parse(url).map_err(|_| invalid())?;
    url.set_port(Some(port)).map_err(|()| invalid())?;
    Ok(url.into())
}
