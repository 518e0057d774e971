-- Money and time agree: a paid invoice made one period, whose worth is still all there; no two periods of a user overlap; and
-- everyone has the plan that is in force.
with recursive worth as (
    select subscriptions.id, subscriptions.invoice_id, subscriptions.value
    from public.subscriptions
    where subscriptions.invoice_id is not null
    union all
    select credit.id, worth.invoice_id, credit.value
    from worth
    inner join public.subscriptions as credit on credit.credited_from = worth.id
),

broken_invoices as (
    select
        format(
            'invoice %s of %s is paid and made %s periods that are worth %s', invoices.id, invoices.amount,
            made.periods, coalesce(made.value, 0)
        ) as broken
    from public.invoices
    cross join lateral (
        select
            count(*) filter (where subscriptions.invoice_id is not null) as periods,
            sum(worth.value) as value
        from worth
        inner join public.subscriptions on subscriptions.id = worth.id
        where worth.invoice_id = invoices.id
    ) as made
    where
        invoices.status = 'paid'
        and (
            made.periods <> 1
            -- Worth is kept since invoices say for how long they are.
            or (
                invoices.period is not null
                and made.value is distinct from case when invoices.refunded_at is null then invoices.amount else 0 end
            )
        )
),

overlapping as (
    select format('subscriptions %s and %s of user %s overlap', one.id, other.id, one.user_id) as broken
    from public.subscriptions as one
    inner join public.subscriptions as other on other.user_id = one.user_id and other.id > one.id
    where
        one.status <> 'expired'
        and other.status <> 'expired'
        and one.started_at < other.expires_at
        and other.started_at < one.expires_at
),

wrong_plans as (
    select format('user %s has the plan %s and %s is in force', users.id, users.subscription_plan, in_force.plan) as broken
    from public.users
    cross join lateral (
        select coalesce(lower((private.plan_in_force(users.id)).name), 'free') as plan
    ) as in_force
    where
        users.subscription_plan is distinct from in_force.plan
        -- What ended or began since is for the next hourly run.
        and not exists (
            select from public.subscriptions
            where
                subscriptions.user_id = users.id
                and subscriptions.status <> 'expired'
                and (
                    subscriptions.expires_at between now() - interval '2 hours' and now()
                    or subscriptions.started_at between now() - interval '2 hours' and now()
                )
        )
)

select found.broken
from (
    select broken_invoices.broken from broken_invoices
    union all
    select overlapping.broken from overlapping
    union all
    select wrong_plans.broken from wrong_plans
) as found
order by found.broken
limit 20
