-- GET /portfolio, whatever else is in the table: the figures of thirty days are read from an index, and no longer from a page for
-- each trade. While it is built nobody can report a trade, which is a second for each million there is; whoever is told to come again
-- meanwhile does.
create index idx_trades_user_figures on public.trades (user_id, exit_time)
include (profit, holding_duration, trading_pair)
where status = 'closed';
-- squawk-ignore require-concurrent-index-deletion
drop index public.idx_trades_user_closed;
-- squawk-ignore renaming-object
alter index public.idx_trades_user_figures rename to idx_trades_user_closed;

create or replace function public.get_user_trading_performance(user_uuid uuid, days_back integer default 30)
returns table (
    total_trades bigint,
    winning_trades bigint,
    losing_trades bigint,
    win_rate_percentage numeric,
    currency text,
    total_profit numeric,
    average_profit numeric,
    best_trade numeric,
    worst_trade numeric,
    profit_factor numeric,
    average_holding interval,
    profit_by_currency jsonb
)
language plpgsql
stable
set search_path = ''
-- For a user with three trades as for one with ten million it is the part of the index that is his. To plan that took as long as to
-- read it, and the plan that is kept is for somebody with an average number of trades.
set plan_cache_mode = 'force_generic_plan'
set enable_seqscan = off
set jit = off
as $$
begin
    return query
    with by_currency as (
        select
            -- BTC/USDT is settled in its quote, BTC/USDT:USDT in what follows the colon.
            coalesce(
                nullif(split_part(trades.trading_pair, ':', 2), ''),
                split_part(trades.trading_pair, '/', 2)
            ) as currency,
            count(*) as total,
            count(*) filter (where trades.profit > 0) as winning,
            count(*) filter (where trades.profit < 0) as losing,
            sum(trades.holding_duration) as holding,
            sum(trades.profit) as profit,
            max(trades.profit) as best_trade,
            min(trades.profit) as worst_trade,
            sum(trades.profit) filter (where trades.profit > 0) as won,
            -sum(trades.profit) filter (where trades.profit < 0) as lost
        from public.trades
        where
            trades.user_id = user_uuid
            and trades.status = 'closed'
            and trades.exit_time >= now() - make_interval(days => days_back)
        group by 1
    ),

    counts as (
        select
            coalesce(sum(by_currency.total), 0)::bigint as total,
            coalesce(sum(by_currency.winning), 0)::bigint as winning,
            coalesce(sum(by_currency.losing), 0)::bigint as losing,
            sum(by_currency.holding) as holding,
            count(*) as currencies
        from by_currency
    )

    select
        counts.total,
        counts.winning,
        counts.losing,
        coalesce(round(counts.winning * 100.0 / nullif(counts.total, 0), 2), 0.00),
        single.currency,
        single.profit,
        round(single.profit / nullif(counts.total, 0), 8),
        single.best_trade,
        single.worst_trade,
        round(single.won / nullif(single.lost, 0), 4),
        counts.holding / nullif(counts.total, 0),
        coalesce((select jsonb_object_agg(by_currency.currency, by_currency.profit::text) from by_currency), '{}')
    from counts
    left join by_currency as single on counts.currencies = 1;
end
$$;
