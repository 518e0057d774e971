-- POST /strategies, PUT /strategies/{strategy_id}: a strategy's source, stored with what a check found in it.

-- Rust reads the source and writes here what it found; a source that changed by another way has other bytes, and no findings.
create table private.strategy_sources (
    strategy_id uuid not null,
    request_hash bytea,
    source_hash bytea not null,
    stored_at timestamptz not null default now(),
    class_name text not null,
    interface_version smallint not null,
    timeframe text not null,
    can_short boolean not null,
    checker_version integer not null,
    findings jsonb not null,
    model_used text,
    tokens_used integer,
    constraint strategy_sources_pkey primary key (strategy_id),
    constraint strategy_sources_strategy_id_fkey foreign key (strategy_id) references public.strategies (id) on delete cascade,
    constraint strategy_sources_findings_check check (jsonb_typeof(findings) = 'array')
);
comment on table private.strategy_sources is 'What is known of a strategy''s source, as long as that has the same SHA-256.';
comment on column private.strategy_sources.request_hash is 'What the strategy was created from, for Idempotency-Key.';
comment on column private.strategy_sources.stored_at is 'Since when the strategy has this source.';
comment on column private.strategy_sources.findings is 'Objects with rule, verdict, line, column and why; none: nothing but what is known to be harmless.';
comment on column private.strategy_sources.model_used is 'The language model or template that wrote it.';
alter table private.strategy_sources enable row level security;
revoke all on table private.strategy_sources from public, anon, authenticated, service_role;

-- What is known of the source that a strategy has now; nothing of one that was not checked.
create function private.strategy_source(strategy public.strategies) returns private.strategy_sources
language sql
stable
set search_path = ''
as $$
    select source.*
    from private.strategy_sources as source
    where source.strategy_id = strategy.id and source.source_hash = sha256(convert_to(strategy.content, 'UTF8'))
$$;
revoke execute on function private.strategy_source(public.strategies) from public, anon, authenticated, service_role;

-- Every column, and the check of the source.
create function private.strategy_json(strategy public.strategies) returns json
language sql
stable
set search_path = ''
set timezone = 'UTC'
as $$
    select json_build_object(
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
    )
    from (select 1) as one
    left join lateral private.strategy_source(strategy) as source on true
$$;
revoke execute on function private.strategy_json(public.strategies) from public, anon, authenticated, service_role;

-- Keeps what a check found, whoever asked for it.
create function private.keep_strategy_source(strategy public.strategies, found jsonb) returns void
language sql
set search_path = ''
as $$
    insert into private.strategy_sources as known (
        strategy_id, request_hash, source_hash, stored_at, class_name, interface_version, timeframe, can_short,
        checker_version, findings, model_used, tokens_used
    )
    select
        strategy.id, given.request_hash::bytea, sha256(convert_to(strategy.content, 'UTF8')), strategy.created_at,
        given.class_name, given.interface_version, given.timeframe, given.can_short, given.checker_version,
        given.findings, given.model_used, given.tokens_used
    from jsonb_to_record(found) as given (
        request_hash text, class_name text, interface_version smallint, timeframe text, can_short boolean,
        checker_version integer, findings jsonb, model_used text, tokens_used integer
    )
    on conflict (strategy_id) do update
        set
            source_hash = excluded.source_hash,
            -- The same bytes checked again are no other source.
            stored_at = case known.source_hash when excluded.source_hash then known.stored_at else now() end,
            class_name = excluded.class_name,
            interface_version = excluded.interface_version,
            timeframe = excluded.timeframe,
            can_short = excluded.can_short,
            checker_version = excluded.checker_version,
            findings = excluded.findings
$$;
revoke execute on function private.keep_strategy_source(public.strategies, jsonb) from public, anon, authenticated, service_role;

