-- POST /bots: a stopped bot of the caller.

-- The one shape of a bot in every answer: decimals are strings, times are UTC, and a column added to the table stays out
-- until it is written here. Json and not jsonb, which would put the keys in the order of their lengths.
create function private.bot_json(bot public.bots) returns json
language sql
stable
set search_path = ''
set timezone = 'UTC'
as $$
    select json_build_object(
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
    )
$$;
revoke execute on function private.bot_json(public.bots) from public, anon, authenticated, service_role;
grant execute on function private.bot_json(public.bots) to nofomo_api;

-- Outcomes: created and known with the bot, plan_limit with limit and plan, credentials_missing with exchange, key_reused.
create function private.create_bot(claims jsonb, input jsonb) returns json
language plpgsql
set search_path = ''
as $$
declare
    bot public.bots;
    outcome text := 'created';
    refusal text;
    digest bytea := sha256(convert_to((input - 'id')::text, 'UTF8'));
begin
    perform private.become_user(claims);
    begin
        insert into public.bots (
            id, user_id, name, exchange, trading_pair, timeframe, strategy, initial_balance, stake_amount, max_open_trades,
            stop_loss, take_profit, risk_percentage, is_paper_trade, metadata, request_hash
        )
        select
            new.id, (claims ->> 'sub')::uuid, new.name, new.exchange, new.trading_pair, new.timeframe, new.strategy,
            new.initial_balance, new.stake_amount, new.max_open_trades, new.stop_loss, new.take_profit,
            new.risk_percentage, new.is_paper_trade, coalesce(new.metadata, '{}'), digest
        from jsonb_to_record(input) as new (
            id uuid, name text, exchange text, trading_pair text, timeframe text, strategy text, initial_balance numeric,
            stake_amount numeric, max_open_trades integer, stop_loss numeric, take_profit numeric, risk_percentage numeric,
            is_paper_trade boolean, metadata jsonb
        )
        on conflict (id) do nothing
        returning * into bot;
    exception
        -- The rules stand in triggers, for whoever writes; here they become outcomes.
        when sqlstate 'PT403' or sqlstate 'PT409' then
            get stacked diagnostics outcome = constraint_name, refusal = pg_exception_detail;
            return json_build_object(outcome, refusal::json);
    end;
    if bot.id is null then
        select bots.* into bot from public.bots where bots.id = (input ->> 'id')::uuid;
        outcome := 'known';
    end if;
    -- Back from being the user, who could not name what follows.
    perform set_config('role', 'none', true);
    if bot.request_hash is distinct from digest then
        return to_json('key_reused'::text);
    end if;
    return json_build_object(outcome, private.bot_json(bot));
end
$$;
comment on function private.create_bot(jsonb, jsonb) is 'POST /bots';
revoke execute on function private.create_bot(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.create_bot(jsonb, jsonb) to nofomo_api;
