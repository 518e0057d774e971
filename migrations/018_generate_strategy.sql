-- POST /strategies/generate: reserves an AI request of the plan, and stores the generated strategy.

-- Outcomes: reserved; existing with the strategy; key_reused; plan_limit or quota_exceeded, with limit and plan.
create function private.generate_strategy(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    caller constant uuid := (claims ->> 'sub')::uuid;
    digest constant bytea := sha256(convert_to((input - 'id')::text, 'UTF8'));
    request private.ai_requests;
    strategy public.strategies;
    plan public.plans;
    request_limit integer;
    refusal json;
begin
    perform private.ensure_active_profile(claims);
    perform pg_advisory_xact_lock(hashtextextended('limits of ' || caller, 0));
    select ai_requests.* into request from private.ai_requests where ai_requests.id = (input ->> 'id')::uuid;
    if found then
        if request.user_id <> caller or request.request_hash <> digest then
            return to_json('key_reused'::text);
        end if;
        select strategies.* into strategy from public.strategies where strategies.id = request.id;
        if found then
            return json_build_object('existing', private.strategy_json(strategy));
        end if;
    end if;

    -- Checked before the generation, and again when the strategy is stored.
    refusal := private.exceeded_strategy_limit(caller, false);
    if refusal is not null then
        return json_build_object('plan_limit', refusal);
    end if;
    if request.id is null then
        plan := private.plan_in_force(caller);
        request_limit := coalesce(plan.ai_requests_per_month, 0);
        if request_limit >= 0 and private.ai_requests_this_month(caller) >= request_limit then
            return json_build_object(
                'quota_exceeded', json_build_object('limit', request_limit, 'plan', coalesce(plan.name, 'Free'))
            );
        end if;
        insert into private.ai_requests (id, user_id, request_hash) values ((input ->> 'id')::uuid, caller, digest);
    end if;
    return to_json('reserved'::text);
end
$$;
comment on function private.generate_strategy(jsonb, jsonb) is 'POST /strategies/generate, before the generation';
revoke execute on function private.generate_strategy(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.generate_strategy(jsonb, jsonb) to nofomo_api;

-- Outcomes: created or existing, with the strategy; plan_limit with limit and plan.
create function private.record_generated_strategy(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    caller constant uuid := (claims ->> 'sub')::uuid;
    strategy public.strategies;
    refusal json;
begin
    perform private.ensure_active_profile(claims);
    perform pg_advisory_xact_lock(hashtextextended('limits of ' || caller, 0));
    select strategies.* into strategy
    from public.strategies
    where strategies.id = (input ->> 'id')::uuid and strategies.user_id = caller;
    if found then
        return json_build_object('existing', private.strategy_json(strategy));
    end if;
    refusal := private.exceeded_strategy_limit(caller, false);
    if refusal is not null then
        return json_build_object('plan_limit', refusal);
    end if;
    insert into public.strategies (id, user_id, name, description, strategy_type, content, parameters, risk_level)
    select new.id, caller, new.name, new.description, 'ai_generated', new.content, new.parameters, new.risk_level
    from jsonb_to_record(input) as new (
        id uuid, name text, description text, content text, parameters jsonb, risk_level text
    )
    inner join private.ai_requests on ai_requests.id = new.id and ai_requests.user_id = caller
    returning * into strict strategy;
    perform private.save_strategy_source(strategy, input -> 'check');
    insert into public.logs (user_id, strategy_id, log_level, message, context, source)
    values (
        caller, strategy.id, 'info', 'Generated strategy',
        jsonb_build_object(
            'action', 'generate-strategy', 'model_used', input #> '{check,model_used}',
            'tokens_used', input #> '{check,tokens_used}', 'findings', jsonb_array_length(input #> '{check,findings}')
        ),
        'api'
    );
    return json_build_object('created', private.strategy_json(strategy));
end
$$;
comment on function private.record_generated_strategy(jsonb, jsonb) is
    'POST /strategies/generate, after the generation';
revoke execute on function private.record_generated_strategy(jsonb, jsonb)
from public, anon, authenticated, service_role;
grant execute on function private.record_generated_strategy(jsonb, jsonb) to nofomo_api;
