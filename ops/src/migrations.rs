//! Applies the migrations, each once and in one transaction, and records them in the Supabase CLI's history table.

use std::{collections::BTreeMap, fs, path::Path};

use local_database::{Error, Result, connect, describe_error, print_line};
use tokio_postgres::{Client, Transaction, error::ErrorPosition, types::Type};

/// Name of the migration with rows for development and tests. It adds them only if `nofomo.sample_data` is on.
const SAMPLE_DATA: &str = "sample_data";

/// Takes a lock until the end of the transaction; a transaction pooler allows none that lasts longer. Two processes
/// that migrate at the same time take turns, file by file.
const LOCK: &str = "select pg_advisory_xact_lock(hashtext('nofomo: apply migrations'))";

/// The table as the Supabase CLI creates it, so that `supabase db push` and `cargo ops migrate` share one history.
const HISTORY: &str = "
    create schema if not exists supabase_migrations;
    create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
    alter table supabase_migrations.schema_migrations add column if not exists statements text[];
    alter table supabase_migrations.schema_migrations add column if not exists name text;";

/// Applies the files in `directory` that are new to the database, as the role in the URL; returns their number.
///
/// # Errors
///
/// The database was migrated with other files, or rejects one of these.
pub async fn migrate(url: &str, directory: &Path, mut on_applied: impl FnMut(&str)) -> Result<usize> {
    let migrations = read_migrations(directory)?;
    let mut client = connect(url).await?;
    ensure_history(&client).await.map_err(|error| {
        let problem = format!("cannot create the history of migrations: {}", describe_error(&error));
        Error::new(problem, "use the URL of the role postgres")
    })?;
    ensure_same_files(&client, &migrations).await?;
    let mut applied = 0;
    for migration in migrations.values() {
        let refused = |error| migration.refused(&error);
        let transaction = client.transaction().await.map_err(refused)?;
        if migration.apply(&transaction).await? {
            transaction.commit().await.map_err(refused)?;
            on_applied(&migration.file);
            applied += 1;
        }
    }
    Ok(applied)
}

/// Adds the sample data to a migrated database, unless it has it already; returns `true` if it was added.
///
/// # Errors
///
/// The database has other users or plans, or rejects the sample data.
pub async fn add_sample_data(url: &str, directory: &Path) -> Result<bool> {
    let migrations = read_migrations(directory)?;
    let Some(sample) = migrations.values().find(|migration| migration.name == SAMPLE_DATA) else {
        let problem = format!("{} has no sample data", directory.display());
        return Err(Error::new(problem, "run this in a complete clone of the repository"));
    };
    let mut client = connect(url).await?;
    let refused = |error| sample.refused(&error);
    let transaction = client.transaction().await.map_err(refused)?;
    // Two processes that add it at the same time take turns; the second one finds it.
    transaction.batch_execute(&format!("{LOCK}; set local nofomo.sample_data = 'on'")).await.map_err(refused)?;
    match read_contents_in(&transaction).await? {
        Contents::Empty => {}
        Contents::SampleData => return Ok(false),
        Contents::Other(found) => return Err(not_for_development(found)),
    }
    transaction.batch_execute(&sample.sql).await.map_err(refused)?;
    transaction.commit().await.map_err(refused)?;
    Ok(true)
}

/// Applies the migrations as [`migrate`] does, and prints the name of each.
///
/// # Errors
///
/// Same as [`migrate`].
pub async fn print_applied_migrations(url: &str, directory: &Path) -> Result<()> {
    if migrate(url, directory, |file| print_line(format_args!("migration  {file}"))).await? == 0 {
        print_line("migration  nothing new");
    }
    Ok(())
}

/// Adds the sample data as [`add_sample_data`] does, and prints that it was added.
///
/// # Errors
///
/// Same as [`add_sample_data`].
pub async fn print_added_sample_data(url: &str, directory: &Path) -> Result<()> {
    if add_sample_data(url, directory).await? {
        print_line("sample     users, plans, bots and trades added");
    }
    Ok(())
}

/// Rejects a database that may not be for development, such as production reached through a tunnel.
///
/// # Errors
///
/// The database has users or plans, and no sample data.
pub async fn ensure_development(url: &str) -> Result<()> {
    match read_contents(url).await? {
        Contents::Empty | Contents::SampleData => Ok(()),
        Contents::Other(found) => Err(not_for_development(found)),
    }
}

/// Contents of a database, relative to the sample data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Contents {
    /// Neither users nor plans.
    Empty,
    /// The sample data, perhaps with more.
    SampleData,
    /// Users or plans, as the text says, that are not the sample data.
    Other(&'static str),
}

