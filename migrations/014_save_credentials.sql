-- PUT, DELETE /credentials/{exchange}: exchange API keys, sealed before they come here.

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
