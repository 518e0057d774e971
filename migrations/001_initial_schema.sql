-- Tables, and the two login roles of the functions.
--
-- Row level security is on for every table, and all default privileges are revoked. 002 then grants access column by
-- column. So the result is the same whether or not the Supabase project's default privileges expose new tables
-- (projects created before May 2026 do).

-- Schema for objects that clients must not reach: anon and authenticated have no USAGE on it.
create schema if not exists private;
revoke all on schema private from public, anon, authenticated, service_role;

-- nofomo_api serves requests. It owns nothing, can switch to the role `authenticated`, and can read no rows before it
-- does.
-- nofomo_jobs serves callbacks and schedules. It may execute the functions it is granted, and nothing else.
-- Their passwords are set outside the repository. Timeouts are role settings, which take effect at login: a timeout set
-- inside a statement does not limit that statement.
--
-- Roles belong to the whole server, and two of its databases may be migrated at the same time. So only differences are
-- changed.
do $$
declare
    needed record;
begin
    for needed in
        select role.name
        from (values ('nofomo_api'), ('nofomo_jobs')) as role (name)
        where not exists (select from pg_roles where pg_roles.rolname = role.name)
    loop
        execute format('create role %I login noinherit', needed.name);
    end loop;

    for needed in
        select role.name, role.setting, role.value
        from (
            values
                ('nofomo_api', 'statement_timeout', '8s'),
                ('nofomo_api', 'lock_timeout', '5s'),
                ('nofomo_api', 'idle_in_transaction_session_timeout', '10s'),
                ('nofomo_jobs', 'statement_timeout', '60s'),
                ('nofomo_jobs', 'lock_timeout', '5s'),
                ('nofomo_jobs', 'idle_in_transaction_session_timeout', '10s')
        ) as role (name, setting, value)
        where not exists (
            select from pg_roles
            where pg_roles.rolname = role.name and role.setting || '=' || role.value = any(pg_roles.rolconfig)
        )
    loop
        execute format('alter role %I set %I = %L', needed.name, needed.setting, needed.value);
    end loop;

    for needed in
        select role.name
        from (values ('anon'), ('authenticated')) as role (name)
        where not pg_has_role('nofomo_api', role.name, 'member')
    loop
        execute format('grant %I to nofomo_api', needed.name);
    end loop;
end
$$;

grant usage on schema private to nofomo_api, nofomo_jobs;

-- Returns a UUID of version 7. Such ids are ordered by time, which keeps the newest rows of an index on the same pages.
-- PostgreSQL has a built-in uuidv7() only from version 18.
create function private.uuid_v7() returns uuid
language sql
volatile
set search_path = ''
as $$
    -- A random (version 4) id whose first 48 bits are replaced by the milliseconds since 1970. Setting bits 52 and 53
    -- turns the version 4 into 7.
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

-- Users ---------------------------------------------------------------------------------------------------------------

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
comment on table public.users is 'Profile of a Supabase Auth user. The id is auth.uid().';
comment on column public.users.exchange_credentials is 'Encrypted API keys, by exchange. No API role may read them.';
comment on column public.users.is_active is
    'False for a deactivated account: every function and every policy for writing refuses it.';
alter table public.users enable row level security;
revoke all on table public.users from public, anon, authenticated, service_role;

-- Bots ----------------------------------------------------------------------------------------------------------------

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
comment on table public.bots is 'A trading bot: its configuration and its performance.';
comment on column public.bots.profit is
    'Maintained by the triggers trades_*_update_bot_statistics, as are the counts, current_balance and last_trade_at.';
comment on column public.bots.request_hash is
    'SHA-256 of the request that created the bot. An Idempotency-Key that is reused with another request is refused.';
alter table public.bots enable row level security;
revoke all on table public.bots from public, anon, authenticated, service_role;

-- Strategies ----------------------------------------------------------------------------------------------------------

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
comment on table public.strategies is 'A trading strategy: Python source for freqtrade, with its metadata.';
comment on column public.strategies.is_verified is 'Set only by publish_strategy, after the source was checked.';
alter table public.strategies enable row level security;
revoke all on table public.strategies from public, anon, authenticated, service_role;

