//! Compares a database with the migrations: nothing is missing, nothing is extra, and the statistics and billing are
//! right.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
    path::Path,
};

use local_database::{
    Error, Result, connect, describe_error,
    postgres::{Postgres, SUPERUSER},
    supabase::{DefaultGrants, create_database, drop_database},
};
use tokio_postgres::{Client, IsolationLevel, Transaction};
use uuid::Uuid;

use crate::migrations::migrate;

/// Kinds of objects that are compared. Each query returns names and definitions, which are the same on every server to
/// which the same migrations were applied.
const KINDS: [ObjectKind; 17] = [
    ObjectKind::new("role", "roles", include_str!("verify/roles.sql")),
    ObjectKind::new("membership", "memberships", include_str!("verify/memberships.sql")),
    ObjectKind::new("schema", "schemas", include_str!("verify/schemas.sql")),
    ObjectKind::new("type", "types", include_str!("verify/types.sql")),
    ObjectKind::new("sequence", "sequences", include_str!("verify/sequences.sql")),
    ObjectKind::new("table", "tables", include_str!("verify/tables.sql")),
    ObjectKind::new("column", "columns", include_str!("verify/columns.sql")),
    ObjectKind::new("constraint", "constraints", include_str!("verify/constraints.sql")),
    ObjectKind::new("index", "indexes", include_str!("verify/indexes.sql")),
    ObjectKind::new("policy", "policies", include_str!("verify/policies.sql")),
    ObjectKind::new("function", "functions", include_str!("verify/functions.sql")),
    ObjectKind::new("trigger", "triggers", include_str!("verify/triggers.sql")),
    ObjectKind::new("rewrite", "rewrites", include_str!("verify/rewrites.sql")),
    ObjectKind::new("view", "views", include_str!("verify/views.sql")),
    ObjectKind::new(VIEW_QUERY, "view queries", include_str!("verify/view_queries.sql")),
    ObjectKind::new("grant", "grants", include_str!("verify/grants.sql")),
    ObjectKind::new("publication", "publications", include_str!("verify/publications.sql")),
];

/// Queries of views. PostgreSQL prints them from their parsed form, which differs between its versions.
const VIEW_QUERY: &str = "view query";

/// Rules that hold in every database. Each query returns one line for each violation.
const RULES: [&str; 8] = [
    include_str!("verify/rule_row_level_security.sql"),
    include_str!("verify/rule_ownership.sql"),
    include_str!("verify/rule_one_owner.sql"),
    include_str!("verify/rule_definers.sql"),
    include_str!("verify/rule_statistics.sql"),
    include_str!("verify/rule_free_plan.sql"),
    include_str!("verify/rule_billing.sql"),
    include_str!("verify/rule_verified_strategies.sql"),
];

struct ObjectKind {
    name: &'static str,
    plural: &'static str,
    query: &'static str,
}

impl ObjectKind {
    const fn new(name: &'static str, plural: &'static str, query: &'static str) -> Self {
        Self { name, plural, query }
    }
}

