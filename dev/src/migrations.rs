//! Applies the migrations, each once and whole, and notes them where the Supabase CLI does.

use std::{collections::BTreeMap, fs, path::Path};

use tokio_postgres::{Client, Transaction, error::ErrorPosition, types::Type};

use crate::{
    Error, Result,
    connect::{connect, explain},
};

/// Rows for development and tests, which no real project should get by itself.
const SAMPLE_DATA: &str = "sample_data";

/// Held to the end of a transaction: longer is not to be had through a transaction pooler. Two who migrate at once take
/// turns, file by file.
const LOCK: &str = "select pg_advisory_xact_lock(hashtext('nofomo: apply migrations'))";

/// As the Supabase CLI makes it, so that `supabase db push` and this know of each other.
const HISTORY: &str = "
    create schema if not exists supabase_migrations;
    create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
    alter table supabase_migrations.schema_migrations add column if not exists statements text[];
    alter table supabase_migrations.schema_migrations add column if not exists name text;";

/// Applies what is new in `directory`, as the user of the URL, and says how many files that were. The sample data is
/// applied only when asked for, then also if later files have been applied already.
pub async fn migrate(
    url: &str,
    directory: &Path,
    sample_data: bool,
    mut on_applied: impl FnMut(&str),
) -> Result<usize> {
    let migrations = read(directory)?;
    let mut client = connect(url).await?;
    ensure_history(&client).await.map_err(|error| {
        let problem = format!("cannot keep the history of migrations: {}", explain(&error));
        Error::new(problem, "use the URL of the role postgres")
    })?;
    let mut applied = 0;
    for migration in migrations.values().filter(|migration| sample_data || migration.name != SAMPLE_DATA) {
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

/// Refuses a database with users and without the sample data: it may be production, reached through a tunnel.
pub async fn ensure_development(url: &str) -> Result<()> {
    let client = connect(url).await?;
    let unreadable = |error| {
        let problem = format!("cannot see whether the database is one for development: {}", explain(&error));
        Error::new(problem, "use the URL of the role postgres")
    };
    let tables = "
        select
            to_regclass('auth.users') is not null,
            to_regclass('supabase_migrations.schema_migrations') is not null";
    let tables = client.query_typed_one(tables, &[]).await.map_err(unreadable)?;
    let (has_users_table, has_history): (bool, bool) = (tables.get(0), tables.get(1));
    // As JSON: the column may be missing from a history that an early Supabase CLI made. It can also note what was never
    // applied, so one of the samples must be there as well.
    let sampled = "
        select from supabase_migrations.schema_migrations as migration
        where to_jsonb(migration) ->> 'name' = $1 and exists (select from auth.users where email = 'free@nofomo.test')
        limit 1";
    let users = "select from auth.users limit 1";
    let is_sampled = has_history
        && has_users_table
        && client.query_typed_opt(sampled, &[(&SAMPLE_DATA, Type::TEXT)]).await.map_err(unreadable)?.is_some();
    if !is_sampled && has_users_table && client.query_typed_opt(users, &[]).await.map_err(unreadable)?.is_some() {
        let problem = "the database has users and no sample data, so it may not be one for development: this would add \
                       users whose password is public, and change the passwords of the functions' roles";
        return Err(Error::new(problem, "give the URL of an empty database"));
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
    /// Whether it was new.
    async fn apply(&self, transaction: &Transaction<'_>) -> Result<bool> {
        let refused = |error| self.refused(&error);
        // An earlier file's settings are not this one's.
        // Whoever waits for a table has everybody else wait behind him.
        let start = format!("reset all; {LOCK}; set local lock_timeout = '10s'");
        transaction.batch_execute(&start).await.map_err(refused)?;

        let noted = "select statements from supabase_migrations.schema_migrations where version = $1";
        let noted = transaction.query_typed_opt(noted, &[(&self.version, Type::TEXT)]).await.map_err(refused)?;
        if let Some(noted) = noted {
            let statements: Option<Vec<String>> = noted.get(0);
            return match statements {
                Some(statements) if essence(&statements.concat()) != essence(&self.sql) => {
                    let remedy = "put the change into a new file (a local database can start over with --fresh)";
                    Err(Error::new(format!("{} was edited after it had been applied", self.file), remedy))
                }
                _ => Ok(false),
            };
        }

        if self.name == SAMPLE_DATA {
            transaction.batch_execute("set local nofomo.sample_data = 'on'").await.map_err(refused)?;
        }
        transaction.batch_execute(&self.sql).await.map_err(refused)?;
        let note = "
            insert into supabase_migrations.schema_migrations (version, name, statements)
            values ($1, $2, array[$3])";
        let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] =
            [(&self.version, Type::TEXT), (&self.name, Type::TEXT), (&self.sql, Type::TEXT)];
        transaction.execute_typed(note, &values).await.map_err(refused)?;
        Ok(true)
    }

    fn refused(&self, error: &tokio_postgres::Error) -> Error {
        let nothing = "nothing of the file was applied";
        let Some(answer) = error.as_db_error() else {
            return Error::new(format!("{}: {}", self.file, explain(error)), format!("{nothing}, run it again"));
        };
        let place = match answer.position() {
            Some(ErrorPosition::Original(position)) => format!(", line {}", line_at(&self.sql, *position)),
            _ => String::new(),
        };
        let mut problem = format!("{}{place}: {}", self.file, answer.message());
        let context = answer.where_().and_then(|context| context.lines().next());
        for addition in [answer.detail(), context.filter(|_| place.is_empty())].into_iter().flatten() {
            problem = format!("{problem} ({addition})");
        }
        let hint = answer.hint().unwrap_or("correct it and run it again");
        Error::new(problem, format!("{nothing}: {hint}"))
    }
}

/// By their numbers.
fn read(directory: &Path) -> Result<BTreeMap<u64, Migration>> {
    let unreadable = |path: &Path, error| {
        Error::new(format!("cannot read {}: {error}", path.display()), "run this in the repository's directory")
    };
    let mut migrations = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(|error| unreadable(directory, error))? {
        let path = entry.map_err(|error| unreadable(directory, error))?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !file.ends_with(".sql") {
            continue;
        }
        let Some((number, version, name)) = parse_name(&file) else {
            let problem = format!("{file} is not the name of a migration");
            return Err(Error::new(problem, "name it like 004_create_bot.sql"));
        };
        let sql = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        let migration = Migration { version: version.to_owned(), name: name.to_owned(), sql, file: file.clone() };
        if let Some(twin) = migrations.insert(number, migration) {
            let problem = format!("{} and {file} have the same number", twin.file);
            return Err(Error::new(problem, "give the newer one the next free number"));
        }
    }
    if migrations.is_empty() {
        let problem = format!("there is no migration in {}", directory.display());
        return Err(Error::new(problem, "run this in the repository's directory"));
    }
    Ok(migrations)
}

fn parse_name(file: &str) -> Option<(u64, &str, &str)> {
    let (version, name) = file.strip_suffix(".sql")?.split_once('_')?;
    let digits = version.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !name.is_empty()).then_some((version.parse().ok()?, version, name))
}

/// The Supabase CLI notes a file cut into statements, without the spaces and semicolons between them.
fn essence(sql: &str) -> String {
    sql.chars().filter(|character| !character.is_whitespace() && *character != ';').collect()
}

/// PostgreSQL counts characters, from 1.
fn line_at(sql: &str, position: u32) -> usize {
    let before = usize::try_from(position).unwrap_or(usize::MAX).saturating_sub(1);
    1 + sql.chars().take(before).filter(|character| *character == '\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_number_and_words() {
        assert_eq!(parse_name("004_create_bot.sql"), Some((4, "004", "create_bot")));
        assert_eq!(parse_name("20260101120000_a.sql"), Some((20_260_101_120_000, "20260101120000", "a")));
        for file in ["create_bot.sql", "004.sql", "004_.sql", "_a.sql", "+4_a.sql", "004_a.txt"] {
            assert_eq!(parse_name(file), None, "{file}");
        }
    }

    #[test]
    fn a_file_noted_statement_by_statement_is_the_same_file() {
        let file = "create table a ();\n\n-- Why.\ncreate table b ();\n";
        assert_eq!(essence(file), essence(&["create table a ()", "-- Why.\ncreate table b ()"].concat()));
        assert_ne!(essence(file), essence("create table a ();"));
    }

    #[test]
    fn a_position_is_counted_in_characters() {
        assert_eq!(line_at("select 1", 1), 1);
        assert_eq!(line_at("-- é\nselect x\n", 13), 2);
        assert_eq!(line_at("a\nb\nc", 5), 3);
    }
}
