-- Statistics of bots: a statement that changed no trade asks for nothing.

-- Adds the difference, once per statement and bot, so that recording a trade costs the same with ten trades or ten
-- million. A trade that broke even is neither won nor lost.
create or replace function private.update_bot_statistics() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
    differences private.bot_difference[] := '{}';
begin
    if tg_op in ('INSERT', 'UPDATE') then
        differences := array(
            select
                row(
                    added.bot_id,
                    count(*) filter (where added.status = 'closed'),
                    count(*) filter (where added.status = 'closed' and added.profit > 0),
                    count(*) filter (where added.status = 'closed' and added.profit < 0),
                    coalesce(sum(added.profit) filter (where added.status = 'closed'), 0),
                    max(coalesce(added.exit_time, added.entry_time)) filter (where added.status <> 'cancelled'),
                    null
                )::private.bot_difference
            from added
            group by added.bot_id
        );
    end if;
    if tg_op in ('UPDATE', 'DELETE') then
        differences := differences || array(
            select
                row(
                    removed.bot_id,
                    -count(*) filter (where removed.status = 'closed'),
                    -count(*) filter (where removed.status = 'closed' and removed.profit > 0),
                    -count(*) filter (where removed.status = 'closed' and removed.profit < 0),
                    -coalesce(sum(removed.profit) filter (where removed.status = 'closed'), 0),
                    null,
                    max(coalesce(removed.exit_time, removed.entry_time)) filter (where removed.status <> 'cancelled')
                )::private.bot_difference
            from removed
            group by removed.bot_id
        );
    end if;

    -- An insert that may update fires the trigger for updates too, nearly always for nothing.
    if cardinality(differences) = 0 then
        return null;
    end if;

    -- In the order of ids, so that two batches for the same bots wait for each other instead of blocking each other; and
    -- before the update, so that its look at the trades that are left sees what the other has committed.
    perform
    from public.bots
    where bots.id in (select difference.bot_id from unnest(differences) as difference)
    order by bots.id
    for no key update;

    update public.bots
    set
        total_trades = bots.total_trades + change.total_trades,
        winning_trades = bots.winning_trades + change.winning_trades,
        losing_trades = bots.losing_trades + change.losing_trades,
        profit = bots.profit + change.profit,
        profit_percentage = coalesce(round((bots.profit + change.profit) / nullif(bots.initial_balance, 0) * 100, 4), 0),
        current_balance = bots.initial_balance + bots.profit + change.profit,
        last_trade_at = case
            when
                change.activity_removed >= bots.last_trade_at
                and coalesce(change.activity_added < bots.last_trade_at, true)
                then (
                    select max(coalesce(trades.exit_time, trades.entry_time))
                    from public.trades
                    where trades.bot_id = bots.id and trades.status <> 'cancelled'
                )
            else greatest(bots.last_trade_at, change.activity_added)
        end
    from (
        select
            difference.bot_id,
            sum(difference.total_trades)::integer as total_trades,
            sum(difference.winning_trades)::integer as winning_trades,
            sum(difference.losing_trades)::integer as losing_trades,
            sum(difference.profit) as profit,
            max(difference.activity_added) as activity_added,
            max(difference.activity_removed) as activity_removed
        from unnest(differences) as difference
        group by difference.bot_id
    ) as change
    where
        bots.id = change.bot_id
        and (
            (change.total_trades, change.winning_trades, change.losing_trades, change.profit) <> (0, 0, 0, 0)
            or change.activity_added is distinct from change.activity_removed
        );
    return null;
end
$$;
