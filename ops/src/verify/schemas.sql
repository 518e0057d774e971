select nspname::text as object, '' as definition
from pg_namespace
where nspname in ('public', 'private')
