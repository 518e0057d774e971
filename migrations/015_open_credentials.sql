-- POST /bots/{bot_id}/credentials: returns the exchange API keys, still encrypted, to the runner of a live bot.

-- Outcomes: found with owner, exchange and the encrypted keys; not_found; scope_missing; paper_bot; not_running with
-- status; credentials_missing with exchange.
create function private.open_credentials(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    bot constant public.bots := private.reporting_bot(claims, (input ->> 'bot_id')::uuid);
    sealed text;
begin
    if bot.id is null or not claims ? 'bot_token_hash' then
        return to_json('not_found'::text);
    end if;
    if not exists (
        select from private.bot_tokens
        where
            bot_tokens.token_hash = decode(claims ->> 'bot_token_hash', 'hex') and 'trade' = any(bot_tokens.scopes)
    ) then
        return to_json('scope_missing'::text);
    elsif bot.is_paper_trade is not false then
        return to_json('paper_bot'::text);
    elsif bot.status <> 'running' then
        return json_build_object('not_running', json_build_object('status', bot.status));
    end if;
    select users.exchange_credentials -> bot.exchange ->> 'sealed' into sealed
    from public.users
    where users.id = bot.user_id;
    if sealed is null then
        return json_build_object('credentials_missing', json_build_object('exchange', bot.exchange));
    end if;
    insert into public.logs (user_id, bot_id, log_level, message, context, source)
    values (
        bot.user_id, bot.id, 'info', 'Opened credentials',
        jsonb_build_object('action', 'open-credentials', 'exchange', bot.exchange), 'api'
    );
    return json_build_object(
        'found', json_build_object('owner', bot.user_id, 'exchange', bot.exchange, 'sealed', sealed)
    );
end
$$;
comment on function private.open_credentials(jsonb, jsonb) is 'POST /bots/{bot_id}/credentials';
revoke execute on function private.open_credentials(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.open_credentials(jsonb, jsonb) to nofomo_api;
