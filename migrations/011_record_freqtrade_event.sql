-- POST /freqtrade/{bot_token}: records an event of a bot's freqtrade webhook. The function record-trade serves it.
--
-- Freqtrade may send an event several times or not at all, and the network may reorder events. So each body is stored
-- once, and a trade is rebuilt from all its events: the same events always result in the same trade.

-- Rebuilds a trade from its stored events. The entry price is the average of the entry fills, the exit price that of
-- the exit fills. A trade whose entry events were lost is built from its exits. The profit is freqtrade's running
-- total; on futures, freqtrade counts funding twice in the profit of a partial exit.
create function private.rebuild_freqtrade_trade(bot public.bots, rebuilt_id uuid) returns void
language sql
security definer
set search_path = ''
as $$
    with events as (
        select
            event.kind, field.*
        from private.freqtrade_events as event
        cross join lateral jsonb_to_record(event.event) as field (
            trade_id text, pair text, open_date timestamptz, direction text, order_type text, amount numeric, open_rate numeric,
            close_rate numeric, close_date timestamptz, profit_amount numeric, profit_ratio numeric,
            cumulative_profit numeric, final_profit_ratio numeric, is_final_exit boolean, leverage numeric,
            stake_currency text, enter_tag text, exit_reason text
        )
        where event.bot_id = bot.id and event.trade_id = rebuilt_id and event.kind in ('entry_fill', 'exit_fill')
    ),

    entries as (
        select
            sum(events.amount) as amount,
            sum(events.amount * events.open_rate) / nullif(sum(events.amount), 0) as price
        from events
        where events.kind = 'entry_fill'
    ),

    exits as (
        select
            sum(events.amount) as amount,
            sum(events.amount * events.close_rate) / nullif(sum(events.amount), 0) as price,
            sum(events.profit_amount) as profit_amount,
            bool_or(events.is_final_exit) as is_closed,
            count(*) as total
        from events
        where events.kind = 'exit_fill'
    ),

    -- The last exit, which has freqtrade's final totals.
    last_exit as (
        select events.*
        from events
        where events.kind = 'exit_fill'
        order by events.is_final_exit desc, events.close_date desc nulls last, events.cumulative_profit, events.amount
        limit 1
    ),

    -- Fields that are the same in all events of a trade. The order makes the choice deterministic if they ever differ.
    first_event as (
        select events.*
        from events
        order by events.kind, events.open_rate, events.amount, events.close_date
        limit 1
    ),

    trade as (
        select
            first_event.trade_id,
            first_event.pair,
            first_event.open_date,
            case first_event.direction when 'Short' then 'sell' else 'buy' end as side,
            case first_event.order_type when 'market' then 'market' else 'limit' end as order_type,
            round(greatest(entries.amount, exits.amount), 8) as amount,
            round(coalesce(entries.price, last_exit.open_rate), 8) as price,
            coalesce(exits.is_closed, false) as is_closed,
            round(exits.price, 8) as exit_price,
            round(coalesce(last_exit.cumulative_profit, exits.profit_amount, 0), 8) as profit,
            -- Freqtrade's ratio includes fees. The ratio of one of several exits is that of its own part only.
            coalesce(last_exit.final_profit_ratio, case when exits.total = 1 and exits.is_closed then last_exit.profit_ratio end)
                as profit_ratio,
            last_exit.close_date,
            coalesce(first_event.leverage, 1) as leverage,
            jsonb_strip_nulls(
                jsonb_build_object(
                    'trade_id', first_event.trade_id,
                    'leverage', first_event.leverage,
                    'stake_currency', first_event.stake_currency,
                    'enter_tag', first_event.enter_tag,
                    'exit_reason', last_exit.exit_reason
                )
            ) as metadata
        from first_event
        cross join entries
        cross join exits
        left join last_exit on true
    )

    insert into public.trades as existing (
        id, bot_id, user_id, exchange, trading_pair, is_paper_trade, side, order_type, status, amount, price, profit,
        profit_percentage, entry_time, exit_time, exit_price, metadata
    )
    select
        rebuilt_id, bot.id, bot.user_id, bot.exchange, trade.pair, bot.is_paper_trade, trade.side, trade.order_type,
        case when trade.is_closed then 'closed' else 'open' end,
        trade.amount, trade.price, trade.profit,
        -- Relative to the stake without borrowed funds, as freqtrade does: leverage multiplies it.
        round(
            coalesce(trade.profit_ratio, trade.profit * trade.leverage / nullif(trade.price * trade.amount, 0), 0) * 100, 4
        ),
        trade.open_date,
        case when trade.is_closed then greatest(trade.close_date, trade.open_date) end,
        trade.exit_price, jsonb_build_object('freqtrade', trade.metadata)
    from trade
    on conflict (id) do update
        set
            side = excluded.side,
            order_type = excluded.order_type,
            status = excluded.status,
            amount = excluded.amount,
            price = excluded.price,
            profit = excluded.profit,
            profit_percentage = excluded.profit_percentage,
            exit_time = excluded.exit_time,
            exit_price = excluded.exit_price,
            metadata = excluded.metadata
        where existing.bot_id = excluded.bot_id
