-- Functions for strategies that several endpoints share: their JSON, the check of their source, and the plan's limit.

-- Returns the JSON of a strategy, with the check of its source.
create function private.strategy_json(strategy public.strategies) returns json
language plpgsql
stable
set search_path = ''
set timezone = 'UTC'
as $$
declare
    source constant private.strategy_sources := private.current_strategy_source(strategy);
begin
    return json_build_object(
        'id', strategy.id,
        'user_id', strategy.user_id,
        'name', strategy.name,
        'description', strategy.description,
        'strategy_type', strategy.strategy_type,
        'content', strategy.content,
        'parameters', strategy.parameters,
        'performance', strategy.performance,
        'is_public', strategy.is_public,
        'is_verified', strategy.is_verified,
        'backtest_results', strategy.backtest_results,
        'tags', strategy.tags,
        'category', strategy.category,
        'risk_level', strategy.risk_level,
        'model_used', source.model_used,
        'tokens_used', source.tokens_used,
        'check', case
            when source.strategy_id is not null then json_build_object(
                'verdict', case
                    when jsonb_path_exists(source.findings, '$[*] ? (@.verdict == "refused")') then 'refused'
                    when source.findings <> '[]' then 'unproved'
                    else 'clean'
                end,
                'findings', source.findings,
                'class_name', source.class_name,
                'interface_version', source.interface_version,
                'timeframe', source.timeframe,
                'can_short', source.can_short
            )
        end,
        'created_at', strategy.created_at,
        'updated_at', strategy.updated_at
    );
end
$$;
revoke execute on function private.strategy_json(public.strategies) from public, anon, authenticated, service_role;

-- Saves the result of a check of the strategy's source.
create function private.save_strategy_source(strategy public.strategies, check_result jsonb) returns void
language sql
set search_path = ''
as $$
    insert into private.strategy_sources as existing (
        strategy_id, request_hash, source_hash, stored_at, class_name, interface_version, timeframe, can_short,
        checker_version, findings, model_used, tokens_used
    )
    select
        strategy.id, field.request_hash::bytea, sha256(convert_to(strategy.content, 'UTF8')), strategy.created_at,
        field.class_name, field.interface_version, field.timeframe, field.can_short, field.checker_version,
        field.findings, field.model_used, field.tokens_used
    from jsonb_to_record(check_result) as field (
        request_hash text, class_name text, interface_version smallint, timeframe text, can_short boolean,
        checker_version integer, findings jsonb, model_used text, tokens_used integer
    )
    on conflict (strategy_id) do update
        set
            source_hash = excluded.source_hash,
            -- Unchanged if the same source is checked again.
            stored_at = case existing.source_hash when excluded.source_hash then existing.stored_at else now() end,
            class_name = excluded.class_name,
            interface_version = excluded.interface_version,
            timeframe = excluded.timeframe,
            can_short = excluded.can_short,
            checker_version = excluded.checker_version,
            findings = excluded.findings
$$;
revoke execute on function private.save_strategy_source(public.strategies, jsonb)
from public, anon, authenticated, service_role;

-- Returns the plan and its limit if the user may not store another strategy, else null. The caller holds the lock of
-- the user's limits.
create function private.exceeded_strategy_limit(caller uuid, is_custom boolean) returns json
language plpgsql
set search_path = ''
as $$
declare
    plan constant public.plans := private.plan_in_force(caller);
    max_strategies constant integer := case
        when is_custom and plan.custom_strategies is not true then 0 else coalesce(plan.max_strategies, 0)
    end;
begin
    if
        max_strategies < 0
        or (select count(*) from public.strategies where strategies.user_id = caller) < max_strategies
    then
        return null;
    end if;
    return json_build_object('limit', max_strategies, 'plan', coalesce(plan.name, 'Free'));
end
$$;
revoke execute on function private.exceeded_strategy_limit(uuid, boolean)
from public, anon, authenticated, service_role;
