-- The tables of NoFOMO, who may touch them, and the two roles that the functions log in as.
--
-- Every table is closed first and opened column by column, so that the result is the same whether the project's default
-- privileges expose new tables (historic Supabase) or not (since 2026). A policy names one role and one action, and wraps
-- auth.uid() in a select, so that it is evaluated once per statement and not once per row.

-- What clients must not be able to name: no USAGE here for anon and authenticated.
create schema if not exists private;
revoke all on schema private from public, anon, authenticated, service_role;

-- nofomo_api serves requests: owns nothing, may become a signed-in user, and reads nothing until it has.
-- nofomo_jobs serves callbacks and schedules: may execute the functions it is granted, and nothing else.
-- Their passwords are set outside the repository.
do $$
begin
    if not exists (select from pg_roles where rolname = 'nofomo_api') then
        create role nofomo_api login noinherit;
    end if;
    if not exists (select from pg_roles where rolname = 'nofomo_jobs') then
        create role nofomo_jobs login noinherit;
    end if;
end
$$;

grant anon, authenticated to nofomo_api;
grant usage on schema private to nofomo_api, nofomo_jobs;

-- A role's settings act at login; set inside a statement they would not bound that statement.
alter role nofomo_api set statement_timeout = '8s';
alter role nofomo_api set lock_timeout = '5s';
alter role nofomo_api set idle_in_transaction_session_timeout = '10s';
alter role nofomo_jobs set statement_timeout = '60s';
alter role nofomo_jobs set lock_timeout = '5s';
alter role nofomo_jobs set idle_in_transaction_session_timeout = '10s';

-- Time-ordered ids keep the newest rows of an index together. PostgreSQL has its own uuidv7() only from version 18.
create function private.uuid_v7() returns uuid
language sql
volatile
set search_path = ''
as $$
    -- A random (version 4) id with the milliseconds since 1970 as its first 48 bits and bits 52 and 53 making the 4 a 7.
    select encode(
        set_bit(
            set_bit(
                overlay(
                    uuid_send(gen_random_uuid())
                    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
                    from 1 for 6
                ),
                52, 1
            ),
            53, 1
        ),
        'hex'
    )::uuid
$$;
revoke execute on function private.uuid_v7() from public, anon, authenticated, service_role;
grant execute on function private.uuid_v7() to authenticated;

-- Users -----------------------------------------------------------------------------------------------------------------

create table public.users (
    id uuid not null default private.uuid_v7(),
    email varchar(255) not null,
    full_name varchar(255),
    avatar_url text,
    subscription_plan varchar(50) default 'free',
    exchange_credentials jsonb,
    preferences jsonb default '{}',
    last_login_at timestamptz,
    is_active boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    constraint users_pkey primary key (id),
    constraint users_email_key unique (email)
);
comment on table public.users is 'Profile of a Supabase Auth user; the id is auth.uid().';
comment on column public.users.exchange_credentials is 'Sealed exchange API keys by exchange; no API role may read them.';
comment on column public.users.is_active is 'False: refused by every function, and by every policy that lets a user write.';

-- Policies that let a user write ask this. It looks past row level security so that the policy on users can ask it too.
create function private.is_full_user() returns boolean
language sql
stable
security definer
set search_path = ''
as $$
    select
        coalesce((auth.jwt() ->> 'is_anonymous')::boolean, false) is false
        and exists (select from public.users where users.id = auth.uid() and users.is_active is not false)
$$;
comment on function private.is_full_user() is 'Whether the caller has signed up (no anonymous sign-in) and is not deactivated.';
revoke execute on function private.is_full_user() from public, anon, authenticated, service_role;
grant execute on function private.is_full_user() to authenticated;

alter table public.users enable row level security;
revoke all on table public.users from public, anon, authenticated, service_role;
grant
    select (
        id, email, full_name, avatar_url, subscription_plan, preferences, last_login_at, is_active, created_at, updated_at
    ),
    update (full_name, avatar_url, preferences)
on table public.users to authenticated;

