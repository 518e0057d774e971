-- POST /bots/{bot_id}/trades: records up to 1,000 trades in one statement.

-- Ranks the statuses of a trade. If two reports of a trade differ, the higher status wins in whatever order they
-- arrive: closed, then cancelled, then open.
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

-- Outcomes: recorded with {id, outcome} for each report in order, and with the trade if there is only one report;
-- out_of_range with the index and field of each value that is too large for its column; id_conflict with the indexes of
-- ids that belong to another bot; not_found. Records all reports or none.
create function private.record_trade(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
-- One generic plan: every lookup is by id, whatever the values, and planning on every call would double the time of the
-- statement below. A cached plan must not scan a whole table because the table was small when the plan was made.
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
            element.ordinal,
            report.*,
            -- Exact, rounded half away from zero to the column's scale. A trade that is not closed has no profit.
            case
                when report.status <> 'closed' then 0
                when report.profit is not null then report.profit
                when report.side = 'buy' then round((report.exit_price - report.price) * report.amount - report.fee, 8)
                else round((report.price - report.exit_price) * report.amount - report.fee, 8)
            end as net_profit
        from jsonb_array_elements(input -> 'trades') with ordinality as element (trade, ordinal)
        cross join lateral jsonb_to_record(element.trade) as report (
            id uuid, side text, order_type text, status text, amount numeric, price numeric, fee numeric, profit numeric,
            profit_percentage numeric, entry_time timestamptz, exit_time timestamptz, exit_price numeric,
            exchange_order_id text, exchange_trade_id text, signal_price numeric, stop_loss_price numeric,
            take_profit_price numeric, metadata jsonb
        )
    ),

    figures as (
        select
            reports.ordinal,
            -- The cast gives the quotient enough digits that it is rounded only once.
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

    -- The report with the highest status, if a batch has several reports of one trade.
    winners as (
        select distinct on (reports.id) reports.*
        from reports
        where not exists (select from out_of_range_fields)
        order by reports.id, private.trade_status_rank(reports.status) desc, reports.ordinal
    ),

    -- In the order of ids, so that two batches with the same trades wait for each other instead of causing a deadlock.
    written as (
        insert into public.trades as existing (
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
                existing.bot_id = excluded.bot_id
                and private.trade_status_rank(excluded.status) > private.trade_status_rank(existing.status)
        -- A newly inserted row has no xmax.
        returning existing.id, existing.xmax = 0 as is_new
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
    -- A separate statement afterwards, so that it sees what another bot has committed meanwhile. A subquery per id and
    -- not a join, which would scan all trades while PostgreSQL believes that the table is small.
    select json_agg(report.ordinal - 1 order by report.ordinal) into conflicting_indexes
    from jsonb_array_elements(input -> 'trades') with ordinality as report (trade, ordinal)
    where (select trades.bot_id from public.trades where trades.id = (report.trade ->> 'id')::uuid) <> bot.id;
    if conflicting_indexes is not null then
        -- Raised to undo the insert: all reports are recorded or none.
        raise exception 'trade ids belong to another bot'
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
