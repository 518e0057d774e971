select
    functions.oid::regprocedure::text as object,
    concat_ws(
        ', ',
        case functions.prokind
            when 'p' then 'procedure' when 'a' then 'aggregate' when 'w' then 'window function' else 'function'
        end || ' (' || pg_get_function_arguments(functions.oid) || ')',
        'returns ' || pg_get_function_result(functions.oid),
        languages.lanname,
        case functions.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
        case when functions.proisstrict then 'strict' end,
        case when functions.proleakproof then 'leakproof' end,
        case functions.proparallel when 's' then 'parallel safe' when 'r' then 'parallel restricted' end,
        case when functions.prosecdef then 'security definer' else 'security invoker' end,
        (select string_agg(setting, ', ' order by setting) from unnest(functions.proconfig) as setting),
        'body ' || md5(coalesce(pg_get_function_sqlbody(functions.oid), functions.prosrc))
    ) as definition
from pg_proc as functions
inner join pg_language as languages on functions.prolang = languages.oid
where
    functions.pronamespace::regnamespace::text in ('public', 'private')
    and not exists (
        select from pg_depend where classid = 'pg_proc'::regclass and objid = functions.oid and deptype = 'e'
    )