-- Trades --------------------------------------------------------------------------------------------------------------

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
comment on table public.trades is 'A trade of a bot: one position, from entry to exit.';
comment on column public.trades.exit_price is 'Average exit price. The entry price is in price.';
alter table public.trades enable row level security;
revoke all on table public.trades from public, anon, authenticated, service_role;

-- Logs ----------------------------------------------------------------------------------------------------------------

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
comment on table public.logs is 'Log lines of bots, and the audit trail of important actions (source api or billing).';
alter table public.logs enable row level security;
revoke all on table public.logs from public, anon, authenticated, service_role;

-- AI analyses ---------------------------------------------------------------------------------------------------------

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
comment on table public.ai_analyses is 'An analysis of trades: the request, the metrics and the recommendations.';
alter table public.ai_analyses enable row level security;
revoke all on table public.ai_analyses from public, anon, authenticated, service_role;

-- Backtest results ----------------------------------------------------------------------------------------------------

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
comment on table public.backtest_results is 'Result of a strategy''s backtest.';
alter table public.backtest_results enable row level security;
revoke all on table public.backtest_results from public, anon, authenticated, service_role;

-- Plans ---------------------------------------------------------------------------------------------------------------

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
comment on table public.plans is
    'A subscription plan with its prices, in rupiah, and its limits. A limit of -1 means unlimited.';
comment on column public.plans.sort_order is
    'Rank. If several subscriptions are in force, the plan with the highest rank applies.';
comment on column public.plans.max_bots is
    'Maximum number of bots. If a user has more, only the oldest may run. -1: unlimited.';
comment on column public.plans.max_strategies is 'Maximum number of strategies. -1: unlimited.';
comment on column public.plans.custom_strategies is 'True if users of the plan may store strategies they wrote.';
comment on column public.plans.api_access is 'For display in apps. No function checks it.';
comment on column public.plans.priority_support is 'For the support team. No function checks it.';
alter table public.plans enable row level security;
revoke all on table public.plans from public, anon, authenticated, service_role;

-- Invoices ------------------------------------------------------------------------------------------------------------

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
    period varchar(20),
    checkout_url text,
    pay_code varchar(255),
    pay_url text,
    qr_url text,
    refunded_at timestamptz,
    renews_subscription_id uuid,
    request_hash bytea,
    checked_at timestamptz,
    constraint invoices_pkey primary key (id),
    constraint invoices_tripay_invoice_id_key unique (tripay_invoice_id),
    constraint invoices_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade,
    constraint invoices_plan_id_fkey foreign key (plan_id) references public.plans (id) on delete set null,
    constraint invoices_status_check check (status in ('pending', 'paid', 'failed', 'expired', 'cancelled')),
    constraint invoices_period_check check (period in ('monthly', 'yearly'))
);
comment on table public.invoices is 'A payment requested through Tripay. The amount is in rupiah.';
comment on column public.invoices.reference_id is 'Our reference, which Tripay calls merchant_ref.';
comment on column public.invoices.tripay_invoice_id is
    'Reference of the transaction that was opened for the invoice at Tripay.';
comment on column public.invoices.transaction_id is
    'Reference of the transaction that paid the invoice. Nearly always equal to tripay_invoice_id.';
comment on column public.invoices.expired_at is 'Payment deadline, as Tripay set it. It may be earlier than requested.';
comment on column public.invoices.refunded_at is 'Time at which Tripay reported the refund. The status stays paid.';
comment on column public.invoices.renews_subscription_id is
    'Subscription period that this invoice renews. Null if the user requested the invoice.';
comment on column public.invoices.request_hash is
    'SHA-256 of the creating request. An Idempotency-Key that is reused with another request is refused.';
comment on column public.invoices.checked_at is 'Time of the last status query to Tripay.';
alter table public.invoices enable row level security;
revoke all on table public.invoices from public, anon, authenticated, service_role;