$$;
revoke execute on function private.rebuild_freqtrade_trade(public.bots, uuid)
from public, anon, authenticated, service_role;

-- Outcomes: recorded, duplicate (the same body was received before), logged (written to logs for the owner), ignored.
-- An unknown token raises an exception. `input.is_trade`: the event has trade_id, open_date and pair. `input.log`: what
-- to write to logs, or null.
create function private.record_freqtrade_event(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    bot constant public.bots := private.reporting_bot(claims, null);
    kind constant text := input ->> 'kind';
    event constant jsonb := input -> 'event';
    log jsonb := nullif(input -> 'log', 'null');
    trade_id uuid;
begin
    -- Large and frequent, and of no use to the owner.
    if kind in ('whitelist', 'analyzed_df', 'new_candle') then
        return to_json('ignored'::text);
    end if;
    if (input ->> 'is_trade')::boolean then
        trade_id := extensions.uuid_generate_v5(
            bot.id, concat_ws('|', 'freqtrade', event ->> 'trade_id', event ->> 'open_date', event ->> 'pair')
        );
        -- Serialises concurrent events of a trade: each sees what the other has committed.
        perform pg_advisory_xact_lock(hashtextextended('trade ' || trade_id, 0));
    end if;

    -- An identical status within a minute is a retry; later it is a new report.
    insert into private.freqtrade_events as existing (bot_id, body_hash, trade_id, kind, event)
    values (bot.id, decode(input ->> 'body_hash', 'hex'), trade_id, kind, event)
    on conflict (bot_id, body_hash) do update
        set received_at = excluded.received_at
        where existing.trade_id is null and existing.received_at < now() - interval '1 minute';
    if not found then
        return to_json('duplicate'::text);
    end if;

    if trade_id is not null and kind in ('entry_fill', 'exit_fill') then
        begin
            perform private.rebuild_freqtrade_trade(bot, trade_id);
        exception
            -- Values that do not fit their columns. The event stays stored without its trade, so that it does not
            -- prevent rebuilding the trade from the other events.
            when data_exception or integrity_constraint_violation then
                update private.freqtrade_events as event
                set trade_id = null
                where event.bot_id = bot.id and event.body_hash = decode(input ->> 'body_hash', 'hex');
                log := jsonb_build_object('level', 'warning', 'message', 'Freqtrade event not recorded: ' || sqlerrm);
        end;
    end if;
    if log is null then
        return to_json('recorded'::text);
    end if;
    insert into public.logs (user_id, bot_id, log_level, message, context, source)
    values (
        bot.user_id, bot.id, log ->> 'level', log ->> 'message',
        jsonb_build_object('kind', kind, 'body', input -> 'body'), 'freqtrade'
    );
    return to_json('logged'::text);
end
$$;
comment on function private.record_freqtrade_event(jsonb, jsonb) is 'POST /freqtrade/{bot_token}';
revoke execute on function private.record_freqtrade_event(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.record_freqtrade_event(jsonb, jsonb) to nofomo_api;
