-- POST /strategies, PUT /strategies/{strategy_id}: stores the source of a strategy with the result of its check.

-- Outcomes: created or existing, with the strategy; plan_limit with limit and plan; key_reused; in_use if the source
-- has findings and a live bot uses a strategy with this name.
create function private.create_strategy(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    caller constant uuid := (claims ->> 'sub')::uuid;
    digest constant bytea := sha256(convert_to((input - 'id' - 'check')::text, 'UTF8'));
    strategy public.strategies;
    refusal json;
begin
    perform private.ensure_active_profile(claims);
    perform pg_advisory_xact_lock(hashtextextended('limits of ' || caller, 0));
    select strategies.* into strategy from public.strategies where strategies.id = (input ->> 'id')::uuid;
    if found then
        if
            strategy.user_id <> caller
            or digest is distinct from (
                select source.request_hash from private.strategy_sources as source where source.strategy_id = strategy.id
            )
        then
            return to_json('key_reused'::text);
        end if;
        return json_build_object('existing', private.strategy_json(strategy));
    end if;

    refusal := private.exceeded_strategy_limit(caller, true);
    if refusal is not null then
        return json_build_object('plan_limit', refusal);
    elsif input #> '{check,findings}' <> '[]' and private.is_strategy_live(caller, input ->> 'name') then
        return to_json('in_use'::text);
    end if;
    insert into public.strategies (
        id, user_id, name, description, strategy_type, content, parameters, tags, category, risk_level
    )
    select
        new.id, caller, new.name, new.description, 'custom', new.content, coalesce(new.parameters, '{}'), new.tags,
        new.category, new.risk_level
    from jsonb_to_record(input) as new (
        id uuid, name text, description text, content text, parameters jsonb, tags text [], category text, risk_level text
    )
    returning * into strategy;
    perform private.save_strategy_source(strategy, input -> 'check' || jsonb_build_object('request_hash', digest));
    insert into public.logs (user_id, strategy_id, log_level, message, context, source)
    values (
        caller, strategy.id, 'info', 'Created strategy',
        jsonb_build_object('action', 'create-strategy', 'findings', jsonb_array_length(input #> '{check,findings}')), 'api'
    );
    return json_build_object('created', private.strategy_json(strategy));
end
$$;
comment on function private.create_strategy(jsonb, jsonb) is 'POST /strategies';
revoke execute on function private.create_strategy(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.create_strategy(jsonb, jsonb) to nofomo_api;

-- Outcomes: replaced with the strategy; not_found; plan_limit with limit and plan; in_use if the source has findings
-- and a live bot uses the strategy.
create function private.replace_strategy(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    caller constant uuid := (claims ->> 'sub')::uuid;
    plan public.plans;
    strategy public.strategies;
begin
    perform private.ensure_active_profile(claims);
    -- The lock waits for a bot that is starting with this source. A bot that starts later sees the new source.
    select strategies.* into strategy
    from public.strategies
    where strategies.id = (input ->> 'strategy_id')::uuid and strategies.user_id = caller
    for update;
    if not found then
        return to_json('not_found'::text);
    end if;
    plan := private.plan_in_force(caller);
    if plan.custom_strategies is not true then
        return json_build_object('plan_limit', json_build_object('limit', 0, 'plan', coalesce(plan.name, 'Free')));
    end if;
    if input #> '{check,findings}' <> '[]' and private.is_strategy_live(caller, strategy.name) then
        return to_json('in_use'::text);
    end if;
    update public.strategies
    set
        content = input ->> 'content',
        parameters = coalesce(nullif(input -> 'parameters', 'null'), strategies.parameters),
        -- A source that the user replaces is no longer AI-generated.
        strategy_type = case strategies.strategy_type when 'ai_generated' then 'custom' else strategies.strategy_type end
    where strategies.id = strategy.id
    returning strategies.* into strategy;
    perform private.save_strategy_source(strategy, input -> 'check');
    insert into public.logs (user_id, strategy_id, log_level, message, context, source)
    values (
        caller, strategy.id, 'info', 'Replaced strategy',
        jsonb_build_object('action', 'replace-strategy', 'findings', jsonb_array_length(input #> '{check,findings}')), 'api'
    );
    return json_build_object('replaced', private.strategy_json(strategy));
end
$$;
comment on function private.replace_strategy(jsonb, jsonb) is 'PUT /strategies/{strategy_id}';
revoke execute on function private.replace_strategy(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.replace_strategy(jsonb, jsonb) to nofomo_api;
