-- POST /strategies/{strategy_id}/publish: publishes a strategy of the caller in the marketplace.

-- Outcomes: published with the strategy; check_required with the source, after which the function is called again with
-- the result of the check; has_findings with the findings; no_source; too_few_trades; name_taken; not_found.
create function private.publish_strategy(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    caller constant uuid := (claims ->> 'sub')::uuid;
    strategy public.strategies;
    source private.strategy_sources;
begin
    perform private.ensure_active_profile(claims);
    -- Locked, so that the source does not change during the checks below.
    select strategies.* into strategy
    from public.strategies
    where strategies.id = (input ->> 'strategy_id')::uuid and strategies.user_id = caller
    for update;
    if not found then
        return to_json('not_found'::text);
    elsif strategy.content is null then
        return to_json('no_source'::text);
    end if;

    -- Saved only if the check is that of the current source, which may have changed since.
    if input #>> '{check,source_hash}' = encode(sha256(convert_to(strategy.content, 'UTF8')), 'hex') then
        perform private.save_strategy_source(strategy, input -> 'check');
    end if;
    source := private.current_strategy_source(strategy);
    if source.checker_version is distinct from (input ->> 'checker_version')::integer then
        return json_build_object('check_required', strategy.content);
    elsif source.findings <> '[]' then
        return json_build_object('has_findings', source.findings);
    end if;

    -- Backtests imported before this source was stored do not count.
    if not exists (
        select from public.backtest_results
        where
            backtest_results.strategy_id = strategy.id
            and backtest_results.total_trades >= 30
            and backtest_results.created_at >= source.stored_at
    ) then
        return to_json('too_few_trades'::text);
    end if;

    if strategy.is_public and strategy.is_verified and strategy.strategy_type = 'marketplace' then
        return json_build_object('published', private.strategy_json(strategy));
    end if;
    begin
        update public.strategies
        set strategy_type = 'marketplace', is_public = true, is_verified = true
        where strategies.id = strategy.id
        returning strategies.* into strategy;
    exception
        when unique_violation then
            return to_json('name_taken'::text);
    end;
    insert into public.logs (user_id, strategy_id, log_level, message, context, source)
    values (caller, strategy.id, 'info', 'Published strategy', '{"action": "publish-strategy"}', 'api');
    return json_build_object('published', private.strategy_json(strategy));
end
$$;
comment on function private.publish_strategy(jsonb, jsonb) is 'POST /strategies/{strategy_id}/publish';
revoke execute on function private.publish_strategy(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.publish_strategy(jsonb, jsonb) to nofomo_api;