/// Reads the contents of a database, migrated or not.
pub async fn read_contents(url: &str) -> Result<Contents> {
    let mut client = connect(url).await?;
    read_contents_in(&client.transaction().await.map_err(contents_unreadable)?).await
}

async fn read_contents_in(transaction: &Transaction<'_>) -> Result<Contents> {
    let tables = "select to_regclass('auth.users') is not null, to_regclass('public.plans') is not null";
    let tables = transaction.query_typed_one(tables, &[]).await.map_err(contents_unreadable)?;
    let exists = async |is_table: bool, row: &str| match is_table {
        true => transaction.query_typed_opt(row, &[]).await.map_err(contents_unreadable).map(|row| row.is_some()),
        false => Ok(false),
    };
    let (has_users_table, has_plans_table): (bool, bool) = (tables.get(0), tables.get(1));
    // Both are required: plans can be copied with their ids from a laptop to production.
    let plan = "select from public.plans where id = '0190a000-0000-7000-8000-000000000001'";
    let user =
        "select from auth.users where id = '0190b000-0000-7000-8000-000000000001' and email = 'free@nofomo.test'";
    if exists(has_plans_table, plan).await? && exists(has_users_table, user).await? {
        Ok(Contents::SampleData)
    } else if exists(has_users_table, "select from auth.users limit 1").await? {
        Ok(Contents::Other("users"))
    } else if exists(has_plans_table, "select from public.plans limit 1").await? {
        Ok(Contents::Other("plans"))
    } else {
        Ok(Contents::Empty)
    }
}

fn not_for_development(found: &str) -> Error {
    let problem = format!(
        "the database has {found} and no sample data, so it may not be for development; the users of the sample data \
         have a public password"
    );
    Error::new(problem, "use the URL of an empty database, or recreate the local one with `cargo dev --fresh`")
}

fn contents_unreadable(error: tokio_postgres::Error) -> Error {
    let problem = format!("cannot determine whether the database is for development: {}", describe_error(&error));
    Error::new(problem, "use the URL of the role postgres")
}

/// Rejects a database whose recorded migrations differ from these files, before any file is applied.
async fn ensure_same_files(client: &Client, migrations: &BTreeMap<u64, Migration>) -> Result<()> {
    let unreadable = |error| {
        Error::new(
            format!("cannot read the history of migrations: {}", describe_error(&error)),
            "use the URL of the role postgres",
        )
    };
    let applied =
        "select version, coalesce(name, ''), statements from supabase_migrations.schema_migrations order by version";
    for row in client.query_typed(applied, &[]).await.map_err(unreadable)? {
        let (version, name, statements): (String, String, Option<Vec<String>>) = (row.get(0), row.get(1), row.get(2));
        let difference = match version.parse().ok().and_then(|number: u64| migrations.get(&number)) {
            Some(file) if file.name != name => {
                format!("version {version} is {name} in the database and {} here", file.file)
            }
            Some(file)
                if statements
                    .is_some_and(|applied| strip_separators(&applied.concat()) != strip_separators(&file.sql)) =>
            {
                format!("{} was changed after it was applied", file.file)
            }
            Some(_) => continue,
            None => format!("it has {version}_{name}, which is missing here"),
        };
        let remedy = "recreate a local database with `cargo dev --fresh`; for any other, see migrations/README.md";
        return Err(Error::new(format!("the database was migrated with other files: {difference}"), remedy));
    }
    Ok(())
}

async fn ensure_history(client: &Client) -> Result<(), tokio_postgres::Error> {
    let columns = "
        select count(*) from pg_attribute
        where
            attrelid = to_regclass('supabase_migrations.schema_migrations')
            and attname in ('version', 'statements', 'name')";
    if client.query_typed_one(columns, &[]).await?.get::<_, i64>(0) < 3 {
        client.batch_execute(&format!("begin; {LOCK}; {HISTORY} commit")).await?;
    }
    Ok(())
}

#[derive(Debug)]
struct Migration {
    file: String,
    version: String,
    name: String,
    sql: String,
}

