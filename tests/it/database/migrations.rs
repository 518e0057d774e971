//! The folder `migrations`: each object is created once, and every reference to a file names an existing file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::database::{Database, migrations, workspace};
use crate::support::files::read_below;

/// Returns the text of each migration by file name.
fn files() -> BTreeMap<String, String> {
    let entries = fs::read_dir(migrations()).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|extension| extension == "sql"));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

/// Returns the lines that begin a statement. Function bodies and continuation lines are indented.
fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
}

/// Returns the objects that a file creates, such as `function private.create_bot`, in the order of the file.
fn created(sql: &str) -> Vec<String> {
    let name_of = |line: &str| {
        let mut rest = line.strip_prefix("create ")?;
        for word in ["or replace ", "unique ", "materialized "] {
            rest = rest.strip_prefix(word).unwrap_or(rest);
        }
        let (kind, rest) = rest.split_once(' ')?;
        let rest = rest.strip_prefix("if not exists ").unwrap_or(rest);
        let name = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next()?,
            None => rest.split(['(', ' ', ';']).next()?,
        };
        Some(format!("{kind} {name}"))
    };
    statements(sql).filter_map(name_of).collect()
}

/// Returns the objects that are created more than once, with the files that create them.
fn created_twice(files: &BTreeMap<String, String>) -> BTreeMap<String, Vec<&str>> {
    let mut creators: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (file, sql) in files {
        for object in created(sql) {
            creators.entry(object).or_default().push(file);
        }
    }
    creators.retain(|_, files| files.len() > 1);
    creators
}

#[test]
fn every_object_is_created_once() {
    let mut files = files();
    assert_eq!(created_twice(&files), BTreeMap::new());
    for (file, sql) in &files {
        // A statement that replaces or drops an object would leave unused definitions in the files.
        let replaces = |line: &&str| {
            let verbs =
                ["create or replace ", "drop ", "alter function ", "alter index ", "alter view ", "alter policy "];
            verbs.iter().any(|verb| line.starts_with(verb))
        };
        assert_eq!(statements(sql).find(replaces), None, "{file}");
    }

    let again = "create or replace function private.create_bot(\n    claims jsonb, input jsonb\n) returns json";
    files.insert("030_again.sql".into(), again.into());
    let twice = BTreeMap::from([("function private.create_bot".into(), vec!["008_create_bot.sql", "030_again.sql"])]);
    assert_eq!(created_twice(&files), twice, "a second definition is found");
}

/// The text of the files and the catalog list the same objects, so the tests of that text miss none.
#[tokio::test]
async fn the_files_create_every_object_of_the_catalog() {
    let database = Database::new().await;
    let catalog = "
        select 'function ' || p.pronamespace::regnamespace || '.' || p.proname
        from pg_proc as p
        where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
        union all
        select
            case c.relkind when 'r' then 'table ' when 'v' then 'view ' when 'm' then 'view ' when 'c' then 'type '
                else c.relkind::text end
            || c.relnamespace::regnamespace || '.' || c.relname
        from pg_class as c
        where
            c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
            -- Sequences belong to columns.
            and c.relkind not in ('i', 'S')
        union all
        select 'index ' || c.relname
        from pg_index as i
        join pg_class as c on c.oid = i.indexrelid
        where
            c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
            and not exists (select from pg_constraint as k where k.conindid = i.indexrelid)
        union all
        select 'trigger ' || t.tgname from pg_trigger as t where not t.tgisinternal
        union all
        select 'policy ' || p.polname from pg_policy as p";
    let mut in_database = database.owner().await.list(catalog).await;
    in_database.sort();
    let files = files();
    let mut in_files: Vec<String> = files.values().flat_map(|sql| created(sql)).collect();
    in_files.retain(|object| !object.starts_with("schema "));
    in_files.sort();
    assert_eq!(in_files, in_database);
}

/// Returns the names of SQL files that directly follow `words` in a text.
fn file_names_after<'a>(text: &'a str, words: &str) -> Vec<&'a str> {
    let name = |rest: &'a str| rest.split(|next: char| !(next.is_ascii_alphanumeric() || "._".contains(next))).next();
    text.split(words).skip(1).filter_map(name).filter(|name| name.ends_with(".sql")).collect()
}

#[test]
fn every_documented_sql_file_defines_a_function_that_is_called() {
    let files = files();
    let shared = read_below(&workspace().join("shared/trades/src"), "rs");
    let mut pointers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for folder in fs::read_dir(workspace().join("functions")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let sources = read_below(&folder.join("src"), "rs");
        let mut code: String = sources.iter().map(|(_, text)| text.as_str()).collect();
        if fs::read_to_string(folder.join("Cargo.toml")).unwrap().contains("nofomo-trades") {
            code.extend(shared.iter().map(|(_, text)| text.as_str()));
        }
        for (path, text) in &sources {
            for file in file_names_after(text, "//! SQL: `migrations/") {
                let sql = files.get(file).unwrap_or_else(|| panic!("{}: there is no {file}", path.display()));
                let functions = created(sql).into_iter().filter_map(|object| {
                    object.strip_prefix("function private.").map(|function| format!("\"{function}\""))
                });
                assert!(functions.into_iter().any(|function| code.contains(&function)), "{}: {file}", path.display());
                pointers.entry(name.clone()).or_default().insert(file.to_owned());
            }
        }
        assert!(pointers.contains_key(&name), "{name}: no `SQL:`");
    }

    // The table in README.md lists the same files. A row without a name belongs to the function of the row before.
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let mut rows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut name = String::new();
    for row in readme.lines().filter(|line| line.contains("](migrations/")) {
        let [file] = file_names_after(row, "](migrations/")[..] else { panic!("{row}") };
        assert!(row.contains(&format!("[{file}](migrations/{file})")), "{row}");
        if let Some((_, rest)) = row.split_once("](functions/") {
            name = rest.split('/').next().unwrap().to_owned();
        }
        rows.entry(name.clone()).or_default().insert(file.to_owned());
    }
    assert_eq!(rows, pointers);

    let texts = ["functions", "shared", "dev", "tests"].map(|folder| read_below(&workspace().join(folder), "rs"));
    let documents = ["docs", "migrations"].map(|folder| read_below(&workspace().join(folder), "md"));
    let others = ["ARCHITECTURE.md", "README.md", "SECURITY.md", "BENCHMARKS.md"].map(|file| workspace().join(file));
    let others = others.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).unwrap()));
    for (path, text) in texts.into_iter().flatten().chain(documents.into_iter().flatten()).chain(others) {
        for file in file_names_after(&text, "`migrations/") {
            assert!(files.contains_key(file), "{}: there is no {file}", path.display());
        }
    }
}
