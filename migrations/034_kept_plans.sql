-- Plans are kept: these functions are those of 004, 005, 008, 011, 020 and 027, in a language that makes a plan once for a connection.
-- In SQL they were planned anew by each statement that called them, which was half of what the database worked for a portfolio.

-- The one shape of a bot in every answer: decimals are strings, times are UTC, and a column added to the table stays out
-- until it is written here. Json and not jsonb, which would put the keys in the order of their lengths.
create or replace function private.bot_json(bot public.bots) returns json
language plpgsql
stable
set search_path = ''
set timezone = 'UTC'
as $$
begin
    return json_build_object(
        'id', bot.id,
        'user_id', bot.user_id,
        'name', bot.name,
        'exchange', bot.exchange,
        'trading_pair', bot.trading_pair,
        'timeframe', bot.timeframe,
        'strategy', bot.strategy,
        'status', bot.status,
        'is_paper_trade', bot.is_paper_trade,
        'initial_balance', bot.initial_balance::text,
        'current_balance', bot.current_balance::text,
        'profit', bot.profit::text,
        'profit_percentage', bot.profit_percentage::text,
        'total_trades', bot.total_trades,
        'winning_trades', bot.winning_trades,
        'losing_trades', bot.losing_trades,
        'win_rate_percentage', coalesce(round(bot.winning_trades * 100.0 / nullif(bot.total_trades, 0), 2), 0.00)::text,
        'stake_amount', bot.stake_amount::text,
        'max_open_trades', bot.max_open_trades,
        'stop_loss', bot.stop_loss::text,
        'take_profit', bot.take_profit::text,
        'risk_percentage', bot.risk_percentage::text,
        'last_trade_at', bot.last_trade_at,
        'error_message', bot.error_message,
        'metadata', bot.metadata,
        'created_at', bot.created_at,
        'updated_at', bot.updated_at
    );
end
$$;

-- The one shape of a trade in every answer.
create or replace function private.trade_json(trade public.trades) returns json
language plpgsql
stable
set search_path = ''
set timezone = 'UTC'
as $$
begin
    return json_build_object(
        'id', trade.id,
        'bot_id', trade.bot_id,
        'exchange', trade.exchange,
        'trading_pair', trade.trading_pair,
        'side', trade.side,
        'order_type', trade.order_type,
        'status', trade.status,
        'is_paper_trade', trade.is_paper_trade,
        'amount', trade.amount::text,
        'price', trade.price::text,
        'exit_price', trade.exit_price::text,
        'fee', trade.fee::text,
        'profit', trade.profit::text,
        'profit_percentage', trade.profit_percentage::text,
        'entry_time', trade.entry_time,
        'exit_time', trade.exit_time,
        'holding_seconds', floor(extract(epoch from trade.holding_duration))::bigint,
        'exchange_order_id', trade.exchange_order_id,
        'exchange_trade_id', trade.exchange_trade_id,
        'signal_price', trade.signal_price::text,
        'stop_loss_price', trade.stop_loss_price::text,
        'take_profit_price', trade.take_profit_price::text,
        'metadata', trade.metadata,
        'created_at', trade.created_at,
        'updated_at', trade.updated_at
    );
end
$$;

-- What of two reports of one trade counts, in whatever order they come: a close before a cancellation before an opening.
create or replace function private.trade_rank(status text) returns integer
language plpgsql
immutable
set search_path = ''
as $$
begin
    return case status when 'closed' then 2 when 'cancelled' then 1 else 0 end;
end
$$;

-- The one shape of an invoice in every answer.
create or replace function private.invoice_json(invoice public.invoices) returns json
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
    return json_build_object(
        'id', invoice.id,
        'plan_id', invoice.plan_id,
        'plan', (select plans.name from public.plans where plans.id = invoice.plan_id),
        'period', invoice.period,
        'description', invoice.description,
        'amount', invoice.amount::text,
        'status', invoice.status,
        'payment_method', invoice.payment_method,
        'payment_channel', invoice.payment_channel,
        'reference_id', invoice.reference_id,
        'tripay_invoice_id', invoice.tripay_invoice_id,
        'checkout_url', invoice.checkout_url,
        'pay_code', invoice.pay_code,
        'pay_url', invoice.pay_url,
        'qr_url', invoice.qr_url,
        'expired_at', invoice.expired_at,
        'paid_at', invoice.paid_at,
        'refunded_at', invoice.refunded_at,
        'created_at', invoice.created_at
    );
