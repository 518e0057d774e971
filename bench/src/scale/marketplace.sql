-- Inserts verified strategies with backtests. $1: number of strategies, $2: number of backtests of all strategies
-- together.
with author as (
    select users.id
    from public.users
    where users.email = 'pro@nofomo.test'
),

strategies as (
    insert into public.strategies (id, user_id, name, strategy_type, is_public, is_verified)
    select
        overlay('00000000-0000-4000-b000-000000000000' placing lpad(to_hex(number), 8, '0') from 1 for 8)::uuid,
        author.id, 'Strategy ' || number, 'marketplace', true, true
    from author
    cross join generate_series(1, $1) as number
    returning id, user_id
)

insert into public.backtest_results (
    strategy_id, user_id, trading_pair, timeframe, start_date, end_date, initial_balance, final_balance, total_return,
    total_return_percentage, max_drawdown, win_rate, total_trades, winning_trades, losing_trades, best_trade, worst_trade
)
select
    strategies.id, strategies.user_id, 'BTC/USDT', '1h', now() - interval '1 year', now(), 1000, 1100, 100,
    10 + hashtext(strategies.id::text) % 10 + number % 3, 5, 60, 100, 60, 40, 20, -10
from strategies
cross join generate_series(1, $2 / $1) as number
