-- No security definer function outside our schemas can be called by the API roles. Excluded: the platform's own
-- schemas, extensions, and trigger functions.
select
    format(
        '%s may call %s, which runs as %s',
        string_agg(roles.rolname, ' and ' order by roles.rolname),
        functions.oid::regprocedure,
        functions.proowner::regrole
    ) as broken
from pg_proc as functions
inner join pg_namespace as schemas on functions.pronamespace = schemas.oid
inner join pg_roles as roles
    on
        has_schema_privilege(roles.oid, schemas.oid, 'usage')
        and has_function_privilege(roles.oid, functions.oid, 'execute')
where
    functions.prosecdef
    and functions.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
    and roles.rolname in ('anon', 'authenticated')
    and schemas.nspname not in ('public', 'private')
    and schemas.nspname !~ '^(pg_.*|information_schema)$'
    and schemas.nspname !~ '^(auth|storage|realtime|vault|graphql.*|pgbouncer|supabase_.*|net|cron)$'
    and not exists (
        select from pg_depend where classid = 'pg_proc'::regclass and objid = functions.oid and deptype = 'e'
    )
group by functions.oid, functions.proowner
order by 1
limit 20
