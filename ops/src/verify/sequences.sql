select
    seqrelid::regclass::text as object,
    format(
        '%s from %s by %s, %s to %s, cache %s%s',
        format_type(seqtypid, null), seqstart, seqincrement, seqmin, seqmax, seqcache,
        case when seqcycle then ', cycle' end
    ) as definition
from pg_sequence
inner join pg_class on seqrelid = pg_class.oid
where
    relnamespace::regnamespace::text in ('public', 'private')
    and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = seqrelid and deptype = 'e')
