//! What makes a plain PostgreSQL database look like a Supabase project's.

use tokio_postgres::{Client, types::Type};

use crate::{
    connect::{connect, describe_error},
    error::{Error, Result},
    postgres::{Postgres, SUPERUSER},
};

const CLUSTER_ROLES: &str = include_str!("../supabase/cluster_roles.sql");
const DATABASE: &str = include_str!("../supabase/database.sql");
const CLOSED_GRANTS: &str = include_str!("../supabase/closed_grants.sql");

/// Roles belong to the whole server: who changes them waits here, whichever database he is connected to.
const LOCK_ROLES: &str = "lock table pg_authid in share row exclusive mode";

/// What API roles may do, before any migration says so, with what `postgres` makes in schema public.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DefaultGrants {
    /// Everything: projects from before May 2026.
    Exposed,
    /// No reading and no writing of rows: projects since.
    Closed,
}

/// Makes a database that looks like a new project's; one that exists is left alone.
pub async fn create_database(postgres: &Postgres, name: &str, grants: DefaultGrants) -> Result<()> {
    let admin = connect(&postgres.url(SUPERUSER, "template1")).await?;
    let exists = "select from pg_database where datname = $1";
    if admin.query_typed_opt(exists, &[(&name, Type::TEXT)]).await.map_err(refused)?.is_none() {
        execute(&admin, &format!("create database {} template template0", identifier(name))).await?;
    }
    drop(admin);
    prepare(&postgres.url(SUPERUSER, name), grants).await?;
    let admin = connect(&postgres.url(SUPERUSER, name)).await?;
    change_passwords(&admin, &["postgres", "authenticator", "supabase_auth_admin"], postgres.password()).await
}

/// The same for a database that exists, reached as a superuser; one with a schema auth is a project's already.
pub async fn prepare(admin_url: &str, grants: DefaultGrants) -> Result<()> {
    let admin = connect(admin_url).await?;
    let state = "select to_regnamespace('auth') is not null, rolsuper from pg_roles where rolname = current_user";
    let state = admin.query_typed_one(state, &[]).await.map_err(refused)?;
    let (is_project, is_superuser): (bool, bool) = (state.get(0), state.get(1));
    if is_project {
        return Ok(());
    }
    if !is_superuser {
        let problem = "the database has no schema auth, and only a superuser can make it look like Supabase's";
        return Err(Error::new(problem, "give the URL of a superuser or of a Supabase project"));
    }
    let closed = match grants {
        DefaultGrants::Exposed => "",
        DefaultGrants::Closed => CLOSED_GRANTS,
    };
    execute(&admin, &format!("begin; {LOCK_ROLES}; {CLUSTER_ROLES} {DATABASE} {closed} commit")).await
}

/// Gives the two roles that the migrations make the password they log in with.
pub async fn set_passwords(admin_url: &str, password: &str) -> Result<()> {
    change_passwords(&connect(admin_url).await?, &["nofomo_api", "nofomo_jobs"], password).await
}

/// A copy of a database that nobody is connected to.
pub async fn clone_database(postgres: &Postgres, template: &str, name: &str) -> Result<()> {
    let admin = connect(&postgres.url(SUPERUSER, "template1")).await?;
    let (name, template) = (identifier(name), identifier(template));
    execute(&admin, &format!("create database {name} template {template} owner postgres")).await?;
    // Grants on the database itself are not copied with it.
    execute(&admin, &format!("grant all on database {name} to postgres, dashboard_user")).await
}

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
    admin.batch_execute(sql).await.map_err(refused)
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn refused(error: tokio_postgres::Error) -> Error {
    let remedy = "use PostgreSQL 15 or newer with its contrib modules, or start over with --fresh";
    Error::new(format!("PostgreSQL refuses: {}", describe_error(&error)), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_its_own_quotes() {
        assert_eq!(identifier(r#"a"; drop database b; --"#), r#""a""; drop database b; --""#);
    }
}
