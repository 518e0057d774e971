-- PUT, DELETE /credentials/{exchange}: saves or deletes exchange API keys. The function encrypts them before they reach
-- the database.

-- Outcomes: saved with exchange, key_hint and saved_at; deleted with exchange and the live bots that were stopped.
-- `input.sealed` is null to delete.
create function private.save_credentials(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
    caller constant uuid := (claims ->> 'sub')::uuid;
    exchange_name constant text := input ->> 'exchange';
    deleted jsonb;
    saved jsonb;
    stopped_bots uuid[];
begin
    perform private.ensure_active_profile(claims);
    if input ->> 'sealed' is not null then
        saved := jsonb_build_object('sealed', input ->> 'sealed', 'key_hint', input ->> 'key_hint', 'saved_at', now());
        update public.users
        set exchange_credentials = coalesce(users.exchange_credentials, '{}') || jsonb_build_object(exchange_name, saved)
        where users.id = caller;
        insert into public.logs (user_id, log_level, message, context, source)
        values (
            caller, 'info', 'Saved credentials',
            jsonb_build_object('action', 'save-credentials', 'exchange', exchange_name, 'key_hint', saved -> 'key_hint'),
            'api'
        );
        return json_build_object(
            'saved',
            json_build_object(
                'exchange', exchange_name, 'key_hint', saved -> 'key_hint', 'saved_at', saved -> 'saved_at'
            )
        );
    end if;

    -- Waits for bots that are starting, so that they are stopped below. A bot that starts later finds no keys.
    perform from public.bots
    where bots.user_id = caller and bots.exchange = exchange_name and bots.is_paper_trade is not true
    order by bots.id
    for update;
    select users.exchange_credentials -> exchange_name into deleted from public.users where users.id = caller for update;
    update public.users
    set exchange_credentials = users.exchange_credentials - exchange_name
    where users.id = caller;
    with changed as (
        update public.bots
        set status = 'stopped'
        where
            bots.user_id = caller
            and bots.exchange = exchange_name
            and bots.is_paper_trade is not true
            and bots.status <> 'stopped'
        returning bots.id
    )

    select coalesce(array_agg(changed.id order by changed.id), '{}') into stopped_bots from changed;
    if deleted is not null then
        insert into public.logs (user_id, log_level, message, context, source)
        values (
            caller, 'info', 'Deleted credentials',
            jsonb_build_object(
                'action', 'delete-credentials', 'exchange', exchange_name, 'stopped_bots', cardinality(stopped_bots)
            ),
            'api'
        );
    end if;
    return json_build_object(
        'deleted', json_build_object('exchange', exchange_name, 'stopped_bots', to_json(stopped_bots))
    );
end
$$;
comment on function private.save_credentials(jsonb, jsonb) is 'PUT, DELETE /credentials/{exchange}';
revoke execute on function private.save_credentials(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.save_credentials(jsonb, jsonb) to nofomo_api;