/// Result of a comparison, as `cargo ops verify` prints it.
#[derive(Debug)]
pub struct Report {
    pub differences: Vec<Difference>,
    pub notes: Vec<String>,
    /// Number of objects of each kind, as singular or plural and number.
    pub counts: Vec<(&'static str, usize)>,
}

/// An object that differs from the migrations, or a rule that is violated.
#[derive(Debug)]
pub struct Difference {
    kind: &'static str,
    object: String,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Missing(String),
    Extra(String),
    Differs { expected: String, found: String },
    Violated,
}

/// Compares a database with a scratch database of `postgres` to which the migrations are applied.
///
/// # Errors
///
/// A database cannot be reached or read, or no migration has been applied to it.
pub async fn verify_migrations(postgres: &Postgres, url: &str, migrations: &Path) -> Result<Report> {
    ensure_migrated(url).await?;
    let scratch = format!("verify_{}", Uuid::new_v4().simple());
    // Migrations create roles, which belong to the whole server: two comparisons at the same time would collide.
    let lock = connect(&postgres.url(SUPERUSER, "postgres")).await?;
    lock.batch_execute("select pg_advisory_lock(hashtext('verify'))").await.map_err(unreadable)?;
    let compare = async {
        create_database(postgres, &scratch, DefaultGrants::Closed).await?;
        let reference_url = postgres.url("postgres", &scratch);
        migrate(&reference_url, migrations, |_| {}).await?;
        copy_marketplace_access(url, &reference_url).await?;
        verify(url, &reference_url).await
    };
    let report = compare.await;
    drop_database(postgres, &scratch).await?;
    report
}

/// Opens the marketplace of the reference database to anonymous readers if that of the verified database is open. Both
/// settings are valid, so they are not compared.
async fn copy_marketplace_access(url: &str, reference_url: &str) -> Result<()> {
    let is_open = "select exists (
        select from pg_class cross join lateral aclexplode(relacl) as granted
        where oid = to_regclass('public.strategy_marketplace') and granted.grantee = to_regrole('anon')
    )";
    let is_open: bool = connect(url).await?.query_typed_one(is_open, &[]).await.map_err(unreadable)?.get(0);
    if is_open {
        let reference = connect(reference_url).await?;
        reference.batch_execute("select private.show_marketplace_to_anonymous(true)").await.map_err(unreadable)?;
    }
    Ok(())
}

/// Rejects a database without any migration, instead of listing hundreds of missing objects.
async fn ensure_migrated(url: &str) -> Result<()> {
    let client = connect(url).await?;
    let migrated = "select to_regclass('public.users') is not null or to_regnamespace('private') is not null";
    if client.query_typed_one(migrated, &[]).await.map_err(unreadable)?.get(0) {
        return Ok(());
    }
    Err(Error::new("no migration has been applied to the database", "run `cargo ops migrate` on it first"))
}

/// Compares a database with a reference database.
///
/// # Errors
///
/// A database cannot be reached or read.
pub async fn verify(url: &str, reference_url: &str) -> Result<Report> {
    let mut database = connect(url).await?;
    let mut reference = connect(reference_url).await?;
    let (version, reference_version) = (major_version(&database).await?, major_version(&reference).await?);
    let (found, expected) = (read_catalog(&mut database).await?, read_catalog(&mut reference).await?);

    let mut report = Report { differences: Vec::new(), notes: Vec::new(), counts: Vec::new() };
    for ((kind, found), expected) in KINDS.iter().zip(found).zip(expected) {
        let name = if found.len() == 1 { kind.name } else { kind.plural };
        report.counts.push((name, found.len()));
        if kind.name == VIEW_QUERY && version != reference_version {
            let versions = format!("PostgreSQL {version} and {reference_version}");
            report
                .notes
                .push(format!("{versions} print queries differently, so the queries of views are not compared"));
        } else {
            report.differences.extend(compare(kind.name, found, expected));
        }
    }
    for rule in RULES {
        report.differences.extend(find_violations(&mut database, rule).await?);
    }
    if grants_new_tables(&database).await? {
        let note = "the project grants new tables to the API roles, as projects did before May 2026; the migrations revoke those grants";
        report.notes.push(note.to_owned());
    }
    Ok(report)
}

async fn major_version(client: &Client) -> Result<i32> {
    let version = "select current_setting('server_version_num')::integer / 10000";
    Ok(client.query_typed_one(version, &[]).await.map_err(unreadable)?.get(0))
}

/// Reads the definitions of all objects, for each kind, from one snapshot.
async fn read_catalog(client: &mut Client) -> Result<Vec<BTreeMap<String, String>>> {
    let snapshot = begin_snapshot(client).await?;
    let mut catalog = Vec::new();
    for kind in &KINDS {
        let rows = snapshot.query_typed(kind.query, &[]).await.map_err(unreadable)?;
        catalog.push(rows.iter().map(|row| (row.get(0), one_line(row.get(1)))).collect());
    }
    Ok(catalog)
}

async fn begin_snapshot(client: &mut Client) -> Result<Transaction<'_>> {
    let begin = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let snapshot = begin.start().await.map_err(unreadable)?;
    // With an empty search path every name is printed with its schema.
    snapshot.batch_execute("set local search_path = ''").await.map_err(unreadable)?;
    Ok(snapshot)
}

