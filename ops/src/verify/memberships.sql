-- Role memberships of the login roles and the API roles, and members of the login roles. Since PostgreSQL 16 the
-- creator of a role is a member of it, and each membership has its own options. In older versions, the member's
-- attribute INHERIT decides.
select
    format('%s in %s', member.rolname, role.rolname) as object,
    concat_ws(
        ', ',
        case
            when bool_or(coalesce((to_jsonb(membership) ->> 'inherit_option')::boolean, member.rolinherit))
                then 'inherit'
        end,
        case when bool_or(coalesce((to_jsonb(membership) ->> 'set_option')::boolean, true)) then 'set' end,
        case when bool_or(membership.admin_option) then 'admin' end
    ) as definition
from pg_auth_members as membership
inner join pg_roles as member on membership.member = member.oid
inner join pg_roles as role on membership.roleid = role.oid
where
    member.rolname in ('nofomo_api', 'nofomo_jobs', 'anon', 'authenticated')
    or (role.rolname in ('nofomo_api', 'nofomo_jobs') and member.rolname <> 'postgres' and not member.rolsuper)
group by member.rolname, role.rolname
