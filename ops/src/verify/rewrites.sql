-- Rules on our tables, and views and rules elsewhere that read or write our tables. views.sql has our own views.
select
    format('%I on %s', rules.rulename, rules.ev_class::regclass) as object,
    pg_get_ruledef(rules.oid) as definition
from pg_rewrite as rules
inner join pg_class as relations on rules.ev_class = relations.oid
where
    case
        when relations.relnamespace::regnamespace::text in ('public', 'private') then rules.rulename <> '_RETURN'
        else exists (
            select
            from pg_depend as uses
            inner join pg_class as used on uses.refobjid = used.oid
            where
                uses.classid = 'pg_rewrite'::regclass
                and uses.objid = rules.oid
                and uses.refclassid = 'pg_class'::regclass
                and used.relnamespace::regnamespace::text in ('public', 'private')
        )
    end
    and not exists (
        select from pg_depend where classid = 'pg_class'::regclass and objid = relations.oid and deptype = 'e'
    )
