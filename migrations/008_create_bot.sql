-- POST /bots: creates a stopped bot of the caller.

-- Outcomes: created or existing, with the bot; plan_limit with limit and plan; credentials_missing with exchange;
-- unsafe_strategy with the strategy's name and its number of findings; key_reused.
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
        -- Triggers enforce the rules for every writer. Their exceptions become outcomes here.
        when sqlstate 'PT403' or sqlstate 'PT409' then
            get stacked diagnostics outcome = constraint_name, refusal = pg_exception_detail;
            return json_build_object(outcome, refusal::json);
    end;
    if bot.id is null then
        select bots.* into bot from public.bots where bots.id = (input ->> 'id')::uuid;
        outcome := 'existing';
    end if;
    -- Back to the login role: authenticated may not call the functions below.
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
