-- Indexes that do not belong to a constraint. A failed concurrent build leaves an invalid index, which is maintained
-- but never used.
select
    indexes.indexrelid::regclass::text as object,
    concat_ws(
        ', ', pg_get_indexdef(indexes.indexrelid), case when not indexes.indisvalid then 'invalid' end
    ) as definition
from pg_index as indexes
inner join pg_class as relations on indexes.indexrelid = relations.oid
where
    relations.relnamespace::regnamespace::text in ('public', 'private')
    and not exists (
        select from pg_constraint where conindid = indexes.indexrelid and contype in ('u', 'p', 'x')
    )
