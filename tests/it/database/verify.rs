//! `cargo ops verify` reports every difference between a database and the migrations.

use local_database::postgres::Postgres;

use crate::support::database::{Database, Session, migrate_template, migrations, run_directory, server};

/// Returns the URL of the reference: the migrated database that the databases of the tests are copied from.
async fn reference() -> String {
    server().await.url("postgres", "migrated")
}

async fn report(database: &Database) -> String {
    ops::verify::verify(&database.url("postgres"), &reference().await).await.unwrap().to_string()
}

#[tokio::test]
async fn a_migrated_database_has_no_differences() {
    let database = Database::new().await;
    let report = report(&database).await;
    assert!(report.ends_with(": no difference"), "{report}");
    for kind in ["18 tables", "2 views", "policies", "triggers", "functions", "grants", "indexes", "columns"] {
        assert!(report.contains(kind), "{report}");
    }
}

/// Applies each change to a separate database, and asserts that the report contains the expected line.
async fn assert_reported(changes: &[(&str, &str)]) {
    for (change, expected) in changes {
        let database = Database::new().await;
        database.session("supabase_admin").await.run(change).await.unwrap();
        let report = report(&database).await;
        assert!(report.contains(expected), "{change}\n{report}");
    }
}

#[tokio::test]
async fn a_changed_table_index_or_policy_is_reported() {
    let changes = [
        ("drop table public.notifications", "missing  table       public.notifications"),
        ("create table public.extra (id int)", "extra    table       public.extra"),
        ("alter table public.bots add column extra int", "extra    column      public.bots.extra"),
        (
            "alter table public.notifications alter column title type text",
            "differs  column      public.notifications.title",
        ),
        ("alter table public.bots alter column name drop not null", "differs  column      public.bots.name"),
        (
            "alter table public.bots alter column max_open_trades set default 2",
            "differs  column      public.bots.max_open_trades",
        ),
        (
            "alter table public.bots drop constraint bots_status_check",
            "missing  constraint  public.bots.bots_status_check",
        ),
        ("drop index public.idx_bots_user_id", "missing  index       public.idx_bots_user_id"),
        ("create index extra on public.bots (name)", "extra    index       public.extra"),
        ("drop policy \"Users can view their own bots\" on public.bots", "missing  policy"),
        ("alter policy \"Users can view their own bots\" on public.bots using (true)", "differs  policy"),
        ("create policy extra on public.plans for select to anon using (true)", "extra    policy"),
        ("alter table public.logs disable row level security", "differs  table       public.logs"),
        ("alter table public.logs disable row level security", "broken   rule        "),
    ];
    assert_reported(&changes).await;
}

#[tokio::test]
async fn a_changed_grant_function_trigger_or_view_is_reported() {
    let changes = [
        ("grant select on public.logs to anon", "extra    grant       select on table public.logs to anon"),
        ("grant truncate on public.logs to authenticated", "extra    grant       truncate on table public.logs"),
        ("grant update (profit) on public.bots to authenticated", "extra    grant       update on column public.bots.profit"),
        ("revoke select on public.bots from authenticated", "missing  grant       select on table public.bots to authenticated"),
        ("grant execute on function private.months_between(timestamptz, timestamptz) to public", "extra    grant       execute on function private.months_between(timestamp with time zone,timestamp with time zone) to public"),
        ("grant usage on schema private to anon", "extra    grant       usage on schema private to anon"),
        ("alter function private.become_user(jsonb) security definer", "differs  function    private.become_user(jsonb)"),
        ("alter function private.become_user(jsonb) reset search_path", "differs  function    private.become_user(jsonb)"),
        (
            "create or replace function private.set_updated_at() returns trigger language plpgsql set search_path = '' as
             $$ begin return new; end $$",
            "differs  function    private.set_updated_at()",
        ),
        ("alter table public.bots disable trigger bots_validate_limits", "differs  trigger"),
        ("drop trigger bots_audit on public.bots", "missing  trigger"),
        ("drop trigger on_auth_user_created on auth.users", "missing  trigger"),
        ("alter view public.strategy_marketplace set (security_invoker = false)", "differs  view        public.strategy_marketplace"),
        ("drop view public.bot_performance_summary", "missing  view        public.bot_performance_summary"),
        (
            "create rule forget as on update to public.plans do also delete from public.logs",
            "extra    rewrite     forget on public.plans",
        ),
        (
            "create view extensions.peek as select email from public.users",
            "extra    rewrite     \"_RETURN\" on extensions.peek",
        ),
    ];
    assert_reported(&changes).await;
}