create policy "Users can view their own profile"
    on public.users for select to authenticated
    using ((select auth.uid()) = id);

create policy "Users can update their own profile"
    on public.users for update to authenticated
    using ((select auth.uid()) = id and (select private.is_full_user()))
    with check ((select auth.uid()) = id);

-- Bots ------------------------------------------------------------------------------------------------------------------

create table public.bots (
    id uuid not null default private.uuid_v7(),
    user_id uuid not null,
    name varchar(255) not null,
    exchange varchar(50) not null,
    trading_pair varchar(50) not null,
    timeframe varchar(10) not null,
    strategy varchar(255) not null,
    status varchar(20) default 'stopped',
    initial_balance decimal(20, 8) not null,
    current_balance decimal(20, 8) not null,
    total_trades integer default 0,
    winning_trades integer default 0,
    losing_trades integer default 0,
    profit decimal(20, 8) default 0,
    profit_percentage decimal(10, 4) default 0,
    max_open_trades integer default 1,
    stake_amount decimal(20, 8) not null,
    stop_loss decimal(10, 4),
    take_profit decimal(10, 4),
    risk_percentage decimal(5, 2) default 2.0,
    is_paper_trade boolean default true,
    last_trade_at timestamptz,
    error_message text,
    metadata jsonb default '{}',
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    request_hash bytea,
    constraint bots_pkey primary key (id),
    constraint bots_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade,
    constraint bots_exchange_check check (exchange in ('binance', 'bybit')),
    constraint bots_timeframe_check check (timeframe in ('1m', '5m', '15m', '30m', '1h', '4h', '1d')),
    constraint bots_status_check check (status in ('running', 'stopped', 'error', 'paused'))
);
comment on table public.bots is 'A trading bot: what it may do, and how it has done.';
comment on column public.bots.profit is 'Kept by trades_*_update_bot_statistics, with the counts, balance and last_trade_at.';
comment on column public.bots.request_hash is
    'SHA-256 of the request that created the bot under an Idempotency-Key: the same key with another request is refused.';

alter table public.bots enable row level security;
revoke all on table public.bots from public, anon, authenticated, service_role;
-- Not the owner's to write: statistics, and what a check stands before (status, exchange, live trading).
grant
    select,
    insert (
        id, user_id, name, exchange, trading_pair, timeframe, strategy, initial_balance, max_open_trades, stake_amount,
        stop_loss, take_profit, risk_percentage, is_paper_trade, metadata, request_hash
    ),
    update (name, timeframe, strategy, max_open_trades, stake_amount, stop_loss, take_profit, risk_percentage, metadata),
    delete
on table public.bots to authenticated;

create policy "Users can view their own bots"
    on public.bots for select to authenticated
    using ((select auth.uid()) = user_id);

create policy "Users can create their own bots"
    on public.bots for insert to authenticated
    with check ((select auth.uid()) = user_id and (select private.is_full_user()));

create policy "Users can update their own bots"
    on public.bots for update to authenticated
    using ((select auth.uid()) = user_id and (select private.is_full_user()))
    with check ((select auth.uid()) = user_id);

create policy "Users can delete their own bots"
    on public.bots for delete to authenticated
    using ((select auth.uid()) = user_id and (select private.is_full_user()));

-- Strategies ------------------------------------------------------------------------------------------------------------

create table public.strategies (
    id uuid not null default private.uuid_v7(),
    user_id uuid not null,
    name varchar(255) not null,
    description text,
    strategy_type varchar(50) not null,
    content text,
    parameters jsonb default '{}',
    performance jsonb default '{}',
    is_public boolean default false,
    is_verified boolean default false,
    backtest_results jsonb,
    tags text[],
    category varchar(100),
    risk_level varchar(20),
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    constraint strategies_pkey primary key (id),
    constraint strategies_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade,
    constraint strategies_strategy_type_check check (strategy_type in ('custom', 'ai_generated', 'marketplace')),
    constraint strategies_risk_level_check check (risk_level in ('low', 'medium', 'high'))
);
comment on table public.strategies is 'A trading strategy: Python source for freqtrade, and what is known of it.';
comment on column public.strategies.is_verified is 'Set by publishing alone, after the source was checked.';

