-- Types, except the row types of tables.
select
    types.oid::regtype::text as object,
    case types.typtype
        when 'e' then 'enum ' || (
            select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder)
            from pg_enum
            where enumtypid = types.oid
        )
        when 'c' then 'composite ' || (
            select string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' order by attnum)
            from pg_attribute
            where attrelid = types.typrelid and attnum > 0 and not attisdropped
        )
        when 'd' then concat_ws(
            ' ',
            'domain',
            format_type(types.typbasetype, types.typtypmod),
            case when types.typnotnull then 'not null' end,
            'default ' || types.typdefault
        )
        else 'range'
    end as definition
from pg_type as types
left join pg_class as relations on types.typrelid = relations.oid
where
    types.typnamespace::regnamespace::text in ('public', 'private')
    and (types.typtype in ('e', 'd', 'r') or relations.relkind = 'c')
    and not exists (select from pg_depend where classid = 'pg_type'::regclass and objid = types.oid and deptype = 'e')
