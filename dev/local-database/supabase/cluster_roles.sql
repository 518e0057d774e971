-- Supabase's roles with their attributes, memberships and settings. Runs once per server, and can be repeated.

do $$
declare
    -- On an existing server, postgres may be its only superuser, and is left as it is.
    may_alter_postgres boolean := not exists (select from pg_roles where rolname = 'postgres' and rolsuper);
    admin_option text := '';
begin
    if not exists (select from pg_roles where rolname = 'supabase_admin') then
        create role supabase_admin superuser createdb createrole replication bypassrls login;
    end if;
    if not exists (select from pg_roles where rolname = 'postgres') then
        create role postgres login;
    end if;
    if not exists (select from pg_roles where rolname = 'anon') then
        create role anon nologin inherit;
    end if;
    if not exists (select from pg_roles where rolname = 'authenticated') then
        create role authenticated nologin inherit;
    end if;
    -- Bypasses policies, but not privileges.
    if not exists (select from pg_roles where rolname = 'service_role') then
        create role service_role nologin inherit bypassrls;
    end if;
    if not exists (select from pg_roles where rolname = 'authenticator') then
        create role authenticator login noinherit;
    end if;
    if not exists (select from pg_roles where rolname = 'supabase_auth_admin') then
        create role supabase_auth_admin login noinherit;
    end if;
    if not exists (select from pg_roles where rolname = 'supabase_storage_admin') then
        create role supabase_storage_admin login noinherit createrole;
    end if;
    if not exists (select from pg_roles where rolname = 'supabase_realtime_admin') then
        create role supabase_realtime_admin nologin noinherit;
    end if;
    if not exists (select from pg_roles where rolname = 'dashboard_user') then
        create role dashboard_user nologin createdb createrole replication;
    end if;
    if not exists (select from pg_roles where rolname = 'supabase_read_only_user') then
        create role supabase_read_only_user login bypassrls;
    end if;

    -- The role that runs the migrations is not a superuser, as in production, so that tests reveal a missing privilege.
    if may_alter_postgres then
        alter role postgres nosuperuser createdb createrole login replication bypassrls;
        -- With the backslash, as on Supabase, where '\$user' names a schema that does not exist.
        alter role postgres set search_path = '\$user', public, extensions;
    end if;

    -- Before PostgreSQL 16, CREATEROLE was enough to grant these roles to others.
    if current_setting('server_version_num')::integer >= 160000 then
        admin_option := ' with admin option';
    end if;
    execute 'grant anon, authenticated, service_role to postgres' || admin_option;
end
$$;

grant anon, authenticated, service_role to authenticator;
grant authenticator to supabase_storage_admin;
grant pg_read_all_data to supabase_read_only_user;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;

-- Applied when the role logs in, not when a session switches to it.
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role supabase_auth_admin set search_path = auth;
alter role supabase_auth_admin set idle_in_transaction_session_timeout = 60000;