-- Subscriptions -------------------------------------------------------------------------------------------------------

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
    period_months integer,
    value numeric(14, 4) not null default 0,
    credited_from uuid,
    anchored_at timestamptz,
    constraint subscriptions_pkey primary key (id),
    constraint subscriptions_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade,
    constraint subscriptions_plan_id_fkey foreign key (plan_id) references public.plans (id) on delete cascade,
    constraint subscriptions_invoice_id_fkey foreign key (invoice_id) references public.invoices (id) on delete set null,
    constraint subscriptions_status_check check (status in ('active', 'cancelled', 'expired', 'trial')),
    constraint subscriptions_credited_from_fkey
        foreign key (credited_from) references public.subscriptions (id) on delete set null
);
comment on table public.subscriptions is
    'A period of a plan. In force from started_at until expires_at, unless its status is expired.';
comment on column public.subscriptions.period_months is
    'Calendar months that were bought. Null for a trial or a credit, whose length is fixed.';
comment on column public.subscriptions.value is
    'Value of the period in rupiah. An upgrade converts the value of the remaining time into time of the new plan.';
comment on column public.subscriptions.credited_from is
    'Period whose remaining value was converted into this one by an upgrade.';
comment on column public.subscriptions.anchored_at is
    'Start of the unbroken sequence of periods, from which months are counted: 31 January, 28 February, 31 March.';
alter table public.subscriptions enable row level security;
revoke all on table public.subscriptions from public, anon, authenticated, service_role;

-- Invoices and subscriptions refer to each other.
alter table public.invoices
    add constraint invoices_renews_subscription_id_fkey
    foreign key (renews_subscription_id) references public.subscriptions (id) on delete set null;

-- Notifications -------------------------------------------------------------------------------------------------------

create table public.notifications (
    id uuid not null default private.uuid_v7(),
    user_id uuid not null,
    kind varchar(50) not null,
    title varchar(255) not null,
    body text not null,
    context jsonb not null default '{}',
    read_at timestamptz,
    created_at timestamptz not null default now(),
    fact varchar(100),
    constraint notifications_pkey primary key (id),
    constraint notifications_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade
);
comment on table public.notifications is 'A message to a user, for example about a plan that ends or a payment.';
comment on column public.notifications.fact is
    'Unique key of the event per user, so that a repeated job does not notify twice.';
alter table public.notifications enable row level security;
revoke all on table public.notifications from public, anon, authenticated, service_role;

-- Private -------------------------------------------------------------------------------------------------------------

-- No client can reach these tables: schema private is closed to them. Only functions that run as their owner use them.

-- One token per bot. A new token replaces the old one.
create table private.bot_tokens (
    bot_id uuid not null,
    token_hash bytea not null,
    scopes text[] not null,
    created_at timestamptz not null default now(),
    constraint bot_tokens_pkey primary key (bot_id),
    constraint bot_tokens_token_hash_key unique (token_hash),
    constraint bot_tokens_bot_id_fkey foreign key (bot_id) references public.bots (id) on delete cascade,
    constraint bot_tokens_token_hash_check check (length(token_hash) = 32),
    constraint bot_tokens_scopes_check check (scopes <@ array['report', 'trade'] and cardinality(scopes) > 0)
);
comment on table private.bot_tokens is
    'SHA-256 of the token with which a bot reports. The token itself is shown once and never stored.';
alter table private.bot_tokens enable row level security;
revoke all on table private.bot_tokens from public, anon, authenticated, service_role;

create table private.freqtrade_events (
    bot_id uuid not null,
    body_hash bytea not null,
    trade_id uuid,
    kind text not null,
    event jsonb not null,
    received_at timestamptz not null default now(),
    constraint freqtrade_events_pkey primary key (bot_id, body_hash),
    constraint freqtrade_events_bot_id_fkey foreign key (bot_id) references public.bots (id) on delete cascade
);
comment on table private.freqtrade_events is
    'Events of freqtrade''s webhook. Each body is stored once: retries are byte-identical.';
comment on column private.freqtrade_events.trade_id is
    'Id in trades, derived from the bot and freqtrade''s trade_id, open_date and pair.';
alter table private.freqtrade_events enable row level security;
revoke all on table private.freqtrade_events from public, anon, authenticated, service_role;

