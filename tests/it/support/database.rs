//! A real Postgres: one server for the whole run, and for each test a copy of a migrated database.

use std::path::{Path, PathBuf};

use local_database::postgres::Postgres;
use local_database::supabase::{self, DefaultGrants};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Row};
use uuid::Uuid;

use super::waiting::wait_until;

/// Sample users of `migrations/003_sample_data.sql`.
pub(crate) const FREE: &str = "0190b000-0000-7000-8000-000000000001";
pub(crate) const PRO: &str = "0190b000-0000-7000-8000-000000000002";
pub(crate) const ENTERPRISE: &str = "0190b000-0000-7000-8000-000000000003";

const TEMPLATE: &str = "migrated";

static SERVER: OnceCell<Postgres> = OnceCell::const_new();

/// Root folder of the repository.
pub(crate) fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Cargo's target folder.
pub(crate) fn target() -> &'static Path {
    Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/.."))
}

pub(crate) fn migrations() -> PathBuf {
    workspace().join("migrations")
}

/// Default privileges of a Supabase project before any migration. A second run tests the exposed ones.
pub(crate) fn default_grants() -> DefaultGrants {
    if is_set("NOFOMO_TEST_EXPOSED_GRANTS") { DefaultGrants::Exposed } else { DefaultGrants::Closed }
}

/// `true` in a run where functions connect to the database through PgBouncer in transaction mode.
pub(crate) fn through_pooler() -> bool {
    is_set("NOFOMO_TEST_POOLER")
}

/// `true` in a slow run with a million rows; other runs use fewer, which show the same.
pub(crate) fn is_full_size_run() -> bool {
    is_set("NOFOMO_TEST_FULL_SIZE")
}

/// `true` in a run on a server that must have the extension plpgsql_check.
pub(crate) fn is_lint_required() -> bool {
    is_set("NOFOMO_TEST_LINT")
}

/// `true` in a run that saves screenshots of every report in every medium and colour scheme, at a second each.
pub(crate) fn saves_all_screenshots() -> bool {
    is_set("NOFOMO_TEST_PICTURES")
}

#[expect(clippy::disallowed_methods, reason = "these variables choose the kind of run")]
fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

/// Directory of this run; the first use of the server deletes the directories of earlier runs that have ended.
pub(crate) fn run_directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()))
}

/// Ensures the prerequisites; ends the run with one error if they are missing, since every test would fail.
fn ensure_prerequisites() {
    if let Err(error) = check_prerequisites::ensure_programs(check_prerequisites::Purpose::Testing) {
        check_prerequisites::report_progress(format_args!("error: {error}"));
        std::process::exit(1);
    }
}

/// Server of this run, started once; it stops when the test process ends.
pub(crate) async fn server() -> &'static Postgres {
    SERVER
        .get_or_init(|| async {
            ensure_prerequisites();
            for entry in std::fs::read_dir(env!("CARGO_TARGET_TMPDIR")).into_iter().flatten().flatten() {
                let is_ours = entry.file_name().to_string_lossy().ends_with(&format!("-{}", std::process::id()));
                // Fails if another run is using it.
                if !is_ours && Postgres::erase(&entry.path()).await.is_ok() {
                    // Another run may be deleting it too.
                    std::fs::remove_dir_all(entry.path()).ok();
                }
            }
            let postgres = Postgres::start(&run_directory("postgres"), None).await.unwrap();
            migrate_template(&postgres).await;
            postgres
        })
        .await
}

/// Creates the migrated database with sample data that the tests' databases are copied from.
pub(crate) async fn migrate_template(postgres: &Postgres) {
    supabase::create_database(postgres, TEMPLATE, default_grants()).await.unwrap();
    let url = postgres.url("postgres", TEMPLATE);
    ops::migrations::migrate(&url, &migrations(), |_| {}).await.unwrap();
    ops::migrations::add_sample_data(&url, &migrations()).await.unwrap();
    supabase::set_passwords(&postgres.url("supabase_admin", TEMPLATE), postgres.password()).await.unwrap();
}

/// Migrated database with sample data.
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) port: u16,
    password: String,
    /// Server from which the database is dropped when this value is; `None` if the test has its own server.
    dropped_from: Option<&'static Postgres>,
}

