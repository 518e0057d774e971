-- Indexes, grants and policies, triggers with the rules that hold for every writer, views, and Realtime.
--
-- Each policy is for one role and one action. It wraps auth.uid() in a subquery, so that PostgreSQL evaluates it once
-- per statement and not once per row.

-- Indexes -------------------------------------------------------------------------------------------------------------

create index idx_bots_user_id on public.bots (user_id);
create index idx_bots_status on public.bots (status);
create index idx_bots_exchange on public.bots (exchange);

create index idx_trades_bot_id on public.trades (bot_id);
create index idx_trades_entry_time on public.trades (entry_time);
create index idx_trades_user_date on public.trades (user_id, entry_time);
-- Recently closed trades of a user. Covers the performance figures of a portfolio, which are read by an index-only
-- scan.
create index idx_trades_user_closed on public.trades (user_id, exit_time)
    include (profit, holding_duration, trading_pair)
    where status = 'closed';
create index idx_trades_user_open on public.trades (user_id, entry_time) where status = 'open';
-- For the last activity of a bot after its latest trade was deleted.
create index idx_trades_bot_activity on public.trades (bot_id, coalesce(exit_time, entry_time)) where status <> 'cancelled';

create index idx_strategies_user_id on public.strategies (user_id);
create index idx_strategies_marketplace on public.strategies (is_public, strategy_type, is_verified)
    where is_public = true and strategy_type = 'marketplace';
create index idx_strategies_published on public.strategies (created_at desc, id)
    where is_public = true and strategy_type = 'marketplace' and is_verified = true;
-- Unique names in the marketplace, regardless of case, surrounding spaces and Unicode form.
create unique index strategies_marketplace_name on public.strategies (lower(normalize(btrim(name), nfkc)))
    where is_public and strategy_type = 'marketplace' and is_verified;

create index idx_logs_user_date on public.logs (user_id, created_at);
create index idx_logs_bot_date on public.logs (bot_id, created_at);
create index idx_logs_strategy_id on public.logs (strategy_id);
create index idx_logs_level_date on public.logs (log_level, created_at);

create index idx_ai_analyses_user_date on public.ai_analyses (user_id, created_at);
create index idx_ai_analyses_bot_id on public.ai_analyses (bot_id);
create index idx_ai_analyses_strategy_id on public.ai_analyses (strategy_id);

-- Covers the average return in the marketplace, by an index-only scan.
create index idx_backtest_results_strategy_id on public.backtest_results (strategy_id) include (total_return_percentage);
create index idx_backtest_results_user_id on public.backtest_results (user_id);

create index idx_invoices_user_date on public.invoices (user_id, created_at);
create index idx_invoices_plan_id on public.invoices (plan_id);
create unique index invoices_reference_id_key on public.invoices (reference_id);
create unique index invoices_renews_subscription_id_key on public.invoices (renews_subscription_id);
create index idx_invoices_pending on public.invoices (expired_at, id) where status = 'pending';
-- Invoices that can still be paid, or were paid without a callback reaching us.
create index idx_invoices_unpaid on public.invoices (expired_at) where status in ('pending', 'expired', 'cancelled');

create index idx_subscriptions_user_expiry on public.subscriptions (user_id, expires_at);
create index idx_subscriptions_plan_id on public.subscriptions (plan_id);
-- A paid invoice grants exactly one period, however often its callback is delivered.
create unique index subscriptions_invoice_id_key on public.subscriptions (invoice_id);
create index idx_subscriptions_credited_from on public.subscriptions (credited_from);
create index idx_subscriptions_due on public.subscriptions (expires_at, id) where status <> 'expired';
-- A user gets one trial, ever.
create unique index subscriptions_trial_key on public.subscriptions (user_id) where trial_ends_at is not null;

create index idx_notifications_user_unread on public.notifications (user_id, created_at) where read_at is null;
create index idx_notifications_user_id on public.notifications (user_id);
create unique index notifications_fact_key on public.notifications (user_id, fact);
create index idx_notifications_read_at on public.notifications (read_at) where read_at is not null;

create index idx_freqtrade_events_trade_id on private.freqtrade_events (trade_id) where trade_id is not null;
create index idx_backtest_runs_user_date on private.backtest_runs (user_id, imported_at);
create index idx_ai_requests_user_date on private.ai_requests (user_id, requested_at);
create index idx_payment_events_invoice_id on private.payment_events (invoice_id);
create index idx_payment_events_received_at on private.payment_events (received_at);
create index idx_freqtrade_events_received_at on private.freqtrade_events (received_at);

-- Access --------------------------------------------------------------------------------------------------------------

-- Policies for writing call this. As security definer it bypasses row level security, so that the policy on users can
-- call it too.
create function private.is_active_user() returns boolean
language sql
stable
security definer
set search_path = ''
as $$
    select
        coalesce((auth.jwt() ->> 'is_anonymous')::boolean, false) is false
        and exists (select from public.users where users.id = auth.uid() and users.is_active is not false)
