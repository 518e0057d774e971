-- Attributes of the two login roles, with their settings, both global and for this database. For the API roles, only
-- the attributes: their settings differ between projects.
select
    roles.rolname::text as object,
    concat_ws(
        ', ',
        case when roles.rolcanlogin then 'login' end,
        case when roles.rolinherit and is_login_role then 'inherit' end,
        case when roles.rolsuper then 'superuser' end,
        case when roles.rolbypassrls then 'bypassrls' end,
        case when roles.rolcreaterole then 'createrole' end,
        case when roles.rolcreatedb then 'createdb' end,
        case when roles.rolreplication then 'replication' end,
        case when is_login_role then 'connection limit ' || roles.rolconnlimit end,
        (
            select string_agg(
                setting || case setdatabase when 0 then '' else ' in this database' end, ', ' order by setting
            )
            from pg_db_role_setting
            cross join lateral unnest(setconfig) as setting
            where
                is_login_role
                and setrole = roles.oid
                and setdatabase in (0, (select oid from pg_database where datname = current_database()))
        )
    ) as definition
from pg_roles as roles
cross join lateral (select roles.rolname in ('nofomo_api', 'nofomo_jobs') as is_login_role) as kind
where is_login_role or roles.rolname in ('anon', 'authenticated')
