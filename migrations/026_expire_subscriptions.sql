-- Hourly: ends subscriptions that have expired, stops bots that the remaining plan does not cover, and expires unpaid
-- invoices.
--
-- A run is a sequence of calls, each a batch with its own transaction. `input` has `now`, `limit`, and `after`, the
-- position where the previous call stopped. The result has the next `after`, or null at the end. Rows that are locked
-- by others are left to the next run.

-- Ends the expired periods of these users, updates their plans, stops bots over the limit, and notifies the users.
create function private.expire_user_subscriptions(user_ids uuid[], moment timestamptz) returns json
language plpgsql
set search_path = ''
as $$
declare
    ended public.subscriptions[];
    stopped public.bots[];
begin
    with changed as (
        update public.subscriptions
        set status = 'expired'
        where
            subscriptions.user_id = any(user_ids)
            and subscriptions.status <> 'expired'
            and subscriptions.expires_at <= moment
        returning subscriptions.*
    )

    select coalesce(array_agg(changed::public.subscriptions), '{}') into ended from changed;
    perform private.update_subscription_plans(user_ids, moment);

    -- The plan covers the user's oldest bots. users.subscription_plan has just been updated.
    with changed as (
        update public.bots
        set status = 'stopped'
        from (
            select
                bots.id,
                row_number() over (partition by bots.user_id order by bots.created_at, bots.id) as place,
                coalesce(plans.max_bots, 0) as bot_limit
            from public.users
            left join public.plans on lower(plans.name) = users.subscription_plan
            inner join public.bots on bots.user_id = users.id
            where users.id = any(user_ids)
        ) as ranked
        where
            bots.id = ranked.id
            and bots.status = 'running'
            and ranked.bot_limit >= 0
            and ranked.place > ranked.bot_limit
        returning bots.*
    )

    select coalesce(array_agg(changed::public.bots), '{}') into stopped from changed;

    -- As audit_billing and create_notification do, but for hundreds of rows at once.
    insert into public.logs (user_id, log_level, message, context, source, created_at)
    select
        subscription.user_id, 'info', plans.name || ' ended',
        jsonb_build_object('action', 'expire-subscription', 'subscription_id', subscription.id), 'billing', moment
    from unnest(ended) as subscription
    inner join public.plans on plans.id = subscription.plan_id;

    -- No notification if the same plan continues, and one for several periods of a plan that ended together.
    insert into public.notifications (user_id, fact, kind, title, body, context, created_at)
    select
        last_period.user_id,
        'subscription:' || last_period.id || ':ended',
        'subscription',
        format('%s has ended', plans.name),
        format('Your plan is now %s.', coalesce(in_force.name, 'Free')) || case coalesce(stopped_bots.total, 0)
            when 0 then ''
            when 1 then format(' 1 bot over its limit was stopped: %s.', stopped_bots.names)
            else format(' %s bots over its limit were stopped: %s.', stopped_bots.total, stopped_bots.names)
        end,
        jsonb_build_object('subscription_id', last_period.id, 'stopped_bots', coalesce(stopped_bots.total, 0)),
        moment
    from (
        select distinct on (subscription.user_id, subscription.plan_id) subscription.*
        from unnest(ended) as subscription
        order by subscription.user_id, subscription.plan_id, subscription.expires_at desc
    ) as last_period
    inner join public.plans on plans.id = last_period.plan_id
    inner join public.users on users.id = last_period.user_id
    left join public.plans as in_force on lower(in_force.name) = users.subscription_plan
    left join (
        select
            bot.user_id,
            count(*) as total,
            left(string_agg(bot.name, ', ' order by bot.created_at, bot.id), 500) as names
        from unnest(stopped) as bot
        group by bot.user_id
    ) as stopped_bots on stopped_bots.user_id = last_period.user_id
    where in_force.id is distinct from last_period.plan_id
    on conflict (user_id, fact) do nothing;

    return json_build_object('subscriptions', cardinality(ended), 'bots', cardinality(stopped));
end
$$;
revoke execute on function private.expire_user_subscriptions(uuid[], timestamptz)
from public, anon, authenticated, service_role;

