-- Check, unique, primary key, foreign key and exclusion constraints. Not null is part of columns.sql: it is a
-- constraint only from PostgreSQL 18.
select
    format(
        '%s.%I', case when conrelid <> 0 then conrelid::regclass::text else contypid::regtype::text end, conname
    ) as object,
    pg_get_constraintdef(oid) as definition
from pg_constraint
where
    connamespace::regnamespace::text in ('public', 'private')
    and contype in ('c', 'u', 'p', 'f', 'x')
