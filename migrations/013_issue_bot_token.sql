-- POST, DELETE /bots/{bot_id}/token: issues or revokes the token of a bot. Its scopes let it report for this bot, and
-- fetch the exchange API keys of a live bot.

-- Outcomes: issued with scopes and created_at; revoked; not_found; paper_bot. `input.token_hash` is null to revoke.
create function private.issue_bot_token(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
    caller uuid := (claims ->> 'sub')::uuid;
    bot uuid;
    is_paper_trade boolean;
    token private.bot_tokens;
begin
    perform private.ensure_active_profile(claims);
    select bots.id, bots.is_paper_trade into bot, is_paper_trade
    from public.bots
    where bots.id = (input ->> 'bot_id')::uuid and bots.user_id = caller;
    if bot is null then
        return to_json('not_found'::text);
    end if;

    if input ->> 'token_hash' is null then
        delete from private.bot_tokens where bot_tokens.bot_id = bot returning * into token;
        if found then
            insert into public.logs (user_id, bot_id, log_level, message, context, source)
            values (caller, bot, 'info', 'Revoked bot token', '{"action": "revoke-bot-token"}', 'api');
        end if;
        return to_json('revoked'::text);
    end if;

    -- The scope trade is only for live bots.
    if input -> 'scopes' ? 'trade' and is_paper_trade is not false then
        return to_json('paper_bot'::text);
    end if;

    insert into private.bot_tokens as existing (bot_id, token_hash, scopes)
    values (
        bot,
        decode(input ->> 'token_hash', 'hex'),
        array(select jsonb_array_elements_text(input -> 'scopes'))
    )
    on conflict (bot_id) do update
        set token_hash = excluded.token_hash, scopes = excluded.scopes, created_at = excluded.created_at
    returning existing.* into token;
    insert into public.logs (user_id, bot_id, log_level, message, context, source)
    values (
        caller, bot, 'info', 'Issued bot token',
        jsonb_build_object('action', 'issue-bot-token', 'scopes', to_jsonb(token.scopes)), 'api'
    );
    return json_build_object('issued', json_build_object('scopes', token.scopes, 'created_at', token.created_at));
end
$$;
comment on function private.issue_bot_token(jsonb, jsonb) is 'POST, DELETE /bots/{bot_id}/token';
revoke execute on function private.issue_bot_token(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.issue_bot_token(jsonb, jsonb) to nofomo_api;
