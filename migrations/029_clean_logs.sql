-- Daily: deletes old rows of logs, notifications and events.
--
-- A run is a sequence of calls, each a batch with its own transaction. `input` has `category`, `before` (older rows are
-- deleted), `limit`, and `after`, the position where the previous call stopped. Rows that are locked by others are left
-- to the next run.

-- Outcome: the number of removed rows, and `after`, the time of the last one. A number below `limit` means that there
-- are no more.
create function private.clean_logs(input jsonb) returns json
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
    category constant text := input ->> 'category';
    before constant timestamptz := (input ->> 'before')::timestamptz;
    after constant timestamptz := coalesce((input ->> 'after')::timestamptz, '-infinity');
    batch_limit constant bigint := (input ->> 'limit')::bigint;
    result json;
begin
    if category in ('debug', 'info', 'warning', 'error') then
        with batch as (
            select logs.id, logs.created_at
            from public.logs
            where logs.log_level = category and logs.created_at >= after and logs.created_at < before
            order by logs.created_at
            limit batch_limit
            for update skip locked
        ),

        removed as (
            delete from public.logs
            using batch
            where logs.id = batch.id
            returning logs.id
        )

        select json_build_object('removed', (select count(*) from removed), 'after', max(batch.created_at))
        into result
        from batch;
    elsif category = 'notifications' then
        with batch as (
            select notifications.id, notifications.read_at
            from public.notifications
            where notifications.read_at >= after and notifications.read_at < before
            order by notifications.read_at
            limit batch_limit
            for update skip locked
        ),

        removed as (
            delete from public.notifications
            using batch
            where notifications.id = batch.id
            returning notifications.id
        )

        select json_build_object('removed', (select count(*) from removed), 'after', max(batch.read_at))
        into result
        from batch;
    elsif category = 'payment_events' then
        with batch as (
            select payment_events.id, payment_events.received_at
            from private.payment_events
            where payment_events.received_at >= after and payment_events.received_at < before
            order by payment_events.received_at
            limit batch_limit
            for update skip locked
        ),

        removed as (
            delete from private.payment_events
            using batch
            where payment_events.id = batch.id
            returning payment_events.id
        )

        select json_build_object('removed', (select count(*) from removed), 'after', max(batch.received_at))
        into result
        from batch;
    elsif category = 'freqtrade_events' then
        -- Events of a trade are kept until it has been closed for so long that no more events will arrive: the trade is
        -- rebuilt from them.
        with batch as (
            select event.bot_id, event.body_hash, event.received_at
            from private.freqtrade_events as event
            where
                event.received_at >= after
                and event.received_at < before
                and not exists (
                    select from public.trades
                    where trades.id = event.trade_id and (trades.status = 'open' or trades.updated_at >= before)
                )
            order by event.received_at
            limit batch_limit
            for update of event skip locked
        ),

        removed as (
            delete from private.freqtrade_events as event
            using batch
            where event.bot_id = batch.bot_id and event.body_hash = batch.body_hash
            returning event.body_hash
        )

        select json_build_object('removed', (select count(*) from removed), 'after', max(batch.received_at))
        into result
        from batch;
    else
        raise exception 'unknown category %', category using errcode = 'invalid_parameter_value';
    end if;
    return result;
end
$$;
comment on function private.clean_logs(jsonb) is 'Daily: one batch of old rows';
revoke execute on function private.clean_logs(jsonb) from public, anon, authenticated, service_role;
grant execute on function private.clean_logs(jsonb) to nofomo_jobs;