impl Migration {
    /// Applies the file and records it; returns `true` if it was new.
    async fn apply(&self, transaction: &Transaction<'_>) -> Result<bool> {
        let refused = |error| self.refused(&error);
        // Settings of an earlier file must not affect this one. A statement that waits for a table lock makes every
        // later query on the table wait too, so it gives up early.
        let start = format!("reset all; {LOCK}; set local lock_timeout = '10s'");
        transaction.batch_execute(&start).await.map_err(refused)?;

        let applied = "select from supabase_migrations.schema_migrations where version = $1";
        let applied = transaction.query_typed_opt(applied, &[(&self.version, Type::TEXT)]).await.map_err(refused)?;
        if applied.is_some() {
            return Ok(false);
        }

        transaction.batch_execute(&self.sql).await.map_err(refused)?;
        let record = "
            insert into supabase_migrations.schema_migrations (version, name, statements)
            values ($1, $2, array[$3])";
        let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] =
            [(&self.version, Type::TEXT), (&self.name, Type::TEXT), (&self.sql, Type::TEXT)];
        transaction.execute_typed(record, &values).await.map_err(refused)?;
        Ok(true)
    }

    fn refused(&self, error: &tokio_postgres::Error) -> Error {
        let nothing = "nothing of this file was applied";
        let Some(db_error) = error.as_db_error() else {
            return Error::new(format!("{}: {}", self.file, describe_error(error)), format!("{nothing}; run it again"));
        };
        let place = match db_error.position() {
            Some(ErrorPosition::Original(position)) => format!(", line {}", line_at(&self.sql, *position)),
            _ => String::new(),
        };
        let mut problem = format!("{}{place}: {}", self.file, db_error.message());
        let context = db_error.where_().and_then(|context| context.lines().next());
        for addition in [db_error.detail(), context.filter(|_| place.is_empty())].into_iter().flatten() {
            problem = format!("{problem} ({addition})");
        }
        let hint = db_error.hint().unwrap_or("correct it and run it again");
        Error::new(problem, format!("{nothing}; {hint}"))
    }
}

/// Reads the migrations of a directory, ordered by number.
fn read_migrations(directory: &Path) -> Result<BTreeMap<u64, Migration>> {
    let unreadable = |path: &Path, error| {
        Error::new(format!("cannot read {}: {error}", path.display()), "run this in a complete clone of the repository")
    };
    let mut migrations = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(|error| unreadable(directory, error))? {
        let path = entry.map_err(|error| unreadable(directory, error))?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !file.ends_with(".sql") {
            continue;
        }
        let Some((number, version, name)) = parse_name(&file) else {
            let problem = format!("{file} is not a valid name of a migration");
            return Err(Error::new(problem, "use a name such as 004_create_bot.sql"));
        };
        let sql = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        let migration = Migration { version: version.to_owned(), name: name.to_owned(), sql, file: file.clone() };
        if let Some(twin) = migrations.insert(number, migration) {
            let problem = format!("{} and {file} have the same number", twin.file);
            return Err(Error::new(problem, "rename the newer one to the next free number"));
        }
    }
    if migrations.is_empty() {
        let problem = format!("{} has no migrations", directory.display());
        return Err(Error::new(problem, "run this in a complete clone of the repository"));
    }
    Ok(migrations)
}

fn parse_name(file: &str) -> Option<(u64, &str, &str)> {
    let (version, name) = file.strip_suffix(".sql")?.split_once('_')?;
    let digits = version.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !name.is_empty()).then_some((version.parse().ok()?, version, name))
}

/// Removes whitespace and semicolons: the Supabase CLI records a file as statements without the separators between
/// them.
fn strip_separators(sql: &str) -> String {
    sql.chars().filter(|character| !character.is_whitespace() && *character != ';').collect()
}

/// Line number of a position that PostgreSQL reports in characters. Both start at 1.
fn line_at(sql: &str, position: u32) -> usize {
    let before = usize::try_from(position).unwrap_or(usize::MAX).saturating_sub(1);
    1 + sql.chars().take(before).filter(|character| *character == '\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_a_number_and_words() {
        assert_eq!(parse_name("004_create_bot.sql"), Some((4, "004", "create_bot")));
        assert_eq!(parse_name("20260101120000_a.sql"), Some((20_260_101_120_000, "20260101120000", "a")));
        for file in ["create_bot.sql", "004.sql", "004_.sql", "_a.sql", "+4_a.sql", "004_a.txt"] {
            assert_eq!(parse_name(file), None, "{file}");
        }
    }

    #[test]
    fn a_file_recorded_statement_by_statement_is_the_same_file() {
        let file = "create table a ();\n\n-- Why.\ncreate table b ();\n";
        assert_eq!(
            strip_separators(file),
            strip_separators(&["create table a ()", "-- Why.\ncreate table b ()"].concat())
        );
        assert_ne!(strip_separators(file), strip_separators("create table a ();"));
    }

    #[test]
    fn a_position_is_counted_in_characters() {
        assert_eq!(line_at("select 1", 1), 1);
        assert_eq!(line_at("-- é\nselect x\n", 13), 2);
        assert_eq!(line_at("a\nb\nc", 5), 3);
    }
}