alter table public.strategies enable row level security;
revoke all on table public.strategies from public, anon, authenticated, service_role;
-- Source, parameters, type and visibility change through functions, which check them; the rest is the owner's own text.
grant
    select,
    update (name, description, tags, category, risk_level),
    delete
on table public.strategies to authenticated;

-- One policy for both reasons to see a row: two permissive ones would both be evaluated for every row.
create policy "Users can view their own and verified marketplace strategies"
    on public.strategies for select to authenticated
    using (
        (select auth.uid()) = user_id
        or (is_public = true and strategy_type = 'marketplace' and is_verified = true)
    );

create policy "Users can update their own strategies"
    on public.strategies for update to authenticated
    using ((select auth.uid()) = user_id and (select private.is_full_user()))
    with check ((select auth.uid()) = user_id);

create policy "Users can delete their own strategies"
    on public.strategies for delete to authenticated
    using ((select auth.uid()) = user_id and (select private.is_full_user()));

-- Trades ----------------------------------------------------------------------------------------------------------------

create table public.trades (
    id uuid not null default private.uuid_v7(),
    bot_id uuid not null,
    user_id uuid not null,
    exchange varchar(50) not null,
    trading_pair varchar(50) not null,
    side varchar(10) not null,
    order_type varchar(20) not null,
    amount decimal(20, 8) not null,
    price decimal(20, 8) not null,
    fee decimal(20, 8) default 0,
    profit decimal(20, 8) default 0,
    profit_percentage decimal(10, 4) default 0,
    status varchar(20) default 'open',
    entry_time timestamptz not null,
    exit_time timestamptz,
    holding_duration interval,
    exchange_order_id varchar(255),
    exchange_trade_id varchar(255),
    is_paper_trade boolean default true,
    signal_price decimal(20, 8),
    stop_loss_price decimal(20, 8),
    take_profit_price decimal(20, 8),
    metadata jsonb default '{}',
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    exit_price decimal(20, 8),
    constraint trades_pkey primary key (id),
    constraint trades_bot_id_fkey foreign key (bot_id) references public.bots (id) on delete cascade,
    constraint trades_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade,
    constraint trades_side_check check (side in ('buy', 'sell')),
    constraint trades_order_type_check check (order_type in ('market', 'limit')),
    constraint trades_status_check check (status in ('open', 'closed', 'cancelled'))
);
comment on table public.trades is 'What a bot did: one position from entry to exit.';
comment on column public.trades.exit_price is 'Average price of the exit; price is that of the entry.';

alter table public.trades enable row level security;
revoke all on table public.trades from public, anon, authenticated, service_role;
grant select on table public.trades to authenticated;

create policy "Users can view their own trades"
    on public.trades for select to authenticated
    using ((select auth.uid()) = user_id);

-- Logs ------------------------------------------------------------------------------------------------------------------

create table public.logs (
    id uuid not null default private.uuid_v7(),
    user_id uuid,
    bot_id uuid,
    strategy_id uuid,
    log_level varchar(20) not null,
    message text not null,
    context jsonb default '{}',
    source varchar(100),
    created_at timestamptz default now(),
    constraint logs_pkey primary key (id),
    constraint logs_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade,
    constraint logs_bot_id_fkey foreign key (bot_id) references public.bots (id) on delete cascade,
    constraint logs_strategy_id_fkey foreign key (strategy_id) references public.strategies (id) on delete cascade,
    constraint logs_log_level_check check (log_level in ('info', 'warning', 'error', 'debug'))
);
comment on table public.logs is 'What bots report, and the audit trail of important actions (source api).';

alter table public.logs enable row level security;
revoke all on table public.logs from public, anon, authenticated, service_role;
grant select on table public.logs to authenticated;

create policy "Users can view their own logs"
    on public.logs for select to authenticated
    using ((select auth.uid()) = user_id);

