select views.oid::regclass::text as object, pg_get_viewdef(views.oid) as definition
from pg_class as views
where
    views.relnamespace::regnamespace::text in ('public', 'private')
    and views.relkind in ('v', 'm')
    and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = views.oid and deptype = 'e')
