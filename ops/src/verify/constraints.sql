-- Check, unique, primary key, foreign key and exclusion. Not null is told with its column: it is a constraint since
-- PostgreSQL 18 only.
select
    format(
        '%s.%I', case when conrelid <> 0 then conrelid::regclass::text else contypid::regtype::text end, conname
    ) as object,
    pg_get_constraintdef(oid) as definition
from pg_constraint
where
    connamespace::regnamespace::text in ('public', 'private')
    and contype in ('c', 'u', 'p', 'f', 'x')
