-- Functions for bots and trades that several endpoints share: their JSON, and the check of who may report for a bot.

-- Returns the JSON of a bot, the same in every response: decimals are strings, and times are UTC. A new column of the
-- table is not returned until it is added here. The type is json, because jsonb would reorder the keys.
create function private.bot_json(bot public.bots) returns json
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
revoke execute on function private.bot_json(public.bots) from public, anon, authenticated, service_role;
grant execute on function private.bot_json(public.bots) to nofomo_api;

-- Returns the JSON of a trade, the same in every response.
create function private.trade_json(trade public.trades) returns json
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
revoke execute on function private.trade_json(public.trades) from public, anon, authenticated, service_role;
grant execute on function private.trade_json(public.trades) to nofomo_api;

-- Returns the bot that the caller may report for: the caller's own bot if the claims are those of an access token, or
-- the bot of a bot token. Null if the bot does not exist or the caller may not report for it; the two cases are not
-- distinguished. Raises an exception for an unknown bot token.
create function private.reporting_bot(claims jsonb, bot_id uuid) returns public.bots
language plpgsql
security definer
set search_path = ''
as $$
declare
    bot public.bots;
    is_active boolean;
begin
    if not claims ? 'bot_token_hash' then
        perform private.ensure_active_profile(claims);
        select bots.* into bot
        from public.bots
        where bots.id = reporting_bot.bot_id and bots.user_id = (claims ->> 'sub')::uuid;
        return bot;
    end if;

    select bots.* into bot
    from private.bot_tokens as token
    inner join public.bots on bots.id = token.bot_id
    where token.token_hash = decode(claims ->> 'bot_token_hash', 'hex') and 'report' = any(token.scopes);
    if not found then
        raise exception 'unknown bot token' using errcode = 'PT401', constraint = 'bot_token_is_valid';
    end if;
    select users.is_active into is_active from public.users where users.id = bot.user_id;
    if is_active is false then
        raise exception 'this account is deactivated' using errcode = 'PT403', constraint = 'user_is_active';
    end if;
    return case when reporting_bot.bot_id is null or reporting_bot.bot_id = bot.id then bot end;
end
$$;
revoke execute on function private.reporting_bot(jsonb, uuid) from public, anon, authenticated, service_role;