$$;
comment on function private.is_active_user() is
    'True if the caller is a registered user (no anonymous sign-in) and not deactivated.';
revoke execute on function private.is_active_user() from public, anon, authenticated, service_role;
grant execute on function private.is_active_user() to authenticated;

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
    using ((select auth.uid()) = id and (select private.is_active_user()))
    with check ((select auth.uid()) = id);

-- Columns that the owner may not write: statistics, and those that need a check (status, exchange, live trading).
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
    with check ((select auth.uid()) = user_id and (select private.is_active_user()));

create policy "Users can update their own bots"
    on public.bots for update to authenticated
    using ((select auth.uid()) = user_id and (select private.is_active_user()))
    with check ((select auth.uid()) = user_id);

create policy "Users can delete their own bots"
    on public.bots for delete to authenticated
    using ((select auth.uid()) = user_id and (select private.is_active_user()));

-- Source, parameters, type and visibility are changed only by functions, which check them.
grant
    select,
    update (name, description, tags, category, risk_level),
    delete
on table public.strategies to authenticated;

-- One policy for both conditions: PostgreSQL would evaluate two permissive policies for every row.
create policy "Users can view their own and verified marketplace strategies"
    on public.strategies for select to authenticated
    using (
        (select auth.uid()) = user_id
        or (is_public = true and strategy_type = 'marketplace' and is_verified = true)
    );

create policy "Users can update their own strategies"
    on public.strategies for update to authenticated
    using ((select auth.uid()) = user_id and (select private.is_active_user()))
    with check ((select auth.uid()) = user_id);

create policy "Users can delete their own strategies"
    on public.strategies for delete to authenticated
    using ((select auth.uid()) = user_id and (select private.is_active_user()));

-- Has no effect until private.show_marketplace_to_anonymous grants select to anon.
create policy "Anyone may view verified marketplace strategies"
    on public.strategies for select to anon
    using (is_public = true and strategy_type = 'marketplace' and is_verified = true);

grant select on table public.trades to authenticated;

create policy "Users can view their own trades"
    on public.trades for select to authenticated
    using ((select auth.uid()) = user_id);

grant select on table public.logs to authenticated;

create policy "Users can view their own logs"
    on public.logs for select to authenticated
    using ((select auth.uid()) = user_id);

grant select on table public.ai_analyses to authenticated;

create policy "Users can view their own analyses"
    on public.ai_analyses for select to authenticated
    using ((select auth.uid()) = user_id);

grant select on table public.backtest_results to authenticated;

create policy "Users can view their own backtest results"
    on public.backtest_results for select to authenticated
    using ((select auth.uid()) = user_id);

grant select on table public.plans to anon, authenticated;

create policy "Everyone can view active plans"
    on public.plans for select to anon, authenticated
    using (is_active = true);

grant select on table public.invoices to authenticated;

create policy "Users can view their own invoices"
    on public.invoices for select to authenticated
    using ((select auth.uid()) = user_id);

grant select on table public.subscriptions to authenticated;

create policy "Users can view their own subscriptions"
    on public.subscriptions for select to authenticated
    using ((select auth.uid()) = user_id);

grant select, update (read_at) on table public.notifications to authenticated;

create policy "Users can view their own notifications"
    on public.notifications for select to authenticated
    using ((select auth.uid()) = user_id);

create policy "Users can mark their own notifications as read"
    on public.notifications for update to authenticated
    using ((select auth.uid()) = user_id and (select private.is_active_user()))
    with check ((select auth.uid()) = user_id);

-- updated_at ----------------------------------------------------------------------------------------------------------

create function private.set_updated_at() returns trigger
language plpgsql
set search_path = ''
as $$
begin
    new.updated_at := now();
    return new;
end
$$;
revoke execute on function private.set_updated_at() from public, anon, authenticated, service_role;

create trigger users_set_updated_at before update on public.users
    for each row execute function private.set_updated_at();
create trigger bots_set_updated_at before update on public.bots
    for each row execute function private.set_updated_at();
create trigger strategies_set_updated_at before update on public.strategies
    for each row execute function private.set_updated_at();
create trigger trades_set_updated_at before update on public.trades
    for each row execute function private.set_updated_at();
create trigger plans_set_updated_at before update on public.plans
    for each row execute function private.set_updated_at();
create trigger invoices_set_updated_at before update on public.invoices
    for each row execute function private.set_updated_at();
create trigger subscriptions_set_updated_at before update on public.subscriptions
    for each row execute function private.set_updated_at();

-- Profiles ------------------------------------------------------------------------------------------------------------

-- Creates a user's profile. An email address that is missing, too long or taken does not fail the sign-up: phone and
-- SSO users may have no address of their own. They get a placeholder.
create function private.create_profile(user_id uuid, email text, full_name text) returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
    if length(email) between 3 and 255 then
        insert into public.users (id, email, full_name)
        values (user_id, email, left(full_name, 255))
        on conflict do nothing;
    end if;
    insert into public.users (id, email, full_name)
    values (user_id, user_id || '@no-address.invalid', left(full_name, 255))
    on conflict do nothing;
