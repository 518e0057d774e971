-- Tables. The replica identity decides what Realtime sends of a deleted row.
select
    relations.oid::regclass::text as object,
    concat_ws(
        ', ',
        case relations.relkind when 'r' then 'table' when 'p' then 'partitioned table' else 'foreign table' end,
        case when relations.relpersistence = 'u' then 'unlogged' end,
        case when relations.relrowsecurity then 'row level security' else 'no row level security' end,
        case when relations.relforcerowsecurity then 'also for the owner' end,
        'replica identity '
        || case relations.relreplident
            when 'd' then 'default' when 'n' then 'nothing' when 'f' then 'full' else 'index'
        end,
        (select string_agg(option, ', ' order by option) from unnest(relations.reloptions) as option)
    ) as definition
from pg_class as relations
where
    relations.relnamespace::regnamespace::text in ('public', 'private')
    and relations.relkind in ('r', 'p', 'f')
    and not exists (
        select from pg_depend where classid = 'pg_class'::regclass and objid = relations.oid and deptype = 'e'
    )
