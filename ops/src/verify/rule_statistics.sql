-- The statistics of every bot, which triggers on trades maintain incrementally, equal a full recount.
with recounted as (
    select
        bots.id,
        count(*) filter (where trades.status = 'closed') as total_trades,
        count(*) filter (where trades.status = 'closed' and trades.profit > 0) as winning_trades,
        count(*) filter (where trades.status = 'closed' and trades.profit < 0) as losing_trades,
        coalesce(sum(trades.profit) filter (where trades.status = 'closed'), 0) as profit,
        max(coalesce(trades.exit_time, trades.entry_time)) filter (where trades.status <> 'cancelled') as last_trade_at
    from public.bots
    left join public.trades on bots.id = trades.bot_id
    group by bots.id
),

compared as (
    select
        bots.id,
        jsonb_build_object(
            'total_trades', bots.total_trades,
            'winning_trades', bots.winning_trades,
            'losing_trades', bots.losing_trades,
            'profit', bots.profit,
            'profit_percentage', bots.profit_percentage,
            'current_balance', bots.current_balance,
            'last_trade_at', bots.last_trade_at
        ) as stored,
        jsonb_build_object(
            'total_trades', recounted.total_trades,
            'winning_trades', recounted.winning_trades,
            'losing_trades', recounted.losing_trades,
            'profit', recounted.profit,
            'profit_percentage', coalesce(round(recounted.profit / nullif(bots.initial_balance, 0) * 100, 4), 0),
            'current_balance', bots.initial_balance + recounted.profit,
            'last_trade_at', recounted.last_trade_at
        ) as counted
    from public.bots
    inner join recounted on bots.id = recounted.id
)

select
    format(
        'bot %s: %s',
        compared.id,
        string_agg(
            format('%s is %s, and a recount gives %s', figure, value, compared.counted -> figure), ', ' order by figure
        )
    ) as broken
from compared
cross join lateral jsonb_each(compared.stored) as stored (figure, value)
where stored.value <> compared.counted -> stored.figure
group by compared.id
order by compared.id
limit 20
