select format('row level security is off on %s', oid::regclass) as broken
from pg_class
where
    relnamespace::regnamespace::text = 'public'
    and relkind in ('r', 'p')
    and not relrowsecurity
    and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = oid and deptype = 'e')
order by 1
