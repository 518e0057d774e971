-- Inserts users whose Pro period ended an hour ago. $1: number of users.
with added as (
    insert into public.users (id, email, subscription_plan)
    select
        overlay('00000000-0000-4000-a000-000000000000' placing lpad(to_hex(number), 8, '0') from 1 for 8)::uuid,
        'payer-' || number || '@nofomo.test', 'pro'
    from generate_series(1, $1) as number
    returning id
)

insert into public.subscriptions (id, user_id, plan_id, status, started_at, expires_at, period_months, value, auto_renew)
select added.id, added.id, plans.id, 'active', now() - interval '1 month 1 hour', now() - interval '1 hour', 1, 199000, false
from added
cross join public.plans
where plans.name = 'Pro'
