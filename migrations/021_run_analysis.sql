-- POST /analyses: reserves an AI request of the plan, returns the trades to analyse, and stores the analysis.

-- Returns the caller's bots that an analysis covers: one bot, the bots that use a strategy by its name, or all bots.
create function private.analysed_bots(caller uuid, input jsonb) returns setof public.bots
language sql
stable
set search_path = ''
as $$
    select bots.*
    from public.bots
    where
        bots.user_id = caller
        and (input ->> 'bot_id' is null or bots.id = (input ->> 'bot_id')::uuid)
        and (
            input ->> 'strategy_id' is null
            or bots.strategy = (
                select strategies.name from public.strategies where strategies.id = (input ->> 'strategy_id')::uuid
            )
        )
$$;
revoke execute on function private.analysed_bots(uuid, jsonb) from public, anon, authenticated, service_role;

-- Returns the currency that a trading pair is settled in: the quote currency of BTC/USDT, the currency after the colon
-- in BTC/USDT:USDT.
create function private.settlement_currency(trading_pair text) returns text
language sql
immutable
set search_path = ''
as $$
    select coalesce(nullif(split_part(trading_pair, ':', 2), ''), split_part(trading_pair, '/', 2))
$$;
revoke execute on function private.settlement_currency(text) from public, anon, authenticated, service_role;

