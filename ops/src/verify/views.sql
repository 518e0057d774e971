-- Options of views, such as security_invoker. columns.sql has their columns.
select
    views.oid::regclass::text as object,
    concat_ws(
        ', ',
        case views.relkind when 'v' then 'view' else 'materialized view' end,
        (select string_agg(option, ', ' order by option) from unnest(views.reloptions) as option)
    ) as definition
from pg_class as views
where
    views.relnamespace::regnamespace::text in ('public', 'private')
    and views.relkind in ('v', 'm')
    and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = views.oid and deptype = 'e')
