//! Database URLs of the server.

/// Role that creates the server. As on Supabase, `postgres` is no superuser; the role that runs initdb always is one.
pub const SUPERUSER: &str = "supabase_admin";

pub(super) fn url(role: &str, password: &str, port: u16, database: &str) -> String {
    format!("postgres://{role}:{password}@127.0.0.1:{port}/{database}?sslmode=disable")
}