-- Outcomes: reserved with the number of bots, `accounts`, one per currency, and `backtest`, the backtest to compare
-- with; existing with the analysis; key_reused; not_found; no_backtest; quota_exceeded with limit and plan.
create function private.run_analysis(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
-- Planned on every call: a plan made for a user with three trades takes a second for a user with ten million.
set plan_cache_mode = 'force_custom_plan'
as $$
declare
    caller constant uuid := (claims ->> 'sub')::uuid;
    digest constant bytea := sha256(convert_to((input - 'id')::text, 'UTF8'));
    window_start constant timestamptz := coalesce((input ->> 'from')::timestamptz, '-infinity');
    window_end constant timestamptz := coalesce((input ->> 'to')::timestamptz, 'infinity');
    request private.ai_requests;
    analysis public.ai_analyses;
    plan public.plans;
    request_limit integer;
    backtest json;
begin
    perform private.ensure_active_profile(claims);
    perform pg_advisory_xact_lock(hashtextextended('limits of ' || caller, 0));
    select ai_requests.* into request from private.ai_requests where ai_requests.id = (input ->> 'id')::uuid;
    if found then
        if request.user_id <> caller or request.request_hash <> digest then
            return to_json('key_reused'::text);
        end if;
        select ai_analyses.* into analysis from public.ai_analyses where ai_analyses.id = request.id;
        if found then
            return json_build_object('existing', private.analysis_json(analysis));
        end if;
        -- Reserved, but the analysis was never stored: run it again for the same reservation.
    end if;

    if
        (
            input ->> 'bot_id' is not null
            and not exists (
                select from public.bots where bots.id = (input ->> 'bot_id')::uuid and bots.user_id = caller
            )
        )
        or (
            input ->> 'strategy_id' is not null
            and not exists (
                select from public.strategies
                where
                    strategies.id = (input ->> 'strategy_id')::uuid
                    and (
                        strategies.user_id = caller
                        or (strategies.is_public and strategies.strategy_type = 'marketplace' and strategies.is_verified)
                    )
            )
        )
    then
        return to_json('not_found'::text);
    end if;

    if input ->> 'analysis_type' = 'backtest' then
        -- The newest backtest of the strategy that the bots use, preferring a backtest on the same pair.
        select
            json_build_object(
                'id', backtest_results.id,
                'strategy', strategies.name,
                'pair', backtest_results.trading_pair,
                'timeframe', backtest_results.timeframe,
                'start_date', backtest_results.start_date,
                'end_date', backtest_results.end_date,
                'initial_balance', backtest_results.initial_balance::text,
                'imported_at', backtest_results.created_at,
                'runs', (
                    select count(*) from public.backtest_results as run
                    where run.strategy_id = strategies.id and run.user_id = caller
                ),
                'is_running', bool_or(bot.status = 'running') over (partition by backtest_results.id)
            )
        into backtest
        from private.analysed_bots(caller, input) as bot
        inner join public.strategies
            on
                strategies.name = bot.strategy
                and (input ->> 'strategy_id' is null or strategies.id = (input ->> 'strategy_id')::uuid)
        inner join public.backtest_results
            on backtest_results.strategy_id = strategies.id and backtest_results.user_id = caller
        where exists (
            select from private.backtest_trades where backtest_trades.backtest_id = backtest_results.id
        )
        order by backtest_results.trading_pair = bot.trading_pair desc, backtest_results.created_at desc
        limit 1;
        if not found then
            return to_json('no_backtest'::text);
        end if;
    end if;

    if request.id is null then
        plan := private.plan_in_force(caller);
        request_limit := coalesce(plan.ai_requests_per_month, 0);
        if request_limit >= 0 and private.ai_requests_this_month(caller) >= request_limit then
            return json_build_object(
                'quota_exceeded', json_build_object('limit', request_limit, 'plan', coalesce(plan.name, 'Free'))
            );
        end if;
        insert into private.ai_requests (id, user_id, request_hash) values ((input ->> 'id')::uuid, caller, digest);
    end if;

    return (
        with bot as (
            select analysed_bots.* from private.analysed_bots(caller, input)
        ),
        closed as (
            select
                trades.bot_id,
                trades.trading_pair,
                coalesce(sum(trades.profit) filter (where trades.exit_time < window_start), 0) as profit_before,
                min(trades.entry_time) as first_entry,
                count(*) filter (where trades.exit_time >= window_start) as trades
            from public.trades
            where
                trades.user_id = caller
                and trades.status = 'closed'
                and trades.exit_time < window_end
                and trades.bot_id in (select bot.id from bot)
            group by trades.bot_id, trades.trading_pair
            union all
            select bot.id, bot.trading_pair, 0, null, 0 from bot
        ),
        -- A bot's pair can change. The bot counts in each currency that it has traded in.
        bot_currency as (
            select
                closed.bot_id,
                private.settlement_currency(closed.trading_pair) as currency,
                sum(closed.profit_before) as profit_before,
                min(closed.first_entry) as first_entry,
                sum(closed.trades) as trades
            from closed
            group by closed.bot_id, private.settlement_currency(closed.trading_pair)
        ),
        account as (
            select
                bot_currency.currency,
                sum(bot.initial_balance + bot_currency.profit_before) as initial_balance,
                -- The largest stop loss, or null if a bot has none.
                case when bool_and(bot.stop_loss is not null) then max(bot.stop_loss) end as stop_loss,
                min(bot_currency.first_entry) as first_entry,
                sum(bot_currency.trades)::bigint as trades
            from bot_currency
            inner join bot on bot.id = bot_currency.bot_id
            group by bot_currency.currency
        )
        select
            json_build_object(
                'reserved', json_build_object(
                    'bots', (select count(*) from bot),
                    'accounts', coalesce(
                        json_agg(
                            json_build_object(
                                'currency', account.currency,
                                'initial_balance', account.initial_balance::text,
                                'max_loss', (account.stop_loss / 100)::text,
                                'first_entry', account.first_entry,
                                'trades', account.trades
                            )
                            order by account.currency
                        ),
                        '[]'
                    ),
                    'backtest', backtest
                )
            )
        from account
    );
end
$$;
comment on function private.run_analysis(jsonb, jsonb) is 'POST /analyses, before the analysis';
revoke execute on function private.run_analysis(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.run_analysis(jsonb, jsonb) to nofomo_api;

-- Returns a page of the closed trades of the analysed bots, ordered by exit time. Rows and not JSON, because an
-- analysis may cover a million trades. is_compared is true for trades of bots that use `strategy`, whose backtest they
-- are compared with.
create function private.analysed_trades(claims jsonb, input jsonb)
returns table (
    id uuid, currency text, trading_pair text, side text, entry_time timestamptz, exit_time timestamptz, amount numeric,
    price numeric, exit_price numeric, fee numeric, profit numeric, is_compared boolean
)
language plpgsql
stable
security definer
set search_path = ''
-- Without sorting, each page continues in idx_trades_user_closed where the last one ended. A sort would read all
-- remaining trades.
set enable_sort = off
as $$
#variable_conflict use_column
declare
    caller constant uuid := (claims ->> 'sub')::uuid;
    window_end constant timestamptz := coalesce((input ->> 'to')::timestamptz, 'infinity');
    after_time constant timestamptz := (input #>> '{after,exit_time}')::timestamptz;
    after_id constant uuid := (input #>> '{after,id}')::uuid;
    window_start constant timestamptz := coalesce(after_time, (input ->> 'from')::timestamptz, '-infinity');
    bot_ids constant uuid[] := array(select bot.id from private.analysed_bots(caller, input) as bot);
    compared_bot_ids constant uuid[] := array(
        select bot.id from private.analysed_bots(caller, input) as bot where bot.strategy = input ->> 'strategy'
    );
begin
    return query
    select
        trades.id,
        -- Inlines private.settlement_currency, which would be called for a million rows.
        coalesce(nullif(split_part(trades.trading_pair, ':', 2), ''), split_part(trades.trading_pair, '/', 2)),
        trades.trading_pair::text,
        trades.side::text,
        trades.entry_time,
        trades.exit_time,
        trades.amount,
        trades.price,
        coalesce(
            trades.exit_price,
            round(
                trades.price
                + case trades.side when 'sell' then -1 else 1 end
                * (coalesce(trades.profit, 0) + coalesce(trades.fee, 0)) / nullif(trades.amount, 0),
                8
            ),
            trades.price
        ),
        coalesce(trades.fee, 0),
        coalesce(trades.profit, 0),
        trades.bot_id = any(compared_bot_ids)
    from public.trades
    where
        trades.user_id = caller
        and trades.bot_id = any(bot_ids)
        and trades.status = 'closed'
        and trades.exit_time >= window_start
        and trades.exit_time < window_end
        and (after_time is null or (trades.exit_time, trades.id) > (after_time, after_id))
    order by trades.exit_time, trades.id
    limit (input ->> 'limit')::bigint;
end
$$;
revoke execute on function private.analysed_trades(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.analysed_trades(jsonb, jsonb) to nofomo_api;

-- Returns the trades of the backtest that live trades are compared with, in the order of the backtest.
create function private.compared_backtest_trades(claims jsonb, input jsonb)
returns table (
    currency text, trading_pair text, side text, entry_time timestamptz, exit_time timestamptz, amount numeric,
    price numeric, exit_price numeric, fee numeric, profit numeric
)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
    return query
    select
        private.settlement_currency(trade.trading_pair), trade.trading_pair::text, trade.side::text, trade.entry_time,
        trade.exit_time, trade.amount, trade.price, trade.exit_price, trade.fee, trade.profit
    from private.backtest_trades as trade
    inner join public.backtest_results on backtest_results.id = trade.backtest_id
    where
        backtest_results.user_id = (claims ->> 'sub')::uuid
        and backtest_results.id = (input ->> 'backtest_id')::uuid
    order by trade.position;
end
$$;
revoke execute on function private.compared_backtest_trades(jsonb, jsonb)
from public, anon, authenticated, service_role;
grant execute on function private.compared_backtest_trades(jsonb, jsonb) to nofomo_api;

-- Stores an analysis and returns it. A repeated call returns the stored analysis.
create function private.record_analysis(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    analysis public.ai_analyses;
begin
    perform private.ensure_active_profile(claims);
    insert into public.ai_analyses (
        id, user_id, bot_id, strategy_id, analysis_type, input_data, results, recommendations, confidence_score, model_used,
        tokens_used, processing_time_ms
    )
    select
        new.id, (claims ->> 'sub')::uuid, new.bot_id, new.strategy_id, new.analysis_type, new.input_data, new.results,
        new.recommendations, new.confidence_score, new.model_used, new.tokens_used, new.processing_time_ms
    from jsonb_populate_record(null::public.ai_analyses, input) as new
    inner join private.ai_requests on ai_requests.id = new.id and ai_requests.user_id = (claims ->> 'sub')::uuid
    on conflict (id) do nothing;
    select ai_analyses.* into analysis
    from public.ai_analyses
    where ai_analyses.id = (input ->> 'id')::uuid and ai_analyses.user_id = (claims ->> 'sub')::uuid;
    return private.analysis_json(analysis);
end
$$;
comment on function private.record_analysis(jsonb, jsonb) is 'POST /analyses, after the analysis';
revoke execute on function private.record_analysis(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.record_analysis(jsonb, jsonb) to nofomo_api;
