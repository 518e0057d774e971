-- Billing is consistent: every paid invoice granted one period whose total value is that of the invoice, no two periods
-- of a user overlap, and every user has the plan in force.
with recursive period_values as (
    select subscriptions.id, subscriptions.invoice_id, subscriptions.value
    from public.subscriptions
    where subscriptions.invoice_id is not null
    union all
    select credit.id, period_values.invoice_id, credit.value
    from period_values
    inner join public.subscriptions as credit on credit.credited_from = period_values.id
),

broken_invoices as (
    select
        format(
            'invoice %s of %s is paid and has %s periods with a total value of %s', invoices.id, invoices.amount,
            granted.periods, coalesce(granted.value, 0)
        ) as broken
    from public.invoices
    cross join lateral (
        select
            count(*) filter (where subscriptions.invoice_id is not null) as periods,
            sum(period_values.value) as value
        from period_values
        inner join public.subscriptions on subscriptions.id = period_values.id
        where period_values.invoice_id = invoices.id
    ) as granted
    where
        invoices.status = 'paid'
        and (
            granted.periods <> 1
            -- Older invoices have no period, and their subscriptions no value.
            or (
                invoices.period is not null
                and granted.value is distinct from case when invoices.refunded_at is null then invoices.amount else 0 end
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
    select format('user %s has the plan %s, but %s is in force', users.id, users.subscription_plan, in_force.plan) as broken
    from public.users
    cross join lateral (
        select coalesce(lower((private.plan_in_force(users.id)).name), 'free') as plan
    ) as in_force
    where
        users.subscription_plan is distinct from in_force.plan
        -- The next hourly run processes periods that ended or began recently.
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
