//! Proves that a database is what the migrations make: everything in it, nothing else, and figures that add up.

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

/// What is compared. Each query gives an object and its definition, the same text wherever the same migrations ran.
const KINDS: [Kind; 17] = [
    Kind::new("role", "roles", include_str!("verify/roles.sql")),
    Kind::new("membership", "memberships", include_str!("verify/memberships.sql")),
    Kind::new("schema", "schemas", include_str!("verify/schemas.sql")),
    Kind::new("type", "types", include_str!("verify/types.sql")),
    Kind::new("sequence", "sequences", include_str!("verify/sequences.sql")),
    Kind::new("table", "tables", include_str!("verify/tables.sql")),
    Kind::new("column", "columns", include_str!("verify/columns.sql")),
    Kind::new("constraint", "constraints", include_str!("verify/constraints.sql")),
    Kind::new("index", "indexes", include_str!("verify/indexes.sql")),
    Kind::new("policy", "policies", include_str!("verify/policies.sql")),
    Kind::new("function", "functions", include_str!("verify/functions.sql")),
    Kind::new("trigger", "triggers", include_str!("verify/triggers.sql")),
    Kind::new("rewrite", "rewrites", include_str!("verify/rewrites.sql")),
    Kind::new("view", "views", include_str!("verify/views.sql")),
    Kind::new(VIEW_QUERY, "view queries", include_str!("verify/view_queries.sql")),
    Kind::new("grant", "grants", include_str!("verify/grants.sql")),
    Kind::new("publication", "publications", include_str!("verify/publications.sql")),
];

/// PostgreSQL prints the query of a view from its parsed form, and not in every version alike.
const VIEW_QUERY: &str = "view query";

/// What must hold by itself. Each query gives a line for each breach.
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

struct Kind {
    name: &'static str,
    plural: &'static str,
    query: &'static str,
}

impl Kind {
    const fn new(name: &'static str, plural: &'static str, query: &'static str) -> Self {
        Self { name, plural, query }
    }
}

/// What was found; its text is the answer of `cargo ops verify`.
#[derive(Debug)]
pub struct Report {
    pub differences: Vec<Difference>,
    pub notes: Vec<String>,
    /// How many objects of each kind were found.
    pub counts: Vec<(&'static str, usize)>,
}

/// One object that is not as the migrations make it, or one rule that does not hold.
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
    Broken,
}

/// Compares a database with what the migrations make in a scratch database of `postgres`.
pub async fn verify_migrations(postgres: &Postgres, url: &str, migrations: &Path) -> Result<Report> {
    ensure_migrated(url).await?;
    let scratch = format!("verify_{}", Uuid::new_v4().simple());
    // Migrations set up roles, which are the whole server's: two at once would meet there.
    let turn = connect(&postgres.url(SUPERUSER, "postgres")).await?;
    turn.batch_execute("select pg_advisory_lock(hashtext('verify'))").await.map_err(unreadable)?;
    let compare = async {
        create_database(postgres, &scratch, DefaultGrants::Closed).await?;
        let reference_url = postgres.url("postgres", &scratch);
        migrate(&reference_url, migrations, |_| {}).await?;
        show_marketplace_alike(url, &reference_url).await?;
        verify(url, &reference_url).await
    };
    let report = compare.await;
    drop_database(postgres, &scratch).await?;
    report
}

/// Whether the marketplace is shown to the anonymous is the owner's to decide, and nobody's mistake.
async fn show_marketplace_alike(url: &str, reference_url: &str) -> Result<()> {
    let is_shown = "select exists (
        select from pg_class cross join lateral aclexplode(relacl) as granted
        where oid = to_regclass('public.strategy_marketplace') and granted.grantee = to_regrole('anon')
    )";
    let is_shown: bool = connect(url).await?.query_typed_one(is_shown, &[]).await.map_err(unreadable)?.get(0);
    if is_shown {
        let reference = connect(reference_url).await?;
        reference.batch_execute("select private.show_marketplace_to_anonymous(true)").await.map_err(unreadable)?;
    }
    Ok(())
}