#[tokio::test]
async fn a_broken_rule_is_reported() {
    let changes = [
        (
            "create function extensions.peek() returns setof public.users language sql security definer
             begin atomic select * from public.users; end",
            "broken   rule        anon and authenticated may call extensions.peek(), which runs as supabase_admin",
        ),
        (
            "alter table public.invoices owner to service_role",
            "broken   rule        table public.invoices belongs to service_role and not to postgres",
        ),
        (
            "alter view public.strategy_marketplace owner to supabase_admin",
            "broken   rule        view public.strategy_marketplace belongs to supabase_admin",
        ),
        (
            "alter function private.plan_in_force owner to supabase_admin",
            "broken   rule        function private.plan_in_force(uuid,timestamp with time zone) belongs to supabase_admin",
        ),
        (
            "create type private.extra as (id uuid)",
            "broken   rule        type private.extra belongs to supabase_admin",
        ),
        ("alter schema private owner to service_role", "broken   rule        schema private belongs to service_role"),
        (
            "alter table public.users owner to service_role",
            "broken   rule        table public.users belongs to service_role and not to postgres",
        ),
        ("alter publication supabase_realtime drop table public.bots", "missing  publication"),
        ("alter table public.trades disable trigger all; delete from public.trades where status = 'closed'", "broken   rule        "),
        ("update public.plans set name = 'Gratis' where name = 'Free'", "broken   rule        "),
        (
            "delete from public.subscriptions where invoice_id = '0190c000-0000-7000-8000-000000000001'",
            "broken   rule        invoice 0190c000-0000-7000-8000-000000000001 of 149000.00 is paid and has 0 periods \
             with a total value of 0",
        ),
        (
            "update public.subscriptions set value = value - 0.0001 where value > 0",
            "broken   rule        invoice 0190c000-0000-7000-8000-000000000002 of 4990000.00 is paid and has 1 periods \
             with a total value of 4989999.9999",
        ),
        (
            "update public.invoices set refunded_at = now() where status = 'paid'",
            "broken   rule        invoice 0190c000-0000-7000-8000-000000000001 of 149000.00 is paid and has 1 periods \
             with a total value of 149000",
        ),
        (
            "insert into public.subscriptions (id, user_id, plan_id, status, started_at, expires_at)
             select '0190d000-0000-7000-8000-000000000009', user_id, plan_id, 'active', expires_at - interval '1 second',
                 expires_at + interval '1 day'
             from public.subscriptions where id = '0190d000-0000-7000-8000-000000000001'",
            "broken   rule        subscriptions 0190d000-0000-7000-8000-000000000001 and \
             0190d000-0000-7000-8000-000000000009 of user 0190b000-0000-7000-8000-000000000002 overlap",
        ),
        (
            "update public.users set subscription_plan = 'enterprise' where email = 'pro@nofomo.test'",
            "broken   rule        user 0190b000-0000-7000-8000-000000000002 has the plan enterprise, but pro is in force",
        ),
        (
            "update public.strategies set is_verified = true where name = 'Oversold RSI';
             update private.strategy_sources set findings = '[{}]'",
            "broken   rule        strategy 0190e000-0000-7000-8000-000000000001 is verified, but its source has no clean check",
        ),
        (
            "alter table public.strategies disable trigger all; update public.strategies set content = 'x' where is_verified",
            "broken   rule        strategy 0190e000-0000-7000-8000-000000000002 is verified",
        ),
        (
            "update public.users set subscription_plan = 'pro' where email = 'free@nofomo.test'",
            "broken   rule        user 0190b000-0000-7000-8000-000000000001 has the plan pro, but free is in force",
        ),
    ];
    assert_reported(&changes).await;
}

