-- POST /bots/{bot_id}/trades: one trade, or up to 1,000, in one statement.

-- What of two reports of one trade counts, in whatever order they come: a close before a cancellation before an opening.
create function private.trade_status_rank(status text) returns integer
language plpgsql
immutable
set search_path = ''
as $$
begin
    return case status when 'closed' then 2 when 'cancelled' then 1 else 0 end;
end
$$;
revoke execute on function private.trade_status_rank(text) from public, anon, authenticated, service_role;

-- Outcomes: recorded with {id, outcome} in the order of the reports, and the trade if it was one; unfit with the index and
-- field of what no column holds; taken with the indexes of ids that are another bot's; not_found. All or nothing.
create function private.record_trade(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
-- All is found by ids, whichever they are; planned for each report, the statement below takes as long again. And a plan that is kept
-- must not read a table through because it was small when the plan was made.
set plan_cache_mode = 'force_generic_plan'
set enable_seqscan = off
as $$
declare
    bot constant public.bots := private.reporting_bot(claims, (input ->> 'bot_id')::uuid);
    out_of_range json;
    conflicting_indexes json;
    recorded json;
begin
    if bot.id is null then
        return to_json('not_found'::text);
    end if;

    with reports as (
        select
            given.ordinal,
            report.*,
            -- Exact, and rounded half away from zero at the columns' scales. A trade that is not closed has earned nothing.
            case
                when report.status <> 'closed' then 0
                when report.profit is not null then report.profit
                when report.side = 'buy' then round((report.exit_price - report.price) * report.amount - report.fee, 8)
                else round((report.price - report.exit_price) * report.amount - report.fee, 8)
            end as net_profit
        from jsonb_array_elements(input -> 'trades') with ordinality as given (trade, ordinal)
        cross join lateral jsonb_to_record(given.trade) as report (
            id uuid, side text, order_type text, status text, amount numeric, price numeric, fee numeric, profit numeric,
            profit_percentage numeric, entry_time timestamptz, exit_time timestamptz, exit_price numeric,
            exchange_order_id text, exchange_trade_id text, signal_price numeric, stop_loss_price numeric,
            take_profit_price numeric, metadata jsonb
        )
    ),

    figures as (
        select
            reports.ordinal,
            -- The cast gives the quotient digits enough to be rounded once.
            coalesce(
                reports.profit_percentage,
                round((reports.net_profit * 100)::numeric(70, 30) / (reports.price * reports.amount), 4)
            ) as net_profit_percentage
        from reports
    ),

    out_of_range_fields as (
        select reports.ordinal, failing.field
        from reports
        inner join figures on figures.ordinal = reports.ordinal
        cross join lateral (
            values
                ('profit', abs(reports.net_profit) >= 1e12),
                ('profit_percentage', abs(figures.net_profit_percentage) >= 1e6)
        ) as failing (field, is_out_of_range)
        where failing.is_out_of_range
    ),

    -- Of several reports of one trade in one batch, the one that counts.
    winners as (
        select distinct on (reports.id) reports.*
        from reports
        where not exists (select from out_of_range_fields)
        order by reports.id, private.trade_status_rank(reports.status) desc, reports.ordinal
    ),

    -- In the order of ids, so that two batches with the same trades wait for each other and do not block each other.
    written as (
        insert into public.trades as known (
            id, bot_id, user_id, exchange, trading_pair, is_paper_trade, side, order_type, status, amount, price, fee, profit,
            profit_percentage, entry_time, exit_time, exit_price, exchange_order_id, exchange_trade_id, signal_price,
            stop_loss_price, take_profit_price, metadata
        )
        select
            winners.id, bot.id, bot.user_id, bot.exchange, bot.trading_pair, bot.is_paper_trade, winners.side,
            winners.order_type, winners.status, winners.amount, winners.price, winners.fee, winners.net_profit,
            figures.net_profit_percentage, winners.entry_time, winners.exit_time, winners.exit_price,
            winners.exchange_order_id, winners.exchange_trade_id, winners.signal_price, winners.stop_loss_price,
            winners.take_profit_price, coalesce(winners.metadata, '{}')
        from winners
        inner join figures on figures.ordinal = winners.ordinal
        order by winners.id
        on conflict (id) do update
            set
                side = excluded.side,
                order_type = excluded.order_type,
                status = excluded.status,
                amount = excluded.amount,
                price = excluded.price,
                fee = excluded.fee,
                profit = excluded.profit,
                profit_percentage = excluded.profit_percentage,
                entry_time = excluded.entry_time,
                exit_time = excluded.exit_time,
                exit_price = excluded.exit_price,
                exchange_order_id = excluded.exchange_order_id,
                exchange_trade_id = excluded.exchange_trade_id,
                signal_price = excluded.signal_price,
                stop_loss_price = excluded.stop_loss_price,
                take_profit_price = excluded.take_profit_price,
                metadata = excluded.metadata
            where
                known.bot_id = excluded.bot_id
                and private.trade_status_rank(excluded.status) > private.trade_status_rank(known.status)
        -- A row version that replaced none has no xmax.
        returning known.id, known.xmax = 0 as is_new
    )

    select
        (
            select json_agg(
                json_build_object('index', out_of_range_fields.ordinal - 1, 'field', out_of_range_fields.field)
                order by out_of_range_fields.ordinal, out_of_range_fields.field
            )
            from out_of_range_fields
        ),
        (
            select json_agg(
                json_build_object(
                    'id', reports.id,
                    'outcome', case
                        when written.id is null then 'unchanged' when written.is_new then 'created' else 'updated'
                    end
                )
                order by reports.ordinal
            )
            from reports
            left join winners on winners.ordinal = reports.ordinal
            left join written on written.id = winners.id
        )
    into out_of_range, recorded;

    if out_of_range is not null then
        return json_build_object('out_of_range', out_of_range);
    end if;
    -- Looked up afterwards, in a statement of its own: it sees what another bot has committed meanwhile.
    -- Each by its id: joined they would be looked for among all trades, as long as PostgreSQL takes the table for a small one.
    select json_agg(report.ordinal - 1 order by report.ordinal) into conflicting_indexes
    from jsonb_array_elements(input -> 'trades') with ordinality as report (trade, ordinal)
    where (select trades.bot_id from public.trades where trades.id = (report.trade ->> 'id')::uuid) <> bot.id;
    if conflicting_indexes is not null then
        -- All or nothing: raised to undo the rest.
        raise exception 'trade ids of another bot'
        using errcode = 'PT409', constraint = 'trade_id_conflict', detail = conflicting_indexes;
    end if;
    return json_build_object(
        'recorded',
        json_build_object(
            'results', recorded,
            'trade', case
                when json_array_length(recorded) = 1 then (
                    select private.trade_json(trades) from public.trades where trades.id = (recorded #>> '{0,id}')::uuid
                )
            end
        )
    );
exception
    when sqlstate 'PT409' then
        get stacked diagnostics conflicting_indexes = pg_exception_detail;
        return json_build_object('id_conflict', conflicting_indexes);
end
$$;
comment on function private.record_trade(jsonb, jsonb) is 'POST /bots/{bot_id}/trades';
revoke execute on function private.record_trade(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.record_trade(jsonb, jsonb) to nofomo_api;
