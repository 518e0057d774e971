-- GET /portfolio: two functions that it calls, in a language that keeps their plans. In SQL they were planned anew each time they
-- were called, which was a quarter of what the request cost.

create or replace function public.get_user_trading_performance(user_uuid uuid, days_back integer default 30)
returns table (
    total_trades bigint,
    winning_trades bigint,
    losing_trades bigint,
    win_rate_percentage numeric,
    currency text,
    total_profit numeric,
    average_profit numeric,
    best_trade numeric,
    worst_trade numeric,
    profit_factor numeric,
    average_holding interval,
    profit_by_currency jsonb
)
language plpgsql
stable
set search_path = ''
as $$
begin
    return query
    with closed as (
        select
            trades.profit,
            trades.holding_duration,
            -- BTC/USDT is settled in its quote, BTC/USDT:USDT in what follows the colon.
            coalesce(
                nullif(split_part(trades.trading_pair, ':', 2), ''),
                split_part(trades.trading_pair, '/', 2)
            ) as currency
        from public.trades
        where
            trades.user_id = user_uuid
            and trades.status = 'closed'
            and trades.exit_time >= now() - make_interval(days => days_back)
    ),

    by_currency as (
        select
            closed.currency,
            sum(closed.profit) as profit,
            max(closed.profit) as best_trade,
            min(closed.profit) as worst_trade,
            sum(closed.profit) filter (where closed.profit > 0) as won,
            -sum(closed.profit) filter (where closed.profit < 0) as lost
        from closed
        group by closed.currency
    ),

    counts as (
        select
            count(*) as total,
            count(*) filter (where closed.profit > 0) as winning,
            count(*) filter (where closed.profit < 0) as losing,
            avg(closed.holding_duration) as average_holding
        from closed
    ),

    -- One row only if there is exactly one currency.
    single as (
        select by_currency.* from by_currency where (select count(*) from by_currency) = 1
    )

    select
        counts.total,
        counts.winning,
        counts.losing,
        coalesce(round(counts.winning * 100.0 / nullif(counts.total, 0), 2), 0.00),
        single.currency,
        single.profit,
        round(single.profit / nullif(counts.total, 0), 8),
        single.best_trade,
        single.worst_trade,
        round(single.won / nullif(single.lost, 0), 4),
        counts.average_holding,
        coalesce((select jsonb_object_agg(by_currency.currency, by_currency.profit::text) from by_currency), '{}')
    from counts
    left join single on true;
end
$$;

create or replace function private.subscription_in_force(user_id uuid, moment timestamptz default now()) returns public.subscriptions
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
    subscription public.subscriptions;
begin
    select subscriptions.* into subscription
    from public.subscriptions
    inner join public.plans on plans.id = subscriptions.plan_id
    where
        subscriptions.user_id = subscription_in_force.user_id
        and subscriptions.status <> 'expired'
        and subscriptions.started_at <= moment
        and subscriptions.expires_at > moment
    order by plans.sort_order desc, subscriptions.expires_at desc
    limit 1;
    return subscription;
end
$$;
