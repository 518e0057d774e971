-- Neither the login roles of the functions nor the API roles own an object in any database of the server: an owner has
-- every privilege on it.
select
    format(
        '%s owns %s',
        owned.refobjid::regrole,
        case
            when databases.datname is null or databases.datname = current_database()
                then pg_describe_object(owned.classid, owned.objid, owned.objsubid)
            else 'something in database ' || databases.datname
        end
    ) as broken
from pg_shdepend as owned
left join pg_database as databases on owned.dbid = databases.oid
where
    owned.refclassid = 'pg_authid'::regclass
    and owned.deptype = 'o'
    and owned.refobjid in (
        select oid from pg_roles where rolname in ('nofomo_api', 'nofomo_jobs', 'anon', 'authenticated')
    )
order by 1
limit 20