/// Hundreds of missing objects would say the same.
async fn ensure_migrated(url: &str) -> Result<()> {
    let client = connect(url).await?;
    let migrated = "select to_regclass('public.users') is not null or to_regnamespace('private') is not null";
    if client.query_typed_one(migrated, &[]).await.map_err(unreadable)?.get(0) {
        return Ok(());
    }
    Err(Error::new("no migration has been applied to the database", "run `cargo ops migrate` on it first"))
}

/// Compares two databases; the second has what the first should have.
pub async fn verify(url: &str, reference_url: &str) -> Result<Report> {
    let mut database = connect(url).await?;
    let mut reference = connect(reference_url).await?;
    let (version, reference_version) = (major(&database).await?, major(&reference).await?);
    let (found, expected) = (read(&mut database).await?, read(&mut reference).await?);

    let mut report = Report { differences: Vec::new(), notes: Vec::new(), counts: Vec::new() };
    for ((kind, found), expected) in KINDS.iter().zip(found).zip(expected) {
        let name = if found.len() == 1 { kind.name } else { kind.plural };
        report.counts.push((name, found.len()));
        if kind.name == VIEW_QUERY && version != reference_version {
            let versions = format!("PostgreSQL {version} and {reference_version}");
            report.notes.push(format!("{versions} print queries differently: those of views are not compared"));
        } else {
            report.differences.extend(compare(kind.name, found, expected));
        }
    }
    for rule in RULES {
        report.differences.extend(breaches(&mut database, rule).await?);
    }
    if opens_new_tables(&database).await? {
        let note = "the project opens new tables to the API roles, as before 2026; the migrations close theirs";
        report.notes.push(note.to_owned());
    }
    Ok(report)
}

async fn major(client: &Client) -> Result<i32> {
    let version = "select current_setting('server_version_num')::integer / 10000";
    Ok(client.query_typed_one(version, &[]).await.map_err(unreadable)?.get(0))
}

/// Definitions by object, for each kind, all as of one moment.
async fn read(client: &mut Client) -> Result<Vec<BTreeMap<String, String>>> {
    let snapshot = snapshot(client).await?;
    let mut catalog = Vec::new();
    for kind in &KINDS {
        let rows = snapshot.query_typed(kind.query, &[]).await.map_err(unreadable)?;
        catalog.push(rows.iter().map(|row| (row.get(0), one_line(row.get(1)))).collect());
    }
    Ok(catalog)
}

async fn snapshot(client: &mut Client) -> Result<Transaction<'_>> {
    let begin = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let snapshot = begin.start().await.map_err(unreadable)?;
    // Without a search path every name is printed with its schema.
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

/// A rule that cannot be asked, because a table is missing, does not hold either.
async fn breaches(client: &mut Client, rule: &str) -> Result<Vec<Difference>> {
    let lines = match snapshot(client).await?.query_typed(rule, &[]).await {
        Ok(rows) => rows.iter().map(|row| row.get(0)).collect(),
        Err(error) => vec![format!("cannot be checked: {}", describe_error(&error))],
    };
    Ok(lines.into_iter().map(|object| Difference { kind: "rule", object, change: Change::Broken }).collect())
}

async fn opens_new_tables(client: &Client) -> Result<bool> {
    let opens = "
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
    Ok(client.query_typed_one(opens, &[]).await.map_err(unreadable)?.get(0))
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
            Change::Broken => ("broken", ""),
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
    fn a_report_tells_what_is_missing_extra_and_different() {
        let found = objects([("public.a", "same"), ("public.b", "new"), ("public.d", "x")]);
        let expected = objects([("public.a", "same"), ("public.b", "old"), ("public.c", "")]);
        let report = Report {
            differences: compare("index", found, expected),
            notes: vec!["mind this".into()],
            counts: vec![("table", 1), ("types", 0), ("indexes", 3)],
        };
        let text = "\
differs  index       public.b
                      migrations: old
                      database:   new
missing  index       public.c
extra    index       public.d  x
note: mind this
verified: 1 table, 3 indexes: 3 differences";
        assert_eq!(report.to_string(), text);
    }
}