impl Database {
    pub(crate) async fn new() -> Self {
        let postgres = server().await;
        let name = format!("test_{}", Uuid::new_v4().simple());
        supabase::clone_database(postgres, TEMPLATE, &name).await.unwrap();
        let mut database = Self::migrated_on(postgres);
        database.name = name;
        database.dropped_from = Some(postgres);
        database
    }

    /// The migrated database of a test's own server.
    pub(crate) fn migrated_on(postgres: &Postgres) -> Self {
        let (port, password) = (postgres.port(), postgres.password().to_owned());
        Self { name: TEMPLATE.into(), port, password, dropped_from: None }
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    pub(crate) fn url(&self, role: &str) -> String {
        self.url_at_port(self.port, role)
    }

    /// URL through another port, such as that of a proxy.
    pub(crate) fn url_at_port(&self, port: u16, role: &str) -> String {
        format!("postgres://{role}:{}@127.0.0.1:{port}/{}?sslmode=disable", self.password, self.name)
    }

    /// Session of the owner, who bypasses policies, to prepare and inspect data.
    pub(crate) async fn owner(&self) -> Session {
        Session::open(&self.url("postgres")).await
    }

    pub(crate) async fn session(&self, role: &str) -> Session {
        Session::open(&self.url(role)).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(postgres) = self.dropped_from else { return };
        let name = self.name.clone();
        // A thread, since the test's own runtime may be ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(supabase::drop_database(postgres, &name)).ok();
        });
        dropping.join().ok();
    }
}

/// Connection for tests, with text parameters.
pub(crate) struct Session(pub(crate) Client);

impl Session {
    pub(crate) async fn open(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    pub(crate) async fn run(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.0.batch_execute(sql).await
    }

    pub(crate) async fn rows(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        // Every parameter is text; the statement casts it.
        let typed: Vec<_> = parameters.iter().map(|parameter| (*parameter, Type::TEXT)).collect();
        self.0.query_typed(sql, &typed).await
    }

    /// First column of the first row, as text.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let rows = self.rows(&format!("select ({sql})::text"), &[]).await.unwrap();
        rows[0].get::<_, Option<String>>(0).unwrap_or_default()
    }

    /// First column, which must be text, of all rows.
    pub(crate) async fn list(&self, sql: &str) -> Vec<String> {
        self.rows(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// Waits until at least this many sessions wait for a lock of this one.
    pub(crate) async fn wait_until_blocking(&self, count: usize) {
        // Within a transaction, `pg_stat_activity` repeats its first result; `pg_locks` does not.
        let blocked = "select count(distinct pid) from pg_locks
            where not granted and pg_backend_pid() = any (pg_blocking_pids(pid))";
        wait_until("others wait for the lock", async || self.text(blocked).await.parse::<usize>().unwrap() >= count)
            .await;
    }

    /// Waits until the server executes no statement of the functions.
    pub(crate) async fn wait_until_idle(&self) {
        let active = "select count(*) from pg_stat_activity
            where usename = 'nofomo_api' and datname = current_database() and state = 'active'";
        wait_until("the server is idle", async || self.text(active).await == "0").await;
    }

    /// Number of pages that a statement reads, and number that it dirties.
    pub(crate) async fn pages(&self, sql: &str) -> (u64, u64) {
        let explained = self.rows(&format!("explain (analyze, buffers, format json) {sql}"), &[]).await.unwrap();
        let explained: Value = explained[0].get(0);
        let count = |name: &str| explained[0]["Plan"][name].as_u64().unwrap();
        (count("Shared Hit Blocks") + count("Shared Read Blocks"), count("Shared Dirtied Blocks"))
    }

    /// Begins a transaction with a user's role and claims, as PostgREST does.
    pub(crate) async fn become_user(&self, user: &str) {
        self.run(&format!(
            "begin; select set_config('role', 'authenticated', true), set_config('request.jwt.claims', \
             '{{\"sub\": \"{user}\", \"role\": \"authenticated\"}}', true)"
        ))
        .await
        .unwrap();
    }

    pub(crate) async fn become_anonymous(&self) {
        self.run("begin; select set_config('role', 'anon', true), set_config('request.jwt.claims', '{\"role\": \"anon\"}', true)")
            .await
            .unwrap();
    }

    pub(crate) async fn rollback(&self) {
        self.run("rollback").await.unwrap();
    }
}