#[tokio::test]
async fn a_marketplace_shown_to_anonymous_visitors_is_not_a_difference() {
    let database = Database::new().await;
    let owner = database.owner().await;
    owner.run("select private.show_marketplace_to_anonymous(true)").await.unwrap();
    let server = server().await;
    let report = ops::verify::verify_migrations(server, &database.url("postgres"), &migrations()).await.unwrap();
    assert!(report.differences.is_empty(), "{report}");
    // A partial grant is a difference.
    owner.run("revoke select on public.strategies from anon").await.unwrap();
    let report = ops::verify::verify_migrations(server, &database.url("postgres"), &migrations()).await.unwrap();
    assert_eq!(report.differences.len(), 1, "{report}");
}

/// Uses a separate server, because roles belong to the whole server.
#[tokio::test]
async fn a_login_role_with_more_privileges_is_reported() {
    let postgres = Postgres::start(&run_directory("postgres-roles"), None).await.unwrap();
    migrate_template(&postgres).await;
    let url = postgres.url("postgres", "migrated");
    let admin = Session::open(&postgres.url("supabase_admin", "migrated")).await;
    for (change, undo, expected) in [
        ("alter role nofomo_api bypassrls", "alter role nofomo_api nobypassrls", "differs  role        nofomo_api"),
        ("alter role nofomo_jobs inherit", "alter role nofomo_jobs noinherit", "differs  role        nofomo_jobs"),
        (
            "alter role nofomo_api reset statement_timeout",
            "alter role nofomo_api set statement_timeout = '8s'",
            "differs  role        nofomo_api",
        ),
        ("grant service_role to nofomo_api", "revoke service_role from nofomo_api", "extra    membership"),
        (
            "alter role authenticated bypassrls",
            "alter role authenticated nobypassrls",
            "differs  role        authenticated",
        ),
        ("alter role anon superuser", "alter role anon nosuperuser", "differs  role        anon"),
        ("alter role anon login", "alter role anon nologin", "differs  role        anon"),
        (
            "alter role authenticated createrole",
            "alter role authenticated nocreaterole",
            "differs  role        authenticated",
        ),
        (
            "grant pg_read_all_data to anon",
            "revoke pg_read_all_data from anon",
            "extra    membership  anon in pg_read_all_data",
        ),
        (
            "alter table public.invoices owner to anon",
            "alter table public.invoices owner to postgres",
            "broken   rule        anon owns table public.invoices",
        ),
        (
            "alter table public.plans owner to nofomo_jobs",
            "alter table public.plans owner to postgres",
            "broken   rule",
        ),
    ] {
        admin.run(change).await.unwrap();
        let report = ops::verify::verify(&url, &reference().await).await.unwrap().to_string();
        assert!(report.contains(expected), "{change}\n{report}");
        admin.run(undo).await.unwrap();
    }
    let report = ops::verify::verify(&url, &reference().await).await.unwrap().to_string();
    assert!(report.ends_with(": no difference"), "{report}");
}

#[tokio::test]
async fn the_reference_database_is_created_from_the_migrations_and_dropped_afterwards() {
    let database = Database::new().await;
    let postgres = Postgres::start(&run_directory("postgres-reference"), None).await.unwrap();
    let report = ops::verify::verify_migrations(&postgres, &database.url("postgres"), &migrations()).await.unwrap();
    assert!(report.differences.is_empty(), "{report}");
    let left = "select count(*) from pg_database where datname like 'verify%'";
    assert_eq!(Session::open(&postgres.url("supabase_admin", "template1")).await.text(left).await, "0");
}
