-- Users, plans, bots and trades for development. The password of every user is nofomo-dev.
--
-- Does nothing unless the setting `nofomo.sample_data` is on, so any tool may apply the whole folder. `cargo dev` runs
-- it once with that setting on, after all other files.

do $sample$
begin
    if coalesce(current_setting('nofomo.sample_data', true), '') <> 'on' then
        return;
    end if;

    insert into public.plans (
        id, name, description, price_monthly, price_yearly, features, max_bots, max_strategies, ai_requests_per_month,
        backtest_minutes_per_month, priority_support, custom_strategies, api_access, sort_order
    )
    values
        (
            '0190a000-0000-7000-8000-000000000001', 'Free', 'Try one bot with paper trading.', 0, 0,
            '["1 bot", "Paper trading", "Marketplace strategies"]', 1, 1, 5, 30, false, false, false, 0
        ),
        (
            '0190a000-0000-7000-8000-000000000002', 'Pro', 'For traders with a handful of bots.', 149000, 1490000,
            '["10 bots", "Live trading", "Own strategies", "100 analyses a month"]', 10, 20, 100, 600, false, true, true, 10
        ),
        (
            '0190a000-0000-7000-8000-000000000003', 'Enterprise', 'No limits, with priority support.', 499000, 4990000,
            '["Unlimited bots", "Unlimited strategies", "Unlimited analyses", "Priority support"]',
            -1, -1, -1, -1, true, true, true, 20
        );

    -- The trigger on auth.users creates their profiles.
    insert into auth.users (
        id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data, created_at,
        updated_at
    )
    select
        sample_user.id,
        'authenticated',
        'authenticated',
        sample_user.email,
        extensions.crypt('nofomo-dev', extensions.gen_salt('bf')),
        now(),
        '{"provider": "email", "providers": ["email"]}',
        jsonb_build_object('full_name', sample_user.full_name),
        now() - interval '90 days',
        now() - interval '90 days'
    from (
        values
            ('0190b000-0000-7000-8000-000000000001'::uuid, 'free@nofomo.test', 'Fitri Hapsari'),
            ('0190b000-0000-7000-8000-000000000002'::uuid, 'pro@nofomo.test', 'Putra Wijaya'),
            ('0190b000-0000-7000-8000-000000000003'::uuid, 'enterprise@nofomo.test', 'Eka Santoso')
    ) as sample_user (id, email, full_name);

    update public.users
    set subscription_plan = plan.name
    from (
        values
            ('0190b000-0000-7000-8000-000000000002'::uuid, 'pro'),
            ('0190b000-0000-7000-8000-000000000003'::uuid, 'enterprise')
    ) as plan (user_id, name)
    where users.id = plan.user_id;

    insert into public.invoices (
        id, user_id, plan_id, tripay_invoice_id, tripay_merchant_id, reference_id, amount, status, payment_method,
        payment_channel, transaction_id, period, description, customer_name, customer_email, expired_at, paid_at,
        created_at
    )
    values
        (
            '0190c000-0000-7000-8000-000000000001', '0190b000-0000-7000-8000-000000000002',
            '0190a000-0000-7000-8000-000000000002', 'DEV-T0000000001SAMPLE', 'T0000', 'sample-pro-1', 149000, 'paid', 'QRIS',
            'QRIS by ShopeePay', 'DEV-T0000000001SAMPLE', 'monthly', 'Pro, monthly', 'Putra Wijaya', 'pro@nofomo.test',
            now() - interval '9 days', now() - interval '10 days', now() - interval '10 days'
        ),
        (
            '0190c000-0000-7000-8000-000000000002', '0190b000-0000-7000-8000-000000000003',
            '0190a000-0000-7000-8000-000000000003', 'DEV-T0000000002SAMPLE', 'T0000', 'sample-enterprise-1', 4990000, 'paid',
            'BRIVA', 'BRI Virtual Account', 'DEV-T0000000002SAMPLE', 'yearly', 'Enterprise, yearly', 'Eka Santoso',
            'enterprise@nofomo.test', now() - interval '59 days', now() - interval '60 days', now() - interval '60 days'
        ),
        (
            '0190c000-0000-7000-8000-000000000003', '0190b000-0000-7000-8000-000000000001',
            '0190a000-0000-7000-8000-000000000002', 'DEV-T0000000003SAMPLE', 'T0000', 'sample-free-1', 149000, 'expired', 'OVO',
            'OVO', null, 'monthly', 'Pro, monthly', 'Fitri Hapsari', 'free@nofomo.test', now() - interval '20 days', null,
            now() - interval '21 days'
        );

    insert into public.subscriptions (id, user_id, plan_id, invoice_id, status, started_at, expires_at, value, auto_renew)
    values
        (
            '0190d000-0000-7000-8000-000000000001', '0190b000-0000-7000-8000-000000000002',
            '0190a000-0000-7000-8000-000000000002', '0190c000-0000-7000-8000-000000000001', 'active',
            now() - interval '10 days', now() - interval '10 days' + interval '1 month', 149000, true
        ),
        (
            '0190d000-0000-7000-8000-000000000002', '0190b000-0000-7000-8000-000000000003',
            '0190a000-0000-7000-8000-000000000003', '0190c000-0000-7000-8000-000000000002', 'active',
            now() - interval '60 days', now() - interval '60 days' + interval '1 year', 4990000, true
        );

    insert into public.strategies (
        id, user_id, name, description, strategy_type, content, parameters, is_public, is_verified, tags, category, risk_level
    )
    values
        (
            '0190e000-0000-7000-8000-000000000001', '0190b000-0000-7000-8000-000000000002', 'Oversold RSI',
            'Buys when the RSI turns up from below 30, sells above 70.', 'ai_generated',
            $python$from freqtrade.strategy import IStrategy
import talib.abstract as ta
from pandas import DataFrame


class OversoldRsi(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    minimal_roi = {"0": 0.05}
    stoploss = -0.05

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[(dataframe["rsi"] > 30) & (dataframe["rsi"].shift(1) <= 30), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["rsi"] > 70, "exit_long"] = 1
        return dataframe
$python$,
            '{"rsi_period": 14, "entry": 30, "exit": 70}', false, false, array['rsi', 'mean-reversion'], 'mean-reversion', 'medium'
        ),
        (
            '0190e000-0000-7000-8000-000000000002', '0190b000-0000-7000-8000-000000000003', 'EMA cross',
            'Follows the trend when the fast average crosses the slow one.', 'marketplace',
            $python$from freqtrade.strategy import IStrategy
import talib.abstract as ta
from pandas import DataFrame


class EmaCross(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "4h"
    minimal_roi = {"0": 0.1}
    stoploss = -0.08

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=12)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=26)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["fast"] > dataframe["slow"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        return dataframe
$python$,
            '{"fast": 12, "slow": 26}', true, true, array['ema', 'trend'], 'trend-following', 'low'
        ),
        (
            '0190e000-0000-7000-8000-000000000003', '0190b000-0000-7000-8000-000000000003', 'Bollinger squeeze',
            'Enters when the price closes above the upper band.', 'custom',
            $python$from freqtrade.strategy import IStrategy
import talib.abstract as ta
from pandas import DataFrame


class BollingerSqueeze(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "15m"
    minimal_roi = {"0": 0.03}
    stoploss = -0.03

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        bands = ta.BBANDS(dataframe, timeperiod=20)
        dataframe["upper"] = bands["upperband"]
        dataframe["middle"] = bands["middleband"]
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] > dataframe["upper"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] < dataframe["middle"], "exit_long"] = 1
        return dataframe
$python$,
            '{"period": 20}', false, false, array['bollinger', 'breakout'], 'breakout', 'high'
        );

    -- The sources have no findings: tests/it/api/create_strategy.rs checks them.
    insert into private.strategy_sources (
        strategy_id, source_hash, stored_at, class_name, interface_version, timeframe, can_short, checker_version, findings
    )
    select
        strategies.id, sha256(convert_to(strategies.content, 'UTF8')), strategies.created_at, sample.class_name, 3,
        sample.timeframe, false, 1, '[]'
    from public.strategies
    inner join (
        values
            ('0190e000-0000-7000-8000-000000000001'::uuid, 'OversoldRsi', '1h'),
            ('0190e000-0000-7000-8000-000000000002'::uuid, 'EmaCross', '4h'),
            ('0190e000-0000-7000-8000-000000000003'::uuid, 'BollingerSqueeze', '15m')
    ) as sample (id, class_name, timeframe)
        on sample.id = strategies.id;

    insert into public.bots (
        id, user_id, name, exchange, trading_pair, timeframe, strategy, initial_balance, current_balance, stake_amount,
        max_open_trades, stop_loss, take_profit, risk_percentage, created_at
    )
    values
        (
            '0190f000-0000-7000-8000-000000000001', '0190b000-0000-7000-8000-000000000001', 'First steps', 'binance', 'BTC/USDT',
            '1h', 'Oversold RSI', 500, 500, 50, 1, 5, 10, 2, now() - interval '40 days'
        ),
        (
            '0190f000-0000-7000-8000-000000000002', '0190b000-0000-7000-8000-000000000002', 'BTC swing', 'binance', 'BTC/USDT',
            '4h', 'EMA cross', 10000, 10000, 500, 3, 8, 20, 2, now() - interval '60 days'
        ),
        (
            '0190f000-0000-7000-8000-000000000003', '0190b000-0000-7000-8000-000000000002', 'ETH perpetual', 'bybit',
            'ETH/USDT:USDT', '15m', 'Bollinger squeeze', 2500, 2500, 250, 2, 3, 6, 1, now() - interval '30 days'
        ),
        (
            '0190f000-0000-7000-8000-000000000004', '0190b000-0000-7000-8000-000000000003', 'SOL momentum', 'bybit', 'SOL/USDT',
            '30m', 'EMA cross', 50000, 50000, 2000, 5, 6, 15, 2, now() - interval '60 days'
        );

    update public.bots
    set status = 'running'
    where id in ('0190f000-0000-7000-8000-000000000002', '0190f000-0000-7000-8000-000000000004');

    -- Closed trades, one every 18 hours. A sine wave sets their exit prices: some trades win, some lose, and one per
    -- bot breaks even.
    insert into public.trades (
        bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, fee, profit, profit_percentage, status,
        entry_time, exit_time, exit_price, exchange_order_id
    )
    select
        bots.id,
        bots.user_id,
        bots.exchange,
        bots.trading_pair,
        'buy',
        'market',
        sized.amount,
        sized.price,
        sized.fee,
        round((sized.exit_price - sized.price) * sized.amount - sized.fee, 8),
        round(((sized.exit_price - sized.price) * sized.amount - sized.fee) / (sized.price * sized.amount) * 100, 4),
        'closed',
        sized.entry_time,
        sized.entry_time + interval '5 hours',
        sized.exit_price,
        'sample-' || bots.exchange || '-' || numbered.n
    from public.bots
    cross join generate_series(1, 30) as numbered (n)
    cross join lateral (
        select case split_part(bots.trading_pair, '/', 1) when 'BTC' then 64000 when 'ETH' then 3100 else 150 end as price
    ) as base
    cross join lateral (
        select
            base.price::numeric as price,
            round(bots.stake_amount / base.price, 8) as amount,
            case
                when numbered.n = 7 then base.price::numeric
                else round((base.price * (1 + 0.012 * sin(numbered.n * 1.7) + 0.002))::numeric, 2)
            end as exit_price,
            case when numbered.n = 7 then 0 else round(bots.stake_amount * 0.002, 8) end as fee,
            date_trunc('hour', now()) - numbered.n * interval '18 hours' as entry_time
    ) as sized
    where sized.entry_time > bots.created_at;

    -- One open trade for every running bot.
    insert into public.trades (
        bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, entry_time, stop_loss_price, take_profit_price,
        exchange_order_id
    )
    select
        bots.id,
        bots.user_id,
        bots.exchange,
        bots.trading_pair,
        'buy',
        'limit',
        round(bots.stake_amount / entry.price, 8),
        entry.price,
        now() - interval '3 hours',
        round(entry.price * (1 - bots.stop_loss / 100), 8),
        round(entry.price * (1 + bots.take_profit / 100), 8),
        'sample-open-' || bots.exchange
    from public.bots
    cross join lateral (
        select case split_part(bots.trading_pair, '/', 1) when 'BTC' then 64500 else 152 end::numeric as price
    ) as entry
    where bots.status = 'running';

    insert into public.backtest_results (
        id, strategy_id, user_id, trading_pair, timeframe, start_date, end_date, initial_balance, final_balance, total_return,
        total_return_percentage, max_drawdown, sharpe_ratio, sortino_ratio, win_rate, profit_factor, total_trades,
        winning_trades, losing_trades, best_trade, worst_trade, avg_trade, max_consecutive_wins, max_consecutive_losses,
        calmar_ratio
    )
    values
        (
            '01910000-0000-7000-8000-000000000001', '0190e000-0000-7000-8000-000000000002',
            '0190b000-0000-7000-8000-000000000003', 'BTC/USDT', '4h', '2024-01-01', '2024-12-31', 10000, 11840, 1840, 18.4, 9.3,
            0.91, 1.32, 46.15, 1.38, 78, 36, 42, 412.5, -188.2, 23.58974359, 6, 7, 1.98
        ),
        (
            '01910000-0000-7000-8000-000000000002', '0190e000-0000-7000-8000-000000000002',
            '0190b000-0000-7000-8000-000000000003', 'SOL/USDT', '4h', '2024-01-01', '2024-12-31', 10000, 9410, -590, -5.9, 17.8,
            -0.22, -0.31, 40.43, 0.93, 94, 38, 56, 377.1, -204.6, -6.27659574, 5, 9, -0.33
        ),
        (
            '01910000-0000-7000-8000-000000000003', '0190e000-0000-7000-8000-000000000001',
            '0190b000-0000-7000-8000-000000000002', 'ETH/USDT', '1h', '2025-01-01', '2025-06-30', 5000, 5215.4, 215.4, 4.308, 6.1,
            0.55, 0.79, 58.33, 1.17, 60, 35, 25, 96.4, -71.9, 3.59, 8, 4, 0.71
        );

    insert into public.ai_analyses (
        id, user_id, bot_id, strategy_id, analysis_type, input_data, results, recommendations, confidence_score, model_used,
        processing_time_ms
    )
    values
        (
            '01911000-0000-7000-8000-000000000001', '0190b000-0000-7000-8000-000000000002',
            '0190f000-0000-7000-8000-000000000002', null, 'performance', '{"trades": 30, "from": null, "to": null}',
            '{"blocks": [], "sample": true}',
            array['No change recommended: 30 trades are too few to tell an edge from luck.'], 0.20, 'nofomo-quant-1', 12
        ),
        (
            '01911000-0000-7000-8000-000000000002', '0190b000-0000-7000-8000-000000000003', null,
            '0190e000-0000-7000-8000-000000000002', 'risk', '{"trades": 30, "from": null, "to": null}',
            '{"blocks": [], "sample": true}',
            array['Lower the stake: five losses in a row would cost a fifth of the balance.'], 0.35, 'nofomo-quant-1', 15
        );

    -- Each analysis counts as an AI request of its month.
    insert into private.ai_requests (id, user_id, requested_at, request_hash)
    select ai_analyses.id, ai_analyses.user_id, ai_analyses.created_at, ''
    from public.ai_analyses;

    insert into public.logs (user_id, bot_id, log_level, message, context, source, created_at)
    select
        bots.user_id, bots.id, entry.log_level, entry.message, entry.context::jsonb, 'bot_runner', now() - entry.age
    from public.bots
    cross join (
        values
            ('info', 'Connected to exchange', '{"latency_ms": 84}', interval '3 hours 5 minutes'),
            ('info', 'Entry signal', '{"rsi": 29.4}', interval '3 hours'),
            ('warning', 'Rate limit is near', '{"used_weight": 1080, "limit": 1200}', interval '40 minutes')
    ) as entry (log_level, message, context, age)
    where bots.status = 'running';

    insert into public.notifications (user_id, kind, title, body, created_at)
    values
        (
            '0190b000-0000-7000-8000-000000000002', 'subscription', 'Pro is active',
            'Thank you! We received your payment. Pro is active for one month.', now() - interval '10 days'
        );
end
$sample$;
