-- POST /strategies/{strategy_id}/backtests: stores a freqtrade backtest, with the metrics computed from its trades, and
-- the trades.

-- Returns the JSON of a backtest, the same in every response.
create function private.backtest_json(backtest public.backtest_results) returns json
language sql
stable
set search_path = ''
set timezone = 'UTC'
as $$
    select json_build_object(
        'id', backtest.id,
        'strategy_id', backtest.strategy_id,
        'trading_pair', backtest.trading_pair,
        'timeframe', backtest.timeframe,
        'start_date', backtest.start_date,
        'end_date', backtest.end_date,
        'initial_balance', backtest.initial_balance::text,
        'final_balance', backtest.final_balance::text,
        'total_return', backtest.total_return::text,
        'total_return_percentage', backtest.total_return_percentage::text,
        'max_drawdown', backtest.max_drawdown::text,
        'sharpe_ratio', backtest.sharpe_ratio::text,
        'sortino_ratio', backtest.sortino_ratio::text,
        'calmar_ratio', backtest.calmar_ratio::text,
        'profit_factor', backtest.profit_factor::text,
        'win_rate', backtest.win_rate::text,
        'total_trades', backtest.total_trades,
        'winning_trades', backtest.winning_trades,
        'losing_trades', backtest.losing_trades,
        'best_trade', backtest.best_trade::text,
        'worst_trade', backtest.worst_trade::text,
        'avg_trade', backtest.avg_trade::text,
        'max_consecutive_wins', backtest.max_consecutive_wins,
        'max_consecutive_losses', backtest.max_consecutive_losses,
        'metadata', backtest.metadata,
        'created_at', backtest.created_at
    )
$$;
revoke execute on function private.backtest_json(public.backtest_results)
from public, anon, authenticated, service_role;

-- Outcomes: created or existing, with the backtest; quota_exceeded with limit, in minutes, and plan; not_found.
create function private.import_backtest(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    caller constant uuid := (claims ->> 'sub')::uuid;
    seconds constant integer := coalesce((input ->> 'run_seconds')::integer, 0);
    backtest public.backtest_results;
    plan public.plans;
    limit_seconds bigint;
    used_seconds bigint;
begin
    perform private.ensure_active_profile(claims);
    if not exists (
        select from public.strategies
        where strategies.id = (input ->> 'strategy_id')::uuid and strategies.user_id = caller
    ) then
        return to_json('not_found'::text);
    end if;
    perform pg_advisory_xact_lock(hashtextextended('limits of ' || caller, 0));
    select backtest_results.* into backtest
    from public.backtest_results
    where backtest_results.id = (input ->> 'id')::uuid;
    if found then
        return json_build_object('existing', private.backtest_json(backtest));
    end if;

    plan := private.plan_in_force(caller);
    limit_seconds := coalesce(plan.backtest_minutes_per_month, 0) * 60::bigint;
    select coalesce(sum(backtest_runs.run_seconds), 0) into used_seconds
    from private.backtest_runs
    where backtest_runs.user_id = caller and backtest_runs.imported_at >= date_trunc('month', now(), 'UTC');
    if limit_seconds >= 0 and (used_seconds >= limit_seconds or used_seconds + seconds > limit_seconds) then
        return json_build_object(
            'quota_exceeded', json_build_object('limit', limit_seconds / 60, 'plan', coalesce(plan.name, 'Free'))
        );
    end if;
    insert into private.backtest_runs (backtest_id, user_id, run_seconds)
    values ((input ->> 'id')::uuid, caller, seconds)
    on conflict do nothing;

    insert into public.backtest_results (
        id, strategy_id, user_id, trading_pair, timeframe, start_date, end_date, initial_balance, final_balance,
        total_return, total_return_percentage, max_drawdown, sharpe_ratio, sortino_ratio, win_rate, profit_factor,
        total_trades, winning_trades, losing_trades, best_trade, worst_trade, avg_trade, max_consecutive_wins,
        max_consecutive_losses, calmar_ratio, metadata
    )
    select
        new.id, new.strategy_id, caller, new.trading_pair, new.timeframe, new.start_date, new.end_date,
        new.initial_balance, new.final_balance, new.total_return, new.total_return_percentage, new.max_drawdown,
        new.sharpe_ratio, new.sortino_ratio, new.win_rate, new.profit_factor, new.total_trades, new.winning_trades,
        new.losing_trades, new.best_trade, new.worst_trade, new.avg_trade, new.max_consecutive_wins,
        new.max_consecutive_losses, new.calmar_ratio, new.metadata
    from jsonb_populate_record(null::public.backtest_results, input - 'trades') as new
    returning * into backtest;

    insert into private.backtest_trades (
        backtest_id, position, trading_pair, side, amount, price, exit_price, fee, profit, entry_time, exit_time
    )
    select
        backtest.id, trade.position, field.trading_pair, field.side, field.amount, field.price, field.exit_price,
        field.fee, field.profit, field.entry_time, field.exit_time
    from jsonb_array_elements(input -> 'trades') with ordinality as trade (value, position)
    cross join lateral jsonb_to_record(trade.value) as field (
        trading_pair text, side text, amount numeric, price numeric, exit_price numeric, fee numeric, profit numeric,
        entry_time timestamptz, exit_time timestamptz
    );
    return json_build_object('created', private.backtest_json(backtest));
end
$$;
comment on function private.import_backtest(jsonb, jsonb) is 'POST /strategies/{strategy_id}/backtests';
revoke execute on function private.import_backtest(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.import_backtest(jsonb, jsonb) to nofomo_api;
