-- POST /bots/{bot_id}/{action}: the owner starts, stops or pauses a bot, and its runner reports a failure.

-- Returns true if the owner's plan allows this bot to run. If the user has more bots than the plan allows, only the
-- oldest are covered.
create function private.is_covered_by_plan(bot public.bots) returns boolean
language sql
stable
security definer
set search_path = ''
as $$
    select coalesce(plan.max_bots, 0) < 0 or coalesce(plan.max_bots, 0) > (
        select count(*) from public.bots as older
        where older.user_id = bot.user_id and (older.created_at, older.id) < (bot.created_at, bot.id)
    )
    from (select (private.plan_in_force(bot.user_id)).max_bots) as plan
$$;
revoke execute on function private.is_covered_by_plan(public.bots) from public, anon, authenticated, service_role;

-- Outcomes: updated or unchanged, with the bot; wrong_state with its status; plan_limit with limit and plan;
-- credentials_missing with exchange; unsafe_strategy with the strategy's name and its number of findings; not_found.
create function private.control_bot(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    action constant text := input ->> 'action';
    target_status constant text := case action
        when 'start' then 'running' when 'stop' then 'stopped' when 'pause' then 'paused' when 'fail' then 'error'
    end;
    allowed_statuses constant text[] := case action
        when 'start' then array['stopped', 'paused', 'error']
        when 'stop' then array['running', 'paused', 'error']
        else array['running']
    end;
    bot public.bots := private.reporting_bot(claims, (input ->> 'bot_id')::uuid);
    plan public.plans;
    refusal jsonb;
begin
    -- A runner may only report a failure. Start, stop and pause are the owner's.
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
        refusal := case when bot.is_paper_trade is not true then private.find_unsafe_strategy(bot) end;
        if refusal is not null then
            return json_build_object('unsafe_strategy', refusal);
        end if;
    end if;

    update public.bots
    set
        status = target_status,
        error_message = case when action = 'fail' then input ->> 'message' end
    where
        bots.id = bot.id
        and bots.status = any(allowed_statuses)
        -- The checks above hold for the status that was read.
        and (action <> 'start' or bots.status = bot.status)
    returning bots.* into bot;
    if found then
        return json_build_object('updated', private.bot_json(bot));
    end if;
    select bots.* into bot from public.bots where bots.id = (input ->> 'bot_id')::uuid;
    if bot.status = target_status then
        return json_build_object('unchanged', private.bot_json(bot));
    elsif bot.id is null then
        return to_json('not_found'::text);
    end if;
    return json_build_object('wrong_state', json_build_object('status', bot.status));
end
$$;
comment on function private.control_bot(jsonb, jsonb) is 'POST /bots/{bot_id}/{action}';
revoke execute on function private.control_bot(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.control_bot(jsonb, jsonb) to nofomo_api;
