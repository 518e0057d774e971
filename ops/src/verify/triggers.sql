-- Triggers on our tables, and triggers on other tables that call our functions, such as those on auth.users.
select
    format('%I on %s', triggers.tgname, triggers.tgrelid::regclass) as object,
    concat_ws(
        ', ',
        pg_get_triggerdef(triggers.oid),
        case triggers.tgenabled
            when 'D' then 'disabled' when 'R' then 'on replicas' when 'A' then 'also on replicas'
        end
    ) as definition
from pg_trigger as triggers
inner join pg_class as relations on triggers.tgrelid = relations.oid
inner join pg_proc as functions on triggers.tgfoid = functions.oid
where
    not triggers.tgisinternal
    and (
        relations.relnamespace::regnamespace::text in ('public', 'private')
        or functions.pronamespace::regnamespace::text in ('public', 'private')
    )