end
$$;
revoke execute on function private.create_profile(uuid, text, text) from public, anon, authenticated, service_role;

create function private.handle_new_user() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    perform private.create_profile(new.id, new.email, new.raw_user_meta_data ->> 'full_name');
    return new;
end
$$;
revoke execute on function private.handle_new_user() from public, anon, authenticated, service_role;

create trigger on_auth_user_created after insert on auth.users
    for each row execute function private.handle_new_user();

-- Copies a changed email address to the profile. An address of another profile is not copied: an error here would undo
-- the change in Supabase Auth.
create function private.handle_user_email_changed() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    update public.users
    set email = new.email
    where
        users.id = new.id
        and length(new.email) between 3 and 255
        and not exists (select from public.users as other where other.email = new.email and other.id <> new.id);
    return new;
end
$$;
revoke execute on function private.handle_user_email_changed() from public, anon, authenticated, service_role;

create trigger on_auth_user_email_changed after update of email on auth.users
    for each row when (new.email is distinct from old.email)
    execute function private.handle_user_email_changed();

-- Deletes the profile, and with it all rows of the user, when the account is deleted. The email address can be used
-- again.
create function private.handle_user_deleted() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    delete from public.users where users.id = old.id;
    return null;
end
$$;
revoke execute on function private.handle_user_deleted() from public, anon, authenticated, service_role;

create trigger on_auth_user_deleted after delete on auth.users
    for each row execute function private.handle_user_deleted();

-- Acting as the user --------------------------------------------------------------------------------------------------

-- Ensures that the caller has a profile and is not deactivated. Raises an exception for a deactivated user, because
-- a command could ignore a returned value.
create function private.ensure_active_profile(claims jsonb) returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
    caller uuid := (claims ->> 'sub')::uuid;
    profile public.users;
