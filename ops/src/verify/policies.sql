select
    format('%s on %s', quote_ident(policies.polname), policies.polrelid::regclass) as object,
    concat_ws(
        ' ',
        case when policies.polpermissive then 'permissive' else 'restrictive' end,
        'for',
        case policies.polcmd
            when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
        end,
        'to',
        array_to_string(
            array(
                select case role when 0 then 'public' else role::regrole::text end
                from unnest(policies.polroles) as role
                order by 1
            ),
            ', '
        ),
        'using (' || pg_get_expr(policies.polqual, policies.polrelid) || ')',
        'with check (' || pg_get_expr(policies.polwithcheck, policies.polrelid) || ')'
    ) as definition
from pg_policy as policies
inner join pg_class as relations on policies.polrelid = relations.oid
where relations.relnamespace::regnamespace::text in ('public', 'private')