-- Outcome: counts; `failures`, the users that could not be processed, with the cause; and `after`. A failure does not
-- stop the other users.
create function private.expire_subscriptions(input jsonb) returns json
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
-- Limits the wait for a locked bot to a second. Its owner is left to the next run.
set lock_timeout = '1s'
as $$
declare
    moment timestamptz := greatest((input ->> 'now')::timestamptz, clock_timestamp());
    batch_limit constant bigint := (input ->> 'limit')::bigint;
    batch record;
    user_ids uuid[];
    failing_user_id uuid;
    counts json;
    subscriptions bigint := 0;
    bots bigint := 0;
    failures json[] := array[]::json[];
begin
    -- A user with several expired subscriptions is processed with the first of them.
    select
        count(*) as size,
        array_agg(distinct due.user_id) as user_ids,
        (array_agg(due.expires_at order by due.expires_at desc, due.id desc))[1] as last_end,
        (array_agg(due.id order by due.expires_at desc, due.id desc))[1] as last_id
    into batch
    from (
        select subscriptions.id, subscriptions.user_id, subscriptions.expires_at
        from public.subscriptions
        where
            subscriptions.status <> 'expired'
            and subscriptions.expires_at <= moment
            and (
                input ->> 'after' is null
                or (subscriptions.expires_at, subscriptions.id)
                > ((input #>> '{after,expires_at}')::timestamptz, (input #>> '{after,id}')::uuid)
            )
        order by subscriptions.expires_at, subscriptions.id
        limit batch_limit
    ) as due;

    select coalesce(array_agg(locked.id), '{}') into user_ids
    from (
        select users.id from public.users
        where users.id = any(batch.user_ids)
        order by users.id
        for no key update skip locked
    ) as locked;
    -- Read again after the locks, so that it is not before a payment that was just committed.
    moment := greatest((input ->> 'now')::timestamptz, clock_timestamp());

    begin
        counts := private.expire_user_subscriptions(user_ids, moment);
        subscriptions := (counts ->> 'subscriptions')::bigint;
        bots := (counts ->> 'bots')::bigint;
    exception when others then
        -- The rows of at least one user cannot be changed. Processed one by one, only the failing users are skipped.
        foreach failing_user_id in array user_ids loop
            begin
                counts := private.expire_user_subscriptions(array[failing_user_id], moment);
                subscriptions := subscriptions + (counts ->> 'subscriptions')::bigint;
                bots := bots + (counts ->> 'bots')::bigint;
            exception when others then
                failures := failures
                    || json_build_object('user_id', failing_user_id, 'cause', sqlstate || ' ' || sqlerrm);
            end;
        end loop;
    end;

    return json_build_object(
        'subscriptions', subscriptions,
        'bots', bots,
        'failures', to_json(failures),
        'after', case
            when batch.size = batch_limit then json_build_object('expires_at', batch.last_end, 'id', batch.last_id)
        end
    );
end
$$;
comment on function private.expire_subscriptions(jsonb) is 'Hourly: one batch of expired subscriptions';
revoke execute on function private.expire_subscriptions(jsonb) from public, anon, authenticated, service_role;
grant execute on function private.expire_subscriptions(jsonb) to nofomo_jobs;

-- Expires one batch of pending invoices past their payment deadline, and returns their number. A number below `limit`
-- means that there are no more. A late payment still counts.
create function private.expire_invoices(input jsonb) returns json
language sql
security definer
set search_path = ''
as $$
    with due as (
        select invoices.id
        from public.invoices
        where invoices.status = 'pending' and invoices.expired_at <= (input ->> 'now')::timestamptz
        order by invoices.expired_at, invoices.id
        limit (input ->> 'limit')::bigint
        for update skip locked
    ),

    changed as (
        update public.invoices
        set status = 'expired'
        from due
        where invoices.id = due.id
        returning invoices.id
    )

    select to_json(count(*)) from changed
$$;
comment on function private.expire_invoices(jsonb) is 'Hourly: one batch of unpaid invoices';
revoke execute on function private.expire_invoices(jsonb) from public, anon, authenticated, service_role;
grant execute on function private.expire_invoices(jsonb) to nofomo_jobs;
