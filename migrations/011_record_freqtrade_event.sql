-- POST /freqtrade/{bot_token}: what a bot's freqtrade tells through its webhook, answered by record-trade.
--
-- Freqtrade sends each event once or several times, in an order that a network may change, and some not at all. So events are
-- kept as they are, each body once, and a trade is what its events add up to: the same events make the same trade.

-- Entry fills average in; exits book their part. A trade whose entries got lost is known by its exits.
-- Profit is freqtrade's running total: on futures the profit of a partial exit counts funding twice.
create function private.rebuild_freqtrade_trade(bot public.bots, settled_id uuid) returns void
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
        where event.bot_id = bot.id and event.trade_id = settled_id and event.kind in ('entry_fill', 'exit_fill')
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

    -- The totals grow from exit to exit; the last one has them all.
    last_exit as (
        select events.*
        from events
        where events.kind = 'exit_fill'
        order by events.is_final_exit desc, events.close_date desc nulls last, events.cumulative_profit, events.amount
        limit 1
    ),

    -- What all events of a trade agree on; if they should not, always the same one is believed.
    head as (
        select events.*
        from events
        order by events.kind, events.open_rate, events.amount, events.close_date
        limit 1
    ),

    trade as (
        select
            head.trade_id,
            head.pair,
            head.open_date,
            case head.direction when 'Short' then 'sell' else 'buy' end as side,
            case head.order_type when 'market' then 'market' else 'limit' end as order_type,
            round(greatest(entries.amount, exits.amount), 8) as amount,
            round(coalesce(entries.price, last_exit.open_rate), 8) as price,
            coalesce(exits.is_closed, false) as is_closed,
            round(exits.price, 8) as exit_price,
            round(coalesce(last_exit.cumulative_profit, exits.profit_amount, 0), 8) as profit,
            -- Freqtrade's ratio knows the fees; that of one exit among several is of its own part.
            coalesce(last_exit.final_profit_ratio, case when exits.total = 1 and exits.is_closed then last_exit.profit_ratio end)
                as profit_ratio,
            last_exit.close_date,
            coalesce(head.leverage, 1) as leverage,
            jsonb_strip_nulls(
                jsonb_build_object(
                    'trade_id', head.trade_id,
                    'leverage', head.leverage,
                    'stake_currency', head.stake_currency,
                    'enter_tag', head.enter_tag,
                    'exit_reason', last_exit.exit_reason
                )
            ) as metadata
        from head
        cross join entries
        cross join exits
        left join last_exit on true
    )

    insert into public.trades as known (
        id, bot_id, user_id, exchange, trading_pair, is_paper_trade, side, order_type, status, amount, price, profit,
        profit_percentage, entry_time, exit_time, exit_price, metadata
    )
    select
        settled_id, bot.id, bot.user_id, bot.exchange, trade.pair, bot.is_paper_trade, trade.side, trade.order_type,
        case when trade.is_closed then 'closed' else 'open' end,
        trade.amount, trade.price, trade.profit,
        -- On the own stake, as freqtrade counts: with leverage.
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
        where known.bot_id = excluded.bot_id
$$;
revoke execute on function private.rebuild_freqtrade_trade(public.bots, uuid) from public, anon, authenticated, service_role;

-- Outcomes: recorded, known (the same body came before), kept (in logs, for the owner to read). An unknown token is refused
-- before it begins. `input.is_trade`: trade_id, open_date and pair are there; `input.log`: what to write in logs.
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
    -- Large, frequent, and nothing that anybody would read.
    if kind in ('whitelist', 'analyzed_df', 'new_candle') then
        return to_json('ignored'::text);
    end if;
    if (input ->> 'is_trade')::boolean then
        trade_id := extensions.uuid_generate_v5(
            bot.id, concat_ws('|', 'freqtrade', event ->> 'trade_id', event ->> 'open_date', event ->> 'pair')
        );
        -- Two events of one trade settle it one after the other, each seeing what the other has committed.
        perform pg_advisory_xact_lock(hashtextextended('trade ' || trade_id, 0));
    end if;

    -- A status may be reported again later in the same words; within a minute the same words are a retry.
    insert into private.freqtrade_events as known (bot_id, body_hash, trade_id, kind, event)
    values (bot.id, decode(input ->> 'body_hash', 'hex'), trade_id, kind, event)
    on conflict (bot_id, body_hash) do update
        set received_at = excluded.received_at
        where known.trade_id is null and known.received_at < now() - interval '1 minute';
    if not found then
        return to_json('duplicate'::text);
    end if;

    if trade_id is not null and kind in ('entry_fill', 'exit_fill') then
        begin
            perform private.rebuild_freqtrade_trade(bot, trade_id);
        exception
            -- Figures that no column holds: kept like everything else that makes no trade, and out of the way of the events
            -- that do.
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
