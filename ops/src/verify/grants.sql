-- Privileges in our schemas, and the privileges of the two login roles anywhere. Excluded: owners, the platform's own
-- roles, and the default privileges of schema public, which differ between projects and which the migrations revoke for
-- every object.
with objects as (
    select
        'schema ' || nspname as object,
        oid as schema,
        nspowner as owner,
        coalesce(nspacl, acldefault('n', nspowner)) as acl
    from pg_namespace

    union all
    select
        case relkind when 'S' then 'sequence ' else 'table ' end || oid::regclass,
        relnamespace,
        relowner,
        coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner))
    from pg_class
    where
        relkind in ('r', 'p', 'f', 'v', 'm', 'S')
        and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = oid and deptype = 'e')

    union all
    select format('column %s.%I', attrelid::regclass, attname), relnamespace, relowner, attacl
    from pg_attribute
    inner join pg_class on attrelid = pg_class.oid
    where attacl is not null and not attisdropped

    union all
    select 'function ' || oid::regprocedure, pronamespace, proowner, coalesce(proacl, acldefault('f', proowner))
    from pg_proc
    where not exists (select from pg_depend where classid = 'pg_proc'::regclass and objid = oid and deptype = 'e')

    union all
    select
        case defaclobjtype
            when 'r' then 'new tables' when 'S' then 'new sequences' when 'f' then 'new functions' else 'new types'
        end || ' of ' || defaclrole::regrole || ' in schema ' || defaclnamespace::regnamespace,
        defaclnamespace,
        defaclrole,
        defaclacl
    from pg_default_acl
    where defaclnamespace::regnamespace::text = 'private'
)

select
    format(
        '%s on %s to %s', lower(granted.privilege_type), objects.object, coalesce(roles.rolname, 'public')
    ) as object,
    case when bool_or(granted.is_grantable) then 'with grant option' else '' end as definition
from objects
cross join lateral aclexplode(objects.acl) as granted
left join pg_roles as roles on granted.grantee = roles.oid
where
    granted.grantee <> objects.owner
    and coalesce(roles.rolname !~ '^(postgres|pgbouncer|dashboard_user|(pg|supabase)_.*)$', true)
    and (
        objects.schema::regnamespace::text in ('public', 'private')
        or roles.rolname in ('nofomo_api', 'nofomo_jobs')
    )
group by 1