begin
    select * into profile from public.users where users.id = caller;
    if not found then
        -- The user signed up before the trigger on auth.users existed.
        perform private.create_profile(caller, claims ->> 'email', claims #>> '{user_metadata,full_name}');
    elsif profile.is_active is false then
        raise exception 'this account is deactivated' using errcode = 'PT403', constraint = 'user_is_active';
    end if;
end
$$;
revoke execute on function private.ensure_active_profile(jsonb) from public, anon, authenticated, service_role;
grant execute on function private.ensure_active_profile(jsonb) to nofomo_api;

-- Switches to the role `authenticated` with the caller's claims, until the end of the transaction. From here on the
-- policies apply. Every command that works under the policies calls this first.
create function private.become_user(claims jsonb) returns void
language plpgsql
set search_path = ''
as $$
begin
    perform private.ensure_active_profile(claims);
    perform
        -- auth.uid() prefers the legacy settings, which an earlier user of a pooled connection may have left.
        set_config('request.jwt.claim', '', true),
        set_config('request.jwt.claim.sub', '', true),
        set_config('request.jwt.claims', claims::text, true),
        set_config('role', 'authenticated', true);
end
$$;
revoke execute on function private.become_user(jsonb) from public, anon, authenticated, service_role;
grant execute on function private.become_user(jsonb) to nofomo_api;

-- Plans and limits ----------------------------------------------------------------------------------------------------

-- Returns the user's subscription in force, the one with the best plan if there are several. A cancelled subscription
-- stays in force until it ends.
create function private.subscription_in_force(user_id uuid, moment timestamptz default now()) returns public.subscriptions
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
    subscription public.subscriptions;
begin
    select subscriptions.* into subscription
    from public.subscriptions
    inner join public.plans on plans.id = subscriptions.plan_id
    where
        subscriptions.user_id = subscription_in_force.user_id
        and subscriptions.status <> 'expired'
        and subscriptions.started_at <= moment
        and subscriptions.expires_at > moment
    order by plans.sort_order desc, subscriptions.expires_at desc
    limit 1;
    return subscription;
end
$$;
revoke execute on function private.subscription_in_force(uuid, timestamptz)
from public, anon, authenticated, service_role;
grant execute on function private.subscription_in_force(uuid, timestamptz) to nofomo_api;

-- Returns the plan of the user's subscription in force, or the Free plan.
create function private.plan_in_force(user_id uuid, moment timestamptz default now()) returns public.plans
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
    plan public.plans;
begin
    select plans.* into plan
    from public.plans
    left join private.subscription_in_force(plan_in_force.user_id, moment) as subscription on subscription.plan_id = plans.id
    where subscription.id is not null or lower(plans.name) = 'free'
    order by subscription.id is not null desc
    limit 1;
    return plan;
end
$$;
revoke execute on function private.plan_in_force(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function private.plan_in_force(uuid, timestamptz) to nofomo_api;

-- Enforces the plan's maximum number of bots. The trigger fires after the insert, so that a repeated request finds its
-- existing row before it reaches the limit. The lock serialises concurrent requests of a user: each counts the rows that
-- the other has committed.
-- PostgREST answers SQLSTATE PTxyz with status xyz. The functions read the name of the constraint.
create function private.validate_bot_limits() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
    plan public.plans := private.plan_in_force(new.user_id);
    bot_limit integer := coalesce(plan.max_bots, 0);
    bot_count integer;
begin
    if bot_limit < 0 then
        return null;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('limits of ' || new.user_id, 0));
    select count(*) into bot_count
    from (select from public.bots where bots.user_id = new.user_id limit bot_limit::bigint + 1) as counted;
    if bot_count > bot_limit then
        raise exception 'the % plan allows % %',
            coalesce(plan.name, 'Free'), bot_limit, case bot_limit when 1 then 'bot' else 'bots' end
        using
            errcode = 'PT403',
            constraint = 'plan_limit',
            detail = jsonb_build_object('limit', bot_limit, 'plan', coalesce(plan.name, 'Free')),
            hint = 'Delete a bot or upgrade.';
    end if;
    return null;
end
$$;
revoke execute on function private.validate_bot_limits() from public, anon, authenticated, service_role;

create trigger bots_validate_limits after insert on public.bots
    for each row execute function private.validate_bot_limits();

-- Prevents the deletion of a plan that was sold, which would also delete its subscriptions.
create function private.prevent_sold_plan_deletion() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    if
        exists (select from public.subscriptions where subscriptions.plan_id = old.id)
        or exists (select from public.invoices where invoices.plan_id = old.id)
    then
        raise exception 'plan % has been sold and cannot be deleted', old.name
        using errcode = 'PT409', constraint = 'plan_is_unsold', hint = 'Set is_active to false instead.';
    end if;
    return old;
end
$$;
revoke execute on function private.prevent_sold_plan_deletion() from public, anon, authenticated, service_role;

create trigger plans_prevent_sold_deletion before delete on public.plans
    for each row execute function private.prevent_sold_plan_deletion();

-- Bots ----------------------------------------------------------------------------------------------------------------

-- Validates a bot beyond what the columns' types ensure. NaN is greater than every number, so it fails each upper
-- bound. A new bot starts with its initial balance and zero statistics.
create function private.prepare_bot() returns trigger
language plpgsql
set search_path = ''
as $$
declare
    violation text := case
        when btrim(new.name) = '' then 'name must not be empty'
        when btrim(new.strategy) = '' then 'strategy must not be empty'
        when new.trading_pair !~ '^[A-Z0-9]+/[A-Z0-9]+(:[A-Z0-9]+)?$' then 'trading_pair must look like BTC/USDT or BTC/USDT:USDT'
        when not new.initial_balance between 0.00000001 and 999999999999.99999999 then 'initial_balance must be positive'
        when not new.stake_amount between 0.00000001 and new.initial_balance
            then 'stake_amount must be positive and at most initial_balance'
        when new.max_open_trades is null or not new.max_open_trades between 1 and 1000
            then 'max_open_trades must be from 1 to 1000'
        when not new.stop_loss between 0.0001 and 100 then 'stop_loss must be above 0 and at most 100 percent'
        when not new.take_profit between 0.0001 and 1000 then 'take_profit must be above 0 and at most 1000 percent'
        when new.risk_percentage is null or not new.risk_percentage between 0.01 and 100
            then 'risk_percentage must be above 0 and at most 100 percent'
        when new.metadata is null or jsonb_typeof(new.metadata) <> 'object' then 'metadata must be an object'
        -- A portfolio returns all bots at once, and Lambda answers with at most 6 MB.
        when octet_length(new.metadata::text) > 4096 then 'metadata must have at most 4096 bytes'
    end;
begin
    if violation is not null then
        raise exception '%', violation using errcode = 'check_violation', constraint = 'bot_is_valid';
    end if;
    if tg_op = 'INSERT' then
        new.current_balance := new.initial_balance;
        new.total_trades := 0;
        new.winning_trades := 0;
        new.losing_trades := 0;
        new.profit := 0;
        new.profit_percentage := 0;
        new.last_trade_at := null;
    end if;
    return new;
end
$$;
revoke execute on function private.prepare_bot() from public, anon, authenticated, service_role;

create trigger bots_prepare
    before insert
    or update of
        name, strategy, trading_pair, initial_balance, stake_amount, max_open_trades, stop_loss, take_profit,
        risk_percentage, metadata
    on public.bots
    for each row execute function private.prepare_bot();

-- Writes the audit trail of created and deleted bots. The entry of a deleted bot does not reference it, because the
-- reference would delete the entry too. Nothing is written while the user is being deleted.
create function private.audit_bot() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    if tg_op = 'INSERT' then
        insert into public.logs (user_id, bot_id, log_level, message, context, source)
        values (
            new.user_id, new.id, 'info', 'Created bot',
            jsonb_build_object(
                'action', 'create-bot', 'exchange', new.exchange, 'trading_pair', new.trading_pair,
                'is_paper_trade', new.is_paper_trade
            ),
            'api'
        );
    else
        insert into public.logs (user_id, log_level, message, context, source)
        select users.id, 'info', 'Deleted bot', jsonb_build_object('action', 'delete-bot', 'bot_id', old.id), 'api'
        from public.users
        where users.id = old.user_id;
    end if;
    return null;
end
$$;
revoke execute on function private.audit_bot() from public, anon, authenticated, service_role;

create trigger bots_audit after insert or delete on public.bots
    for each row execute function private.audit_bot();

-- Writes the audit trail of a bot's status.
create function private.audit_bot_status() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    insert into public.logs (user_id, bot_id, log_level, message, context, source)
    values (
        new.user_id,
        new.id,
        case new.status when 'error' then 'error' else 'info' end,
        case new.status
            when 'running' then 'Started bot'
            when 'stopped' then 'Stopped bot'
            when 'paused' then 'Paused bot'
            else coalesce(new.error_message, 'Bot failed')
        end,
        jsonb_build_object(
            'action',
            case new.status when 'running' then 'start' when 'stopped' then 'stop' when 'paused' then 'pause' else 'fail' end,
            'from',
            old.status
        ),
        'api'
    );
    return null;
end
$$;
revoke execute on function private.audit_bot_status() from public, anon, authenticated, service_role;

create trigger bots_audit_status after update of status on public.bots
    for each row when (new.status is distinct from old.status)
    execute function private.audit_bot_status();

-- Requires saved API keys of the exchange for live trading.
create function private.validate_bot_credentials() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    if not exists (
        select from public.users where users.id = new.user_id and users.exchange_credentials ? new.exchange
    ) then
        raise exception 'no API keys are saved for %', new.exchange
        using
            errcode = 'PT409',
            constraint = 'credentials_missing',
            detail = jsonb_build_object('exchange', new.exchange),
            hint = 'Save API keys for this exchange first, or use paper trading.';
    end if;
    return null;
end
$$;
revoke execute on function private.validate_bot_credentials() from public, anon, authenticated, service_role;

create trigger bots_validate_credentials after insert or update of is_paper_trade, exchange on public.bots
    for each row when (new.is_paper_trade is not true)
    execute function private.validate_bot_credentials();

-- Requires saved API keys when a live bot starts. save_credentials locks the bots first and then the user when it
-- deletes keys. This trigger takes the locks in the same order.
create function private.validate_bot_start() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    perform from public.users
    where users.id = new.user_id and users.exchange_credentials ? new.exchange
    for share;
    if not found then
        raise exception 'no API keys are saved for %', new.exchange
        using
            errcode = 'PT409',
            constraint = 'credentials_missing',
            detail = jsonb_build_object('exchange', new.exchange),
            hint = 'Save API keys for this exchange first, or use paper trading.';
    end if;
    return null;
end
$$;
revoke execute on function private.validate_bot_start() from public, anon, authenticated, service_role;

create trigger bots_validate_start after update of status on public.bots
    for each row when (new.status = 'running' and old.status <> 'running' and new.is_paper_trade is not true)
    execute function private.validate_bot_start();

-- Strategies ----------------------------------------------------------------------------------------------------------

-- Removes the verification when the source or its parameters change: it applies to the verified source only.
create function private.unverify_strategy() returns trigger
language plpgsql
set search_path = ''
as $$
begin
    new.is_verified := false;
    return new;
end
$$;
revoke execute on function private.unverify_strategy() from public, anon, authenticated, service_role;

create trigger strategies_unverify before update of content, parameters on public.strategies
    for each row
    when (new.content is distinct from old.content or new.parameters is distinct from old.parameters)
    execute function private.unverify_strategy();

-- Returns the check of the strategy's current source, or null if that source was not checked.
create function private.current_strategy_source(strategy public.strategies) returns private.strategy_sources
language plpgsql
stable
set search_path = ''
as $$
declare
    source private.strategy_sources;
begin
    select strategy_sources.* into source
    from private.strategy_sources
    where
        strategy_sources.strategy_id = strategy.id
        and strategy_sources.source_hash = sha256(convert_to(strategy.content, 'UTF8'));
    return source;
end
$$;
revoke execute on function private.current_strategy_source(public.strategies)
from public, anon, authenticated, service_role;

-- Returns why the bot's strategy is not safe for live trading, or null if it is. A strategy of the owner with the bot's
-- strategy name must have a check without findings. If the owner has none with that name, it must be a verified
-- strategy of the marketplace.
create function private.find_unsafe_strategy(bot public.bots) returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
    strategy public.strategies;
    source private.strategy_sources;
begin
    for strategy in
        select strategies.*
        from public.strategies
        where
            strategies.user_id = bot.user_id
            and strategies.name = bot.strategy
            and strategies.content is not null
        order by strategies.id
        -- Locked until the bot has started, so that the source cannot change in between.
        for share
    loop
        source := private.current_strategy_source(strategy);
        if source.findings is distinct from '[]' then
            return jsonb_build_object('strategy', strategy.name, 'findings', jsonb_array_length(source.findings));
        end if;
    end loop;
    if not found and not exists (
        select from public.strategies
        where
            strategies.name = bot.strategy
            and strategies.is_public
            and strategies.strategy_type = 'marketplace'
            and strategies.is_verified
    ) then
        return jsonb_build_object('strategy', bot.strategy, 'findings', null);
    end if;
    return null;
end
$$;
revoke execute on function private.find_unsafe_strategy(public.bots) from public, anon, authenticated, service_role;

create function private.validate_bot_strategy() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
    refusal constant jsonb := private.find_unsafe_strategy(new);
begin
    if refusal is not null then
        raise exception 'strategy % has no clean check', new.strategy
        using
            errcode = 'PT409',
            constraint = 'unsafe_strategy',
            detail = refusal,
            hint = 'Fix the findings in its source, or use paper trading.';
    end if;
    return null;
end
$$;
revoke execute on function private.validate_bot_strategy() from public, anon, authenticated, service_role;

create trigger bots_validate_strategy after insert or update of is_paper_trade, strategy on public.bots
    for each row when (new.is_paper_trade is not true)
    execute function private.validate_bot_strategy();
create trigger bots_validate_strategy_start after update of status on public.bots
    for each row when (new.status = 'running' and old.status <> 'running' and new.is_paper_trade is not true)
    execute function private.validate_bot_strategy();

-- Returns true if a running live bot of the owner uses the strategy with this name.
create function private.is_strategy_live(owner_id uuid, strategy_name text) returns boolean
language sql
stable
set search_path = ''
as $$
    select exists (
        select from public.bots
        where
            bots.user_id = owner_id
            and bots.strategy = strategy_name
            and bots.status = 'running'
            and bots.is_paper_trade is not true
    )
$$;
revoke execute on function private.is_strategy_live(uuid, text) from public, anon, authenticated, service_role;

-- Prevents renaming or deleting a strategy while a live bot runs with its old or its new name.
create function private.prevent_live_strategy_change() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    if
        private.is_strategy_live(old.user_id, old.name)
        or (tg_op = 'UPDATE' and private.is_strategy_live(new.user_id, new.name))
    then
        raise exception 'strategy % is in use by a live bot', old.name
        using errcode = 'PT409', constraint = 'strategy_in_use', hint = 'Stop the bot first.';
    end if;
    return null;
end
$$;
revoke execute on function private.prevent_live_strategy_change() from public, anon, authenticated, service_role;

create trigger strategies_prevent_live_rename after update of name on public.strategies
    for each row when (new.name is distinct from old.name)
    execute function private.prevent_live_strategy_change();
create trigger strategies_prevent_live_deletion after delete on public.strategies
    for each row when (pg_trigger_depth() = 0)
    execute function private.prevent_live_strategy_change();

-- Returns the summary of a strategy's backtests.
create function private.strategy_performance(strategy_id uuid) returns jsonb
language sql
stable
set search_path = ''
set timezone = 'UTC'
as $$
    select
        case count(*)
            when 0 then '{}'
            else jsonb_build_object(
                'backtests', count(*),
                'average_return_percentage', round(avg(backtest_results.total_return_percentage), 4)::text,
                'average_max_drawdown', round(avg(backtest_results.max_drawdown), 4)::text,
                'total_trades', sum(backtest_results.total_trades),
                'last_backtest_at', max(backtest_results.created_at)
            )
        end
    from public.backtest_results
    where backtest_results.strategy_id = strategy_performance.strategy_id
$$;
revoke execute on function private.strategy_performance(uuid) from public, anon, authenticated, service_role;

create function private.set_strategy_performance() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    -- Locked before the sum is computed, so that a concurrent backtest that was committed meanwhile is included.
    perform
    from public.strategies
    where strategies.id in (old.strategy_id, new.strategy_id)
    order by strategies.id
    for no key update;
    update public.strategies
    set performance = private.strategy_performance(strategies.id)
    where strategies.id in (old.strategy_id, new.strategy_id);
    return null;
end
$$;
revoke execute on function private.set_strategy_performance() from public, anon, authenticated, service_role;

create trigger backtest_results_set_strategy_performance after insert or update or delete on public.backtest_results
    for each row execute function private.set_strategy_performance();

-- Trades --------------------------------------------------------------------------------------------------------------

-- Validates a trade, and sets its holding duration. NaN is a valid value of a decimal column. A single one would turn
-- all statistics of the bot into NaN, permanently.
create function private.prepare_trade() returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if 'NaN' in (new.amount, new.price, new.exit_price, new.fee, new.profit, new.profit_percentage) then
        raise exception 'trade figures must not be NaN' using errcode = 'check_violation', constraint = 'trade_is_valid';
    end if;
    -- Measured as PostgreSQL writes it, where 1e300 has 301 digits. A portfolio returns many trades at once.
    if octet_length(new.metadata::text) > 8192 then
        raise exception 'metadata must have at most 8192 bytes' using errcode = 'check_violation', constraint = 'trade_is_valid';
    end if;
    new.holding_duration := new.exit_time - new.entry_time;
    return new;
end
$$;
revoke execute on function private.prepare_trade() from public, anon, authenticated, service_role;

create trigger trades_prepare
    before insert
    or update of entry_time, exit_time, amount, price, exit_price, fee, profit, profit_percentage, metadata
    on public.trades
    for each row execute function private.prepare_trade();

-- Change of a bot's statistics by one statement on trades: counts and profit of its closed trades, and the time of the
-- latest activity (exit, or entry if still open; cancelled trades excluded) among the added and the removed rows.
create type private.bot_statistics_delta as (
    bot_id uuid,
    total_trades bigint,
    winning_trades bigint,
    losing_trades bigint,
    profit numeric,
    activity_added timestamptz,
    activity_removed timestamptz
);

-- Adds the deltas to bots, once per statement and bot. So recording a trade costs the same with ten trades or ten
-- million. A trade that broke even counts as neither winning nor losing.
create function private.update_bot_statistics() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
    deltas private.bot_statistics_delta[] := '{}';
begin
    if tg_op in ('INSERT', 'UPDATE') then
        deltas := array(
            select
                row(
                    added.bot_id,
                    count(*) filter (where added.status = 'closed'),
                    count(*) filter (where added.status = 'closed' and added.profit > 0),
                    count(*) filter (where added.status = 'closed' and added.profit < 0),
                    coalesce(sum(added.profit) filter (where added.status = 'closed'), 0),
                    max(coalesce(added.exit_time, added.entry_time)) filter (where added.status <> 'cancelled'),
                    null
                )::private.bot_statistics_delta
            from added
            group by added.bot_id
        );
    end if;
    if tg_op in ('UPDATE', 'DELETE') then
        deltas := deltas || array(
            select
                row(
                    removed.bot_id,
                    -count(*) filter (where removed.status = 'closed'),
                    -count(*) filter (where removed.status = 'closed' and removed.profit > 0),
                    -count(*) filter (where removed.status = 'closed' and removed.profit < 0),
                    -coalesce(sum(removed.profit) filter (where removed.status = 'closed'), 0),
                    null,
                    max(coalesce(removed.exit_time, removed.entry_time)) filter (where removed.status <> 'cancelled')
                )::private.bot_statistics_delta
            from removed
            group by removed.bot_id
        );
    end if;

    -- `insert … on conflict do update` also fires the trigger for updates, usually without rows.
    if cardinality(deltas) = 0 then
        return null;
    end if;

    -- Locked in the order of ids, so that two batches for the same bots wait for each other instead of causing a
    -- deadlock. Locked before the update, so that its subquery on trades sees what the other batch has committed.
    perform
    from public.bots
    where bots.id in (select delta.bot_id from unnest(deltas) as delta)
    order by bots.id
    for no key update;

    update public.bots
    set
        total_trades = bots.total_trades + change.total_trades,
        winning_trades = bots.winning_trades + change.winning_trades,
        losing_trades = bots.losing_trades + change.losing_trades,
        profit = bots.profit + change.profit,
        profit_percentage = coalesce(round((bots.profit + change.profit) / nullif(bots.initial_balance, 0) * 100, 4), 0),
        current_balance = bots.initial_balance + bots.profit + change.profit,
        last_trade_at = case
            when
                change.activity_removed >= bots.last_trade_at
                and coalesce(change.activity_added < bots.last_trade_at, true)
                then (
                    select max(coalesce(trades.exit_time, trades.entry_time))
                    from public.trades
                    where trades.bot_id = bots.id and trades.status <> 'cancelled'
                )
            else greatest(bots.last_trade_at, change.activity_added)
        end
    from (
        select
            delta.bot_id,
            sum(delta.total_trades)::integer as total_trades,
            sum(delta.winning_trades)::integer as winning_trades,
            sum(delta.losing_trades)::integer as losing_trades,
            sum(delta.profit) as profit,
            max(delta.activity_added) as activity_added,
            max(delta.activity_removed) as activity_removed
        from unnest(deltas) as delta
        group by delta.bot_id
    ) as change
    where
        bots.id = change.bot_id
        and (
            (change.total_trades, change.winning_trades, change.losing_trades, change.profit) <> (0, 0, 0, 0)
            or change.activity_added is distinct from change.activity_removed
        );
    return null;
end
$$;
revoke execute on function private.update_bot_statistics() from public, anon, authenticated, service_role;

create trigger trades_insert_update_bot_statistics after insert on public.trades
    referencing new table as added
    for each statement execute function private.update_bot_statistics();
create trigger trades_update_update_bot_statistics after update on public.trades
    referencing old table as removed new table as added
    for each statement execute function private.update_bot_statistics();
create trigger trades_delete_update_bot_statistics after delete on public.trades
    referencing old table as removed
    for each statement execute function private.update_bot_statistics();

-- Statistics and views ------------------------------------------------------------------------------------------------

-- Returns a user's trading performance over the last `days_back` days. It runs as the caller, so the policies hide the
-- trades of other users. Amounts in different currencies are not added up: total_profit, best_trade and worst_trade are
-- null unless all trades are in one currency. profit_by_currency has every currency.
create function public.get_user_trading_performance(user_uuid uuid, days_back integer default 30)
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
-- One generic plan: it reads the user's part of the index, whether that has three trades or ten million. Planning on
-- every call took as long as the query itself.
set plan_cache_mode = 'force_generic_plan'
set enable_seqscan = off
set jit = off
as $$
begin
    return query
    with by_currency as (
        select
            -- BTC/USDT is settled in the quote currency, BTC/USDT:USDT in the currency after the colon.
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
revoke execute on function public.get_user_trading_performance(uuid, integer)
from public, anon, authenticated, service_role;
grant execute on function public.get_user_trading_performance(uuid, integer) to authenticated;

create view public.bot_performance_summary
with (security_invoker = true)
as
select
    bots.id,
    bots.user_id,
    bots.name,
    bots.exchange,
    bots.trading_pair,
    bots.timeframe,
    bots.strategy,
    bots.status,
    bots.initial_balance,
    bots.current_balance,
    bots.total_trades,
    bots.winning_trades,
    bots.losing_trades,
    bots.profit,
    bots.profit_percentage,
    bots.max_open_trades,
    bots.stake_amount,
    bots.stop_loss,
    bots.take_profit,
    bots.risk_percentage,
    bots.is_paper_trade,
    bots.last_trade_at,
    bots.error_message,
    bots.metadata,
    bots.created_at,
    bots.updated_at,
    case
        when bots.total_trades > 0 then round(bots.winning_trades::decimal / bots.total_trades * 100, 2)
        else 0
    end as win_rate_percentage,
    users.email as user_email,
    users.full_name as user_name
from public.bots
inner join public.users on users.id = bots.user_id;
comment on view public.bot_performance_summary is 'Bots of the caller, with their win rate.';
revoke all on table public.bot_performance_summary from public, anon, authenticated, service_role;
grant select on table public.bot_performance_summary to authenticated;

-- Returns the author's name and the average backtest return of a published strategy, and nothing for any other
-- strategy. The view strategy_marketplace runs as the caller, who may not read other users' profiles and backtests.
-- Clients cannot call this function by name.
create function private.marketplace_entry(strategy_id uuid)
returns table (author_name varchar, avg_return_percentage numeric, backtest_count bigint)
language sql
stable
security definer
set search_path = ''
as $$
    select users.full_name, coalesce(backtests.average, 0), backtests.total
    from public.strategies
    inner join public.users on users.id = strategies.user_id
    cross join lateral (
        select avg(backtest_results.total_return_percentage) as average, count(*) as total
        from public.backtest_results
        where backtest_results.strategy_id = strategies.id
    ) as backtests
    where
        strategies.id = marketplace_entry.strategy_id
        and strategies.is_public = true
        and strategies.strategy_type = 'marketplace'
        and strategies.is_verified = true
$$;
revoke execute on function private.marketplace_entry(uuid) from public, anon, authenticated, service_role;
grant execute on function private.marketplace_entry(uuid) to authenticated;

create view public.strategy_marketplace
with (security_invoker = true)
as
select
    strategies.id,
    strategies.user_id,
    strategies.name,
    strategies.description,
    strategies.strategy_type,
    strategies.content,
    strategies.parameters,
    strategies.performance,
    strategies.is_public,
    strategies.is_verified,
    strategies.backtest_results,
    strategies.tags,
    strategies.category,
    strategies.risk_level,
    strategies.created_at,
    strategies.updated_at,
    entry.author_name,
    entry.avg_return_percentage,
    entry.backtest_count
from public.strategies
cross join lateral private.marketplace_entry(strategies.id) as entry
where
    strategies.is_public = true
    and strategies.strategy_type = 'marketplace'
    and strategies.is_verified = true;
comment on view public.strategy_marketplace is
    'Verified strategies of the marketplace, with author and average return.';
revoke all on table public.strategy_marketplace from public, anon, authenticated, service_role;
grant select on table public.strategy_marketplace to authenticated;

-- Shows or hides the marketplace for visitors who are not signed in. For the owner of the database.
create function private.show_marketplace_to_anonymous(is_shown boolean) returns void
language plpgsql
set search_path = ''
as $$
begin
    if is_shown then
        grant select on table public.strategies, public.strategy_marketplace to anon;
        grant execute on function private.marketplace_entry(uuid) to anon;
    else
        revoke select on table public.strategies, public.strategy_marketplace from anon;
        revoke execute on function private.marketplace_entry(uuid) from anon;
    end if;
end
$$;
revoke execute on function private.show_marketplace_to_anonymous(boolean)
from public, anon, authenticated, service_role;

-- Realtime ------------------------------------------------------------------------------------------------------------

do $$
declare
    published text;
begin
    if not exists (select from pg_publication where pubname = 'supabase_realtime') then
        create publication supabase_realtime;
    end if;
    foreach published in array array['bots', 'trades', 'notifications'] loop
        if not exists (
            select from pg_publication_tables
            where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = published
        ) then
            execute format('alter publication supabase_realtime add table public.%I', published);
        end if;
    end loop;
end
$$;
