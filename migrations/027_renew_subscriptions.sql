-- Daily: notifies users 7, 3 and 1 days before their plan ends, and creates a renewal invoice 3 days before.
--
-- A run is a sequence of batches, as in expire_subscriptions. Invoices are committed here, and their payments are
-- created at Tripay afterwards.

-- Notifies a user that a plan is about to end. Returns true if the notification is new.
create function private.notify_plan_end(ending public.subscriptions, moment timestamptz) returns boolean
language plpgsql
set search_path = ''
as $$
declare
    plan_name text := (select plans.name from public.plans where plans.id = ending.plan_id);
    days constant integer := case
        when ending.expires_at <= moment + interval '1 day' then 1
        when ending.expires_at <= moment + interval '3 days' then 3
        else 7
    end;
begin
    -- No notification for a period that is not longer than the notice, such as a trial of seven days, which would be
    -- announced on its first day.
    if ending.expires_at - ending.started_at <= make_interval(days => days) then
        return false;
    end if;
    return private.create_notification(
        ending.user_id,
        format('subscription:%s:ends-in-%s', ending.id, days),
        'subscription',
        format('%s ends on %s', plan_name, private.format_date(ending.expires_at)),
        case
            when ending.status = 'trial' then 'Your trial ends on that day. Buy the plan to keep it.'
            when not ending.auto_renew then 'The renewal is cancelled. Resume it, or buy the plan again, to keep the plan.'
            when days > 3 then 'You will receive a renewal invoice three days before that date.'
            else 'Pay the renewal invoice, or buy the plan again, to keep it.'
        end,
        jsonb_build_object('subscription_id', ending.id, 'expires_at', ending.expires_at),
        moment
    );
end
$$;
revoke execute on function private.notify_plan_end(public.subscriptions, timestamptz)
from public, anon, authenticated, service_role;

-- Inserts the renewal invoice, at today's price and with the period and payment method of the last paid invoice.
-- Returns null if no renewal is due or an invoice for it exists.
create function private.insert_renewal_invoice(ending public.subscriptions, moment timestamptz) returns public.invoices
language plpgsql
set search_path = ''
as $$
declare
    plan public.plans;
    customer public.users;
    last_paid public.invoices;
begin
    if ending.status <> 'active' or not ending.auto_renew or ending.expires_at > moment + interval '3 days' then
        return null;
    end if;
    select plans.* into plan from public.plans where plans.id = ending.plan_id and plans.is_active;
    select invoices.* into last_paid
    from public.invoices
    where
        invoices.user_id = ending.user_id
        and invoices.plan_id = plan.id
        and invoices.status = 'paid'
        and invoices.refunded_at is null
        and invoices.payment_method is not null
    order by invoices.paid_at desc
    limit 1;
    if
        not found
        or coalesce(round(case last_paid.period when 'yearly' then plan.price_yearly else plan.price_monthly end), 0) <= 0
        or exists (
            select from public.invoices
            where
                invoices.renews_subscription_id = ending.id
                -- Or one that the user requested.
                or (
                    invoices.user_id = ending.user_id
                    and invoices.plan_id = plan.id
                    and invoices.status = 'pending'
                    and invoices.expired_at > moment + interval '10 minutes'
                )
        )
    then
        return null;
    end if;
    select users.* into customer from public.users where users.id = ending.user_id;
    perform private.audit_billing(
        customer.id, 'Opened renewal invoice',
        jsonb_build_object('action', 'renew-subscription', 'subscription_id', ending.id), moment
    );
    return private.insert_invoice(
        private.uuid_v7(), customer, plan, coalesce(last_paid.period, 'monthly'), last_paid.payment_method,
        last_paid.customer_phone,
        greatest(ending.expires_at, moment + interval '1 day'), ending.id, null, moment
    );
end
$$;
revoke execute on function private.insert_renewal_invoice(public.subscriptions, timestamptz)
from public, anon, authenticated, service_role;

-- Outcome: `notices`, the number of new notifications; `opened`, the invoices to open at Tripay; `failures`; and
-- `after`.
create function private.renew_subscriptions(input jsonb) returns json
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
    moment constant timestamptz := (input ->> 'now')::timestamptz;
    batch_limit constant bigint := (input ->> 'limit')::bigint;
    ending public.subscriptions;
    candidate public.subscriptions;
    size bigint := 0;
    is_notified boolean;
    invoice public.invoices;
    notices bigint := 0;
    opened json[] := array[]::json[];
    failures json[] := array[]::json[];
begin
    for candidate in
        select subscriptions.*
        from public.subscriptions
        where
            subscriptions.status <> 'expired'
            and subscriptions.expires_at > moment
            and subscriptions.expires_at <= moment + interval '7 days'
            and (
                input ->> 'after' is null
                or (subscriptions.expires_at, subscriptions.id)
                > ((input #>> '{after,expires_at}')::timestamptz, (input #>> '{after,id}')::uuid)
            )
        order by subscriptions.expires_at, subscriptions.id
        limit batch_limit
    loop
        size := size + 1;
        perform from public.users where users.id = candidate.user_id for no key update skip locked;
        continue when not found;
        -- Read again under the lock, and only if no period of the same plan follows.
        select subscriptions.* into ending
        from public.subscriptions
        where
            subscriptions.id = candidate.id
            and subscriptions.status <> 'expired'
            and subscriptions.expires_at = candidate.expires_at
            and not exists (
                select from public.subscriptions as following
                where
                    following.user_id = candidate.user_id
                    and following.plan_id = candidate.plan_id
                    and following.status <> 'expired'
                    and following.started_at >= candidate.expires_at
            );
        continue when not found;
        begin
            is_notified := private.notify_plan_end(ending, moment);
            invoice := private.insert_renewal_invoice(ending, moment);
            -- Counted last, because an error rolls back the notification too.
            notices := notices + is_notified::integer;
            if invoice.id is not null then
                opened := opened || json_build_object('id', invoice.id, 'order', private.tripay_order(invoice));
            end if;
        exception when others then
            failures := failures
                || json_build_object('user_id', candidate.user_id, 'cause', sqlstate || ' ' || sqlerrm);
        end;
    end loop;
    return json_build_object(
        'notices', notices,
        'opened', to_json(opened),
        'failures', to_json(failures),
        'after', case
            when size = batch_limit then json_build_object('expires_at', candidate.expires_at, 'id', candidate.id)
        end
    );
end
$$;
comment on function private.renew_subscriptions(jsonb) is 'Daily: one batch of subscriptions that end within a week';
revoke execute on function private.renew_subscriptions(jsonb) from public, anon, authenticated, service_role;
grant execute on function private.renew_subscriptions(jsonb) to nofomo_jobs;
