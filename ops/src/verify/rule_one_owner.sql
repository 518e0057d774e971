-- All our objects belong to the role that runs the migrations: postgres or, on a self-hosted server, the current user
-- if it owns the tables. Another owner would have every privilege on its objects, and security definer functions would
-- run as it.
with migrator as (
    select roles.oid, roles.rolname
    from pg_roles as roles
    left join pg_class as users on roles.oid = users.relowner and users.oid = to_regclass('public.users')
    where roles.rolname in ('postgres', current_user)
    order by users.oid is null, roles.rolname <> 'postgres'
    limit 1
),

objects as (
    select 'pg_namespace'::regclass as catalog, oid, nspowner as owner
    from pg_namespace
    where nspname = 'private'

    union all
    select 'pg_class'::regclass, oid, relowner
    from pg_class
    where relnamespace::regnamespace::text in ('public', 'private') and relkind in ('r', 'p', 'f', 'v', 'm', 'S')

    union all
    select 'pg_proc'::regclass, oid, proowner
    from pg_proc
    where pronamespace::regnamespace::text in ('public', 'private')

    union all
    select 'pg_type'::regclass, types.oid, types.typowner
    from pg_type as types
    left join pg_class as relations on types.typrelid = relations.oid
    where
        types.typnamespace::regnamespace::text in ('public', 'private')
        and (types.typtype in ('e', 'd', 'r') or relations.relkind = 'c')
)

select
    format(
        '%s belongs to %s and not to %s',
        pg_describe_object(objects.catalog, objects.oid, 0),
        objects.owner::regrole,
        migrator.rolname
    ) as broken
from objects
inner join migrator on objects.owner <> migrator.oid
where
    not exists (
        select from pg_depend where classid = objects.catalog and objid = objects.oid and deptype = 'e'
    )
order by 1
limit 20
