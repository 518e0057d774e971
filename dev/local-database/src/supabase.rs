//! Makes a plain PostgreSQL database look like a Supabase project's.

use tokio_postgres::{Client, types::Type};

use crate::{
    connect::{connect, describe_error},
    error::{Error, Result},
    postgres::{Postgres, SUPERUSER},
};

const CLUSTER_ROLES: &str = include_str!("../supabase/cluster_roles.sql");
const DATABASE: &str = include_str!("../supabase/database.sql");
const CLOSED_GRANTS: &str = include_str!("../supabase/closed_grants.sql");

/// Serializes changes of roles, which belong to the whole server and not to one database.
const LOCK_ROLES: &str = "lock table pg_authid in share row exclusive mode";

/// Privileges that API roles get by default on objects that `postgres` creates in schema public.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DefaultGrants {
    /// All privileges, as in projects created before May 2026.
    Exposed,
    /// No access to rows, as in projects created since then.
    Closed,
}

/// Creates a database that looks like a new project's, unless it exists.
pub async fn create_database(postgres: &Postgres, name: &str, grants: DefaultGrants) -> Result<()> {
    let admin = connect(&postgres.url(SUPERUSER, "template1")).await?;
    let exists = "select from pg_database where datname = $1";
    if admin.query_typed_opt(exists, &[(&name, Type::TEXT)]).await.map_err(rejected)?.is_none() {
        execute(&admin, &format!("create database {} template template0", identifier(name))).await?;
    }
    drop(admin);
    prepare(&postgres.url(SUPERUSER, name), grants).await?;
    let admin = connect(&postgres.url(SUPERUSER, name)).await?;
    change_passwords(&admin, &["postgres", "authenticator", "supabase_auth_admin"], postgres.password()).await
}

/// Makes an existing database look like a new project's, as a superuser. A database with a schema auth already does.
pub async fn prepare(admin_url: &str, grants: DefaultGrants) -> Result<()> {
    let admin = connect(admin_url).await?;
    let state = "select to_regnamespace('auth') is not null, rolsuper from pg_roles where rolname = current_user";
    let state = admin.query_typed_one(state, &[]).await.map_err(rejected)?;
    let (is_project, is_superuser): (bool, bool) = (state.get(0), state.get(1));
    if is_project {
        return Ok(());
    }
    if !is_superuser {
        let problem = "the database has no schema auth, and only a superuser can set it up like Supabase's";
        return Err(Error::new(problem, "use the URL of a superuser or of a Supabase project"));
    }
    let closed = match grants {
        DefaultGrants::Exposed => "",
        DefaultGrants::Closed => CLOSED_GRANTS,
    };
    execute(&admin, &format!("begin; {LOCK_ROLES}; {CLUSTER_ROLES} {DATABASE} {closed} commit")).await
}

/// Sets the password of the two login roles that the migrations create.
pub async fn set_passwords(admin_url: &str, password: &str) -> Result<()> {
    change_passwords(&connect(admin_url).await?, &["nofomo_api", "nofomo_jobs"], password).await
}

/// Copies a database that has no connections.
pub async fn clone_database(postgres: &Postgres, template: &str, name: &str) -> Result<()> {
    let admin = connect(&postgres.url(SUPERUSER, "template1")).await?;
    let (name, template) = (identifier(name), identifier(template));
    execute(&admin, &format!("create database {name} template {template} owner postgres")).await?;
    // The copy does not include the grants on the database itself.
    execute(&admin, &format!("grant all on database {name} to postgres, dashboard_user")).await
}

/// Drops a database, with its connections.
pub async fn drop_database(postgres: &Postgres, name: &str) -> Result<()> {
    let admin = connect(&postgres.url(SUPERUSER, "template1")).await?;
    execute(&admin, &format!("drop database if exists {} with (force)", identifier(name))).await
}

async fn change_passwords(admin: &Client, roles: &[&str], password: &str) -> Result<()> {
    let password = password.replace('\'', "''");
    let changes: String = roles.iter().map(|role| format!("alter role {role} password '{password}';")).collect();
    execute(admin, &format!("begin; {LOCK_ROLES}; {changes} commit")).await
}

async fn execute(admin: &Client, sql: &str) -> Result<()> {
    admin.batch_execute(sql).await.map_err(rejected)
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn rejected(error: tokio_postgres::Error) -> Error {
    let remedy = "use PostgreSQL 15 or newer with its contrib modules, or recreate the database with --fresh";
    Error::new(format!("PostgreSQL rejects a statement: {}", describe_error(&error)), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_in_an_identifier_are_escaped() {
        assert_eq!(identifier(r#"a"; drop database b; --"#), r#""a""; drop database b; --""#);
    }
}