-- Why the user's plan has no place for another strategy: how many it allows. Under the lock of his limits.
create function private.strategy_limit(caller uuid, is_own_work boolean) returns json
language plpgsql
set search_path = ''
as $$
declare
    plan constant public.plans := private.plan_in_force(caller);
    most constant integer := case
        when is_own_work and plan.custom_strategies is not true then 0 else coalesce(plan.max_strategies, 0)
    end;
begin
    if most < 0 or (select count(*) from public.strategies where strategies.user_id = caller) < most then
        return null;
    end if;
    return json_build_object('limit', most, 'plan', coalesce(plan.name, 'Free'));
end
$$;
revoke execute on function private.strategy_limit(uuid, boolean) from public, anon, authenticated, service_role;

-- Whether a live bot runs by a name of the user's strategies.
create function private.runs_live(owner_id uuid, strategy_name text) returns boolean
language sql
stable
set search_path = ''
as $$
    select exists (
        select from public.bots
        where
            bots.user_id = owner_id
            and bots.strategy = strategy_name
            and bots.status = 'running'
            and bots.is_paper_trade is not true
    )
$$;
revoke execute on function private.runs_live(uuid, text) from public, anon, authenticated, service_role;

-- Outcomes: created and known with the strategy, plan_limit with limit and plan, key_reused, in_use while a live bot runs by its
-- name.
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
        return json_build_object('known', private.strategy_json(strategy));
    end if;

    refusal := private.strategy_limit(caller, true);
    if refusal is not null then
        return json_build_object('plan_limit', refusal);
    elsif input #> '{check,findings}' <> '[]' and private.runs_live(caller, input ->> 'name') then
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
    perform private.keep_strategy_source(strategy, input -> 'check' || jsonb_build_object('request_hash', digest));
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

-- Outcomes: replaced with the strategy, not_found, plan_limit with limit and plan, in_use while a live bot runs by its name.
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
    -- A bot that starts by this source ends its start first, and one that starts later meets the new source.
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
    if input #> '{check,findings}' <> '[]' and private.runs_live(caller, strategy.name) then
        return to_json('in_use'::text);
    end if;
    update public.strategies
    set
        content = input ->> 'content',
        parameters = coalesce(nullif(input -> 'parameters', 'null'), strategies.parameters),
        -- Somebody's own work from now on.
        strategy_type = case strategies.strategy_type when 'ai_generated' then 'custom' else strategies.strategy_type end
    where strategies.id = strategy.id
    returning strategies.* into strategy;
    perform private.keep_strategy_source(strategy, input -> 'check');
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

-- Why a bot may not trade live: a strategy of its owner's, by the name that it runs, in whose source something was found, or
-- which nobody has checked. Without one of his own it may be one of the marketplace, and no other.
create function private.unsafe_strategy(bot public.bots) returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
    strategy public.strategies;
    source private.strategy_sources;
begin
    for strategy in
        select strategies.*
        from public.strategies
        where
            strategies.user_id = bot.user_id
            and strategies.name = bot.strategy
            and strategies.content is not null
        order by strategies.id
        -- Held until the bot runs.
        for share
    loop
        source := private.strategy_source(strategy);
        if source.findings is distinct from '[]' then
            return jsonb_build_object('strategy', strategy.name, 'findings', jsonb_array_length(source.findings));
        end if;
    end loop;
    if not found and not exists (
        select from public.strategies
        where
            strategies.name = bot.strategy
            and strategies.is_public
            and strategies.strategy_type = 'marketplace'
            and strategies.is_verified
    ) then
        return jsonb_build_object('strategy', bot.strategy, 'findings', null);
    end if;
    return null;
end
$$;
revoke execute on function private.unsafe_strategy(public.bots) from public, anon, authenticated, service_role;

create function private.validate_bot_strategy() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
    refusal constant jsonb := private.unsafe_strategy(new);
begin
    if refusal is not null then
        raise exception 'strategy % is not clean', new.strategy
        using
            errcode = 'PT409',
            constraint = 'unsafe_strategy',
            detail = refusal,
            hint = 'Change what the check of its source found, or trade on paper.';
    end if;
    return null;
