-- Inserts users with a Pro subscription. $1: number of users.
with signed_up as (
    insert into auth.users (
        id, aud, role, email, email_confirmed_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at
    )
    select
        gen_random_uuid(), 'authenticated', 'authenticated', 'trader-' || number || '@nofomo.test', now(),
        '{"provider": "email", "providers": ["email"]}', jsonb_build_object('full_name', 'Trader ' || number), now(), now()
    from generate_series(1, $1) as number
    returning id, email
),

subscribed as (
    insert into public.subscriptions (user_id, plan_id, status, started_at, expires_at, period_months, value)
    select signed_up.id, plans.id, 'active', now() - interval '1 day', now() + interval '30 days', 1, plans.price_monthly
    from signed_up
    cross join public.plans
    where plans.name = 'Pro'
)

select signed_up.email::text from signed_up
