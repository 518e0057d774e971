-- Tables whose changes are published to Realtime or another subscriber.
select
    format('%s of %s', published.prrelid::regclass, publications.pubname) as object,
    concat_ws(
        ' ',
        'columns ' || (
            select string_agg(quote_ident(attname), ', ' order by attnum)
            from pg_attribute
            where attrelid = published.prrelid and attnum = any(published.prattrs)
        ),
        'where ' || pg_get_expr(published.prqual, published.prrelid)
    ) as definition
from pg_publication_rel as published
inner join pg_publication as publications on published.prpubid = publications.oid
inner join pg_class as relations on published.prrelid = relations.oid
where relations.relnamespace::regnamespace::text in ('public', 'private')

union all
select format('schema %s of %s', published.pnnspid::regnamespace, publications.pubname), ''
from pg_publication_namespace as published
inner join pg_publication as publications on published.pnpubid = publications.oid
where published.pnnspid::regnamespace::text in ('public', 'private')

union all
select format('all tables of %s', pubname), ''
from pg_publication
where puballtables
