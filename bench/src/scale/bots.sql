-- Inserts bots of a user. $1: email address of the user, $2: number of bots.
insert into public.bots (
    user_id, name, exchange, trading_pair, timeframe, strategy, initial_balance, current_balance, stake_amount
)
select users.id, 'bot ' || number, 'binance', 'BTC/USDT', '1h', 'EMA cross', 1000, 1000, 100
from public.users
cross join generate_series(1, $2) as number
where users.email = $1
