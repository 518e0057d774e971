-- PUT, DELETE /credentials/{exchange}: exchange API keys, sealed before they come here.

-- A live bot runs only while there are keys. Whoever takes them away holds the bots first and then the user: in this order too.
create function private.validate_bot_start() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    perform from public.users
    where users.id = new.user_id and users.exchange_credentials ? new.exchange
    for share;
    if not found then
        raise exception 'no credentials are saved for %', new.exchange
        using
            errcode = 'PT409',
            constraint = 'credentials_missing',
            detail = jsonb_build_object('exchange', new.exchange),
            hint = 'Save API keys for this exchange first, or trade on paper.';
    end if;
    return null;
end
$$;
revoke execute on function private.validate_bot_start() from public, anon, authenticated, service_role;

create trigger bots_validate_start after update of status on public.bots
    for each row when (new.status = 'running' and old.status <> 'running' and new.is_paper_trade is not true)
    execute function private.validate_bot_start();

-- Outcomes: saved with exchange, key_hint and saved_at; deleted with the live bots that were stopped. `input.sealed` is null to
-- delete.
create function private.save_credentials(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
    caller constant uuid := (claims ->> 'sub')::uuid;
    wanted constant text := input ->> 'exchange';
    known jsonb;
    saved jsonb;
    stopped uuid[];
begin
    perform private.ensure_active_profile(claims);
    if input ->> 'sealed' is not null then
        saved := jsonb_build_object('sealed', input ->> 'sealed', 'key_hint', input ->> 'key_hint', 'saved_at', now());
        update public.users
        set exchange_credentials = coalesce(users.exchange_credentials, '{}') || jsonb_build_object(wanted, saved)
        where users.id = caller;
        insert into public.logs (user_id, log_level, message, context, source)
        values (
            caller, 'info', 'Saved credentials',
            jsonb_build_object('action', 'save-credentials', 'exchange', wanted, 'key_hint', saved -> 'key_hint'), 'api'
        );
        return json_build_object(
            'saved', json_build_object('exchange', wanted, 'key_hint', saved -> 'key_hint', 'saved_at', saved -> 'saved_at')
        );
    end if;

    -- A start under way ends first, so that it is seen; one that comes later finds no keys.
    perform from public.bots
    where bots.user_id = caller and bots.exchange = wanted and bots.is_paper_trade is not true
    order by bots.id
    for update;
    select users.exchange_credentials -> wanted into known from public.users where users.id = caller for update;
    update public.users
    set exchange_credentials = users.exchange_credentials - wanted
    where users.id = caller;
    with changed as (
        update public.bots
        set status = 'stopped'
        where
            bots.user_id = caller
            and bots.exchange = wanted
            and bots.is_paper_trade is not true
            and bots.status <> 'stopped'
        returning bots.id
    )

    select coalesce(array_agg(changed.id order by changed.id), '{}') into stopped from changed;
    if known is not null then
        insert into public.logs (user_id, log_level, message, context, source)
        values (
            caller, 'info', 'Deleted credentials',
            jsonb_build_object('action', 'delete-credentials', 'exchange', wanted, 'stopped_bots', cardinality(stopped)), 'api'
        );
    end if;
    return json_build_object('deleted', json_build_object('exchange', wanted, 'stopped_bots', to_json(stopped)));
end
$$;
comment on function private.save_credentials(jsonb, jsonb) is 'PUT, DELETE /credentials/{exchange}';
revoke execute on function private.save_credentials(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.save_credentials(jsonb, jsonb) to nofomo_api;

comment on column public.plans.max_bots is 'How many bots may exist, and of those that do the oldest may run; -1: any number.';
comment on column public.plans.max_strategies is 'How many strategies may exist; -1: any number.';
comment on column public.plans.custom_strategies is 'Whether strategies may be stored that somebody wrote himself.';
comment on column public.plans.api_access is 'Information for apps: no function asks for it.';
comment on column public.plans.priority_support is 'Information for whoever answers users.';