end
$$;
revoke execute on function private.validate_bot_strategy() from public, anon, authenticated, service_role;

create trigger bots_validate_strategy after insert or update of is_paper_trade, strategy on public.bots
    for each row when (new.is_paper_trade is not true)
    execute function private.validate_bot_strategy();
create trigger bots_validate_strategy_start after update of status on public.bots
    for each row when (new.status = 'running' and old.status <> 'running' and new.is_paper_trade is not true)
    execute function private.validate_bot_strategy();

-- A client may give a strategy another name, or delete it: not while a live bot runs by the name that it has or would get.
create function private.validate_strategy_name() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    if private.runs_live(old.user_id, old.name) or (tg_op = 'UPDATE' and private.runs_live(new.user_id, new.name)) then
        raise exception 'a live bot runs strategy %', old.name
        using errcode = 'PT409', constraint = 'strategy_in_use', hint = 'Stop the bot first.';
    end if;
    return null;
end
$$;
revoke execute on function private.validate_strategy_name() from public, anon, authenticated, service_role;

create trigger strategies_validate_name after update of name on public.strategies
    for each row when (new.name is distinct from old.name)
    execute function private.validate_strategy_name();
create trigger strategies_validate_delete after delete on public.strategies
    for each row when (pg_trigger_depth() = 0)
    execute function private.validate_strategy_name();

-- Outcomes: those before, and unsafe_strategy with the strategy's name and how much was found in it.
create or replace function private.control_bot(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    action constant text := input ->> 'action';
    target constant text := case action
        when 'start' then 'running' when 'stop' then 'stopped' when 'pause' then 'paused' when 'fail' then 'error'
    end;
    sources constant text[] := case action
        when 'start' then array['stopped', 'paused', 'error']
        when 'stop' then array['running', 'paused', 'error']
        else array['running']
    end;
    bot public.bots := private.reporting_bot(claims, (input ->> 'bot_id')::uuid);
    plan public.plans;
    refusal jsonb;
begin
    -- A runner reports; whether the bot runs is its owner's to decide.
    if bot.id is null or (claims ? 'bot_token_hash' and action <> 'fail') then
        return to_json('not_found'::text);
    end if;
    if action = 'start' and bot.status <> 'running' then
        if not private.is_covered_by_plan(bot) then
            plan := private.plan_in_force(bot.user_id);
            return json_build_object(
                'plan_limit', json_build_object('limit', coalesce(plan.max_bots, 0), 'plan', coalesce(plan.name, 'Free'))
            );
        end if;
        if bot.is_paper_trade is not true and not exists (
            select from public.users where users.id = bot.user_id and users.exchange_credentials ? bot.exchange
        ) then
            return json_build_object('credentials_missing', json_build_object('exchange', bot.exchange));
        end if;
        refusal := case when bot.is_paper_trade is not true then private.unsafe_strategy(bot) end;
        if refusal is not null then
            return json_build_object('unsafe_strategy', refusal);
        end if;
    end if;

    update public.bots
    set
        status = target,
        error_message = case when action = 'fail' then input ->> 'message' end
    where
        bots.id = bot.id
        and bots.status = any(sources)
        -- A start was judged for the status that was read.
        and (action <> 'start' or bots.status = bot.status)
    returning bots.* into bot;
    if found then
        return json_build_object('done', private.bot_json(bot));
    end if;
    select bots.* into bot from public.bots where bots.id = (input ->> 'bot_id')::uuid;
    if bot.status = target then
        return json_build_object('already', private.bot_json(bot));
    elsif bot.id is null then
        return to_json('not_found'::text);
    end if;
    return json_build_object('wrong_state', json_build_object('status', bot.status));
end
$$;
comment on function private.control_bot(jsonb, jsonb) is 'POST /bots/{bot_id}/{action}';
revoke execute on function private.control_bot(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.control_bot(jsonb, jsonb) to nofomo_api;