-- AI analyses -----------------------------------------------------------------------------------------------------------

create table public.ai_analyses (
    id uuid not null default private.uuid_v7(),
    user_id uuid not null,
    bot_id uuid,
    strategy_id uuid,
    analysis_type varchar(50) not null,
    input_data jsonb not null,
    results jsonb not null,
    recommendations text[],
    confidence_score decimal(3, 2) default 0.0,
    model_used varchar(100),
    tokens_used integer default 0,
    processing_time_ms integer,
    created_at timestamptz default now(),
    constraint ai_analyses_pkey primary key (id),
    constraint ai_analyses_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade,
    constraint ai_analyses_bot_id_fkey foreign key (bot_id) references public.bots (id) on delete cascade,
    constraint ai_analyses_strategy_id_fkey foreign key (strategy_id) references public.strategies (id) on delete cascade,
    constraint ai_analyses_analysis_type_check
        check (analysis_type in ('performance', 'risk', 'optimization', 'backtest'))
);
comment on table public.ai_analyses is 'A judgement of trades: what was asked, every figure, what follows from it.';

alter table public.ai_analyses enable row level security;
revoke all on table public.ai_analyses from public, anon, authenticated, service_role;
grant select on table public.ai_analyses to authenticated;

create policy "Users can view their own analyses"
    on public.ai_analyses for select to authenticated
    using ((select auth.uid()) = user_id);

-- Backtest results ------------------------------------------------------------------------------------------------------

create table public.backtest_results (
    id uuid not null default private.uuid_v7(),
    strategy_id uuid not null,
    user_id uuid not null,
    trading_pair varchar(50) not null,
    timeframe varchar(10) not null,
    start_date timestamptz not null,
    end_date timestamptz not null,
    initial_balance decimal(20, 8) not null,
    final_balance decimal(20, 8) not null,
    total_return decimal(20, 8) not null,
    total_return_percentage decimal(10, 4) not null,
    max_drawdown decimal(10, 4) not null,
    sharpe_ratio decimal(8, 4),
    sortino_ratio decimal(8, 4),
    win_rate decimal(5, 2) not null,
    profit_factor decimal(8, 4),
    total_trades integer not null,
    winning_trades integer not null,
    losing_trades integer not null,
    best_trade decimal(20, 8) not null,
    worst_trade decimal(20, 8) not null,
    avg_trade decimal(20, 8),
    max_consecutive_wins integer default 0,
    max_consecutive_losses integer default 0,
    calmar_ratio decimal(8, 4),
    metadata jsonb default '{}',
    created_at timestamptz default now(),
    constraint backtest_results_pkey primary key (id),
    constraint backtest_results_strategy_id_fkey
        foreign key (strategy_id) references public.strategies (id) on delete cascade,
    constraint backtest_results_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade
);
comment on table public.backtest_results is 'A strategy on past prices, as its backtest reported it.';

alter table public.backtest_results enable row level security;
revoke all on table public.backtest_results from public, anon, authenticated, service_role;
grant select on table public.backtest_results to authenticated;

create policy "Users can view their own backtest results"
    on public.backtest_results for select to authenticated
    using ((select auth.uid()) = user_id);

-- Plans -----------------------------------------------------------------------------------------------------------------

create table public.plans (
    id uuid not null default private.uuid_v7(),
    name varchar(100) not null,
    description text,
    price_monthly decimal(10, 2) not null,
    price_yearly decimal(10, 2),
    features jsonb not null,
    max_bots integer not null,
    max_strategies integer not null,
    ai_requests_per_month integer,
    backtest_minutes_per_month integer default 0,
    priority_support boolean default false,
    custom_strategies boolean default false,
    api_access boolean default false,
    is_active boolean default true,
    sort_order integer default 0,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    constraint plans_pkey primary key (id),
    constraint plans_name_key unique (name)
);
comment on table public.plans is 'What one may buy, and what it allows. Prices in rupiah. A limit of -1 is unlimited.';
comment on column public.plans.sort_order is 'Rank: of several subscriptions in force the plan with the highest counts.';