-- Written with the result of the check by shared/strategy. If the source has changed since, its hash differs and the
-- result does not apply.
create table private.strategy_sources (
    strategy_id uuid not null,
    request_hash bytea,
    source_hash bytea not null,
    stored_at timestamptz not null default now(),
    class_name text not null,
    interface_version smallint not null,
    timeframe text not null,
    can_short boolean not null,
    checker_version integer not null,
    findings jsonb not null,
    model_used text,
    tokens_used integer,
    constraint strategy_sources_pkey primary key (strategy_id),
    constraint strategy_sources_strategy_id_fkey foreign key (strategy_id) references public.strategies (id) on delete cascade,
    constraint strategy_sources_findings_check check (jsonb_typeof(findings) = 'array')
);
comment on table private.strategy_sources is
    'Result of the check of a strategy''s source. Valid while the source has the SHA-256 in source_hash.';
comment on column private.strategy_sources.request_hash is
    'SHA-256 of the request that created the strategy, for its Idempotency-Key.';
comment on column private.strategy_sources.stored_at is 'Time at which this source became the source of the strategy.';
comment on column private.strategy_sources.findings is
    'Findings, each with rule, verdict, line, column and why. Empty if the check is clean.';
comment on column private.strategy_sources.model_used is 'Language model or template that wrote the source.';
alter table private.strategy_sources enable row level security;
revoke all on table private.strategy_sources from public, anon, authenticated, service_role;

create table private.backtest_trades (
    backtest_id uuid not null,
    position integer not null,
    trading_pair varchar(50) not null,
    side varchar(10) not null,
    amount numeric not null,
    price numeric not null,
    exit_price numeric not null,
    fee numeric not null,
    profit numeric not null,
    entry_time timestamptz not null,
    exit_time timestamptz not null,
    constraint backtest_trades_pkey primary key (backtest_id, position),
    constraint backtest_trades_backtest_id_fkey
        foreign key (backtest_id) references public.backtest_results (id) on delete cascade,
    constraint backtest_trades_side_check check (side in ('buy', 'sell'))
);
comment on table private.backtest_trades is
    'Trades of imported backtests at full precision, for comparison with live trades.';
alter table private.backtest_trades enable row level security;
revoke all on table private.backtest_trades from public, anon, authenticated, service_role;

create table private.backtest_runs (
    backtest_id uuid not null,
    user_id uuid not null,
    run_seconds integer not null,
    imported_at timestamptz not null default now(),
    constraint backtest_runs_pkey primary key (backtest_id),
    constraint backtest_runs_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade
);
comment on table private.backtest_runs is
    'Duration of each imported backtest. It counts against backtest_minutes_per_month even if the strategy is deleted.';
alter table private.backtest_runs enable row level security;
revoke all on table private.backtest_runs from public, anon, authenticated, service_role;

-- Requests that count against ai_requests_per_month. Each is reserved before the work begins, so that two concurrent
-- requests cannot both use the last one.
create table private.ai_requests (
    id uuid not null,
    user_id uuid not null,
    requested_at timestamptz not null default now(),
    request_hash bytea not null,
    constraint ai_requests_pkey primary key (id),
    constraint ai_requests_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade
);
comment on table private.ai_requests is
    'Requests for analyses and generated strategies. The id is that of the analysis or strategy.';
alter table private.ai_requests enable row level security;
revoke all on table private.ai_requests from public, anon, authenticated, service_role;

create table private.payment_events (
    id uuid not null default private.uuid_v7(),
    sequence bigint generated by default as identity,
    received_at timestamptz not null,
    source varchar(20) not null,
    body bytea not null,
    signature_valid boolean not null,
    invoice_id uuid,
    outcome varchar(50) not null,
    constraint payment_events_pkey primary key (id),
    constraint payment_events_sequence_key unique (sequence),
    constraint payment_events_invoice_id_fkey foreign key (invoice_id) references public.invoices (id) on delete set null,
    constraint payment_events_source_check check (source in ('callback', 'reconciliation'))
);
comment on table private.payment_events is
    'Callbacks of Tripay, and new statuses that Tripay returned for a query, with the outcome.';
comment on column private.payment_events.body is
    'Body as received; of a callback with an invalid signature, the first 1,024 bytes.';
comment on column private.payment_events.sequence is 'Order in which the events of a user took effect.';
alter table private.payment_events enable row level security;
revoke all on table private.payment_events from public, anon, authenticated, service_role;