end
$$;

-- The one shape of a subscription in every answer. plan_ends_at: the end of the unbroken time of its plan, with the
-- periods that follow.
create or replace function private.subscription_json(subscription public.subscriptions) returns json
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
    return (
        select json_build_object(
            'id', subscription.id,
            'plan', plans.name,
            'status', subscription.status,
            'started_at', subscription.started_at,
            'expires_at', subscription.expires_at,
            'plan_ends_at', (
                select max(following.expires_at)
                from public.subscriptions as following
                where
                    following.user_id = subscription.user_id
                    and following.plan_id = subscription.plan_id
                    and (following.id = subscription.id or following.status <> 'expired')
                    -- Better plans come first: between two periods of one plan there is never another.
                    and following.started_at >= subscription.started_at
            ),
            'cancelled_at', subscription.cancelled_at,
            'auto_renew', subscription.auto_renew,
            'trial_ends_at', subscription.trial_ends_at
        )
        from public.plans
        where plans.id = subscription.plan_id
    );
end
$$;

-- Exchanges with saved keys: the hint and the date, never the sealed keys themselves, which no API role may read.
create or replace function private.saved_exchanges(user_id uuid) returns json
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

-- Those of the present month, in UTC.
create or replace function private.ai_requests_this_month(user_id uuid) returns bigint
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
    return (
        select count(*) from private.ai_requests
        where
            ai_requests.user_id = ai_requests_this_month.user_id
            and ai_requests.requested_at >= date_trunc('month', now(), 'UTC')
    );
end
$$;

-- Its plan, else Free.
create or replace function private.plan_in_force(user_id uuid, moment timestamptz default now()) returns public.plans
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
    plan public.plans;
begin
    select plans.* into plan
    from public.plans
    left join private.subscription_in_force(plan_in_force.user_id, moment) as subscription on subscription.plan_id = plans.id
    where subscription.id is not null or lower(plans.name) = 'free'
    order by subscription.id is not null desc
    limit 1;
    return plan;
end
$$;

-- What is known of the source that a strategy has now; nothing of one that was not checked.
create or replace function private.strategy_source(strategy public.strategies) returns private.strategy_sources
language plpgsql
stable
set search_path = ''
as $$
declare
    source private.strategy_sources;
begin
    select kept.* into source
    from private.strategy_sources as kept
    where kept.strategy_id = strategy.id and kept.source_hash = sha256(convert_to(strategy.content, 'UTF8'));
    return source;
end
$$;

-- Every column, and the check of the source.
create or replace function private.strategy_json(strategy public.strategies) returns json
language plpgsql
stable
set search_path = ''
set timezone = 'UTC'
as $$
declare
    source constant private.strategy_sources := private.strategy_source(strategy);
begin
    return json_build_object(
        'id', strategy.id,
        'user_id', strategy.user_id,
        'name', strategy.name,
        'description', strategy.description,
        'strategy_type', strategy.strategy_type,
        'content', strategy.content,
        'parameters', strategy.parameters,
        'performance', strategy.performance,
        'is_public', strategy.is_public,
        'is_verified', strategy.is_verified,
        'backtest_results', strategy.backtest_results,
        'tags', strategy.tags,
        'category', strategy.category,
        'risk_level', strategy.risk_level,
        'model_used', source.model_used,
        'tokens_used', source.tokens_used,
        'check', case
            when source.strategy_id is not null then json_build_object(
                'verdict', case
                    when jsonb_path_exists(source.findings, '$[*] ? (@.verdict == "refused")') then 'refused'
                    when source.findings <> '[]' then 'unproved'
                    else 'clean'
                end,
                'findings', source.findings,
                'class_name', source.class_name,
                'interface_version', source.interface_version,
                'timeframe', source.timeframe,
                'can_short', source.can_short
            )
        end,
        'created_at', strategy.created_at,
        'updated_at', strategy.updated_at
    );
end
$$;

-- Not kept where one user may have three trades and another ten million: what suits one would be a second's work for the other.
alter function private.run_analysis(jsonb, jsonb) set plan_cache_mode = 'force_custom_plan';