alter table public.plans enable row level security;
revoke all on table public.plans from public, anon, authenticated, service_role;
grant select on table public.plans to anon, authenticated;

create policy "Everyone can view the plans on offer"
    on public.plans for select to anon, authenticated
    using (is_active = true);

-- Invoices --------------------------------------------------------------------------------------------------------------

create table public.invoices (
    id uuid not null default private.uuid_v7(),
    user_id uuid not null,
    plan_id uuid,
    tripay_invoice_id varchar(255),
    tripay_merchant_id varchar(255),
    reference_id varchar(255),
    amount decimal(10, 2) not null,
    status varchar(50) not null,
    payment_method varchar(100),
    payment_channel varchar(100),
    transaction_id varchar(255),
    description text,
    customer_name varchar(255),
    customer_email varchar(255),
    customer_phone varchar(50),
    expired_at timestamptz,
    paid_at timestamptz,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    constraint invoices_pkey primary key (id),
    constraint invoices_tripay_invoice_id_key unique (tripay_invoice_id),
    constraint invoices_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade,
    constraint invoices_plan_id_fkey foreign key (plan_id) references public.plans (id) on delete set null,
    constraint invoices_status_check check (status in ('pending', 'paid', 'failed', 'expired', 'cancelled'))
);
comment on table public.invoices is 'A payment asked for through Tripay. Amount in rupiah.';

alter table public.invoices enable row level security;
revoke all on table public.invoices from public, anon, authenticated, service_role;
grant select on table public.invoices to authenticated;

create policy "Users can view their own invoices"
    on public.invoices for select to authenticated
    using ((select auth.uid()) = user_id);

-- Subscriptions ---------------------------------------------------------------------------------------------------------

create table public.subscriptions (
    id uuid not null default private.uuid_v7(),
    user_id uuid not null,
    plan_id uuid not null,
    invoice_id uuid,
    status varchar(50) not null,
    started_at timestamptz not null,
    expires_at timestamptz not null,
    cancelled_at timestamptz,
    auto_renew boolean default true,
    trial_ends_at timestamptz,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    constraint subscriptions_pkey primary key (id),
    constraint subscriptions_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade,
    constraint subscriptions_plan_id_fkey foreign key (plan_id) references public.plans (id) on delete cascade,
    constraint subscriptions_invoice_id_fkey foreign key (invoice_id) references public.invoices (id) on delete set null,
    constraint subscriptions_status_check check (status in ('active', 'cancelled', 'expired', 'trial'))
);
comment on table public.subscriptions is 'A period of a plan; in force from started_at until expires_at unless expired.';

alter table public.subscriptions enable row level security;
revoke all on table public.subscriptions from public, anon, authenticated, service_role;
grant select on table public.subscriptions to authenticated;

create policy "Users can view their own subscriptions"
    on public.subscriptions for select to authenticated
    using ((select auth.uid()) = user_id);

-- Notifications ---------------------------------------------------------------------------------------------------------

create table public.notifications (
    id uuid not null default private.uuid_v7(),
    user_id uuid not null,
    kind varchar(50) not null,
    title varchar(255) not null,
    body text not null,
    context jsonb not null default '{}',
    read_at timestamptz,
    created_at timestamptz not null default now(),
    constraint notifications_pkey primary key (id),
    constraint notifications_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade
);
comment on table public.notifications is 'What a user should hear of: a plan that ends, a bot that failed.';

alter table public.notifications enable row level security;
revoke all on table public.notifications from public, anon, authenticated, service_role;
grant select, update (read_at) on table public.notifications to authenticated;

create policy "Users can view their own notifications"
    on public.notifications for select to authenticated
    using ((select auth.uid()) = user_id);

create policy "Users can mark their own notifications as read"
    on public.notifications for update to authenticated
    using ((select auth.uid()) = user_id and (select private.is_full_user()))
    with check ((select auth.uid()) = user_id);