fn one_line(definition: &str) -> String {
    definition.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn compare(
    kind: &'static str,
    mut found: BTreeMap<String, String>,
    expected: BTreeMap<String, String>,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (object, expected) in expected {
        let change = match found.remove(&object) {
            None => Change::Missing(expected),
            Some(found) if found != expected => Change::Differs { expected, found },
            Some(_) => continue,
        };
        differences.push(Difference { kind, object, change });
    }
    for (object, definition) in found {
        differences.push(Difference { kind, object, change: Change::Extra(definition) });
    }
    differences
}

/// Violations of a rule. A rule that cannot be checked, such as when a table is missing, counts as violated.
async fn find_violations(client: &mut Client, rule: &str) -> Result<Vec<Difference>> {
    let lines = match begin_snapshot(client).await?.query_typed(rule, &[]).await {
        Ok(rows) => rows.iter().map(|row| row.get(0)).collect(),
        Err(error) => vec![format!("cannot be checked: {}", describe_error(&error))],
    };
    Ok(lines.into_iter().map(|object| Difference { kind: "rule", object, change: Change::Violated }).collect())
}

async fn grants_new_tables(client: &Client) -> Result<bool> {
    let grants = "
        select exists (
            select
            from pg_default_acl
            cross join lateral aclexplode(defaclacl) as granted
            where
                defaclrole = 'postgres'::regrole
                and defaclnamespace = 'public'::regnamespace
                and defaclobjtype = 'r'
                and granted.grantee = 'authenticated'::regrole
                and granted.privilege_type = 'SELECT'
        )";
    Ok(client.query_typed_one(grants, &[]).await.map_err(unreadable)?.get(0))
}

fn unreadable(error: tokio_postgres::Error) -> Error {
    Error::new(format!("cannot read the catalog: {}", describe_error(&error)), "use the URL of the role postgres")
}

impl Display for Report {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            writeln!(formatter, "{difference}")?;
        }
        for note in &self.notes {
            writeln!(formatter, "note: {note}")?;
        }
        let counted = self.counts.iter().filter(|(_, count)| *count > 0);
        let counts: Vec<_> = counted.map(|(kind, count)| format!("{count} {kind}")).collect();
        let verdict = match self.differences.len() {
            0 => "no difference".to_owned(),
            1 => "1 difference".to_owned(),
            many => format!("{many} differences"),
        };
        write!(formatter, "verified: {}: {verdict}", counts.join(", "))
    }
}

impl Display for Difference {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let (verb, definition) = match &self.change {
            Change::Missing(definition) => ("missing", definition.as_str()),
            Change::Extra(definition) => ("extra", definition.as_str()),
            Change::Differs { .. } => ("differs", ""),
            Change::Violated => ("broken", ""),
        };
        write!(formatter, "{}", format!("{verb:<8} {:<11} {}  {definition}", self.kind, self.object).trim_end())?;
        if let Change::Differs { expected, found } = &self.change {
            write!(formatter, "\n{:21} migrations: {expected}\n{:21} database:   {found}", "", "")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects<const N: usize>(objects: [(&str, &str); N]) -> BTreeMap<String, String> {
        objects.into_iter().map(|(object, definition)| (object.to_owned(), definition.to_owned())).collect()
    }

    #[test]
    fn a_report_lists_missing_extra_and_different_objects() {
        let found = objects([("public.a", "same"), ("public.b", "new"), ("public.d", "x")]);
        let expected = objects([("public.a", "same"), ("public.b", "old"), ("public.c", "")]);
        let report = Report {
            differences: compare("index", found, expected),
            notes: vec!["see this".into()],
            counts: vec![("table", 1), ("types", 0), ("indexes", 3)],
        };
        let text = "\
differs  index       public.b
                      migrations: old
                      database:   new
missing  index       public.c
extra    index       public.d  x
note: see this
verified: 1 table, 3 indexes: 3 differences";
        assert_eq!(report.to_string(), text);
    }
}
