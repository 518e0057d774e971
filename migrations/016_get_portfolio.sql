-- GET /portfolio: returns everything that the home screen of an app needs, in one call.

-- Returns the exchanges with saved API keys, with hint and date. The encrypted keys are never returned.
create function private.saved_exchanges(user_id uuid) returns json
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
    return (
        select coalesce(
            json_agg(
                json_build_object(
                    'exchange', saved.key, 'key_hint', saved.value -> 'key_hint', 'saved_at', saved.value -> 'saved_at'
                )
                order by saved.key
            ),
            '[]'
        )
        from public.users
        cross join lateral jsonb_each(users.exchange_credentials) as saved
        where users.id = saved_exchanges.user_id
    );
end
$$;
revoke execute on function private.saved_exchanges(uuid) from public, anon, authenticated, service_role;
grant execute on function private.saved_exchanges(uuid) to nofomo_api;

-- `input.days`: number of days that the performance covers; 30 by default.
create function private.get_portfolio(claims jsonb, input jsonb) returns json
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
declare
    caller uuid := (claims ->> 'sub')::uuid;
    days constant integer := coalesce((input ->> 'days')::integer, 30);
    profile record;
    usage record;
    performance record;
    owned_bots public.bots[];
    open_trades public.trades[];
    recent_trades public.trades[];
    pending_invoices public.invoices[];
    unread_notifications public.notifications[];
    plan public.plans;
    subscription public.subscriptions;
begin
    -- Reads the rows as the user, under the policies.
    perform private.become_user(claims);
    select users.id, users.email, users.full_name into profile
    from public.users
    where users.id = caller;
    select
        (select count(*) from public.bots where bots.user_id = caller) as bots,
        (select count(*) from public.strategies where strategies.user_id = caller) as strategies
    into usage;
    select * into performance from public.get_user_trading_performance(caller, days);
    owned_bots := array(
        select bots from public.bots
        where bots.user_id = caller
        order by bots.created_at, bots.id
        limit 1000
    );
    open_trades := array(
        select trades from public.trades
        where trades.user_id = caller and trades.status = 'open'
        order by trades.entry_time desc
        limit 50
    );
    recent_trades := array(
        select trades from public.trades
        where trades.user_id = caller and trades.status = 'closed'
        order by trades.exit_time desc
        limit 20
    );
    pending_invoices := array(
        select invoices from public.invoices
        where invoices.user_id = caller and invoices.status = 'pending'
        order by invoices.created_at desc
        limit 20
    );
    unread_notifications := array(
        select notifications from public.notifications
        where notifications.user_id = caller and notifications.read_at is null
        order by notifications.created_at desc
        limit 20
    );

    -- Back to the login role: authenticated may not call the functions below.
    perform set_config('role', 'none', true);
    plan := private.plan_in_force(caller);
    subscription := private.subscription_in_force(caller);
    return json_build_object(
        'user', json_build_object(
            'id', profile.id,
            'email', profile.email,
            'full_name', profile.full_name,
            'plan', coalesce(plan.name, 'Free'),
            'usage', json_build_object(
                'bots', usage.bots,
                'max_bots', coalesce(plan.max_bots, 0),
                'strategies', usage.strategies,
                'max_strategies', coalesce(plan.max_strategies, 0),
                'ai_requests', private.ai_requests_this_month(caller),
                'ai_requests_per_month', coalesce(plan.ai_requests_per_month, 0)
            )
        ),
        'subscription', case when subscription.id is not null then private.subscription_json(subscription) end,
        'bots', (select coalesce(json_agg(private.bot_json(bot)), '[]') from unnest(owned_bots) as bot),
        'open_trades', (select coalesce(json_agg(private.trade_json(trade)), '[]') from unnest(open_trades) as trade),
        'recent_trades', (select coalesce(json_agg(private.trade_json(trade)), '[]') from unnest(recent_trades) as trade),
        'performance', json_build_object(
            'days', days,
            'total_trades', performance.total_trades,
            'winning_trades', performance.winning_trades,
            'losing_trades', performance.losing_trades,
            'win_rate_percentage', performance.win_rate_percentage::text,
            'currency', performance.currency,
            'total_profit', performance.total_profit::text,
            'average_profit', performance.average_profit::text,
            'best_trade', performance.best_trade::text,
            'worst_trade', performance.worst_trade::text,
            'profit_factor', performance.profit_factor::text,
            'average_holding_seconds', floor(extract(epoch from performance.average_holding))::bigint,
            'profit_by_currency', performance.profit_by_currency
        ),
        'exchanges', private.saved_exchanges(caller),
        'invoices', (
            select coalesce(json_agg(private.invoice_json(invoice)), '[]') from unnest(pending_invoices) as invoice
        ),
        'notifications', (
            select coalesce(
                json_agg(
                    json_build_object(
                        'id', notification.id,
                        'kind', notification.kind,
                        'title', notification.title,
                        'body', notification.body,
                        'context', notification.context,
                        'created_at', notification.created_at
                    )
                ),
                '[]'
            )
            from unnest(unread_notifications) as notification
        )
    );
end
$$;
comment on function private.get_portfolio(jsonb, jsonb) is 'GET /portfolio';
revoke execute on function private.get_portfolio(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.get_portfolio(jsonb, jsonb) to nofomo_api;
