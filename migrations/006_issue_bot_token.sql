-- POST, DELETE /bots/{bot_id}/token: a revocable token that can only report for one bot.

-- One for each bot: a new one takes the place of the old. In private, and closed to everyone: only definer functions
-- look in here.
create table private.bot_tokens (
    bot_id uuid not null,
    token_hash bytea not null,
    scopes text[] not null,
    created_at timestamptz not null default now(),
    constraint bot_tokens_pkey primary key (bot_id),
    constraint bot_tokens_token_hash_key unique (token_hash),
    constraint bot_tokens_bot_id_fkey foreign key (bot_id) references public.bots (id) on delete cascade,
    constraint bot_tokens_token_hash_check check (length(token_hash) = 32),
    constraint bot_tokens_scopes_check check (scopes <@ array['report', 'trade'] and cardinality(scopes) > 0)
);
comment on table private.bot_tokens is 'SHA-256 of the token a bot reports with; the token itself is shown once and kept nowhere.';
alter table private.bot_tokens enable row level security;
revoke all on table private.bot_tokens from public, anon, authenticated, service_role;

-- A bot, if the caller may report for it: its owner by the claims of his access token, or its runner by its own token. No
-- row: not there, or not his; which of the two is not told. An unknown token is refused before any command begins.
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
        raise exception 'no bot has this token' using errcode = 'PT401', constraint = 'bot_token_is_known';
    end if;
    select users.is_active into is_active from public.users where users.id = bot.user_id;
    if is_active is false then
        raise exception 'this account is deactivated' using errcode = 'PT403', constraint = 'user_is_active';
    end if;
    return case when reporting_bot.bot_id is null or reporting_bot.bot_id = bot.id then bot end;
end
$$;
revoke execute on function private.reporting_bot(jsonb, uuid) from public, anon, authenticated, service_role;

-- Outcomes: issued, revoked, not_found. `input.token_hash` is null to revoke.
create function private.issue_bot_token(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
    caller uuid := (claims ->> 'sub')::uuid;
    bot uuid;
    token private.bot_tokens;
begin
    perform private.ensure_active_profile(claims);
    select bots.id into bot
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

    insert into private.bot_tokens as known (bot_id, token_hash, scopes)
    values (
        bot,
        decode(input ->> 'token_hash', 'hex'),
        array(select jsonb_array_elements_text(input -> 'scopes'))
    )
    on conflict (bot_id) do update
        set token_hash = excluded.token_hash, scopes = excluded.scopes, created_at = excluded.created_at
    returning known.* into token;
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
